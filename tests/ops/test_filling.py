"""What is filled in, weights that are counted, and the shifts of `numpy.fft`."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import InplaceError, OperationError, ShapeError


def test_full_like_takes_shape_and_dtype_of_the_first_and_the_gradient_of_the_second():
    a = tg.Tensor(np.zeros((2, 3), np.float32), requires_grad=True)
    value = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    filled = np.full_like(a, value)
    assert filled.dtype == np.float32
    filled.sum().backward()
    assert a.grad is None
    assert value.grad.data.tolist() == [2.0, 2.0, 2.0]
    assert value.grad.dtype == np.float64


def test_full_like_of_constants_is_a_constant_as_numpy_has_it():
    a = tg.Tensor([1, 2], name="a")
    for fill, dtype, shape in ((7.9, None, None), (True, float, (3,)), (tg.Tensor(2.5), "f4", 2)):
        ours = np.full_like(a, fill, dtype=dtype, shape=shape)
        theirs = np.full_like(a.data, getattr(fill, "data", fill), dtype=dtype, shape=shape)
        np.testing.assert_array_equal(ours.data, theirs)
        assert ours.dtype == theirs.dtype
        assert not ours.requires_grad


def test_full_like_into_whole_numbers_is_a_constant():
    x = tg.Tensor(2.7, requires_grad=True)
    assert np.full_like(tg.Tensor([0, 0]), x).data.tolist() == [2, 2]


def test_full_like_of_an_array_says_what_to_use():
    x = tg.Tensor(2.7, requires_grad=True)
    with pytest.raises(InplaceError, match=r"np\.broadcast_to\(values, shape\)"):
        np.full_like(np.zeros(2), x)


def test_bincount_counts_as_numpy_and_sums_weights_with_their_gradient():
    x = tg.Tensor([0, 2, 2])
    assert np.bincount(x, minlength=5).data.tolist() == [1, 0, 2, 0, 0]
    w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, dtype=np.float32)
    sums = np.bincount(x, w, 4)
    assert sums.dtype == np.float64
    np.testing.assert_array_equal(sums.data, np.bincount(x.data, w.data, 4))
    (sums * [1, 10, 100, 1000]).sum().backward()
    assert w.grad.data.tolist() == [1.0, 100.0, 100.0]


def test_bincount_wants_a_weight_for_each_number():
    w = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(ShapeError, match=r"weights have shape \(1,\) and the numbers \(2,\)"):
        np.bincount([0, 1], weights=w)


@pytest.mark.parametrize("function", [np.histogram, np.histogram2d, np.histogramdd])
def test_histograms_count_and_refuse_weights_that_would_lose_their_gradient(function):
    x = tg.Tensor([0.0, 0.5, 1.0], requires_grad=True)
    args = {np.histogram2d: (x, x), np.histogramdd: ((x, x),)}.get(function, (x,))
    counts = function(*args, bins=2)[0]
    assert counts.sum() == 3
    w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(OperationError, match=r"histogram.* with weights(.|\n)*Fix: np.bincount"):
        function(*args, bins=2, weights=w)
    assert function(*args, bins=2, weights=w.detach())[0].sum() == 6


def test_the_remedy_for_weighted_histograms_gives_the_histogram():
    x, w = np.array([0.0, 0.2, 0.5, 1.0]), tg.Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    expected, edges = np.histogram(x, 4, weights=w.data)
    found = np.bincount(np.digitize(x, edges[1:-1]), weights=w)
    np.testing.assert_array_equal(found.data, expected)


@pytest.mark.parametrize("function", [np.fft.fftshift, np.fft.ifftshift])
@pytest.mark.parametrize("axes", [None, 0, 1, -1, (0, 1), (1,)])
def test_shifts_of_fft_move_elements_and_their_gradient(function, axes):
    x = tg.Tensor(np.arange(15.0).reshape(3, 5), requires_grad=True)
    y = function(x, axes)
    np.testing.assert_array_equal(y.data, function(x.data, axes))
    (y * x.data).sum().backward()
    back = np.fft.ifftshift if function is np.fft.fftshift else np.fft.fftshift
    np.testing.assert_array_equal(x.grad.data, back(x.data, axes))
