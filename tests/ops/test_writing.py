"""Functions that would write into a tensor are refused, and name the way that records."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import InplaceError
from tinygrad_bp.ops.writing import INSTEAD

CALLS = [
    lambda t, v: np.copyto(t, v),
    lambda t, v: np.copyto(t, v, where=np.eye(2, dtype=bool)),
    lambda t, v: np.fill_diagonal(t, v),
    lambda t, v: np.place(t, np.eye(2, dtype=bool), v),
    lambda t, v: np.put(t, [0], v),
    lambda t, v: np.put_along_axis(t, np.array([[0], [1]]), v, 1),
    lambda t, v: np.putmask(t, np.eye(2, dtype=bool), v),
]


@pytest.mark.parametrize("call", CALLS)
def test_writing_into_a_tensor_is_refused_and_changes_nothing(call):
    x = tg.Tensor(np.ones((2, 2)), requires_grad=True)
    with pytest.raises(
        InplaceError, match=r"(?s)write into a tensor of shape \(2, 2\).*Fix: "
    ) as e:
        call(x, 5.0)
    assert "test_writing.py" in str(e.value)
    np.testing.assert_array_equal(x.data, 1.0)


@pytest.mark.parametrize("function", [np.copyto, lambda a, v: np.put_along_axis(a, A, v, 1)])
def test_a_tensor_that_requires_a_gradient_does_not_vanish_into_an_array(function):
    array = np.zeros((2, 2))
    with pytest.raises(InplaceError, match="turn a tensor that requires a gradient into plain"):
        function(array, tg.Tensor([[1.0], [2.0]], requires_grad=True))
    assert not array.any()


def test_constant_tensors_can_be_written_into_arrays():
    array = np.zeros((2, 2))
    np.copyto(array, tg.Tensor([1.0, 2.0]))
    np.testing.assert_array_equal(array, [[1.0, 2.0], [1.0, 2.0]])


def test_each_names_what_to_use_in_its_place():
    assert all("np." in remedy or "t.at" in remedy for remedy in INSTEAD.values())


A = np.array([[0], [1]])
