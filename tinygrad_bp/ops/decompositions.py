"""Factors of matrices: Cholesky, QR, singular values, eigenvalues.

What is asked for together comes from one primitive that packs it into one array, which the public
functions slice; LAPACK's choice of signs is a constant, and so no part of any derivative.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import OperationError, user_depth, user_line
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.matrices import (
    FINITE,
    EighResult,
    QRResult,
    check_matrices,
    check_square,
    checked,
    half_lower,
    in_rule,
    operand,
    transposed,
    triangle,
    values,
)


def _cholesky_forward(x: Any) -> Any:
    check_square("cholesky", x)
    fix = "add to the diagonal, as with a + eps * np.eye(n), if it should be positive definite."
    return checked("cholesky", np.linalg.cholesky, x, fix=fix)


def _cholesky_rule(g: Any, out: Any, x: Any) -> Any:
    middle = (transposed(out) @ g) * half_lower(out)
    left = np.linalg.solve(transposed(out), middle)
    return triangle(np.linalg.solve(transposed(out), transposed(left)))


_cholesky = Primitive(
    "cholesky",
    _cholesky_forward,
    [_cholesky_rule],
    formula=r"Z Z^\top = X",
    vjp_formulas=[
        r"\Phi(S + S^\top), \; S = Z^{-\top} \Phi(Z^\top \bar{Z}) \, Z^{-1}, \;"
        r" \Phi: \text{lower triangle, half of the diagonal}"
    ],
    analytic=False,
)


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Triangular factor of each positive definite matrix; see `numpy.linalg.cholesky`.

    NumPy reads the lower triangle (the upper one with ``upper=True``); it gets the gradient.

    Raises
    ------
    ShapeError
        The matrices are not square.
    LinAlgError
        One of them is not positive definite.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[4.0, 0.0], [2.0, 5.0]], requires_grad=True)
    >>> np.linalg.cholesky(x).sum().backward()
    >>> x.grad
    Tensor([[0.1875, 0.    ],
            [0.25  , 0.25  ]])
    """
    a = operand(a)
    if upper:
        check_matrices("cholesky", a)
        return transposed(_cholesky(transposed(a)))
    return _cholesky(a)


def _qr_forward(x: Any) -> Any:
    """Q above R, which is square: x has as many rows as columns or more."""
    q, r = checked("qr", np.linalg.qr, x, fix=FINITE)
    return np.concatenate([q, r], axis=-2)


def _qr_rule(g: Any, out: Any, x: Any) -> Any:
    m = x.shape[-2]
    q, r, gq, gr = out[..., :m, :], out[..., m:, :], g[..., :m, :], g[..., m:, :]
    middle = (r @ transposed(gr) - transposed(gq) @ q) * half_lower(r)
    left = gq + q @ (middle + transposed(middle))
    why = "the first columns depend on each other, and R has no inverse"
    fix = "pass a matrix of full rank, or use np.linalg.svd."
    return transposed(in_rule("qr", x, np.linalg.solve, r, transposed(left), why=why, fix=fix))


