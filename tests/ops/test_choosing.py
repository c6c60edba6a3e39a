"""Choices: dtypes, conditions that overlap, functions by pieces, and errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DTypeError, IndexingError, OperationError, ShapeError


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def test_choose_takes_a_tensor_for_the_list_of_its_rows_and_tensors_for_places():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    out = np.choose(tg.Tensor([1, 0]), x)
    assert out.tolist() == [3.0, 2.0]
    out.backward(np.array([5.0, 7.0]))
    np.testing.assert_array_equal(x.grad.data, [[0.0, 7.0], [5.0, 0.0]])


def test_numbers_among_the_choices_are_weak():
    x = leaf([1.0, 2.0], np.float32)
    for choices in ([x, 3], [x, 0.5], [x, np.float64(0.5)]):
        plain = [c.data if isinstance(c, tg.Tensor) else c for c in choices]
        out = np.choose([0, 1], choices)
        assert out.dtype == np.choose([0, 1], plain).dtype
        np.testing.assert_array_equal(out.data, np.choose([0, 1], plain))


def test_compress_may_have_a_condition_shorter_than_the_axis():
    x = leaf([[1.0, 2.0, 3.0]])
    np.compress([False, True], x, axis=1).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(np.compress([0, 1, 1], x).data, [2.0, 3.0])


@pytest.mark.parametrize("default", [0, 0.5, np.float64(1.0), np.zeros(3, np.float32)])
def test_select_has_the_dtype_of_numpys(default):
    values = np.array([1.0, 2.0, 3.0], np.float32)
    x = leaf(values, np.float32)
    conditions = [values > 2, values > 1]
    for choices in ([x, 1], [2, x], [3, 4.5]):
        arrays = [c.data if isinstance(c, tg.Tensor) else c for c in choices]
        out = np.select([x > 2, x > 1], choices, default)
        expected = np.select(conditions, arrays, default)
        np.testing.assert_array_equal(out.data, expected)
        assert out.dtype == expected.dtype


def test_select_takes_the_first_condition_that_holds():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    always = np.array([True, True])
    np.select([np.array([True, False]), always], [x, y]).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1.0, 0.0])
    np.testing.assert_array_equal(y.grad.data, [0.0, 1.0])


def test_pieces_are_called_on_their_own_elements_alone():
    x = leaf([-1.0, 0.0, 4.0])
    out = np.piecewise(x, [x > 0], [lambda v, k: k * np.sqrt(v), -7.0], 3.0)
    assert out.tolist() == [-7.0, -7.0, 6.0]
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0.0, 0.0, 0.75])


def test_of_pieces_that_overlap_the_last_counts_as_in_numpy():
    values = np.array([1.0, 2.0, 3.0])
    x = leaf(values)
    pieces = [lambda v: v * v, lambda v: -v]
    out = np.piecewise(x, [x > 0, x > 2], pieces)
    expected = np.piecewise(values, [values > 0, values > 2], pieces)
    np.testing.assert_array_equal(out.data, expected)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [2.0, 4.0, -1.0])


def test_pieces_of_a_number_and_with_a_single_condition():
    x = leaf(-2.0)
    out = np.piecewise(x, [x < 0, x >= 0], [lambda v: v * v, 1.0])
    assert out.shape == ()
    out.backward()
    assert x.grad.item() == -4.0
    x = leaf([1.0, -1.0])
    np.testing.assert_array_equal(np.piecewise(x, x > 0, [lambda v: 5 * v]).data, [5.0, 0.0])


def test_what_a_piece_depends_on_beside_its_argument_receives_a_gradient():
    x, slope = leaf([1.0, -1.0, 2.0]), leaf(3.0)
    np.piecewise(x, [x > 0], [lambda v: slope * v]).sum().backward()
    assert slope.grad.item() == 3.0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: np.choose([0, 1], x), IndexingError, "0 to 1 are not all numbers of 1 choices"),
        (lambda x: np.choose(0.5, x), IndexingError, "np.choose: dtype float64 cannot number 1"),
        (lambda x: np.choose([0], x, mode="x"), OperationError, "np.choose has no mode 'x'"),
        (lambda x: np.choose([0], x, out=np.zeros(1)), OperationError, "np.choose with out="),
        (lambda x: np.compress([True], x, out=np.zeros(1)), OperationError, "np.compress with out"),
        (lambda x: np.compress([[True]], x), ShapeError, r"a condition of shape \(1, 1\)"),
        (lambda x: np.compress([0, 0, 0, 1], x), IndexingError, "out of bounds"),
        (lambda x: np.select([x > 0], [x, x]), ShapeError, "1 conditions and 2 choices"),
        (lambda x: np.select([x], [x]), DTypeError, "0 has dt"),
        (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), ShapeError, "1 conditions and 3 functions"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(leaf([[1.0, 2.0, 3.0]]))
    assert "Fix: " in str(caught.value)
