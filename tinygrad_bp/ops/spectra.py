"""Singular values and vectors, and the eigenvalues of matrices that are not symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements, without_derivative
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import OperationError, user_line
from tinygrad_bp.ops.decompositions import (
    TIES,
    complement,
    eigh,
    eigvalsh,
    gaps,
    tied,
    warn_of_ties,
)
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.matrices import (
    FINITE,
    EigResult,
    LinAlgError,
    SVDResult,
    check_matrices,
    check_square,
    checked,
    operand,
    transposed,
    values,
)

without_derivative({np.linalg.matrix_rank: "the result is a position or a count"})


def _svd_forward(x: Any) -> Any:
    """U above the singular values above V, the transpose of NumPy's last result."""
    check_matrices("svd", x)
    u, s, vt = checked("svd", np.linalg.svd, x, full_matrices=False, fix=FINITE)
    return np.concatenate([u, s[..., None, :], transposed(vt)], axis=-2)


def _nothing(s: Any) -> Any:
    """Where singular values are 0 up to rounding."""
    return s <= s.shape[-1] * np.finfo(s.dtype).eps * s[..., :1]


def _svd_rule(g: Any, out: Any, x: Any) -> Any:
    m = x.shape[-2]
    u, s, v = out[..., :m, :], out[..., m, :], out[..., m + 1 :, :]
    gu, gs, gv = g[..., :m, :], g[..., None, m, :], g[..., m + 1 :, :]
    row, column = s[..., None, :], s[..., :, None]
    over = gaps(s) / np.where(tied(values(s)), 1, row + column)
    of_u, of_v = transposed(u) @ gu, transposed(v) @ gv
    warn_of_ties("svd", s, of_u, of_v)
    inner = over * (of_u - transposed(of_u)) * row + column * over * (of_v - transposed(of_v))
    nothing = _nothing(values(s))[..., None, :]
    inverse = np.where(nothing, 0, 1 / np.where(nothing, 1, row))
    left = u * gs + u @ inner + (gu - u @ of_u) * inverse
    return left @ transposed(v) + (u * inverse) @ transposed(gv - v @ of_v)


_svd = Primitive(
    "svd",
    _svd_forward,
    [_svd_rule],
    formula=r"U \operatorname{diag}(s) V^\top = X",
    vjp_formulas=[
        r"U \left( \operatorname{diag} \bar{s} + (F \circ (U^\top \bar{U} - \bar{U}^\top U)) S"
        r" + S (F \circ (V^\top \bar{V} - \bar{V}^\top V)) \right) V^\top"
        r" + (I - U U^\top) \bar{U} S^{-1} V^\top + U S^{-1} \bar{V}^\top (I - V V^\top), \;"
        r" F_{ij} = \frac{1}{s_j^2 - s_i^2}"
    ],
    analytic=False,
    kinks=TIES.format(values="singular values"),
)


def _svdvals_forward(x: Any) -> Any:
    check_matrices("svdvals", x)
    return checked("svdvals", np.linalg.svdvals, x, fix=FINITE)


def _svdvals_rule(g: Any, out: Any, x: Any) -> Any:
    packed = apply(_svd, x)
    u, v = packed[..., : x.shape[-2], :], packed[..., x.shape[-2] + 1 :, :]
    return (u * np.where(_nothing(values(out)), 0, g)[..., None, :]) @ transposed(v)


_svdvals = Primitive(
    "svdvals",
    _svdvals_forward,
    [_svdvals_rule],
    formula=r"U \operatorname{diag}(z) V^\top = X",
    vjp_formulas=[r"U \operatorname{diag}(\bar{z}) V^\top"],
    analytic=False,
    kinks="at a singular value of 0 its derivative is 0",
)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Singular values, descending; see `numpy.linalg.svdvals`.

    Raises
    ------
    ShapeError
        There are less than two axes.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[3.0, 0.0], [0.0, -2.0]], requires_grad=True)
    >>> np.linalg.svdvals(x).sum().backward()
    >>> x.grad
    Tensor([[ 1.,  0.],
            [ 0., -1.]])
    """
    return _svdvals(operand(x))


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Singular values, and vectors, of matrices of any shape; see `numpy.linalg.svd`.

    The vectors that ``full_matrices=True`` adds are any basis of the rest of the space: to use
    them in a gradient is an error. A singular vector's sign is arbitrary too, so a function to be
    differentiated should not depend on it.

    Returns
    -------
    SVDResult, or Tensor where `compute_uv` is False

    Raises
    ------
    ShapeError
        There are less than two axes, or the matrices are not square and `hermitian` is True.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> u, s, vh = np.linalg.svd(tg.Tensor([[3.0, 0.0], [0.0, 2.0]]))
    >>> s
    Tensor([3., 2.])
    """
    a = operand(a)
    if hermitian:
        return _svd_of_symmetric(a, compute_uv)
    if not compute_uv:
        return _svdvals(a)
    check_matrices("svd", a)
    m, n = a.shape[-2:]
    packed: Any = _svd(a)
    u, s, v = packed[..., :m, :], packed[..., m, :], packed[..., m + 1 :, :]
    if full_matrices and m > n:
        u = np.concatenate([u, complement(a, of="u")], axis=-1)
    elif full_matrices and n > m:
        v = np.concatenate([v, complement(a, of="v")], axis=-1)
    return SVDResult(u, s, transposed(v))


