"""Applying functions along axes: arguments handed on, constants, errors; and `numpy.astype`."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, AxisError, OperationError, ShapeError


@pytest.fixture
def x():
    return tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)


def test_further_arguments_reach_the_function(x):
    found = np.apply_along_axis(lambda v, c, *, p: c * v**p, 1, x, 2.0, p=3)
    np.testing.assert_array_equal(found.data, 2 * x.data**3)


def test_a_function_without_derivative_gives_a_constant(x):
    found = np.apply_along_axis(np.argmax, 1, x)
    assert found.data.tolist() == [2, 2]
    assert not found.requires_grad


def test_no_slice_is_an_error(x):
    with pytest.raises(ArgumentError, match=r"no slice along axis 1 of shape \(0, 3\)(.|\n)*Fix"):
        np.apply_along_axis(np.sum, 1, x[:0])


def test_an_axis_that_is_not_there_is_named(x):
    with pytest.raises(AxisError, match=r"apply_along_axis: there is no axis 2"):
        np.apply_along_axis(np.sum, 2, x)
    with pytest.raises(AxisError, match=r"apply_over_axes: there is no axis -3"):
        np.apply_over_axes(np.sum, x, [-3])


def test_a_function_that_drops_too_many_axes_is_an_error(x):
    with pytest.raises(ShapeError, match=r"made shape \(\) of shape \(2, 3\) along axis 0"):
        np.apply_over_axes(lambda a, axis: a.sum(), x, 0)


def test_astype_copies_unless_told_and_casts_gradients_back(x):
    assert np.astype(x, float, copy=False) is x
    assert np.astype(x, float) is not x
    single = np.astype(x, np.float32)
    assert single.dtype == np.float32
    single.sum().backward()
    assert x.grad.dtype == np.float64
    assert not np.astype(x, int).requires_grad
    with pytest.raises(OperationError, match="no device 'gpu'"):
        np.astype(x, float, device="gpu")
