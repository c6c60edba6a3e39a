"""Averages, covariances, correlations: weights, degrees of freedom, shapes, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


DATA = np.array([[1.0, 4.0, 2.0, 7.0], [0.5, 3.0, -1.0, 2.0], [2.0, 2.0, 5.0, 1.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_averages_are_those_of_numpy(dtype):
    x = (2 * DATA).astype(dtype)
    for more in (
        {}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"weights": np.abs(DATA)},
        {"axis": 1, "weights": [1, 2, 3, 4]}, {"axis": 0, "weights": np.float32([1, 2, 3])},
        {"axis": (1, 0), "weights": np.arange(12.0).reshape(4, 3), "keepdims": True},
    ):  # fmt: skip
        expected = np.average(x, returned=True, **more)
        z = np.average(tg.Tensor(x, requires_grad=dtype != np.int64), returned=True, **more)
        for ours, theirs in zip(z, expected, strict=True):
            np.testing.assert_allclose(ours.data, theirs, rtol=1e-6)
            assert ours.dtype == theirs.dtype
            assert ours.shape == theirs.shape


def test_weights_of_an_average_have_the_derivative_of_a_share():
    x, w = np.array([1.0, 4.0]), leaf([2.0, 1.0])
    np.average(x, weights=w).backward()
    np.testing.assert_allclose(w.grad.data, (x - 2.0) / 3)


def test_averages_say_what_does_not_fit():
    with pytest.raises(tg.errors.ArgumentError, match="sum to zero"):
        np.average(leaf([1.0, 2.0]), weights=[1.0, -1.0])
    with pytest.raises(tg.errors.ShapeError, match=r"weights of shape \(2,\) do not fit"):
        np.average(leaf(DATA), weights=[1.0, 2.0])
    with pytest.raises(tg.errors.ShapeError, match=r"weights of shape \(2,\) do not fit"):
        np.average(leaf(DATA), axis=0, weights=[1.0, 2.0])


def test_covariances_are_those_of_numpy():
    for args, more in (
        ((DATA,), {}), ((DATA[0],), {}), ((DATA, DATA[:2]), {}), ((DATA,), {"rowvar": False}),
        ((DATA[0], DATA[1]), {"rowvar": False}), ((DATA.T, DATA[:1].T), {"rowvar": False}),
        ((DATA,), {"bias": True}), ((DATA,), {"ddof": 0}), ((DATA,), {"fweights": [1, 0, 2, 3]}),
        ((DATA,), {"aweights": [1.0, 0.5, 2.0, 3.0]}), ((DATA,), {"dtype": np.float32}),
        ((DATA,), {"aweights": [1.0, 0.5, 2, 3], "fweights": [1, 2, 1, 3], "bias": True}),
        ((np.zeros((0, 3)),), {}),
    ):  # fmt: skip
        expected = np.cov(*args, **more)
        z = np.cov(leaf(args[0]), *args[1:], **more)
        np.testing.assert_allclose(z.data, expected, rtol=1e-5, atol=1e-7)
        assert z.dtype == expected.dtype
        assert z.shape == expected.shape
    assert np.cov(leaf(DATA, np.float32)).dtype == np.float64


def test_correlations_are_those_of_numpy_and_flat_on_the_diagonal():
    for args in ((DATA,), (DATA[0], DATA[1]), (DATA, DATA[0])):
        z = np.corrcoef(leaf(args[0]), *args[1:])
        np.testing.assert_allclose(z.data, np.corrcoef(*args), rtol=1e-13)
    x = leaf(DATA)
    z = np.corrcoef(x)
    (z[0, 0] + z[1, 1] + z[2, 2]).backward()
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-14)
    assert np.corrcoef(leaf(DATA[0])).item() == 1.0
    same = np.corrcoef(leaf([[0.1, 0.7, 0.2], [0.1, 0.7, 0.2], [-0.1, -0.7, -0.2]]))
    assert np.abs(same.data).max() <= 1


def test_no_degrees_of_freedom_warn_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="Degrees of freedom|divide|invalid"):
        z = np.cov(leaf([[1.0], [2.0]]))
    assert np.isnan(z.data).all()


def test_covariances_say_what_does_not_fit():
    x = leaf(DATA)
    with pytest.raises(tg.errors.ShapeError, match="more than two axes"):
        np.cov(leaf(np.zeros((1, 2, 3))))
    with pytest.raises(tg.errors.ShapeError, match=r"aweights of shape \(3,\) for 4"):
        np.cov(x, aweights=[1.0, 2.0, 3.0])
    with pytest.raises(tg.errors.ArgumentError, match="fweights .* whole numbers, 0 or more"):
        np.cov(x, fweights=[1.5, 1, 1, 1])
    with pytest.raises(tg.errors.ArgumentError, match="aweights .* must be 0 or more"):
        np.cov(x, aweights=[-1.0, 1, 1, 1])
    with pytest.raises(tg.errors.ArgumentError, match="ddof=0.5"):
        np.cov(x, ddof=0.5)
