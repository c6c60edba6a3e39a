"""Sliding windows: memory, a moving average, and errors by their words."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError, OperationError, ShapeError


@pytest.fixture
def t():
    return tg.Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)


def test_windows_lie_in_the_memory_of_the_array(t):
    assert np.shares_memory(sliding_window_view(t, (2, 2)).data, t.data)


def test_a_moving_average_weighs_each_element_by_the_windows_that_hold_it():
    x = tg.Tensor(np.arange(5.0), requires_grad=True)
    means = sliding_window_view(x, 3).mean(axis=-1)
    np.testing.assert_array_equal(means.data, [1.0, 2.0, 3.0])
    means.backward(np.array([3.0, 30.0, 300.0]))
    np.testing.assert_allclose(x.grad.data, [1.0, 11.0, 111.0, 110.0, 100.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t: sliding_window_view(t, 2), ShapeError, r"shape \(2,\) does not fit the axes"),
        (lambda t: sliding_window_view(t, (4, 1)), ShapeError, r"array of shape \(3, 4\)"),
        (lambda t: sliding_window_view(t, (-1, 1)), ShapeError, r"window of shape \(-1, 1\)"),
        (lambda t: sliding_window_view(t, (2, 3), (0, 0)), ShapeError, r"the axes \(0, 0\)"),
        (lambda t: sliding_window_view(t, 2, 2), AxisError, r"there is no axis 2 .*\(3, 4\)"),
        (lambda t: sliding_window_view(t, (1, 1), writeable=True), OperationError, "writeable=T"),
    ],
)
def test_errors_say_what_does_not_fit(t, call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(t)
    assert "Fix: " in str(caught.value)
    assert "test_windows.py" in str(caught.value)
