"""Determinants, whose gradients are right at singular matrices too, and their logarithms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.ops.matrices import (
    SlogdetResult,
    check_square,
    in_rule,
    operand,
    transposed,
    values,
)


def _det_forward(x: Any) -> Any:
    check_square("det", x)
    return np.linalg.det(x)


def _det_rule(g: Any, out: Any, x: Any) -> Any:
    return g[..., None, None] * _cofactors(x, out)


def _cofactors(x: Any, det: Any) -> Any:
    """The derivative of the determinant, a polynomial of the elements, at any rank.

    Seen from its singular vectors, which serve as constants, the matrix is diagonal. It is cut
    into a block that can be inverted and the rest, of the size of what is missing in rank, which
    enters through its Schur complement s = d - c a⁻¹ b: det = det(a) det(s). Nothing is divided
    by what may be zero, so derivatives of any order are right.
    """
    n, dtype = x.shape[-1], x.dtype
    inverse = _inverse(values(x))
    if inverse is not None:
        inverse = inverse if isinstance(x, np.ndarray) else np.linalg.inv(x)
        return det[..., None, None] * transposed(inverse)
    u, size, vt = np.linalg.svd(values(x))
    small = size <= np.sqrt(np.finfo(dtype).eps) * size[..., :1]
    rank = n - int(np.max(np.sum(small, axis=-1)))
    sign = np.round(np.linalg.det(u) * np.linalg.det(vt))[..., None, None].astype(dtype)
    y = transposed(u) @ x @ transposed(vt)
    a, b = y[..., :rank, :rank], y[..., :rank, rank:]
    c, d = y[..., rank:, :rank], y[..., rank:, rank:]
    inverse = np.linalg.inv(a)
    of_a = np.linalg.det(a)[..., None, None]
    left, right = c @ inverse, inverse @ b
    of_s, cofactors = _by_faddeev(d - left @ b)
    cofactors = cofactors * of_a
    top = transposed(inverse) * (of_a * of_s) + transposed(left) @ cofactors @ transposed(right)
    rows = [
        np.concatenate([top, -(transposed(left) @ cofactors)], axis=-1),
        np.concatenate([-(cofactors @ transposed(right)), cofactors], axis=-1),
    ]
    return sign * (u @ np.concatenate(rows, axis=-2) @ vt)


def _inverse(x: Any) -> Any:
    """The inverses, if those of all matrices keep half of their digits or more."""
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return None
    with np.errstate(over="ignore"):
        condition = _size(x) * _size(inverse)
    return None if np.any(condition * np.sqrt(np.finfo(x.dtype).eps) > 1) else inverse


def _size(x: Any) -> Any:
    """The largest sum of absolute values in a row."""
    return np.max(np.sum(np.abs(x), axis=-1), axis=-1, initial=0)


def _by_faddeev(x: Any) -> tuple[Any, Any]:
    """Determinant and cofactors of small matrices by Faddeev and LeVerrier, without a division."""
    n = x.shape[-1]
    unit = np.eye(n, dtype=x.dtype)
    adjugate = np.broadcast_to(unit, x.shape)
    for k in range(1, n):
        product = x @ adjugate
        trace = np.sum(product * unit, axis=(-2, -1), keepdims=True)
        adjugate = product - unit * (trace / k)
    det = np.sum((x @ adjugate) * unit, axis=(-2, -1), keepdims=True) / n
    return det * (-1) ** (n - 1), transposed(adjugate) * (-1) ** (n - 1)


_det = Primitive(
    "det",
    _det_forward,
    [_det_rule],
    formula=r"\det X",
    vjp_formulas=[r"\bar{z} \operatorname{cof} X"],
)


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Determinant of each matrix; see `numpy.linalg.det`.

    The gradient holds the cofactors, and is right at singular matrices, at every order.

    Raises
    ------
    ShapeError
        The matrices are not square.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> np.linalg.det(x).backward()
    >>> np.round(x.grad, 12)
    Tensor([[ 4., -2.],
            [-2.,  1.]])
    """
    return _det(operand(a))


def _slogdet_forward(x: Any) -> Any:
    """Sign and logarithm beside each other, along a last axis."""
    check_square("slogdet", x)
    return np.stack(np.linalg.slogdet(x), axis=-1)


def _slogdet_rule(g: Any, out: Any, x: Any) -> Any:
    fix = "keep it away from singularity, as with a + eps * np.eye(n), or use np.linalg.det."
    inverse = in_rule("slogdet", x, np.linalg.inv, x, why="a matrix is singular", fix=fix)
    return g[..., 1, None, None] * transposed(inverse)


_slogdet = Primitive(
    "slogdet",
    _slogdet_forward,
    [_slogdet_rule],
    formula=r"\left( \operatorname{sign} \det X, \; \ln |\det X| \right)",
    vjp_formulas=[r"\bar{z}_2 \, X^{-\top}"],
    kinks="the sign is constant; at singular matrices the logarithm has no gradient: an error",
)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Sign, and logarithm of the absolute value, of the determinant; see `numpy.linalg.slogdet`.

    Returns
    -------
    SlogdetResult
        ``sign``, a constant, and ``logabsdet``.

    Raises
    ------
    ShapeError
        The matrices are not square.
    LinAlgError
        In the backward pass: a matrix is singular.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 4.0]], requires_grad=True)
    >>> np.linalg.slogdet(x).logabsdet.backward()
    >>> x.grad
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    both = _slogdet(operand(a))
    return SlogdetResult(np.sign(both[..., 0]), both[..., 1])
