"""Variance and deviation: degrees of freedom, a given mean, masks."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg

BOTH = (np.var, np.std)


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("function", BOTH)
def test_the_mean_of_the_data_given_as_a_tensor_changes_nothing(function):
    values = np.array([[1.0, 4.0, 2.0], [0.0, 3.0, 5.0]])
    x, y = leaf(values), leaf(values)
    z = function(x, axis=1, mean=np.mean(x, axis=1, keepdims=True), ddof=1)
    same = function(y, axis=1, ddof=1)
    np.testing.assert_allclose(z.data, same.data, rtol=1e-15)
    z.sum().backward()
    same.sum().backward()
    np.testing.assert_allclose(x.grad.data, y.grad.data, atol=1e-15)


def test_a_given_mean_has_the_derivative_of_the_formula():
    x, m = leaf([1.0, 2.0, 6.0]), leaf([2.0])
    np.var(x, mean=m).backward()
    np.testing.assert_allclose(x.grad.data, 2 / 3 * np.array([-1.0, 0.0, 4.0]))
    np.testing.assert_allclose(m.grad.data, [-2 / 3 * 3])
    x.grad = None
    np.var(np.array([1.0, 2.0, 6.0]), mean=leaf([2.0])).backward()


@pytest.mark.parametrize("function", BOTH)
def test_no_degrees_of_freedom_warn_as_numpy_does_and_have_no_derivative(function):
    x = leaf([1.0, 2.0])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom|divide"):
        z = function(x, ddof=2)
    z.backward()
    assert np.isnan(x.grad.data).all()


@pytest.mark.parametrize("function", BOTH)
def test_a_masked_slice_without_degrees_of_freedom_leaves_the_others_alone(function):
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom|invalid value"):
        z = function(x, axis=1, where=[[False], [True]])
    assert np.isnan(z.data[0])
    z.sum().backward()
    assert np.isfinite(x.grad.data).all()
    np.testing.assert_array_equal(x.grad.data[0], 0)


@pytest.mark.parametrize("function", BOTH)
def test_ddof_and_correction_are_not_both_taken(function):
    with pytest.raises(tg.errors.ArgumentError, match="both ddof= and correction="):
        function(leaf([1.0, 2.0]), ddof=1, correction=1)


@pytest.mark.parametrize("function", BOTH)
def test_dtypes_are_those_of_numpy(function):
    x = np.array([[1, 2, 4], [1, 5, 3]], np.float32)
    mask = np.array([True, True, False])
    for more in ({}, {"where": mask}, {"mean": np.float32([[2], [3]])}, {"dtype": np.float64}):
        expected = function(x, axis=1, **more)
        z = function(leaf(x, np.float32), axis=1, **more)
        np.testing.assert_allclose(z.data, expected, rtol=1e-6)
        assert z.dtype == expected.dtype
    assert function(tg.Tensor([1, 2, 4]), where=mask).item() == function([1, 2])


def test_masked_deviation_of_equal_elements_is_flat():
    x = leaf([2.0, 2.0, 7.0])
    np.std(x, where=[True, True, False]).backward()
    np.testing.assert_array_equal(x.grad.data, 0)


@pytest.mark.parametrize("options", [{}, {"ddof": 1}, {"where": [True, True, True, False]}])
def test_elements_that_are_equal_have_no_gradient_where_their_mean_is_rounded(options):
    x = leaf([0.1, 0.1, 0.1, 0.1])  # the mean of three of them is not 0.1
    np.std(x, **options).backward()
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-12)
    y = leaf(np.full(300, 0.3), np.float32)
    np.std(y).backward()
    np.testing.assert_allclose(y.grad.data, 0, atol=1e-6)


def test_the_second_derivative_where_all_elements_are_equal_is_zero():
    x = leaf([2.0, 2.0])
    np.std(x).backward(create_graph=True)
    slope, x.grad = x.grad[0], None
    slope.backward()
    assert x.grad.data.tolist() == [0.0, 0.0]