def _svd_of_symmetric(a: Any, compute_uv: bool) -> Any:
    """As NumPy has it, from the eigenvalues of the lower triangle by their absolute values."""
    check_square("svd", a)
    pair: Any = eigh(a) if compute_uv else (eigvalsh(a), None)
    w, v = pair
    order = np.argsort(np.abs(values(w)), axis=-1)[..., ::-1]
    w = _picked(w, order)
    if not compute_uv:
        return np.abs(w)
    n = a.shape[-1]
    grid: Any = np.indices(order.shape, sparse=True)[:-1]
    v = v[(*(i[..., None] for i in grid), np.arange(n)[:, None], order[..., None, :])]
    sign = np.copysign(1, values(w)).astype(w.dtype)[..., None, :]
    return SVDResult(v, np.abs(w), transposed(v * sign))


def _picked(x: Any, order: Any) -> Any:
    """The elements of each last axis in another order."""
    return x[(*np.indices(order.shape, sparse=True)[:-1], order)]


def _real(name: str, w: Any) -> None:
    if w.dtype.kind == "c":
        raise OperationError(
            f"np.linalg.{name} of a tensor that requires a gradient (at {user_line()}): there are "
            "eigenvalues that are not real, and complex numbers have no gradient yet.\n"
            "Fix: call it on t.detach(), or use np.linalg.eigh for symmetric matrices."
        )


def _eig_forward(x: Any) -> Any:
    """The eigenvectors, and the eigenvalues as one more row."""
    check_square("eig", x)
    w, v = checked("eig", np.linalg.eig, x, fix=FINITE)
    _real("eig", w)
    return np.concatenate([v, w[..., None, :]], axis=-2)


def _eig_rule(g: Any, out: Any, x: Any) -> Any:
    n = x.shape[-1]
    v, w, gv, gw = out[..., :n, :], out[..., n, :], g[..., :n, :], g[..., None, n, :]
    along = np.sum(v * gv, axis=-2, keepdims=True)  # the length of a vector is 1 and stays so
    turn = transposed(v) @ (gv - v * along)
    warn_of_ties("eig", w, turn)
    inner = gaps(w) * turn
    return _from_basis(v, inner + np.eye(n, dtype=x.dtype) * gw)


def _from_basis(v: Any, inner: Any) -> Any:
    """The cotangent of a matrix from what it is in the basis of its eigenvectors."""
    vt = transposed(v)
    if v.size and np.any(np.linalg.cond(values(v)) * np.finfo(v.dtype).eps > 1):
        raise LinAlgError(
            f"np.linalg.eig of {v.shape} has no gradient (at {user_line()}): the eigenvectors do "
            "not span the space.\n"
            "Fix: move the eigenvalues apart; for symmetric matrices use np.linalg.eigh."
        )
    return np.linalg.solve(vt, inner @ vt)


_eig = Primitive(
    "eig",
    _eig_forward,
    [_eig_rule],
    formula=r"V \operatorname{diag}(w) V^{-1} = X",
    vjp_formulas=[
        r"V^{-\top} \left( \operatorname{diag} \bar{w} + F \circ V^\top (\bar{V}"
        r" - V \operatorname{diag}(V^\top \bar{V})) \right) V^\top, \;"
        r" F_{ij} = \frac{1}{w_j - w_i}"
    ],
    analytic=False,
    kinks=TIES.format(values="eigenvalues"),
)


def _eigvals_forward(x: Any) -> Any:
    check_square("eigvals", x)
    w = checked("eigvals", np.linalg.eigvals, x, fix=FINITE)
    _real("eigvals", w)
    return w


def _eigvals_rule(g: Any, out: Any, x: Any) -> Any:
    """LAPACK may find the eigenvalues in another order when it is asked for vectors too."""
    n = x.shape[-1]
    packed = apply(_eig, x)
    v, w = packed[..., :n, :], values(packed)[..., n, :]
    rank = np.argsort(np.argsort(w, axis=-1), axis=-1)
    places = np.take_along_axis(np.argsort(values(out), axis=-1), rank, axis=-1)
    return _from_basis(v, _picked(g, places)[..., None, :] * np.eye(n, dtype=x.dtype))


_eigvals = Primitive(
    "eigvals",
    _eigvals_forward,
    [_eigvals_rule],
    formula=r"V \operatorname{diag}(z) V^{-1} = X",
    vjp_formulas=[r"V^{-\top} \operatorname{diag}(\bar{z}) V^\top"],
    analytic=False,
    kinks="equal eigenvalues: the gradients belong to the eigenvectors that LAPACK chose",
)


def _is_recorded(a: Any) -> bool:
    return bool(getattr(a, "requires_grad", False)) and MODE.get().recording


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """Eigenvalues and eigenvectors of square matrices; see `numpy.linalg.eig`.

    Differentiable where all eigenvalues are real; constants may have complex ones.

    Returns
    -------
    EigResult

    Raises
    ------
    ShapeError
        The matrices are not square.
    OperationError
        A gradient is required, and an eigenvalue is not real.
    LinAlgError
        In the backward pass: the eigenvectors do not span the space.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> w, v = np.linalg.eig(tg.Tensor([[2.0, 1.0], [0.0, 1.0]], requires_grad=True))
    >>> w
    Tensor([2., 1.], made by getitem)
    """
    a = operand(a)
    if not _is_recorded(a):
        check_square("eig", a)
        w, v = checked("eig", np.linalg.eig, values(a), fix=FINITE)
        return EigResult(as_tensor(w), as_tensor(v))
    packed = _eig(a)
    n = a.shape[-1]
    return EigResult(packed[..., n, :], packed[..., :n, :])


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Eigenvalues of square matrices; see `numpy.linalg.eigvals` and `eig`."""
    a = operand(a)
    if not _is_recorded(a):
        check_square("eigvals", a)
        return as_tensor(checked("eigvals", np.linalg.eigvals, values(a), fix=FINITE))
    return _eigvals(a)
