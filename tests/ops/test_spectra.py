"""Singular values and eigenvalues: ties, zeros, what is not real, errors by their words."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import LinAlgError, OperationError, ShapeError

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 4, 3), (2, 0), (0, 3, 2)])
@pytest.mark.parametrize("full", [True, False])
def test_svd_gives_numpys_named_tuple_and_signs(shape, full):
    x = leaf(*shape)
    ours, numpys = np.linalg.svd(x, full), np.linalg.svd(x.data, full)
    assert type(ours) is type(numpys)
    for a, b in zip(ours, numpys, strict=True):
        np.testing.assert_allclose(a.data, b, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_a_matrix_put_together_again_has_the_gradient_of_the_matrix(shape):
    x, c = leaf(*shape), RNG.normal(size=shape)
    u, s, vh = np.linalg.svd(x)
    k = min(shape)
    ((u[:, :k] * s) @ vh[:k] * c).sum().backward()
    np.testing.assert_allclose(x.grad.data, c, atol=1e-10)


def test_the_vectors_that_complete_a_basis_have_no_gradient():
    for shape, last in (((4, 2), 0), ((2, 4), 2)):
        z = np.linalg.svd(leaf(*shape))[last]
        with pytest.raises(OperationError, match=r"last 2 of 4 vectors .*full_matrices=True"):
            (z * RNG.normal(size=(4, 4))).sum().backward()


def test_equal_singular_values_are_finite_and_right_where_the_vectors_do_not_matter():
    q = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    x = tg.Tensor(2 * q, requires_grad=True)
    (np.linalg.svdvals(x) ** 2).sum().backward()
    np.testing.assert_allclose(x.grad.data, 4 * q, atol=1e-12)
    x.grad = None
    u, _, vh = np.linalg.svd(x)
    with pytest.warns(RuntimeWarning, match="np.linalg.svd .*where values are equal"):
        (u @ vh * RNG.normal(size=(3, 3))).sum().backward()
    assert np.isfinite(x.grad.data).all()


def test_a_singular_value_of_zero_has_the_derivative_zero():
    for shape in ((2, 2), (3, 2)):
        x = tg.Tensor(np.zeros(shape), requires_grad=True)
        np.linalg.svdvals(x).sum().backward()
        np.testing.assert_array_equal(x.grad.data, 0)
    x = tg.Tensor(np.outer([1.0, 2.0], [2.0, 1.0]), requires_grad=True)
    np.linalg.svdvals(x).sum().backward()
    np.testing.assert_allclose(x.grad.data, x.data / 5, atol=1e-12)
    assert "0" in PRIMITIVES["svdvals"].kinks


@pytest.mark.parametrize("hermitian", [False, True])
def test_singular_values_of_a_negative_matrix_are_positive(hermitian):
    x = tg.Tensor(np.diag([-3.0, 1.0]), requires_grad=True)
    s = np.linalg.svd(x, compute_uv=False, hermitian=hermitian)
    s.backward(np.array([1.0, 10.0]))
    np.testing.assert_allclose(s.data, [3.0, 1.0])
    np.testing.assert_allclose(x.grad.data, np.diag([-1.0, 10.0]))


def test_svd_of_a_symmetric_matrix_reads_the_lower_triangle():
    x = leaf(2, 3, 3)
    ours, numpys = (np.linalg.svd(a, hermitian=True) for a in (x, x.data))
    for a, b in zip(ours, numpys, strict=True):
        np.testing.assert_allclose(a.data, b, atol=1e-12)
    (ours.U**2 * np.arange(3.0)).sum().backward()
    assert np.abs(np.tril(x.grad.data)).max() > 0
    np.testing.assert_array_equal(np.triu(x.grad.data, 1), 0)


def test_eigenvalues_of_a_matrix_that_is_not_symmetric():
    """Of one eigenvalue the gradient is the left vector times the right one over their product."""
    x = tg.Tensor([[2.0, 1.0], [0.5, 1.0]], requires_grad=True)
    w, v = np.linalg.eig(x)
    w.backward(np.array([1.0, 0.0]))
    left = np.linalg.inv(v.data)[0]
    np.testing.assert_allclose(x.grad.data, np.outer(left, v.data[:, 0]), atol=1e-12)


@pytest.mark.parametrize("name", ["eig", "eigvals"])
def test_eigenvalues_that_are_not_real_are_constants_or_an_error(name):
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    with pytest.raises(OperationError, match=f"np.linalg.{name} .*not real(.|\n)*Fix: .*detach"):
        getattr(np.linalg, name)(tg.Tensor(turn, requires_grad=True))
    z = getattr(np.linalg, name)(tg.Tensor(turn))
    values = z.eigenvalues if name == "eig" else z
    np.testing.assert_allclose(sorted(values.data.imag), [-1, 1])
    with tg.no_grad():
        getattr(np.linalg, name)(tg.Tensor(turn, requires_grad=True))


def test_eigenvectors_that_do_not_span_the_space_have_no_gradient():
    x = tg.Tensor([[0.0, 1.0], [0.0, 0.0]], requires_grad=True)
    w = np.linalg.eigvals(x)
    with pytest.raises(LinAlgError, match="do not span the space"):
        w.sum().backward()


def test_rank_is_a_constant():
    z = np.linalg.matrix_rank(tg.Tensor(np.ones((2, 3, 3)), requires_grad=True))
    np.testing.assert_array_equal(z.data, [1, 1])
    assert not z.requires_grad


@pytest.mark.parametrize("function", [np.linalg.svd, np.linalg.svdvals])
def test_vectors_are_refused(function):
    with pytest.raises(ShapeError, match="needs a matrix"):
        function(leaf(3))
    with pytest.raises(ShapeError, match="square"):
        np.linalg.svd(leaf(2, 3), hermitian=True)


@pytest.mark.parametrize("name", ["svd", "svdvals", "eig", "eigvals"])
def test_float32_stays_float32(name):
    x = tg.Tensor(np.diag([1.0, 2.0]) + 0.1, requires_grad=True, dtype=np.float32)
    z = getattr(np.linalg, name)(x)
    for part in z if isinstance(z, tuple) else [z]:
        assert part.dtype == np.float32
    (z[0] if isinstance(z, tuple) else z).sum().backward()
    assert x.grad.dtype == np.float32
