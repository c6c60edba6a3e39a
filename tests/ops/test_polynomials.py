"""Polynomials: dtypes, lengths, zeros at the front, errors by their words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, OperationError, ShapeError


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("dtypes", [(np.float32, np.float32), (np.float32, np.float64), (int, int)])
def test_dtypes_are_those_of_numpy(dtypes):
    a, b = np.array([1, 2, 3], dtypes[0]), np.array([1, -2], dtypes[1])
    for function in (np.polyval, np.polyadd, np.polysub, np.polymul):
        out = function(tg.Tensor(a), tg.Tensor(b))
        np.testing.assert_allclose(out.data, function(a, b))
        assert out.dtype == function(a, b).dtype
    for function in (np.polyder, np.polyint, np.poly):
        assert function(tg.Tensor(a)).dtype == function(a).dtype
        np.testing.assert_allclose(function(tg.Tensor(a)).data, function(a))
    for ours, numpys in zip(np.polydiv(tg.Tensor(a), b), np.polydiv(a, b), strict=True):
        np.testing.assert_allclose(ours.data, numpys)
        assert ours.dtype == numpys.dtype


def test_a_constant_polynomial_has_no_slope():
    p, x = leaf([5.0]), leaf([1.0, 2.0])
    np.polyval(p, x).sum().backward()
    assert p.grad.tolist() == [2.0]
    assert x.grad is None
    assert np.polyval(leaf([]), x).tolist() == [0.0, 0.0]


def test_derivatives_of_the_value_are_values_of_the_derivatives():
    p, x = [2.0, -1.0, 3.0, 5.0], leaf(0.7)
    value = np.polyval(p, x)
    for k in (1, 2, 3):
        x.grad = None
        value.backward(create_graph=True)
        value = x.grad
        assert value.item() == pytest.approx(np.polyval(np.polyder(p, k), 0.7), rel=1e-14)


def test_integration_and_differentiation_are_inverse():
    p = leaf([3.0, 2.0, 1.0])
    np.testing.assert_allclose(np.polyder(np.polyint(p, 3, k=[1.0, 2.0, 3.0]), 3).data, p.data)
    assert np.polyint(p, 0).tolist() == np.polyder(p, 0).tolist() == p.tolist()
    assert np.polyder(p, 5).tolist() == np.polyder(p.data, 5).tolist()


def test_constants_of_integration_may_be_a_tensor():
    k = leaf(2.0)
    out = np.polyint(leaf([1.0]), 2, k)
    np.testing.assert_allclose(out.data, [0.5, 2.0, 2.0])
    out.sum().backward()
    assert k.grad.item() == 2.0


def test_zeros_at_the_front_are_dropped_from_products_as_in_numpy():
    p, q = leaf([0.0, 1.0, 2.0]), np.array([0.0, 0.0])
    out = np.polymul(p, [3.0])
    np.testing.assert_array_equal(out.data, np.polymul(p.data, [3.0]))
    out.sum().backward()
    np.testing.assert_array_equal(p.grad.data, [0.0, 3.0, 3.0])
    np.testing.assert_array_equal(np.polymul(p, q).data, np.polymul(p.data, q))


@pytest.mark.parametrize(
    ("u", "v"),
    [([1, 2, 3], [1]), ([1.0], [1, 2]), ([2, 4, 2], [1, 1]), ([1, 0, 0, 0, 5], [2, 0, 1])],
)
def test_quotient_and_rest_are_those_of_numpy(u, v):
    found = np.polydiv(leaf(u), leaf(v))
    for ours, numpys in zip(found, np.polydiv(u, v), strict=True):
        np.testing.assert_allclose(ours.data, numpys, atol=1e-15)


def test_polyfit_goes_through_points_that_lie_on_a_polynomial():
    x = np.linspace(-1, 1, 6)
    c = leaf([2.0, 0.0, -1.0])
    found = np.polyfit(x, np.polyval(c, x), 2)
    np.testing.assert_allclose(found.data, c.data, atol=1e-14)
    found.backward(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_allclose(c.grad.data, [1.0, 10.0, 100.0], rtol=1e-12)


def test_zeros_may_be_a_list_of_tensors_and_numbers():
    x = leaf(3.0)
    out = np.poly([x, 1.0])
    np.testing.assert_array_equal(out.data, [1.0, -4.0, 3.0])
    out.backward(np.array([1.0, 10.0, 100.0]))
    assert x.grad.item() == 90.0
    assert np.poly(leaf([])) == 1.0


def test_no_warning_escapes_from_polyfit():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.polyfit(leaf([0.0, 1.0, 2.0]), leaf([1.0, 0.0, 1.0]), 2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: np.polyval(p[0], 2.0), ShapeError, r"np.polyval: coefficients of shape \(\)"),
        (
            lambda p: np.polyval(np.poly1d([1.0]), p),
            OperationError,
            "np.polyval of a poly1d, which cannot",
        ),
        (lambda p: np.polyder(p, -1), ArgumentError, "np.polyder with order -1"),
        (lambda p: np.polyint(p, -1), ArgumentError, "np.polyint with order -1"),
        (lambda p: np.polyint(p, 3, [1.0, 2.0]), ShapeError, "3 times with 2 constants"),
        (lambda p: np.poly(np.diag(p)), OperationError, r"matrix of shape \(3, 3\).*eigenvalues"),
        (lambda p: np.poly(p[None]), ShapeError, r"np.poly of shape \(1, 3\)"),
        (lambda p: np.polydiv(p[None], p), ShapeError, r"shapes \(1, 3\) and \(3,\)"),
        (lambda p: np.polymul(p[None], p), ShapeError, r"np.polymul of shapes \(1, 3\)"),
        (lambda p: np.roots(p), OperationError, "np.roots is not available.*may be complex"),
        (lambda p: np.polyfit(p, p, 1, full=True), OperationError, "with full= or cov="),
        (lambda p: np.polyfit(p, p[:2], 1), ShapeError, r"points \(3,\) and values \(2,\)"),
        (lambda p: np.polyfit(p, p, 1, w=p[:2]), ShapeError, r"with weights \(2,\)"),
    ],
)
def test_errors_say_what_does_not_fit(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(leaf([1.0, 2.0, 4.0]))
    assert "Fix: " in str(caught.value)
    assert "test_polynomials.py" in str(caught.value)
