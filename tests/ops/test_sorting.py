"""Sorting: ties, NaN, axes, and errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError, IndexingError, OperationError, ShapeError


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("function", [np.sort, lambda x: np.partition(x, (0, 1, 2, 3))])
def test_ties_share_the_gradients_of_their_places_evenly(function):
    x = leaf([2.0, 1.0, 2.0, 1.0])
    function(x).backward(np.array([1.0, 2.0, 30.0, 50.0]))
    np.testing.assert_array_equal(x.grad.data, [40.0, 1.5, 40.0, 1.5])
    assert "evenly" in tg.core.PRIMITIVES["sort"].kinks


def test_the_largest_of_the_sorted_is_the_maximum_at_ties_too():
    values = [[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, -1.0]]
    x, y = leaf(values), leaf(values)
    np.sort(x)[:, -1].sum().backward()
    np.max(y, axis=1).sum().backward()
    np.testing.assert_allclose(x.grad.data, y.grad.data)


def test_ties_do_not_reach_from_one_line_into_the_next():
    x = leaf([[1.0, 2.0], [2.0, 3.0]])
    np.sort(x, axis=1).backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(x.grad.data, [[1.0, 2.0], [3.0, 4.0]])


def test_ties_have_second_derivatives():
    x = leaf([2.0, 1.0, 2.0])
    (np.sort(x) ** 2 * [1.0, 3.0, 5.0]).sum().backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.data, [16.0, 2.0, 16.0])
    g, x.grad = x.grad, None
    g[0].backward()
    np.testing.assert_array_equal(x.grad.data, [4.0, 0.0, 4.0])


def test_nan_is_sorted_to_the_end_and_receives_its_gradient():
    x = leaf([np.nan, 2.0, np.nan, 1.0])
    np.sort(x).backward(np.arange(4.0))
    np.testing.assert_array_equal(x.grad.data, [2.0, 1.0, 3.0, 0.0])


def test_partition_equals_numpy_element_for_element_and_knows_where_they_were():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 50, (3, 200)).astype(float)
    x = leaf(values)
    out = np.partition(x, [20, 100])
    np.testing.assert_array_equal(out.data, np.partition(values, [20, 100]))
    (out * out.data).sum().backward()
    np.testing.assert_allclose(x.grad.data, values)


def test_nothing_to_sort_is_left_as_it_is():
    for function in (
        np.sort,
        lambda x: np.partition(x, 0, None),
        lambda x: np.partition(x, [1], 0),
    ):
        x = leaf(np.zeros((0, 3)))
        out = function(x)
        assert out.shape == function(x.data).shape
        out.sum().backward()
        assert x.grad.shape == (0, 3)


def test_float32_stays_and_integers_give_constants():
    x = leaf([2.0, 1.0, 1.0], np.float32)
    np.sort(x).sum().backward()
    assert x.grad.dtype == np.float32
    assert np.sort(tg.Tensor([2, 1])).tolist() == [1, 2]


def test_take_along_axis_inverts_argsort():
    x = leaf([[3.0, 1.0, 2.0]])
    order = np.argsort(x)
    out = np.take_along_axis(x, order, axis=-1)
    out.backward(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(out.data, [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(x.grad.data, [[3.0, 1.0, 2.0]])


def test_a_repeated_place_receives_the_sum():
    x = leaf([5.0, 6.0])
    np.take_along_axis(x, np.array([1, 1, 0, 1]), 0).backward(np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(x.grad.data, [3.0, 7.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: np.sort(x, axis=2), AxisError, r"np.sort: there is no axis 2 .*\(2, 3\)"),
        (lambda x: np.sort(x[0, 0]), AxisError, r"np.sort: there is no axis -1 .* shape \(\)"),
        (lambda x: np.sort(x, order="f"), OperationError, "np.sort with order= is about fields"),
        (lambda x: np.sort(x, kind="stable", stable=True), OperationError, "kind= and stable="),
        (lambda x: np.partition(x, 3), IndexingError, "kth=3 is no place on an axis of length 3"),
        (lambda x: np.partition(x, 1.0), IndexingError, "kth=1.0 is no place"),
        (lambda x: np.partition(x, 0, order="f"), OperationError, "np.partition with order="),
        (
            lambda x: np.take_along_axis(x, np.zeros((2, 2)), 1),
            IndexingError,
            "np.take_along_axis: indices of dtype float64",
        ),
        (
            lambda x: np.take_along_axis(x, np.zeros((3, 2), int), 1),
            ShapeError,
            r"indices of shape \(3, 2\) do not fit an array of shape \(2, 3\) on axis 1",
        ),
        (lambda x: np.take_along_axis(x, np.array([0]), 1), ShapeError, r"of shape \(1,\) do not"),
        (lambda x: np.take_along_axis(x, np.array([[7]]), 1), IndexingError, "out of bounds"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(leaf(np.ones((2, 3))))
    assert "Fix: " in str(caught.value)
    assert "test_sorting.py" in str(caught.value)
