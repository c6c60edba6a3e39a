"""Scans: zeros, ties, infinities, long and wide arrays, NumPy's ways to call them, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.ops import scans


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def slopes(function, values, v=None):
    x = leaf(values)
    z = function(x)
    z.backward(np.ones(z.shape) if v is None else np.asarray(v, float))
    return x.grad.data


def product_rule(x, v):
    """d/dx of <cumprod(x), v>, by products of all elements but one."""
    found = np.zeros(len(x))
    for i in range(len(x)):
        for k in range(i, len(x)):
            found[i] += v[k] * np.prod(np.delete(x[: k + 1], i))
    return found


@pytest.mark.parametrize(
    "values", [[2.0, 0.0, 3.0, 4.0], [0.0, 0.0, 3.0, 1.0], [0.0], [1.0, 2.0, 0.0], [0.0] * 5]
)
def test_running_product_has_the_right_gradient_with_zeros(values):
    v = np.arange(1.0, len(values) + 1)
    np.testing.assert_array_equal(slopes(np.cumprod, values, v), product_rule(np.array(values), v))


def test_running_product_with_zeros_to_third_order():
    x = leaf([0.0, 3.0, 0.0])
    np.cumprod(x)[2].backward(create_graph=True)
    first, x.grad = x.grad, None
    np.testing.assert_array_equal(first.data, [0, 0, 0])
    first[0].backward(create_graph=True)  # x1 * x2
    second, x.grad = x.grad, None
    np.testing.assert_array_equal(second.data, [0, 0, 3])
    second[1].backward()  # x2
    np.testing.assert_array_equal(x.grad.data, [0, 0, 1])


@pytest.mark.parametrize("shape", [(300,), (3, 40), (40, 3), (2, 3, 50)])
@pytest.mark.parametrize("axis", [0, -1])
def test_few_long_lines_and_many_short_ones_agree(shape, axis):
    rng = np.random.default_rng(1)
    a, b = rng.uniform(-1, 1, (2, *shape))
    z = tg.core.PRIMITIVES["recurrence"](tg.Tensor(a), b, axis=axis % len(shape), reverse=False)
    expected = np.moveaxis(b.copy(), axis, 0)
    for k in range(1, len(expected)):
        expected[k] += np.moveaxis(a, axis, 0)[k] * expected[k - 1]
    np.testing.assert_allclose(z.data, np.moveaxis(expected, 0, axis), rtol=1e-14)


def test_wide_running_products_go_backward_as_narrow_ones_do():
    x = np.random.default_rng(2).uniform(-2, 2, (4, 60))
    x[1, ::3] = 0
    found = slopes(lambda t: np.cumprod(t, axis=0), x)
    for j in range(60):
        np.testing.assert_allclose(found[:, j], product_rule(x[:, j], np.ones(4)), atol=1e-14)


def test_running_extremes_share_evenly_among_those_so_far():
    found = slopes(scans.accumulate_max, [2.0, 1.0, 2.0, 3.0, 2.0], [1, 1, 1, 1, 1])
    np.testing.assert_array_equal(found, [2.5, 0, 0.5, 2, 0])
    found = slopes(scans.accumulate_min, [2.0, 3.0, 2.0, 2.0], [1, 1, 2, 3])
    np.testing.assert_array_equal(found, [4, 0, 2, 1])
    for name in ("cummax", "cummin"):
        assert "evenly" in tg.core.PRIMITIVES[name].kinks


def test_nan_stays_once_it_is_met_and_takes_the_gradient():
    z = scans.accumulate_max(leaf([1.0, np.nan, 2.0]))
    np.testing.assert_array_equal(z.data, [1, np.nan, np.nan])
    np.testing.assert_array_equal(slopes(scans.accumulate_max, [1.0, np.nan, 2.0]), [1, 2, 0])


def test_log_of_running_sums_is_stable_far_from_zero():
    x = np.array([-1000.0, 0.0, 1000.0, 999.0])
    share = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(scans.logcumsumexp(leaf(x)).data, np.logaddexp.accumulate(x))
    np.testing.assert_allclose(
        slopes(scans.logcumsumexp, x), [1, 1, 1 + share, 1 - share], rtol=1e-12
    )
    far = slopes(scans.logcumsumexp, -x, [0, 0, 0, 1])
    np.testing.assert_allclose(far, [1, 0, 0, 0], atol=1e-300)


def test_log_of_running_sums_of_nothing_at_first():
    x = [-np.inf, -np.inf, 0.0, -np.inf, 1.0]
    found = slopes(scans.logcumsumexp, x)
    share = 1 / (1 + np.e)
    np.testing.assert_allclose(found, [0, 0, 2 + share, 0, 1 - share], rtol=1e-15)
    assert "-inf" in tg.core.PRIMITIVES["logcumsumexp"].kinks


def test_log_of_running_sums_does_not_overflow_at_infinity():
    found = slopes(scans.logcumsumexp, [0.0, np.inf, 1000.0])
    np.testing.assert_array_equal(found, [1, 2, 0])


def test_nan_is_passed_over():
    x = [1.0, np.nan, 3.0]
    np.testing.assert_array_equal(np.nancumsum(leaf(x)).data, [1, 1, 4])
    np.testing.assert_array_equal(np.nancumprod(leaf(x)).data, [1, 1, 3])
    np.testing.assert_array_equal(slopes(np.nancumsum, x), [3, 0, 1])
    np.testing.assert_array_equal(slopes(np.nancumprod, x), [5, 0, 1])


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.nancumsum, np.nancumprod])
def test_dtypes_and_shapes_are_those_of_numpy(function):
    for x in (np.float32([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]]), np.array([True, False])):
        for more in ({}, {"axis": 0}, {"axis": -1}, {"dtype": np.float64}):
            expected = function(x, **more)
            z = function(tg.Tensor(x), **more)
            np.testing.assert_array_equal(z.data, expected)
            assert z.dtype == expected.dtype
    x = leaf(2.0)
    assert function(x).shape == (1,)
    function(x, axis=-1).backward()
    assert x.grad.data == 1
    x = leaf([[1, 2], [3, 4]], np.float32)
    function(x, dtype=np.float64).sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
def test_cumulative_functions_are_those_of_numpy(name):
    function = getattr(np, name, None)
    if function is None:
        return  # before NumPy 2.1
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for more in ({"axis": 0}, {"axis": -1, "include_initial": True, "dtype": np.float32}):
        expected = function(x, **more)
        z = function(leaf(x), **more)
        np.testing.assert_array_equal(z.data, expected)
        assert z.dtype == expected.dtype
    with pytest.raises(tg.errors.ArgumentError, match=rf"{name} of shape \(2, 2\) needs an axis"):
        function(leaf(x))


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.nancumsum])
def test_out_and_axes_that_are_not_there_are_refused(function):
    with pytest.raises(tg.errors.OperationError, match=f"np.{function.__name__} with out="):
        function(leaf([1.0]), out=np.zeros(1))
    with pytest.raises(tg.errors.AxisError, match=r"there is no axis 1"):
        function(leaf([1.0]), axis=1)


@pytest.mark.parametrize("at", [1e5, -1e5, 1e20])
def test_shares_of_running_log_sums_add_up_where_they_are_rounded(at):
    x = tg.Tensor([at, at], requires_grad=True, dtype=np.float32)
    scans.logcumsumexp(x).backward(np.array([1.0, 2.0]))
    assert x.grad.data.tolist() == [2.0, 1.0]
