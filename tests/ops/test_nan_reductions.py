"""Reductions over NaN: slices without a number, masks, starting values, dtypes, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_bp as tg

NAN = np.nan
EVERY = (np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin)
VALUES = [[1.0, NAN, 3.0], [NAN, NAN, NAN], [4.0, 4.0, NAN]]


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_gradient_flows_to_nan_and_slices_without_numbers_are_those_of_numpy(function, dtype):
    values = np.array(VALUES, dtype)
    x = leaf(values, dtype)
    for axis in (1, 0, None):
        z = quietly(function, x, axis=axis)
        expected = quietly(function, values, axis=axis)
        np.testing.assert_allclose(z.data, expected, rtol=1e-6)
        assert z.dtype == dtype
        x.grad = None
        z.sum().backward()
        assert np.isfinite(x.grad.data).all()
        np.testing.assert_array_equal(x.grad.data[np.isnan(values)], 0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (np.nanmean, "Mean of empty slice"),
        (np.nanvar, "Degrees of freedom <= 0"),
        (np.nanstd, "Degrees of freedom <= 0"),
        (np.nanmax, "All-NaN slice encountered"),
        (np.nanmin, "All-NaN slice encountered"),
    ],
)
def test_a_slice_without_numbers_warns_once_as_numpy_does(function, words):
    with pytest.warns(RuntimeWarning, match=words) as caught:
        function(leaf(VALUES), axis=1)
    assert len(caught) == 1


@pytest.mark.parametrize("function", [np.nansum, np.nanprod])
def test_a_slice_without_numbers_is_neutral(function):
    z = function(leaf([NAN, NAN]), initial=3.0)
    assert z.item() == 3.0


@pytest.mark.parametrize("function", EVERY)
def test_masks_and_integers(function):
    more = {"initial": 2.0} if function in (np.nanmax, np.nanmin) else {}
    mask = np.array([[True, False, True], [True, True, False]])
    values = np.array([[1.0, NAN, 2.0], [5.0, 3.0, 8.0]])
    x = leaf(values)
    z = function(x, axis=1, where=mask, **more)
    np.testing.assert_allclose(z.data, function(values, axis=1, where=mask, **more))
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data[~mask], 0)
    z = function(tg.Tensor([3, 4]))
    assert z.item() == function([3, 4])
    assert z.dtype == function([3, 4]).dtype


def test_ties_share_evenly_as_without_nan():
    x = leaf([2.0, NAN, 2.0, 1.0])
    np.nanmax(x).backward()
    np.testing.assert_array_equal(x.grad.data, [0.5, 0, 0.5, 0])
    x = leaf([-np.inf, NAN])
    np.nanmax(x).backward()
    np.testing.assert_array_equal(x.grad.data, [1, 0])


def test_one_number_has_no_deviation_with_a_correction():
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        z = np.nanvar(leaf([[1.0, NAN], [1.0, 2.0]]), axis=1, ddof=1)
    np.testing.assert_array_equal(z.data, [NAN, 0.5])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        assert np.isnan(np.nanstd(leaf([1.0, NAN, 3.0]), ddof=2).item())


@pytest.mark.parametrize("function", EVERY)
def test_out_is_refused(function):
    with pytest.raises(tg.errors.OperationError, match=f"np.{function.__name__} with out="):
        function(leaf([1.0, NAN]), out=np.zeros(()))


def test_a_mask_needs_a_starting_value():
    with pytest.raises(tg.errors.ArgumentError, match="needs initial= too"):
        np.nanmax(leaf([1.0, NAN]), where=[True, False])
