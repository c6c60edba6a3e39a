"""Factors of matrices: ties, triangles, signs, and the errors by their words."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import LinAlgError, OperationError, ShapeError

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


def rotated(*values):
    """A symmetric matrix of these eigenvalues."""
    q = np.linalg.qr(RNG.normal(size=(len(values), len(values))))[0]
    return q @ np.diag(values) @ q.T


def gradient(function, x):
    """Of a function of symmetric matrices, along symmetric matrices."""
    t = tg.Tensor(x, requires_grad=True)
    function(t).backward()
    return (t.grad.data + t.grad.data.T) / 2


def numerical(function, x, h=1e-5):
    found = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i, j] += h / 2
        step[j, i] += h / 2
        found[i, j] = (function(x + step) - function(x - step)) / (2 * h)
    return found


def test_cholesky_names_what_is_not_positive_definite():
    x = np.stack([np.eye(2), -np.eye(2)])
    with pytest.raises(LinAlgError) as error:
        np.linalg.cholesky(tg.Tensor(x))
    assert "np.linalg.cholesky of (2, 2, 2) (at test_decompositions.py:" in str(error.value)
    assert "not positive definite, of the matrix at [1] of the stack" in str(error.value)
    assert "Fix: add to the diagonal" in str(error.value)


@pytest.mark.parametrize("name", ["cholesky", "eigh", "eigvalsh", "eig", "eigvals"])
def test_a_matrix_that_is_not_square_is_named(name):
    for shape in ((2, 3), (3,), ()):
        with pytest.raises(ShapeError, match=f"np.linalg.{name} of shape.*(.|\n)*Fix: "):
            getattr(np.linalg, name)(leaf(*shape))


def test_a_factor_of_a_symmetric_matrix_leaves_the_other_triangle_alone():
    for function, other in (
        (np.linalg.cholesky, np.triu),
        (lambda x: np.linalg.cholesky(x, upper=True), np.tril),
        (np.linalg.eigvalsh, np.triu),
        (lambda x: np.linalg.eigvalsh(x, "u"), np.tril),
    ):
        x = tg.Tensor(rotated(1.0, 2.0, 3.0), requires_grad=True)
        function(x).sum().backward()
        np.testing.assert_array_equal(other(x.grad.data, 1 if other is np.triu else -1), 0)


def test_the_gradient_of_a_log_likelihood_is_the_textbooks():
    """Of 2 Σ log diag L with L Lᵀ = X it is X⁻¹."""
    x = rotated(1.0, 2.0, 5.0)
    found = gradient(lambda t: 2 * np.log(np.linalg.diagonal(np.linalg.cholesky(t))).sum(), x)
    np.testing.assert_allclose(found, np.linalg.inv(x), rtol=1e-10)


def test_qr_of_dependent_columns_is_a_value_without_a_gradient():
    x = tg.Tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    r = np.linalg.qr(x).R
    with pytest.raises(LinAlgError, match=r"qr of \(3, 2\) has no gradient .*depend on each other"):
        r.sum().backward()


def test_qr_knows_its_modes():
    with pytest.raises(OperationError, match="mode='raw' is not available"):
        np.linalg.qr(leaf(2, 2), mode="raw")
    with pytest.raises(OperationError, match="UPLO='x'"):
        np.linalg.eigh(leaf(2, 2), "x")


def test_qr_gives_numpys_named_tuple_and_signs():
    for shape in ((4, 2), (2, 4), (3, 3), (2, 4, 2)):
        x = leaf(*shape)
        for mode in ("reduced", "complete"):
            ours, numpys = np.linalg.qr(x, mode), np.linalg.qr(x.data, mode)
            assert type(ours) is type(numpys)
            for a, b in zip(ours, numpys, strict=True):
                np.testing.assert_allclose(a.data, b, atol=1e-12)


def test_the_columns_that_complete_a_basis_have_no_gradient():
    x = leaf(4, 2)
    q = np.linalg.qr(x, mode="complete").Q
    (q[:, :2] ** 2 * np.arange(4.0)[:, None]).sum().backward(retain_graph=True)
    assert np.abs(x.grad.data).max() > 0
    with pytest.raises(OperationError, match=r"last 2 of 4 vectors .*have no derivative"):
        (q**2 * np.arange(4.0)).sum().backward()


def test_eigenvectors_of_one_eigenvalue_give_the_right_projection():
    x, c = rotated(1.0, 1.0, 4.0), rotated(1.0, 2.0, 3.0)

    def onto(t):
        v = np.linalg.eigh(t).eigenvectors[:, :2]
        return ((v @ v.T) * c).sum()

    with pytest.warns(RuntimeWarning, match=r"np.linalg.eigh \(at test_decompositions.py:"):
        found = gradient(onto, x)
    np.testing.assert_allclose(found, numerical(onto, x), atol=1e-8)
    assert "warning" in PRIMITIVES["eigh"].kinks


@pytest.mark.parametrize("values", [(2.0, 2.0), (1.0, 1.0, 1.0), (0.0, 0.0)])
def test_functions_of_equal_eigenvalues_are_finite_and_right(values):
    x = rotated(*values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = gradient(lambda t: np.linalg.eigvalsh(t).sum(), x)
        lengths = gradient(lambda t: (np.linalg.eigh(t).eigenvectors ** 2).sum(), x)
        squares = gradient(lambda t: (np.linalg.eigvalsh(t) ** 2).sum(), x)
    np.testing.assert_allclose(trace, np.eye(len(values)), atol=1e-12)
    np.testing.assert_allclose(lengths, 0, atol=1e-12)
    np.testing.assert_allclose(squares, 2 * x, atol=1e-12)


def test_what_the_vectors_of_one_eigenvalue_cannot_tell_is_no_silent_number():
    """Of V diag(w) Vᵀ, the matrix itself, the gradient is not that of a projection."""

    def itself(t):
        w, v = np.linalg.eigh(t)
        return ((v * w) @ v.T * rotated(1.0, 2.0)).sum()

    with pytest.warns(RuntimeWarning, match="incomplete for others"):
        gradient(itself, np.eye(2))


def test_eigh_gives_numpys_named_tuple_and_signs():
    x = leaf(3, 3)
    for uplo in "LU":
        ours, numpys = np.linalg.eigh(x, uplo), np.linalg.eigh(x.data, uplo)
        assert type(ours) is type(numpys)
        for a, b in zip(ours, numpys, strict=True):
            np.testing.assert_array_equal(a.data, b)


def _without_signs(*parts):
    return sum((part**2 * np.arange(1.0, 1 + part.shape[-1])).sum() for part in parts)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: _without_signs(np.linalg.cholesky(x @ x.T + np.eye(3))),
        lambda x: _without_signs(*np.linalg.qr(x)),
        lambda x: _without_signs(*np.linalg.svd(x)),
        lambda x: _without_signs(np.linalg.svdvals(x)),
        lambda x: _without_signs(*np.linalg.eigh(x)),
        lambda x: _without_signs(*np.linalg.eig(x)),
        lambda x: _without_signs(np.linalg.pinv(x[:, :2])),
        lambda x: _without_signs(np.linalg.pinv(x, 0.5)),
        lambda x: _without_signs(np.linalg.lstsq(x[:2], x[:2, 0])[0]),
        lambda x: np.linalg.slogdet(x)[1],
        lambda x: np.linalg.cond(x),
        lambda x: np.linalg.norm(x, "nuc"),
        lambda x: np.linalg.norm(x, 2.5, axis=0).sum(),
    ],
)
def test_third_derivatives_are_the_differences_of_second_ones(function):
    """Along a line, at a matrix with singular values and eigenvalues far apart."""
    x, direction = np.diag([1.0, 3.0, 6.0]) + 0.3 * RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))

    def derivatives(at, orders):
        t = tg.Tensor(at, requires_grad=True)
        y = function(t)
        for _ in range(orders):
            y.backward(create_graph=True)
            y, t.grad = (t.grad * direction).sum(), None
        return y.item()

    h = 1e-3
    near = derivatives(x + h * direction, 2) - derivatives(x - h * direction, 2)
    far = derivatives(x + 2 * h * direction, 2) - derivatives(x - 2 * h * direction, 2)
    expected = (8 * near - far) / (12 * h)
    assert derivatives(x, 3) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["cholesky", "qr", "eigh", "eigvalsh"])
def test_float32_stays_float32(name):
    x = tg.Tensor(rotated(1.0, 2.0, 3.0), requires_grad=True, dtype=np.float32)
    z = getattr(np.linalg, name)(x)
    for part in z if isinstance(z, tuple) else [z]:
        assert part.dtype == np.float32
    (z[0] if isinstance(z, tuple) else z).sum().backward()
    assert x.grad.dtype == np.float32


def test_numbers_that_are_not_finite_are_an_error_that_says_so():
    with pytest.raises(LinAlgError, match="did not converge.*(.|\n)*Fix: pass finite numbers"):
        np.linalg.pinv(tg.Tensor(np.full((2, 2), np.nan)))
