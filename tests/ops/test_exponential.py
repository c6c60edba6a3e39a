"""Exponentials and logarithms far out, at kinks, and in float32."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


def slope(function, *values, dtype=np.float64):
    leaves = [tg.Tensor(v, requires_grad=True, dtype=dtype) for v in values]
    function(*leaves).sum().backward()
    return [leaf.grad.data for leaf in leaves]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logaddexp_is_right_at_ten_thousand(dtype):
    x = tg.Tensor([1e4, -1e4, 1e4, -1e4], requires_grad=True, dtype=dtype)
    y = tg.Tensor([-1e4, 1e4, 1e4, -1e4], requires_grad=True, dtype=dtype)
    z = np.logaddexp(x, y)
    z.sum().backward(create_graph=True)
    np.testing.assert_allclose(z.data, [1e4, 1e4, 1e4 + np.log(2), -1e4 + np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(x.grad.data, [1, 0, 0.5, 0.5], atol=1e-11)
    np.testing.assert_allclose(y.grad.data, [0, 1, 0.5, 0.5], atol=1e-11)
    first, x.grad = x.grad, None
    first.sum().backward()
    assert np.isfinite(x.grad.data).all()


def test_logaddexp2_is_right_at_ten_thousand():
    x, y = slope(np.logaddexp2, [1e4, -1e4], [-1e4, -1e4])
    np.testing.assert_allclose([x, y], [[1, 0.5], [0, 0.5]], atol=1e-11)


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize("at", [1e5, -1e5, 1e20, -1e20])
def test_equal_terms_have_equal_shares_where_the_sum_is_rounded(function, at):
    assert slope(function, at, at, dtype=np.float32) == [0.5, 0.5]


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
def test_logarithms_of_nothing_add_without_nan_or_warning(function):
    x = tg.Tensor([-np.inf, -np.inf, 0.0, np.inf, 1.0], requires_grad=True)
    y = tg.Tensor([-np.inf, 0.0, -np.inf, 0.0, np.inf], requires_grad=True)
    function(x, y).backward(np.ones(5), create_graph=True)
    assert x.grad.data.tolist() == [0.0, 0.0, 1.0, 1.0, 0.0]
    assert y.grad.data.tolist() == [0.0, 1.0, 0.0, 0.0, 1.0]
    first, x.grad = x.grad, None
    first.sum().backward()
    np.testing.assert_array_equal(x.grad.data, 0)


@pytest.mark.parametrize("x", [-1e4, -700.0, -40.0, -1e-10, 1e-10])
def test_expm1_keeps_its_relative_precision(x):
    assert slope(np.expm1, x)[0] == pytest.approx(np.exp(x), rel=1e-15, abs=0)


@pytest.mark.parametrize("function", [np.exp, np.exp2, np.expm1])
def test_exponentials_vanish_far_below_zero(function):
    assert slope(function, -1e4) == [0.0]


@pytest.mark.parametrize("x", [1e-30, 1e4, 1e30])
def test_logarithms_over_the_whole_range(x):
    assert slope(np.log, x)[0] == pytest.approx(1 / x, abs=0)
    assert slope(np.log2, x)[0] == pytest.approx(1 / (x * np.log(2)), abs=0)
    assert slope(np.log10, x)[0] == pytest.approx(1 / (x * np.log(10)), abs=0)
    assert slope(np.log1p, x)[0] == pytest.approx(1 / (1 + x), abs=0)


def test_hypot_is_right_at_ten_thousand_and_beyond_the_square_of_its_range():
    x, y = slope(np.hypot, [3e4, 3e200, -3e-200], [4e4, 4e200, 4e-200])
    np.testing.assert_allclose(x, [0.6, 0.6, -0.6])
    np.testing.assert_allclose(y, 0.8)


def test_hypot_at_the_origin_has_the_gradient_zero_by_convention():
    assert slope(np.hypot, 0.0, 0.0) == [0.0, 0.0]
    assert "0" in tg.core.PRIMITIVES["hypot"].kinks


@pytest.mark.parametrize("function", [np.hypot, np.arctan2])
def test_the_second_derivative_at_the_origin_is_zero_too(function):
    x, y = (tg.Tensor(0.0, requires_grad=True) for _ in range(2))
    function(x, y).backward(create_graph=True)
    slope, x.grad, y.grad = x.grad + 2 * y.grad, None, None
    slope.backward()
    assert (x.grad.item(), y.grad.item()) == (0.0, 0.0)


@pytest.mark.parametrize("function", [np.sqrt, np.cbrt])
def test_roots_are_infinitely_steep_at_zero(function):
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert slope(function, 0.0) == [np.inf]


def test_domain_errors_are_numpys_warnings():
    with pytest.warns(RuntimeWarning, match="invalid value encountered in log"):
        np.log(tg.Tensor(-1.0, requires_grad=True))


def test_anomaly_detection_names_the_logarithm_of_zero():
    x = tg.Tensor([1.0, 0.0], requires_grad=True)
    with (
        tg.detect_anomaly(),
        np.errstate(divide="ignore"),
        pytest.raises(tg.errors.NonFiniteError, match="log made 1 of 2 values not finite"),
    ):
        np.log(x)


def test_where_no_cotangent_arrives_the_cubic_root_has_no_gradient_at_0_either():
    x = tg.Tensor([0.0, 8.0], requires_grad=True)
    np.cbrt(x)[1].backward()
    np.testing.assert_allclose(x.grad.data, [0.0, 1 / 12], rtol=1e-15)
    with np.errstate(divide="ignore"):
        np.cbrt(x)[0].backward()
    assert x.grad.data[0] == np.inf
