"""Trigonometric and hyperbolic functions far out, at kinks, and sinc to high orders."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_bp as tg


def slope(function, *values, dtype=np.float64):
    leaves = [tg.Tensor(v, requires_grad=True, dtype=dtype) for v in values]
    function(*leaves).sum().backward()
    return [leaf.grad.data for leaf in leaves]


def derivatives(function, value, orders):
    """The derivatives of a function of one number, up to an order."""
    x = tg.Tensor(value, requires_grad=True, dtype=float)
    z = function(x)
    found = [z.item()]
    for _ in range(orders):
        x.grad = None
        z.backward(create_graph=True)
        z = x.grad
        found.append(z.item())
    return found


def test_sinc_at_zero_to_fourth_order():
    expected = [1.0, 0.0, -(math.pi**2) / 3, 0.0, math.pi**4 / 5]
    np.testing.assert_allclose(derivatives(np.sinc, 0.0, 4), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("x", [1e-12, 1e-4, 0.1, 0.5, 0.99, 1.0, 1.01, 3.7, -0.3, -2.5])
def test_sinc_is_the_mean_of_a_cosine_to_fourth_order(x):
    """The n-th derivative is the integral over t in [0, 1] of (pi t)^n cos(pi x t + n pi / 2)."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    t, weights = (nodes + 1) / 2, weights / 2
    expected = [
        np.sum(weights * (math.pi * t) ** n * np.cos(math.pi * x * t + n * math.pi / 2))
        for n in range(5)
    ]
    np.testing.assert_allclose(derivatives(np.sinc, x, 4), expected, rtol=1e-11, atol=1e-11)


def test_sinc_near_zero_keeps_its_relative_precision():
    assert slope(np.sinc, 1e-9)[0] == pytest.approx(-(math.pi**2) / 3 * 1e-9, rel=1e-12, abs=0)


def test_sinc_keeps_float32():
    x = tg.Tensor([0.0, 0.5, 3.5], requires_grad=True, dtype=np.float32)
    np.sinc(x).sum().backward(create_graph=True)
    assert x.grad.dtype == np.float32
    first, x.grad = x.grad, None
    first.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", [-1e4, 1e4])
def test_tanh_is_flat_far_out(x, dtype):
    assert slope(np.tanh, x, dtype=dtype) == [0.0]
    assert derivatives(np.tanh, x, 2)[2] == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_functions_far_out(dtype):
    at = np.array([-1e4, 1e4])
    np.testing.assert_allclose(slope(np.arctan, at, dtype=dtype)[0], 1e-8, rtol=1e-6)
    np.testing.assert_allclose(slope(np.arcsinh, at, dtype=dtype)[0], 1e-4, rtol=1e-6)
    np.testing.assert_allclose(slope(np.arccosh, -at[:1], dtype=dtype)[0], 1e-4, rtol=1e-6)
    x, y = slope(np.arctan2, at, at, dtype=dtype)
    np.testing.assert_allclose(x, 0.5 / at, rtol=1e-6)
    np.testing.assert_allclose(y, -0.5 / at, rtol=1e-6)


def test_inverse_functions_close_to_their_ends_keep_their_precision():
    for function in (np.arcsin, np.arctanh):
        x = 1 - 2.0**-40
        exact = 2.0**-40 * (2 - 2.0**-40)
        expected = 1 / math.sqrt(exact) if function is np.arcsin else 1 / exact
        assert slope(function, x)[0] == pytest.approx(expected, rel=1e-14, abs=0)


def test_arctan2_in_all_quadrants_and_on_the_axes():
    y = np.array([1.0, 1.0, -1.0, -1.0, 0.0, 0.0, 2.0, -2.0])
    x = np.array([1.0, -1.0, 1.0, -1.0, 2.0, -2.0, 0.0, 0.0])
    of_y, of_x = slope(np.arctan2, y, x)
    np.testing.assert_allclose(of_y, x / (x * x + y * y))
    np.testing.assert_allclose(of_x, -y / (x * x + y * y))


def test_arctan2_at_the_origin_has_the_gradient_zero_by_convention():
    assert slope(np.arctan2, 0.0, 0.0) == [0.0, 0.0]


@pytest.mark.parametrize("function", [np.arcsin, np.arccos, np.arctanh])
def test_ends_of_domains_are_infinitely_steep(function):
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert np.isinf(slope(function, 1.0)[0])


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e-30), (np.float64, 1e-200)])
def test_arctan2_and_arctan_where_squares_leave_the_range(dtype, size):
    y, x = slope(np.arctan2, size, size, dtype=dtype)
    np.testing.assert_allclose([y * dtype(size), x * dtype(size)], [0.5, -0.5], rtol=1e-6)
    large = dtype(1) / dtype(size)
    y, x = slope(np.arctan2, large, large, dtype=dtype)
    np.testing.assert_allclose([y * large, x * large], [0.5, -0.5], rtol=1e-6)
    assert slope(np.arctan, large, dtype=dtype)[0] <= size
    assert slope(np.arccosh, large, dtype=dtype)[0] == pytest.approx(size, rel=1e-6)


def test_angles_convert_by_both_names():
    x = tg.Tensor([180.0], requires_grad=True)
    assert np.radians(x).item() == np.deg2rad(x).item() == math.pi
    assert np.degrees(np.radians(x)).item() == 180.0
