"""Diagonals and triangles of matrices: reading and building them, and Vandermonde matrices."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import AxisError, ShapeError, user_line
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.shaping import normalized_axes, ravel


def _placed(values: Any, *, shape: tuple[int, ...], **where: int) -> Any:
    z = np.zeros(shape, values.dtype)
    diagonal = np.diagonal(z, **where)
    diagonal.flags.writeable = True
    diagonal[...] = values
    return z


make_diagonal: Primitive = Primitive(
    "make_diagonal",
    _placed,
    [lambda g, out, x, *, shape, **where: apply(_diagonal, g, **where)],
    formula=r"\operatorname{diag}(x)",
    vjp_formulas=[r"\operatorname{diag}^{-1}(\bar{z})"],
)

_diagonal: Primitive = Primitive(
    "diagonal",
    lambda x, **where: np.diagonal(x, **where),
    [lambda g, out, x, **where: apply(make_diagonal, g, shape=x.shape, **where)],
    formula=r"x_{i, i + k}",
    vjp_formulas=[r"\operatorname{diag}_k(\bar{z})"],
    view=True,
)

_tril = Primitive(
    "tril",
    lambda x, *, k: np.tril(x, k),
    [lambda g, out, x, *, k: np.tril(g, k)],
    formula=r"[i \ge j - k] \, x_{ij}",
    vjp_formulas=[r"[i \ge j - k] \, \bar{z}_{ij}"],
)

_triu = Primitive(
    "triu",
    lambda x, *, k: np.triu(x, k),
    [lambda g, out, x, *, k: np.triu(g, k)],
    formula=r"[i \le j - k] \, x_{ij}",
    vjp_formulas=[r"[i \le j - k] \, \bar{z}_{ij}"],
)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements on a diagonal of two axes, as the last axis; see `numpy.diagonal`.

    Raises
    ------
    ShapeError
        The array has less than two axes.
    AxisError
        It does not have these two, or they are the same.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.diagonal(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    Tensor([2.])
    """
    a = as_tensor(a)
    if a.ndim < 2:
        raise _too_few("diagonal", a, 2)
    axis1, axis2 = normalized_axes("diagonal", (axis1, axis2), a)
    return _diagonal(a, offset=operator.index(offset), axis1=axis1, axis2=axis2)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """A matrix with `v` on its diagonal, or the diagonal of a matrix; see `numpy.diag`.

    Raises
    ------
    ShapeError
        `v` has neither one axis nor two.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.diag(tg.Tensor([1.0, 2.0]))
    Tensor([[1., 0.],
            [0., 2.]])
    """
    v, k = as_tensor(v), operator.index(k)
    if v.ndim == 1:
        n = v.shape[0] + abs(k)
        return make_diagonal(v, shape=(n, n), offset=k, axis1=0, axis2=1)
    if v.ndim != 2:
        raise ShapeError(
            f"np.diag of shape {v.shape} (at {user_line()}): it needs one axis or two.\n"
            "Fix: use np.diagonal for stacks of matrices, np.diagflat for anything else."
        )
    return diagonal(v, k)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with all elements of `v` on its diagonal; see `numpy.diagflat`."""
    return diag(ravel(as_tensor(v)), k)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle, zeros above the kth diagonal; see `numpy.tril`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.tril(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 0.],
            [3., 4.]])
    """
    return _triangle(_tril, m, k)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle, zeros below the kth diagonal; see `numpy.triu`."""
    return _triangle(_triu, m, k)


def _triangle(primitive: Primitive, m: Any, k: int) -> Any:
    m = as_tensor(m)
    if m.ndim < 1:
        raise _too_few(primitive.name, m, 1)
    return primitive(m, k=operator.index(k))


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    """The powers of each element as a row, the highest first; see `numpy.vander`.

    Raises
    ------
    ShapeError
        `x` has other than one axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.vander(tg.Tensor([2.0, 3.0]), 3)
    Tensor([[4., 2., 1.],
            [9., 3., 1.]])
    """
    x = as_tensor(x)
    if x.ndim != 1:
        raise ShapeError(
            f"np.vander of shape {x.shape} (at {user_line()}): it needs one axis.\n"
            "Fix: np.vander(x.ravel())."
        )
    powers = np.arange(x.shape[0] if N is None else N)
    return x[:, np.newaxis] ** (powers if increasing else powers[::-1])


def _too_few(name: str, a: Any, least: int) -> AxisError:
    return AxisError(
        f"np.{name} of shape {a.shape} needs {least} axes or more (at {user_line()}).\n"
        "Fix: use np.diag to build a matrix from its diagonal, np.atleast_2d for more axes."
    )
