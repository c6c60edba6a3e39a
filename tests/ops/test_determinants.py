"""Determinants: singular matrices at every order, and what else the catalogue does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import LinAlgError, ShapeError

RNG = np.random.default_rng(0)


def slopes(function, x, direction, orders):
    """The derivatives of ``function(x + h * direction)`` in h at 0, by backward passes."""
    x, found = tg.Tensor(x, requires_grad=True), []
    y = function(x)
    for _ in range(orders):
        y.backward(create_graph=True)
        y, x.grad = (x.grad * direction).sum(), None
        found.append(y.item())
    return found


def taylor(x, direction, n):
    """The same for the determinant, a polynomial in h of degree n, by interpolation."""
    h = np.arange(n + 1.0) - n // 2
    values = [np.linalg.det(x + k * direction) for k in h]
    coefficients = np.linalg.solve(np.vander(h, increasing=True), values)
    factorials = np.cumprod([1, *range(1, n + 1)])
    return (coefficients * factorials)[1:]


def of_rank(n, rank):
    return RNG.normal(size=(n, rank)) @ RNG.normal(size=(rank, n))


@pytest.mark.parametrize(("n", "rank"), [(n, r) for n in (1, 2, 3, 4) for r in range(n + 1)])
def test_all_derivatives_are_those_of_the_polynomial_at_every_rank(n, rank):
    x, direction = of_rank(n, rank), RNG.normal(size=(n, n))
    np.testing.assert_allclose(
        slopes(np.linalg.det, x, direction, n), taylor(x, direction, n), atol=1e-8
    )


def test_a_stack_may_hold_matrices_of_every_rank():
    x = tg.Tensor(np.stack([of_rank(3, r) for r in range(4)]), requires_grad=True)
    np.linalg.det(x).sum().backward()
    for matrix, gradient in zip(x.data, x.grad.data, strict=True):
        alone = tg.Tensor(matrix, requires_grad=True)
        np.linalg.det(alone).backward()
        np.testing.assert_allclose(gradient, alone.grad.data, atol=1e-10)
    np.testing.assert_array_equal(x.grad.data[0], np.zeros((3, 3)))


def test_the_gradient_holds_the_cofactors():
    x = tg.Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], requires_grad=True)
    np.linalg.det(x).backward()
    np.testing.assert_allclose(
        x.grad.data, [[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]], atol=1e-12
    )


def test_nearly_singular_matrices_lose_no_digits():
    """Of diag(1, 1, ε) the cofactors are (ε, ε, 1), whatever the basis."""
    u, v = (np.linalg.qr(RNG.normal(size=(3, 3)))[0] for _ in range(2))
    sign = np.linalg.det(u) * np.linalg.det(v)
    for small in (1e-3, 1e-9, 1e-15, 0.0):
        x = tg.Tensor(u @ np.diag([1, 1, small]) @ v.T, requires_grad=True)
        np.linalg.det(x).backward()
        expected = sign * (u @ np.diag([small, small, 1]) @ v.T)
        np.testing.assert_allclose(x.grad.data, expected, atol=1e-13)


def test_scale_does_not_matter():
    for scale in (1e-60, 1e60):
        x = tg.Tensor(scale * np.array([[1.0, 2.0], [2.0, 4.0]]), requires_grad=True)
        np.linalg.det(x).backward()
        np.testing.assert_allclose(x.grad.data / scale, [[4.0, -2.0], [-2.0, 1.0]], rtol=1e-12)


def test_the_logarithm_has_the_inverse_for_its_gradient():
    x = tg.Tensor(RNG.normal(size=(2, 3, 3)), requires_grad=True)
    sign, logarithm = np.linalg.slogdet(x)
    logarithm.sum().backward()
    np.testing.assert_allclose(x.grad.data, np.linalg.inv(x.data).swapaxes(-1, -2))
    assert not sign.requires_grad
    np.testing.assert_array_equal(sign.data, np.linalg.slogdet(x.data).sign)


def test_slogdet_of_a_large_matrix_does_not_overflow():
    x = tg.Tensor(100 * np.eye(300), requires_grad=True)
    logarithm = np.linalg.slogdet(x).logabsdet
    logarithm.backward()
    assert logarithm.item() == pytest.approx(300 * np.log(100))
    np.testing.assert_allclose(x.grad.data, np.eye(300) / 100)


def test_slogdet_of_a_singular_matrix_is_a_value_without_a_gradient():
    sign, logarithm = np.linalg.slogdet(tg.Tensor(np.ones((2, 2)), requires_grad=True))
    assert sign.item() == 0
    assert logarithm.item() == -np.inf
    with pytest.raises(LinAlgError, match="slogdet of .* has no gradient .*: a matrix is singular"):
        logarithm.backward()


@pytest.mark.parametrize("function", [np.linalg.det, np.linalg.slogdet])
def test_a_matrix_that_is_not_square_is_named(function):
    with pytest.raises(ShapeError, match=r"of shape \(2, 3\).*lengths 2 and 3"):
        function(tg.Tensor(np.ones((2, 3))))


def test_float32_stays_float32():
    for matrix in (np.eye(2), np.ones((2, 2))):
        x = tg.Tensor(matrix, requires_grad=True, dtype=np.float32)
        z = np.linalg.det(x)
        z.backward()
        assert z.dtype == x.grad.dtype == np.float32
