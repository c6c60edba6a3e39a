"""Inserting, deleting, repeating and blocking: dtypes, values for places, errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, AxisError, DTypeError, IndexingError, ShapeError


def leaf(*shape, dtype=np.float64):
    values = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize(
    "obj", [0, -1, 3, [1], [0, 2], [2, 0, 2], [], np.array([-1]), slice(1, 3), slice(2, 0, -1)]
)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_insert_puts_each_value_where_numpy_does(obj, axis):
    x, values = leaf(3, 3), tg.Tensor(-7.0, requires_grad=True)
    out = np.insert(x, obj, values, axis)
    expected = np.insert(x.data, obj, -7.0, axis)
    np.testing.assert_array_equal(out.data, expected)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.data, np.ones((3, 3)))
    assert values.grad.item() == np.count_nonzero(expected == -7.0)


@pytest.mark.parametrize("mask", [[True, False, True], [False, True, False], [False] * 3])
def test_insert_takes_masks(mask):
    x, mask = leaf(3), np.array(mask)
    out = np.insert(x, mask, leaf(1))
    np.testing.assert_array_equal(out.data, np.insert(x.data, mask, [1.0]))


def test_insert_casts_to_the_dtype_of_the_array_and_gives_values_a_gradient_of_theirs():
    x, v = leaf(2, dtype=np.float32), leaf(1)
    out = np.insert(x, 1, v)
    assert out.dtype == np.float32
    out.sum().backward()
    assert v.grad.dtype == np.float64
    inserted = np.insert(np.zeros(2), 1, v)
    assert inserted.requires_grad


@pytest.mark.parametrize("obj", [0, -1, [0, 2], [1, 1], [], slice(None, None, 2), slice(5, 1, -2)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_delete_leaves_what_numpy_leaves(obj, axis):
    x = leaf(3, 4)
    out = np.delete(x, obj, axis)
    np.testing.assert_array_equal(out.data, np.delete(x.data, obj, axis))
    out.sum().backward()
    assert x.grad.data.sum() == out.size


def test_the_shape_of_resize_may_be_shorter_or_longer():
    x = leaf(3)
    np.testing.assert_array_equal(np.resize(x, (2, 4)).data, np.resize(x.data, (2, 4)))
    np.resize(x, (2, 4)).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [3.0, 3.0, 2.0])
    assert np.resize(leaf(0), (2,)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("trim", ["f", "b", "fb", "BF"])
@pytest.mark.parametrize("values", [[0, 0, 1, 0, 2, 0], [0, 0, 0], [1, 2], []])
def test_trim_zeros_cuts_where_numpy_does(trim, values):
    x = tg.Tensor(values, requires_grad=True, dtype=float)
    np.testing.assert_array_equal(np.trim_zeros(x, trim).data, np.trim_zeros(x.data, trim))


def test_trim_zeros_of_chosen_axes():
    from tinygrad_bp.ops.rearranging import trim_zeros  # NumPy takes axis= since 2.2

    x = tg.Tensor([[0.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    assert trim_zeros(x).tolist() == [[5.0]]
    assert trim_zeros(x, axis=0).tolist() == [[0.0, 5.0, 0.0]]
    assert trim_zeros(x, axis=1).tolist() == [[0.0], [5.0]]


@pytest.mark.parametrize("k", range(-4, 5))
@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (-1, 0)])
def test_rot90_turns_as_numpy_does(k, axes):
    x = leaf(2, 3, 2)
    np.testing.assert_array_equal(np.rot90(x, k, axes).data, np.rot90(x.data, k, axes))


def test_block_gives_each_array_its_own_part_of_the_gradient():
    x, y = leaf(2, 2), tg.Tensor(7.0, requires_grad=True)
    out = np.block([[x, np.zeros((2, 1))], [y, np.array([1.0, 2.0])]])
    np.testing.assert_array_equal(out.data, [[1, 2, 0], [3, 4, 0], [7, 1, 2]])
    out.backward(np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(x.grad.data, [[0, 1], [3, 4]])
    assert y.grad.item() == 6.0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: np.append(x, x, axis=2), AxisError, "there is no axis 2"),
        (lambda x: np.delete(x, 3, axis=1), IndexingError, r"np.delete: 3 .* axis 1 .*\(2, 3\)"),
        (lambda x: np.delete(x, [True], axis=1), IndexingError, "np.delete: .*True.*boolean"),
        (lambda x: np.delete(x, 0, axis=2), AxisError, "np.delete: there is no axis"),
        (lambda x: np.insert(x, 9, 0.0), IndexingError, "np.insert: 9 does not name places"),
        (lambda x: np.insert(x, 0.5, 0.0), IndexingError, "np.insert: 0.5 does not name"),
        (lambda x: np.insert(x, [0, 1], [1.0, 2.0, 3.0]), ShapeError, r"broadcast_to .*\(3,\)"),
        (lambda x: np.resize(x, (2, -1)), ShapeError, r"np.resize to \(2, -1\)"),
        (lambda x: np.trim_zeros(x, "x"), ArgumentError, "cannot trim 'x'"),
        (lambda x: np.rot90(x, 1, (0, 0)), AxisError, r"\(0, 0\), one of them twice"),
        (lambda x: np.rot90(x, 1, (0, 2)), AxisError, "np.rot90: there is no axis"),
        (lambda x: np.rot90(x, 1, (0,)), ShapeError, "the plane of two axes, not of 1"),
        (lambda x: np.block([[x], x]), ShapeError, r"lists of depths \[1, 2\] side by side"),
        (lambda x: np.block([[], [x]]), ShapeError, "a list is empty"),
        (lambda x: np.block([x, (x, x)]), DTypeError, "there is a tuple among them"),
        (lambda x: np.block([[x], [np.ones(2)]]), ShapeError, "concatenate cannot work on"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(leaf(2, 3))
    assert "Fix: " in str(caught.value)


def test_unstack_gives_slices():
    from tinygrad_bp.ops.rearranging import unstack  # NumPy has it since 2.1

    x = leaf(2, 3)
    a, b, c = unstack(x, axis=1)
    (a * b + c).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[2.0, 1.0, 1.0], [5.0, 4.0, 1.0]])
    with pytest.raises(AxisError, match="np.unstack: there is no axis"):
        unstack(x, axis=2)