_qr = Primitive(
    "qr",
    _qr_forward,
    [_qr_rule],
    formula=r"Q R = X",
    vjp_formulas=[
        r"\left( \bar{Q} + Q \, (\Phi(M) + \Phi(M)^\top) \right) R^{-\top}, \;"
        r" M = R \bar{R}^\top - \bar{Q}^\top Q"
    ],
    analytic=False,
    kinks="where columns depend on each other, R has no inverse and there is no gradient: an error",
)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Orthonormal columns times upper triangle, for any shape; see `numpy.linalg.qr`.

    Parameters
    ----------
    a : Tensor
        (…, m, n).
    mode : {'reduced', 'complete', 'r'}
        The columns that 'complete' adds are any basis of the rest of the space: to use them in a
        gradient is an error.

    Returns
    -------
    QRResult, or Tensor where mode is 'r'

    Raises
    ------
    OperationError
        The mode is another.
    LinAlgError
        In the backward pass: the first columns depend on each other.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> q, r = np.linalg.qr(tg.Tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> np.round(abs(r), 12)
    Tensor([[5. , 2.2],
            [0. , 0.4]])
    """
    a = operand(a)
    if mode not in ("reduced", "complete", "r"):
        raise OperationError(
            f"np.linalg.qr with mode={mode!r} is not available on tensors (at {user_line()}).\n"
            "Fix: mode='reduced', 'complete' or 'r'."
        )
    check_matrices("qr", a)
    m, n = a.shape[-2:]
    packed: Any = _qr(a[..., :m] if n > m else a)
    q, r = packed[..., :m, :], packed[..., m:, :]
    if n > m:
        r = np.concatenate([r, transposed(q) @ a[..., m:]], axis=-1)
    if mode == "r":
        return r
    if mode == "complete" and m > n:
        q = np.concatenate([q, complement(a, of="q")], axis=-1)
        r = np.concatenate([r, np.zeros((*a.shape[:-2], m - n, n), r.dtype)], axis=-2)
    return QRResult(q, r)


def _complement_forward(x: Any, *, of: str) -> Any:
    k = min(x.shape[-2:])
    if of == "q":
        return np.linalg.qr(x, mode="complete").Q[..., k:]
    u, _, vt = np.linalg.svd(x)
    return u[..., k:] if of == "u" else transposed(vt)[..., k:]


def _complement_rule(g: Any, out: Any, x: Any, *, of: str) -> Any:
    if np.any(values(g)):
        n, k = out.shape[-2:]
        raise OperationError(
            f"the last {k} of {n} vectors of a complete np.linalg.qr, or of an np.linalg.svd with "
            f"full_matrices=True, are any basis of the rest of the space: they have no derivative "
            f"(at {user_line()}).\n"
            "Fix: use the other vectors alone; the projection on the rest is I - Q @ Q.T of them."
        )
    return np.zeros_like(values(x))


complement = Primitive(
    "complement",
    _complement_forward,
    [_complement_rule],
    formula=r"X^\perp",
    vjp_formulas=[r"0"],
    analytic=False,
    kinks="vectors that any rotation may replace: a cotangent other than 0 is an error",
)


def tied(w: Any) -> Any:
    """Where two of the values, or a value with itself, are equal up to rounding."""
    limit = w.shape[-1] * np.finfo(w.dtype).eps * np.max(np.abs(w), axis=-1, initial=0)
    return np.abs(w[..., None, :] - w[..., :, None]) <= limit[..., None, None]


def gaps(w: Any) -> Any:
    """1 / (w_j - w_i), and 0 where they are tied."""
    ties = tied(values(w))
    return np.where(ties, 0, 1 / np.where(ties, 1, w[..., None, :] - w[..., :, None]))


TIES = (
    "vectors of equal {values} have no derivative of their own and stay where they are, which is "
    "right for functions of the space that they span, not for others: a warning"
)


def warn_of_ties(name: str, w: Any, *turns: Any) -> None:
    """Say so where a gradient asks how vectors of equal values turn into each other.

    `turns` are the cotangents of the vectors, seen from the vectors. Between two of them that
    are tied, a projection on their space and a function like V f(w) Vᵀ give the same, though
    only of the first the derivative is 0.
    """
    between = tied(values(w)) & ~np.eye(w.shape[-1], dtype=bool)
    for turn in map(np.abs, map(values, turns)):
        limit = 1e3 * np.finfo(turn.dtype).eps * np.max(turn, initial=0)
        if np.any(turn[between] > limit):
            warnings.warn(
                f"a gradient through the vectors of np.linalg.{name} (at {user_line()}) where "
                "values are equal: it is right for functions of the space that these vectors "
                "span, as a projection on it, and incomplete for others, as V @ diag(f(w)) @ V.T.",
                RuntimeWarning,
                stacklevel=user_depth(),
            )
            return


def _eigh_forward(x: Any, *, uplo: str) -> Any:
    """The eigenvectors, and the eigenvalues as one more column."""
    check_square("eigh", x)
    w, v = checked("eigh", np.linalg.eigh, x, UPLO=uplo, fix=FINITE)
    return np.concatenate([v, w[..., None]], axis=-1)


def _eigh_rule(g: Any, out: Any, x: Any, *, uplo: str) -> Any:
    n = x.shape[-1]
    v, w, gv, gw = out[..., :n], out[..., n], g[..., :n], g[..., None, :, n]
    turn = transposed(v) @ gv
    warn_of_ties("eigh", w, turn)
    inner = gaps(w) * turn
    return triangle((v * gw + v @ inner) @ transposed(v), uplo)


_eigh = Primitive(
    "eigh",
    _eigh_forward,
    [_eigh_rule],
    formula=r"V \operatorname{diag}(w) V^\top = X",
    vjp_formulas=[
        r"V \left( \operatorname{diag} \bar{w} + F \circ V^\top \bar{V} \right) V^\top, \;"
        r" F_{ij} = \frac{1}{w_j - w_i}"
    ],
    analytic=False,
    kinks=TIES.format(values="eigenvalues"),
)


def _eigvalsh_forward(x: Any, *, uplo: str) -> Any:
    check_square("eigvalsh", x)
    return checked("eigvalsh", np.linalg.eigvalsh, x, UPLO=uplo, fix=FINITE)


def _eigvalsh_rule(g: Any, out: Any, x: Any, *, uplo: str) -> Any:
    v = apply(_eigh, x, uplo=uplo)[..., : x.shape[-1]]
    return triangle((v * g[..., None, :]) @ transposed(v), uplo)


_eigvalsh = Primitive(
    "eigvalsh",
    _eigvalsh_forward,
    [_eigvalsh_rule],
    formula=r"V \operatorname{diag}(z) V^\top = X",
    vjp_formulas=[r"V \operatorname{diag}(\bar{z}) V^\top"],
    analytic=False,
    kinks="equal eigenvalues: the gradients belong to the eigenvectors that LAPACK chose",
)


def _which_triangle(name: str, uplo: str) -> str:
    if uplo.upper() not in ("L", "U"):
        raise OperationError(
            f"np.linalg.{name} with UPLO={uplo!r} (at {user_line()}).\nFix: UPLO='L' or 'U'."
        )
    return uplo.upper()


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803 - NumPy's name
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices; see `numpy.linalg.eigh`.

    The triangle that is read gets the gradient. An eigenvector's sign is arbitrary, so a function
    to be differentiated should not depend on it; nor on the choice of vectors for one eigenvalue.

    Returns
    -------
    EighResult

    Raises
    ------
    ShapeError
        The matrices are not square.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> w, v = np.linalg.eigh(x)
    >>> w
    Tensor([1., 2.], made by getitem)
    """
    packed = _eigh(operand(a), uplo=_which_triangle("eigh", UPLO))
    n = packed.shape[-2]
    return EighResult(packed[..., n], packed[..., :n])


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:  # noqa: N803 - NumPy's name
    """Eigenvalues of symmetric matrices, ascending; see `numpy.linalg.eigvalsh` and `eigh`."""
    return _eigvalsh(operand(a), uplo=_which_triangle("eigvalsh", UPLO))
