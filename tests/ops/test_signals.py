"""Interpolation, convolution, correlation: lengths and modes, points, ends, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
@pytest.mark.parametrize("mode", ["full", "same", "valid", 0, 1, 2])
def test_all_lengths_are_aligned_as_numpy_does(function, mode):
    rng = np.random.default_rng(0)
    for n in range(1, 7):
        for m in range(1, 7):
            x, y = rng.normal(size=n), rng.normal(size=m)
            z = function(leaf(x), y, mode)
            np.testing.assert_allclose(z.data, function(x, y, mode), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_dtypes_of_sequences_are_those_of_numpy(function):
    for x, y in (
        (np.float32([1, 2, 3]), np.float32([1, 2])), (np.float32([1, 2]), np.float64([1, 2])),
        (np.array([1, 2]), np.array([3, 4])), (np.float32([1, 2]), np.array([3])),
    ):  # fmt: skip
        z = function(tg.Tensor(x), y)
        np.testing.assert_array_equal(z.data, function(x, y))
        assert z.dtype == function(x, y).dtype
    x = leaf([1, 2, 3], np.float32)
    function(x, np.ones(2)).sum().backward()
    assert x.grad.dtype == np.float32
    x = leaf([1.0, 2.0])
    function(x, x, "full").sum().backward()
    np.testing.assert_array_equal(x.grad.data, [6, 6])


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_sequences_that_are_none_are_refused(function):
    name = function.__name__
    with pytest.raises(tg.errors.ArgumentError, match=f"np.{name}: an argument is empty"):
        function(leaf([]), [1.0])
    with pytest.raises(tg.errors.ShapeError, match=rf"np.{name} of shape \(1, 2\)"):
        function([1.0], leaf([[1.0, 2.0]]))
    with pytest.raises(tg.errors.ArgumentError, match="no mode 'vald'") as error:
        function(leaf([1.0]), [1.0], "vald")
    assert "did you mean 'valid'?" in str(error.value)


XP, FP = np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, 5.0])
X = np.array([-3.0, -1.0, -0.3, 0.0, 1.0, 2.0, 2.5, np.nan, np.inf, -np.inf])


def test_interpolation_is_that_of_numpy_on_points_and_beyond():
    for more in ({}, {"left": -9.0}, {"right": np.nan}, {"left": 0.0, "right": 1.0}):
        for x in (X, X[:6].reshape(2, 3), X[2], X.astype(np.float32), np.array([1, 2, 3])):
            expected = np.interp(x, XP, FP, **more)
            z = np.interp(tg.Tensor(x), XP, FP, **more)
            np.testing.assert_allclose(z.data, expected, rtol=1e-14)
            assert z.dtype == expected.dtype == np.float64
            assert z.shape == expected.shape
    x = np.linspace(-9, 9, 37)
    for period in (4.0, -2.5, 3):
        expected = np.interp(x, XP, FP, period=period)
        np.testing.assert_allclose(
            np.interp(leaf(x), XP, FP, period=period).data, expected, rtol=1e-12
        )


def test_interpolation_takes_the_slope_of_the_line_that_begins_at_a_point():
    x = leaf([-3.0, -1.0, 0.0, 2.0, 2.5, np.nan])
    np.interp(x, XP, FP).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0, -2, 2, 2, 0, 0])


def test_values_beyond_the_points_have_gradients():
    x, left, right = leaf([-3.0, 0.5, 4.0, 5.0]), leaf(0.0), leaf(1.0)
    np.interp(x, XP, FP, left=left, right=right).sum().backward()
    assert (left.grad.item(), right.grad.item()) == (1.0, 2.0)
    values = leaf(FP)
    np.interp(np.array([-3.0, 5.0, 1.0]), XP, values).sum().backward()
    np.testing.assert_array_equal(values.grad.data, [1.0, 0.5, 1.5])


def test_one_point_and_points_at_one_place():
    values = leaf([7.0])
    z = np.interp(X, [0.0], values)
    np.testing.assert_array_equal(z.data, np.interp(X, [0.0], [7.0]))
    z[:7].sum().backward()
    assert values.grad.data == 7
    x = leaf([0.0, 1.0, 2.0])
    z = np.interp(x, [0.0, 1.0, 1.0], [0.0, 1.0, 3.0])
    np.testing.assert_array_equal(z.data, np.interp(x.data, [0.0, 1.0, 1.0], [0.0, 1.0, 3.0]))
    z.sum().backward()
    assert np.isfinite(x.grad.data).all()


def test_gradients_keep_the_dtype_of_each_argument():
    x, xp, fp = leaf([0.5], np.float32), leaf(XP, np.float32), leaf(FP)
    np.interp(x, xp, fp).sum().backward()
    assert (x.grad.dtype, xp.grad.dtype, fp.grad.dtype) == (np.float32, np.float32, np.float64)


def test_points_that_are_none_are_refused():
    with pytest.raises(tg.errors.ShapeError, match=r"points of shapes \(3,\) and \(2,\)"):
        np.interp(leaf([1.0]), XP, FP[:2])
    with pytest.raises(tg.errors.ArgumentError, match="there is no point"):
        np.interp(leaf([1.0]), [], [])
    with pytest.raises(tg.errors.ArgumentError, match="period=0"):
        np.interp(leaf([1.0]), XP, FP, period=0)
    with pytest.raises(tg.errors.DTypeError, match="complex"):
        np.interp(leaf([1.0]), XP, 1j * FP)
