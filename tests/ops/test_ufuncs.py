"""Keywords and methods of ufuncs: what NumPy's own give, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors


@pytest.fixture
def x():
    return tg.Tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], requires_grad=True, name="x")


def test_where_keeps_what_is_masked_out_of_value_and_gradient(x):
    y = np.log(x, where=x > 0)
    np.testing.assert_allclose(y.data, [[0, 0, np.log(3)], [np.log(4), np.log(5), 0]])
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data, [[1, 0, 1 / 3], [1 / 4, 1 / 5, 0]])
    np.testing.assert_array_equal(np.log(x, where=False).data, np.zeros((2, 3)))
    assert np.sqrt(tg.Tensor(4.0), where=True).item() == 2.0


def test_dtype_casts_the_inputs_first(x):
    y = np.multiply(x, 2.0, dtype=np.float32)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (np.float32, np.float64)
    with pytest.raises(errors.DTypeError, match=r"np.add with dtype=int64 .*\(2, 3\) float64"):
        np.add(x, 1.0, dtype=int)
    with pytest.raises(errors.DTypeError, match="casting='safe'"):
        np.add(x, 1.0, dtype=np.float32, casting="safe")


def test_what_only_chooses_the_memory_changes_nothing(x):
    np.testing.assert_array_equal(np.exp(x, order="F", subok=False).data, np.exp(x.data))


def test_constants_have_the_methods_too(x):
    found = np.logical_and.reduce(x > -3, axis=1)
    assert found.data.tolist() == [True, False]
    assert np.less.outer(x[0], x[0]).shape == (3, 3)


def test_several_axes_are_reduced_where_the_order_does_not_matter(x):
    np.testing.assert_allclose(np.fmax.reduce(x, axis=(0, 1)).data, 5)
    with pytest.raises(errors.ArgumentError, match=r"np.subtract.reduce over several axes"):
        np.subtract.reduce(x, axis=(0, 1))
    with pytest.raises(errors.AxisError, match=r"np.hypot.reduce over axis 2 of 2 axes"):
        np.hypot.reduce(x, axis=2)


def test_nothing_is_reduced_to_the_identity_or_refused():
    empty = tg.Tensor(np.zeros((0, 2)), requires_grad=True)
    np.testing.assert_array_equal(np.add.reduce(empty).data, [0, 0])
    np.testing.assert_array_equal(np.multiply.reduce(empty).data, [1, 1])
    np.testing.assert_array_equal(np.hypot.reduce(empty).data, np.hypot.reduce(empty.data))
    with pytest.raises(errors.ArgumentError, match=r"np.divide.reduce of \(0, 2\) .* no element"):
        np.divide.reduce(empty)


def test_a_users_operation_has_them_all(x):
    # A ufunc of NumPy's own kind, which has a rule by registration alone.
    both = np.frompyfunc(lambda a, b: a - b, 2, 1)
    tg.implements(both)(lambda a, b: a - b)
    try:
        np.testing.assert_array_equal(both.outer(x[0], [1.0]).data, x.data[0][:, None] - 1)
        np.testing.assert_array_equal(both.reduce(x).data, x.data[0] - x.data[1])
    finally:
        del tg.core.FUNCTIONS[both]


def test_writing_forms_are_refused_with_the_way_to_do_it(x):
    with pytest.raises(errors.OperationError, match=r"np.add.at writes .*\n.*x.at\[i\].add"):
        np.add.at(x, [0], 1.0)
    with pytest.raises(errors.InplaceError, match="out="):
        np.add(x, 1.0, out=np.zeros((2, 3)))
    with pytest.raises(errors.InplaceError, match="out="):
        np.add.reduce(x, out=np.zeros(3))
    with pytest.raises(errors.OperationError, match="no rule is written for signature"):
        np.add(x, 1.0, signature="dd->d")
    with pytest.raises(errors.OperationError, match=r"np.logical_or.at writes"):
        np.logical_or.at(x, [0], True)


def test_pieces_that_do_not_exist_are_refused(x):
    with pytest.raises(errors.ArgumentError, match=r"reduceat: the indices \[0, 3\]"):
        np.add.reduceat(x, [0, 3], axis=1)
