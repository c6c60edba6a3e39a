from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing import check_gradients
from tinygrad_bp.testing.catalogue import families
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.setting import Draw, values_of
from tinygrad_bp.testing.strategies import Call, primitive_calls

OWN = Case(
    "own",
    lambda x, y: np.abs(x) * np.log(y),
    (((2,), ()), ((2, 3), (3,))),
    domains=((-2.0, 2.0), (0.25, 3.0)),
    kinks=((0.0,),),
)
APART = Case("apart", np.maximum, (((20,), (20,)),), distinct=True)


@settings(max_examples=50)
@given(primitive_calls())
def test_calls_of_any_primitive_are_valid_and_have_right_gradients(call):
    assert np.all(np.isfinite(np.asarray(call())))
    check_gradients(call.function, *call.arguments, order=1)


def test_no_row_warns_where_it_is_called_as_it_is():
    for case in (case for rows in families().values() for case in rows):
        call = Call(case, tuple(values_of(case, case.shapes[0], Draw())))
        assert isinstance(call(), Tensor)


@given(primitive_calls(["log", "arcsin"], dtype="f4", layout="any"))
def test_calls_are_of_the_primitives_and_dtype_asked_for(call):
    assert call.case.primitive in ("log", "arcsin")
    assert call.arguments[0].dtype == np.float32
    assert repr(call).startswith(f"<{call.case} of array(")


@given(primitive_calls(cases=[OWN]))
def test_rows_of_ones_own_are_kept_to(call):
    x, y = call.arguments
    assert (x.shape, y.shape) in OWN.shapes
    assert np.all((np.abs(x) >= 0.05) & (np.abs(x) <= 2))
    assert np.all((y >= 0.25) & (y <= 3))
    check_gradients(call.function, x, y)


@given(primitive_calls(cases=[APART]))
def test_elements_differ_over_all_arguments(call):
    together = np.sort(np.concatenate(call.arguments))
    assert np.all(np.diff(together) >= 0.05)


def test_calls_shrink_to_simple_numbers():
    call = find(primitive_calls(cases=[OWN]), lambda call: call.arguments[0].sum() < 0)
    assert call.arguments[0].tolist() == [1, -2]
    assert call.arguments[1].tolist() == 1


def test_unknown_primitives_are_refused():
    with pytest.raises(ArgumentError, match="no row for the primitive 'expp'; did you mean 'exp'"):
        find(primitive_calls("expp"), lambda call: True)


@given(primitive_calls(["svdvals", "inv", "eigh"], layout="any"))
def test_matrices_of_decompositions_have_no_equal_elements(call):
    """As zeros and ones would be, of which most matrices are singular."""
    for a in call.arguments:
        assert np.unique(a).size == a.size
    assert np.all(np.isfinite(np.asarray(call())))
