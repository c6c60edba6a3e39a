"""Numbers between two ends: exact ends, dtypes, steps, errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, AxisError, NoGradPathError, ShapeError


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("function", [np.linspace, np.geomspace, np.logspace])
@pytest.mark.parametrize("options", [{}, {"endpoint": False}, {"num": 7}, {"axis": -1, "num": 3}])
def test_numbers_equal_those_of_numpy_to_the_last_digit(function, options):
    start, stop = np.array([0.1, 3.0]), np.array([[7.0], [0.3]])
    out = function(leaf(start), leaf(stop), **options)
    np.testing.assert_array_equal(out.data, function(start, stop, **options))


@pytest.mark.parametrize("function", [np.linspace, np.geomspace, np.logspace])
def test_dtypes_are_those_of_numpy_and_whole_numbers_are_constants(function):
    start = np.float32(1.0)
    for dtype in (None, np.float32, np.float64, np.float16):
        out = function(leaf(start, np.float32), 2, 4, dtype=dtype)
        assert out.dtype == function(start, 2, 4, dtype=dtype).dtype
        assert out.requires_grad
    x = leaf(1.0)
    whole = function(x, 3.0, 5, dtype=int)
    np.testing.assert_array_equal(whole.data, function(1.0, 3.0, 5, dtype=int))
    assert whole.dtype == int
    with pytest.raises(NoGradPathError, match="cut off by"):
        whole.backward(np.ones(5))


def test_the_step_is_returned_with_its_gradient():
    x, y = leaf(1.0), leaf(3.0)
    numbers, step = np.linspace(x, y, 5, retstep=True)
    assert (numbers.shape, step.item()) == ((5,), 0.5)
    step.backward()
    assert (x.grad.item(), y.grad.item()) == (-0.25, 0.25)
    assert np.isnan(np.linspace(x, y, 1, retstep=True)[1])


def test_a_sum_of_numbers_weighs_the_ends():
    x, y = leaf(0.0), leaf(1.0)
    np.linspace(x, y, 3).backward(np.array([1.0, 10.0, 100.0]))
    assert (x.grad.item(), y.grad.item()) == (6.0, 105.0)


@pytest.mark.parametrize("options", [{}, {"indexing": "ij"}, {"sparse": True}, {"copy": False}])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_meshgrid_equals_numpys(options, count):
    arrays = [np.arange(float(n)) for n in (2, 3, 4)[:count]]
    found = np.meshgrid(*map(leaf, arrays), **options)
    for ours, numpys in zip(found, np.meshgrid(*arrays, **options), strict=True):
        np.testing.assert_array_equal(ours.data, numpys)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: np.linspace(x, 1, -1), ArgumentError, "np.linspace cannot make -1 numbers"),
        (lambda x: np.linspace(x, 1, 2, axis=3), AxisError, "np.linspace: there is no axis 3"),
        (lambda x: np.linspace(x, np.ones(3)), ShapeError, r"shapes \(2,\) and \(3,\) do not br"),
        (lambda x: np.geomspace(x, 0), ArgumentError, "a geometric sequence does not pass 0"),
        (lambda x: np.geomspace(-x, 1), ArgumentError, "both ends positive, or both negative"),
        (lambda x: np.logspace(x, 1, -1), ArgumentError, "cannot make -1 numbers"),
        (lambda x: np.meshgrid(x, indexing="x"), ArgumentError, "np.meshgrid has no indexing 'x'"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(leaf([1.0, 2.0]))
    assert "Fix: " in str(caught.value)
    assert "test_grids.py" in str(caught.value)
