"""Quantiles: ties, NaN, infinities, dtypes, shapes and methods of NumPy, q as a tensor, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_bp as tg

NAN, INF = np.nan, np.inf
METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def slopes(function, values):
    x = leaf(values)
    function(x).sum().backward()
    return x.grad.data


def test_elements_that_tie_share_evenly():
    np.testing.assert_allclose(
        slopes(np.median, [2.0, 1.0, 2.0, 2.0, 9.0]), [1 / 3, 0] + [1 / 3] * 2 + [0]
    )
    np.testing.assert_allclose(slopes(np.median, [1.0, 2.0, 2.0, 4.0]), [0, 0.5, 0.5, 0])
    for q, extreme in ((0.0, np.min), (1.0, np.max)):
        values = [3.0, 1.0, 3.0, 1.0]
        found = slopes(lambda x, q=q: np.quantile(x, q), values)
        np.testing.assert_array_equal(found, slopes(extreme, values))
    assert "evenly" in np.median.__doc__ or "evenly" in tg.core.PRIMITIVES["sort"].kinks


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_every_method_is_that_of_numpy(method, n):
    x = np.random.default_rng(n).normal(size=(n, 2))
    q = np.array([0.0, 0.1, 1 / 3, 0.5, 0.77, 1.0])
    z = np.quantile(leaf(x), q, axis=0, method=method)
    np.testing.assert_allclose(z.data, np.quantile(x, q, axis=0, method=method), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("q", [0.3, np.float64(0.3), np.float32(0.3), [0.2, 0.5], 1])
@pytest.mark.parametrize("method", ["linear", "lower", "midpoint"])
def test_dtypes_are_those_of_numpy(dtype, q, method):
    x = np.array([4, 1, 3, 2], dtype)
    for function in (np.quantile, np.percentile, np.nanquantile, np.nanpercentile):
        expected = function(x, q, method=method)
        z = function(tg.Tensor(x, requires_grad=dtype != np.int64), q, method=method)
        np.testing.assert_allclose(z.data, expected, rtol=1e-6)
        assert z.dtype == expected.dtype
    assert np.median(tg.Tensor(x)).dtype == np.median(x).dtype


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (1, -1), (2, 0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_shapes_are_those_of_numpy(axis, keepdims):
    x = np.random.default_rng(3).normal(size=(3, 2, 4))
    for function, *q in (
        (np.median,), (np.nanmedian,), (np.quantile, 0.3), (np.percentile, [20, 30]),
        (np.quantile, [[0.1, 0.2], [0.3, 0.4]]), (np.nanquantile, [0.5]), (np.quantile, []),
    ):  # fmt: skip
        expected = function(x, *q, axis=axis, keepdims=keepdims)
        z = function(leaf(x), *q, axis=axis, keepdims=keepdims)
        assert z.shape == expected.shape
        np.testing.assert_allclose(z.data, expected, rtol=1e-14)


def test_nan_is_the_result_where_it_is_not_passed_over():
    x = [[1.0, NAN, 3.0], [1.0, 2.0, 4.0]]
    for function in (lambda x: np.median(x, axis=1), lambda x: np.quantile(x, 0.5, axis=1)):
        np.testing.assert_array_equal(function(leaf(x)).data, [NAN, 2])
        np.testing.assert_array_equal(slopes(function, x), [[0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    "function",
    [np.nanmedian, lambda x, **k: np.nanquantile(x, 0.3, **k)],
)
def test_nan_is_passed_over_and_gets_no_gradient(function):
    values = np.array([[NAN, 1.0, 5.0, NAN], [2.0, NAN, NAN, NAN], [3.0, 4.0, 1.0, 2.0]])
    x = leaf(values)
    z = function(x, axis=1)
    np.testing.assert_allclose(z.data, function(values, axis=1))
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data[np.isnan(values)], 0)
    np.testing.assert_allclose(x.grad.data.sum(axis=1), 1)
    with pytest.warns(RuntimeWarning, match="All-NaN slice encountered"):
        z = function(leaf([[NAN, NAN], [1.0, NAN]]), axis=1)
    np.testing.assert_array_equal(z.data, [NAN, 1])
    z.sum().backward()


def test_infinities_are_values_like_others():
    x = [INF, INF, 1.0, -INF]
    np.testing.assert_array_equal(
        np.quantile(leaf(x), [0.0, 1 / 3, 2 / 3, 0.9]).data, [-INF, 1, INF, INF]
    )
    np.testing.assert_array_equal(slopes(lambda t: np.quantile(t, 1 / 3), x), [0, 0, 1, 0])
    assert np.median(leaf([1.0, INF, INF, INF])).item() == INF
    assert np.quantile(leaf([-INF, 2.0]), 0.1).item() == -INF


def test_q_has_the_derivative_of_the_line_between_two_elements():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    q = leaf([0.5, 0.1, 0.9])
    np.quantile(x, q).sum().backward()
    np.testing.assert_allclose(q.grad.data, [6.0, 3.0, 12.0])
    q = leaf([50.0, 10.0], np.float32)
    z = np.percentile(leaf(x), q)
    z.sum().backward()
    np.testing.assert_allclose(q.grad.data, [0.06, 0.03], rtol=1e-6)
    assert q.grad.dtype == np.float32
    q = leaf(0.5)
    np.quantile(np.array([1, 2, 4, 8]), q).backward()
    assert q.grad.item() == pytest.approx(6)
    q = leaf([0.0, 1.0, 0.5])
    np.quantile(x, q, method="lower").sum().backward()
    np.testing.assert_array_equal(q.grad.data, 0)


def test_median_of_nothing_warns_as_numpy_does():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        z = np.median(leaf(np.zeros((0, 2))), axis=0)
    assert "Mean of empty slice" in {str(w.message) for w in caught}
    np.testing.assert_array_equal(z.data, [NAN, NAN])
    assert np.median(leaf(np.zeros((0, 2))), axis=1).shape == (0,)


@pytest.mark.parametrize("function", [np.quantile, np.percentile, np.nanquantile, np.nanpercentile])
def test_errors_name_what_was_wrong(function):
    x, name = leaf([1.0, 2.0]), function.__name__
    with pytest.raises(tg.errors.OperationError, match=f"np.{name} with weights="):
        function(x, 0.5, weights=[1, 2], method="inverted_cdf")
    with pytest.raises(tg.errors.OperationError, match=f"np.{name} with out="):
        function(x, 0.5, out=np.zeros(()))
    with pytest.raises(tg.errors.ArgumentError, match=r"no method 'linaer'") as error:
        function(x, 0.5, method="linaer")
    assert "did you mean 'linear'?" in str(error.value)
    for q in (-0.1, 100.5, NAN, np.zeros((1, 1, 1))):
        with pytest.raises(tg.errors.ArgumentError, match=r"between 0 and 1"):
            function(x, q)
    with pytest.raises(tg.errors.ArgumentError, match=r"shape \(0,\).*no element"):
        function(leaf([]), 0.5)
    with pytest.raises(tg.errors.AxisError, match="there is no axis 1"):
        function(x, 0.5, axis=1)
    with pytest.raises(tg.errors.DTypeError, match=f"{name} cannot work on inputs"):
        function(tg.Tensor([1 + 1j]), 0.5)


def test_what_was_cut_off_before_is_still_named_behind_the_median_of_whole_numbers():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with pytest.raises(tg.errors.NoGradPathError, match="Closest: 'x' was cut off"):
        np.median(x.astype(int)).backward()
