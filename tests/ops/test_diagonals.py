"""Diagonals and triangles: shapes that are not square, errors, and memory."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError, InplaceError, ShapeError


def leaf(*shape, dtype=np.float64):
    values = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("k", [-3, -1, 0, 1, 2, 4])
@pytest.mark.parametrize("shape", [(2, 4), (4, 2), (3, 3)])
def test_the_diagonal_of_any_matrix_sends_its_gradient_back_to_it(shape, k):
    x = leaf(*shape)
    out = np.diag(x, k)
    np.testing.assert_array_equal(out.data, np.diag(x.data, k))
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.eye(*shape, k))


def test_building_a_matrix_keeps_float32():
    x = leaf(2, dtype=np.float32)
    out = np.diag(x, 1)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.data, [[0, 1, 0], [0, 0, 2], [0, 0, 0]])
    out.sum().backward()
    assert x.grad.dtype == np.float32


def test_a_change_of_the_leaf_behind_a_diagonal_is_noticed():
    x = leaf(2, 2)
    square = (np.diagonal(x) ** 2).sum()
    x.assign(np.zeros((2, 2)))
    with pytest.raises(InplaceError, match="was assigned a new value"):
        square.backward()


def test_triangles_keep_infinities_of_the_other_triangle_out():
    x = tg.Tensor([[1.0, np.inf], [2.0, np.nan]], requires_grad=True)
    np.testing.assert_array_equal(np.tril(x, -1).data, [[0.0, 0.0], [2.0, 0.0]])
    np.tril(x, -1).backward(np.array([[np.nan, np.inf], [3.0, np.nan]]))
    np.testing.assert_array_equal(x.grad.data, [[0.0, 0.0], [3.0, 0.0]])


def test_vander_is_right_at_zero_to_second_order():
    x = tg.Tensor([0.0, 2.0], requires_grad=True)
    out = np.vander(x, 4)
    np.testing.assert_array_equal(out.data, np.vander(x.data, 4))
    out.sum().backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [1.0, 17.0])
    g, x.grad = x.grad, None
    g.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [2.0, 14.0])


def test_vander_has_the_dtype_of_numpys():
    for values in (np.float32([1, 2]), np.array([1, 2]), np.float16([1, 2])):
        assert np.vander(tg.Tensor(values)).dtype == np.vander(values).dtype


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: np.diag(leaf(2, 2, 2)), ShapeError, r"np.diag of shape \(2, 2, 2\)"),
        (lambda: np.diag(leaf(2)[0]), ShapeError, r"np.diag of shape \(\)"),
        (lambda: np.diagonal(leaf(2)), AxisError, r"np.diagonal of shape \(2,\) needs 2 axes"),
        (lambda: np.diagonal(leaf(2, 2), 0, 1, 2), AxisError, "np.diagonal: there is no axis"),
        (lambda: np.diagonal(leaf(2, 2), 0, 1, -1), AxisError, "one of them twice"),
        (lambda: np.tril(leaf(2)[0]), AxisError, "np.tril of shape .* needs 1 axes"),
        (lambda: np.vander(leaf(2, 2)), ShapeError, r"np.vander of shape \(2, 2\)"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert "Fix: " in str(caught.value)
    assert "test_diagonals.py" in str(caught.value)
