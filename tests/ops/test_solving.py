"""Linear systems: ranks, errors by their words, and what else the catalogue does not ask."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


def test_a_singular_matrix_is_numpys_error_and_ours():
    for kind in (errors.LinAlgError, np.linalg.LinAlgError, errors.TgError, ValueError):
        with pytest.raises(kind):
            np.linalg.inv(tg.Tensor(np.ones((2, 2))))


def test_the_singular_matrix_of_a_stack_is_named():
    x = np.stack([np.eye(2), 2 * np.eye(2), np.ones((2, 2))]).reshape(3, 1, 2, 2)
    with pytest.raises(errors.LinAlgError) as error:
        np.linalg.inv(tg.Tensor(x, requires_grad=True))
    message = str(error.value)
    assert "np.linalg.inv of (3, 1, 2, 2) (at test_solving.py:" in message
    assert "of the matrix at [2, 0] of the stack" in message
    assert "Fix: keep it away from singularity" in message
    with pytest.raises(errors.LinAlgError, match=r"matrix at \[2, 0\] of the stack"):
        np.linalg.solve(tg.Tensor(x), np.ones(2))
    assert pickle.loads(pickle.dumps(error.value)).args == error.value.args


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: np.linalg.inv(leaf(2, 3)), r"of shape \(2, 3\).*lengths 2 and 3.*square"),
        (lambda: np.linalg.inv(leaf(3)), r"of shape \(3,\).*needs a matrix"),
        (lambda: np.linalg.solve(leaf(2, 3), leaf(2)), "square"),
        (lambda: np.linalg.solve(leaf(3, 3), leaf(2)), r"\(3, 3\) and \(2,\).*length 3 along a"),
        (lambda: np.linalg.solve(leaf(3, 3), leaf(3, 2, 2)), "length 3 along axis -2"),
        (lambda: np.linalg.solve(leaf(3, 3), leaf()), "length 3 along axis"),
        (lambda: np.linalg.solve(leaf(2, 2, 2), leaf(3, 2, 1)), "solve cannot work on inputs"),
        (lambda: np.linalg.pinv(leaf(3)), "needs a matrix"),
        (lambda: np.linalg.pinv(leaf(3, 2), hermitian=True), "square"),
        (lambda: np.linalg.lstsq(leaf(3, 2), leaf(2)), r"\(3, 2\) and \(2,\)"),
        (lambda: np.linalg.lstsq(leaf(2, 3, 2), leaf(3)), "needs a matrix"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, words):
    with pytest.raises(ShapeError, match=words) as error:
        call()
    assert "Fix: " in str(error.value)


def test_half_precision_is_refused_as_by_numpy():
    with pytest.raises(DTypeError, match="float16 is unsupported"):
        np.linalg.inv(tg.Tensor(np.eye(2), dtype=np.float16))


def test_pinv_takes_one_tolerance():
    with pytest.raises(ArgumentError, match="rcond and rtol"):
        np.linalg.pinv(leaf(2, 2), 0.1, rtol=0.1)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_pinv_of_a_matrix_of_zeros_stays_zero(shape):
    x = tg.Tensor(np.zeros(shape), requires_grad=True)
    z = np.linalg.pinv(x)
    z.sum().backward()
    np.testing.assert_array_equal(z.data, np.zeros(shape[::-1]))
    np.testing.assert_array_equal(x.grad.data, 0)


def test_pinv_of_equal_singular_values_is_right_where_some_are_dropped():
    """Numerical derivatives along symmetric pairs, at 2, 2 and 0.5 of which the last is dropped."""
    u, v = (np.linalg.qr(RNG.normal(size=(3, 3)))[0] for _ in range(2))
    a, c = u @ np.diag([2.0, 2.0, 0.5]) @ v.T, RNG.normal(size=(3, 3))
    x = tg.Tensor(a, requires_grad=True)
    (np.linalg.pinv(x, 0.5) * c).sum().backward()
    h, expected = 1e-5, np.zeros((3, 3))
    for place in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[place] = h
        expected[place] = np.sum(
            c * (np.linalg.pinv(a + step, 0.5) - np.linalg.pinv(a - step, 0.5))
        ) / (2 * h)
    np.testing.assert_allclose(x.grad.data, expected, atol=1e-8)


def test_the_tolerance_of_pinv_goes_with_the_stack():
    x = np.stack([np.diag([1.0, 0.1])] * 2)
    z = np.linalg.pinv(tg.Tensor(x, requires_grad=True), np.array([0.5, 0.01]))
    np.testing.assert_allclose(z.data, [np.diag([1.0, 0.0]), np.diag([1.0, 10.0])], atol=1e-14)


def test_pinv_of_a_long_matrix_makes_no_large_square():
    """(5000, 3): the product of it with its transpose would take 200 MB."""
    for shape in ((5000, 3), (3, 5000)):
        x = leaf(*shape)
        z = np.linalg.pinv(x)
        g = np.ones(z.shape)
        tracemalloc.start()
        z.backward(g)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5e6


def test_lstsq_gives_what_numpy_gives():
    x, y = leaf(5, 2), leaf(5, 3)
    for rcond in (None, 0.99):
        ours, numpys = np.linalg.lstsq(x, y, rcond), np.linalg.lstsq(x.data, y.data, rcond)
        for a, b in zip(ours, numpys, strict=True):
            np.testing.assert_allclose(getattr(a, "data", a), b, rtol=1e-10)
        assert type(ours[2]) is type(numpys[2])


def test_lstsq_has_the_gradient_of_the_normal_equations():
    x, y = leaf(6, 3), leaf(6)
    w = RNG.normal(size=3)
    (np.linalg.lstsq(x, y)[0] * w).sum().backward()
    a, b = (tg.Tensor(t.data, requires_grad=True) for t in (x, y))
    (np.linalg.solve(a.T @ a, a.T @ b) * w).sum().backward()
    np.testing.assert_allclose(x.grad.data, a.grad.data, rtol=1e-8)
    np.testing.assert_allclose(y.grad.data, b.grad.data, rtol=1e-8)


def test_the_residual_of_least_squares_has_the_slope_of_the_residual_alone():
    """At the minimum the solution need not move: the gradient is -2 r xᵀ."""
    a, b = leaf(6, 2), leaf(6)
    x, residuals, _, _ = np.linalg.lstsq(a, b)
    residuals.backward(np.ones(1))
    r = b.data - a.data @ x.data
    np.testing.assert_allclose(a.grad.data, -2 * np.outer(r, x.data), atol=1e-12)
    np.testing.assert_allclose(b.grad.data, 2 * r, atol=1e-12)


@pytest.mark.parametrize("name", ["inv", "pinv", "solve", "lstsq"])
def test_float32_stays_float32(name):
    x = leaf(3, 3, dtype=np.float32)
    z = getattr(np.linalg, name)(x, *([x] if name in ("solve", "lstsq") else []))
    z = z[0] if name == "lstsq" else z
    z.sum().backward()
    assert z.dtype == x.grad.dtype == np.float32


def test_integers_give_constants():
    z = np.linalg.inv(tg.Tensor([[2, 0], [0, 4]]))
    np.testing.assert_array_equal(z.data, [[0.5, 0], [0, 0.25]])
    assert not z.requires_grad


def test_third_derivatives_of_an_inverse():
    """1/x on a (1, 1) matrix: -6/x⁴."""
    x = tg.Tensor([[2.0]], requires_grad=True)
    y = np.linalg.inv(x).sum()
    for _ in range(3):
        y.backward(create_graph=True)
        y, x.grad = x.grad.sum(), None
    assert y.item() == pytest.approx(-6 / 16)
