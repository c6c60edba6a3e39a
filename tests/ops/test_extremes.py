"""Largest and smallest elements: ties, NaN, masks, starting values."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg

BOTH = (np.max, np.min)


def slopes(function, values, start=None, **more):
    x = tg.Tensor(values, requires_grad=True)
    if start is None:
        function(x, **more).sum().backward()
        return x.grad.data
    start = tg.Tensor(start, requires_grad=True)
    function(x, initial=start, **more).sum().backward()
    return x.grad.data, start.grad.data


@pytest.mark.parametrize("function", BOTH)
def test_the_starting_value_is_one_of_those_that_tie(function):
    x, start = slopes(function, [2.0, 2.0], 2.0)
    np.testing.assert_allclose(x, 1 / 3)
    np.testing.assert_allclose(start, 1 / 3)
    x, start = slopes(function, [2.0, 3.0, 2.0], 2.0, where=[True, False, False])
    np.testing.assert_array_equal(x, [0.5, 0, 0])
    assert start == 0.5
    assert "initial=" in tg.core.PRIMITIVES[function.__name__.removeprefix("a")].kinks


@pytest.mark.parametrize("function", BOTH)
def test_nothing_but_a_starting_value(function):
    x, start = slopes(function, np.zeros((0, 2)), 2.0, axis=0)
    assert x.shape == (0, 2)
    assert start == 2.0
    x, start = slopes(function, [np.nan, 1.0], 2.0, where=[False, False])
    np.testing.assert_array_equal(x, 0)
    assert start == 1.0


@pytest.mark.parametrize("function", BOTH)
def test_nan_wins_and_takes_the_gradient_without_warnings(function):
    np.testing.assert_array_equal(slopes(function, [1.0, np.nan, 3.0, np.nan]), [0, 0.5, 0, 0.5])
    rows = [[1.0, np.nan], [2.0, 3.0]]
    found = slopes(function, rows, axis=1)
    np.testing.assert_array_equal(found[0], [0, 1])
    np.testing.assert_array_equal(found[1].sum(), 1)
    x, start = slopes(function, [1.0, 2.0], np.nan)
    np.testing.assert_array_equal(x, 0)
    assert start == 1


@pytest.mark.parametrize("function", BOTH)
def test_a_mask_needs_a_starting_value(function):
    with pytest.raises(tg.errors.ArgumentError, match=r"where= needs initial= too") as error:
        function(tg.Tensor([1.0, 2.0]), where=[True, False])
    assert "np.inf" in str(error.value)


def test_peak_to_peak_of_equal_elements_is_flat():
    np.testing.assert_allclose(slopes(np.ptp, [2.0, 2.0]), 0)
    with pytest.raises(tg.errors.OperationError, match="np.ptp with out="):
        np.ptp(tg.Tensor([1.0]), out=np.zeros(()))
