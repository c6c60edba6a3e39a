"""Differences, slopes and integrals: ends, coordinates, dtypes, NumPy's arguments, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def test_differences_take_everything_that_numpy_takes():
    x = np.array([[1.0, 4.0, 9.0], [2.0, 3.0, 7.0]])
    for more in (
        {}, {"n": 0}, {"n": 2}, {"n": 5}, {"axis": 0}, {"prepend": 0}, {"append": [[1.0], [2.0]]},
        {"n": 2, "axis": 0, "prepend": x, "append": 3.0},
    ):  # fmt: skip
        expected = np.diff(x, **more)
        t = leaf(x)
        z = np.diff(t, **more)
        np.testing.assert_array_equal(z.data, expected)
        assert z.shape == expected.shape
        z.sum().backward()
        assert t.grad.shape == x.shape
    for whole in (np.array([1, 4, 9]), np.array([True, False, True])):
        np.testing.assert_array_equal(np.diff(tg.Tensor(whole)).data, np.diff(whole))
    assert (
        np.diff(leaf([1, 2], np.float32), prepend=0.5).dtype
        == np.diff(np.float32([1, 2]), prepend=0.5).dtype
    )
    end = leaf([5.0])
    np.diff(np.zeros(2), append=end).sum().backward()
    assert end.grad.data == 1
    with pytest.raises(tg.errors.ArgumentError, match=r"np.diff with n=-1"):
        np.diff(leaf([1.0]), n=-1)
    with pytest.raises(tg.errors.AxisError, match="no axis -1"):
        np.diff(leaf(1.0))


def test_differences_of_all_elements_with_ends_that_fit():
    x = np.array([[1.0, 4.0], [9.0, 2.0]], np.float32)
    z = np.ediff1d(leaf(x, np.float32), to_end=[1.0, 2.0], to_begin=-7)
    np.testing.assert_array_equal(z.data, np.ediff1d(x, to_end=[1.0, 2.0], to_begin=-7))
    assert z.dtype == np.float32
    end = leaf(2.0)
    np.ediff1d(leaf([1.0]), to_end=end).sum().backward()
    assert end.grad.item() == 1
    with pytest.raises(tg.errors.DTypeError, match=r"to_begin= of dtype float64"):
        np.ediff1d(tg.Tensor([1, 2]), to_begin=0.5)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_slopes_along_all_axes_are_those_of_numpy(edge_order):
    x = np.random.default_rng(0).normal(size=(3, 4))
    y = np.array([0.0, 0.5, 2.0])
    even = np.arange(4) * 0.5
    for spacing in ((), (0.5,), (0.5, 2.0), (y, even), (y, 3), (np.arange(3), 1)):
        expected = np.gradient(x, *spacing, edge_order=edge_order)
        z = np.gradient(leaf(x), *spacing, edge_order=edge_order)
        assert type(z) is type(expected)
        for ours, theirs in zip(z, expected, strict=True):
            np.testing.assert_allclose(ours.data, theirs, rtol=1e-13, atol=1e-14)
    for axis in (0, -1, (1,), (1, 0)):
        expected = np.gradient(x, axis=axis, edge_order=edge_order)
        z = np.gradient(leaf(x), axis=axis, edge_order=edge_order)
        np.testing.assert_allclose([t.data for t in z], expected, rtol=1e-13, atol=1e-14)


def test_slopes_keep_the_dtype_of_the_data():
    for x in (np.float32([1, 4, 9]), np.array([1, 4, 9])):
        for spacing in (0.5, np.float64(0.5), np.array([0.0, 1.0, 3.0])):
            expected = np.gradient(x, spacing)
            z = np.gradient(tg.Tensor(x), spacing)
            np.testing.assert_allclose(z.data, expected, rtol=1e-6)
            assert z.dtype == expected.dtype


def test_equal_steps_of_a_tensor_have_a_derivative_each():
    x = leaf([0.0, 1.0, 2.0])
    np.gradient(np.array([1.0, 4.0, 9.0]), x)[0].backward()
    np.testing.assert_allclose(x.grad.data, [3.0, -3.0, 0.0])


def test_slopes_say_what_does_not_fit():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(tg.errors.ArgumentError, match="along 2 axes got 3 spacings"):
        np.gradient(x, 1.0, 1.0, 1.0)
    with pytest.raises(tg.errors.ArgumentError, match="edge_order=3"):
        np.gradient(x, edge_order=3)
    with pytest.raises(tg.errors.ShapeError, match=r"axis 0 is too short"):
        np.gradient(x, edge_order=2)
    with pytest.raises(tg.errors.ShapeError, match=r"coordinates of shape \(3,\) for axis 0"):
        np.gradient(x, [1.0, 2.0, 3.0], 1.0)


def test_integrals_are_those_of_numpy():
    y = np.random.default_rng(1).normal(size=(3, 4))
    for more in (
        {}, {"dx": 0.5}, {"axis": 0}, {"x": [0.0, 1.0, 3.0], "axis": 0}, {"x": [0, 1, 3, 4]},
        {"x": np.cumsum(np.abs(y), axis=0), "axis": 0},
    ):  # fmt: skip
        np.testing.assert_allclose(np.trapezoid(leaf(y), **more).data, np.trapezoid(y, **more))
    assert np.trapezoid(leaf([1, 2], np.float32)).dtype == np.float32
    dx = leaf(0.5)
    np.trapezoid(leaf([1.0, 2.0]), dx=dx).backward()
    assert dx.grad.item() == 1.5
    x = leaf([0.0, 1.0, 3.0])
    np.trapezoid(np.array([1.0, 2.0, 4.0]), x).backward()
    np.testing.assert_allclose(x.grad.data, [-1.5, -1.5, 3.0])


def test_unwrapping_is_that_of_numpy_and_lets_gradients_through():
    x = np.array([[0.0, 3.0, 6.5, -1.0], [1.0, 9.0, 2.0, 4.0]])
    for more in ({}, {"axis": 0}, {"period": 4.0}, {"discont": 4.0}):
        t = leaf(x)
        z = np.unwrap(t, **more)
        np.testing.assert_array_equal(z.data, np.unwrap(x, **more))
        z.sum().backward()
        np.testing.assert_array_equal(t.grad.data, 1)
    assert np.unwrap(tg.Tensor([0, 3, 1]), period=4).dtype == np.int64
    assert np.unwrap(leaf([0, 3], np.float32)).dtype == np.float32
    period = leaf(4.0)
    np.unwrap(leaf([0.0, 3.0, 7.5]), period=period)[2].backward()
    assert period.grad.item() == -2.0


def test_the_period_0_is_taken_from_nothing_at_the_first_element():
    """Where others follow they are not numbers, and no derivative is one."""
    x, period = leaf([[0.5], [7.0]]), leaf(0.0)
    np.unwrap(x, period=period).sum().backward()
    assert x.grad.data.tolist() == [[1.0], [1.0]]
    assert period.grad.item() == 0.0
    period.grad = None
    with np.errstate(invalid="ignore"):
        np.unwrap(leaf([0.5, 7.0]), period=period).sum().backward()
    assert np.isnan(period.grad.item())
