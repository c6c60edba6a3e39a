"""Pooling: ties, numbers that are none, and the number of the element that was picked."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.ops.pooling import avg_pool, max_pool, which_is_largest

PAIRS = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}


def test_the_first_of_those_that_tie_has_the_whole_gradient():
    x = tg.Tensor([[[5.0, 5.0, 1.0, 5.0], [0.0, 0.0, -1.0, -1.0]]], requires_grad=True)
    max_pool(x, **PAIRS).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[[1, 0, 0, 1], [1, 0, 1, 0]]])


def test_an_element_that_is_the_largest_of_several_windows_has_the_gradient_of_all():
    x = tg.Tensor([[[0.0, 7.0, 3.0, 1.0]]], requires_grad=True)
    z = max_pool(x, kernel=(3,), stride=(1,), padding=((1, 1),), dilation=(1,))
    np.testing.assert_array_equal(z.data, [[[7, 7, 7, 3]]])
    z.backward(np.array([[[1.0, 10.0, 100.0, 1000.0]]]))
    np.testing.assert_array_equal(x.grad.data, [[[0, 111, 1000, 0]]])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8])
def test_padding_is_smaller_than_any_number(dtype):
    x = np.full((1, 1, 3), np.iinfo(np.int8).min, dtype)
    z = max_pool(x, kernel=(2,), stride=(2,), padding=((1, 0),), dilation=(1,))
    assert z.dtype == dtype
    np.testing.assert_array_equal(z.data, x[:, :, :2])


def test_of_truth_values_one_that_holds_is_the_largest():
    z = max_pool(np.array([[[False, True, False, False]]]), **PAIRS)
    np.testing.assert_array_equal(z.data, [[[True, False]]])


def test_what_is_no_number_is_the_largest():
    x = np.array([[[1.0, np.nan, np.nan, 0.0, -np.inf, -np.inf]]])
    np.testing.assert_array_equal(max_pool(x, **PAIRS).data, [[[np.nan, np.nan, -np.inf]]])


def test_windows_of_more_than_256_elements_number_them_all():
    x = np.arange(300.0).reshape(1, 1, 300)
    geometry = {**PAIRS, "kernel": (300,), "stride": (1,)}
    assert which_is_largest(x, **geometry).item() == 299
    t = tg.Tensor(x, requires_grad=True)
    max_pool(t, **geometry).backward()
    assert t.grad.data.argmax() == 299
    assert t.grad.data.sum() == 1


def test_derivatives_of_a_cube_after_pooling():
    x = np.array([[[1.0, 3.0, 2.0, -4.0]]])

    def cubes(t):
        return (max_pool(t, **PAIRS) ** 3).sum()

    np.testing.assert_allclose(tg.grad(cubes)(x), [[[0, 27, 12, 0]]])
    second = np.reshape(tg.hessian(cubes)(x), (4, 4))
    np.testing.assert_allclose(second, np.diag([0, 18, 12, 0]))


def test_a_mean_of_integers_is_one_of_real_numbers():
    z = avg_pool(np.array([[[1, 2, 3, 5]]]), divisor=2, **PAIRS)
    np.testing.assert_array_equal(z.data, [[[1.5, 4.0]]])


def test_a_divisor_for_each_window():
    x = tg.Tensor(np.ones((1, 1, 4), np.float32), requires_grad=True)
    z = avg_pool(x, divisor=np.array([1.0, 4.0]), **PAIRS)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z.data, [[[2.0, 0.5]]])
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [[[1.0, 1.0, 0.25, 0.25]]])
