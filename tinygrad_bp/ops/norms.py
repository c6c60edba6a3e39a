"""Norms of vectors and matrices, of every order, and the condition number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import ArgumentError, AxisError, user_line
from tinygrad_bp.ops.matrices import LinAlgError, check_matrices, check_square, operand, values
from tinygrad_bp.ops.polar import nuclear_norm
from tinygrad_bp.ops.shaping import normalized_axes

Axes = tuple[int, ...]


def _kept(v: Any, axis: Axes, keepdims: bool) -> Any:
    return v if keepdims else np.expand_dims(v, axis)


def _norm_forward(x: Any, *, axis: Axes, keepdims: bool) -> Any:
    if len(axis) < x.ndim:
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    z = np.sqrt(np.dot(x.reshape(-1), x.reshape(-1)))  # a fifth of the time, and no memory
    return z.reshape((1,) * x.ndim) if keepdims else z


def _norm_rule(g: Any, out: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    zero = out == 0
    scale = np.where(zero, 0, 1 / np.where(zero, 1, out))
    return _kept(g * scale, axis, keepdims) * x


_norm = Primitive(
    "norm",
    _norm_forward,
    [_norm_rule],
    formula=r"\textstyle\sqrt{\sum_i x_i^2}",
    vjp_formulas=[r"\frac{x}{z} \, \bar{z}"],
    kinks="where all elements are 0 the derivative is 0",
)


def _power_norm_forward(x: Any, *, p: float, axis: Axes, keepdims: bool) -> Any:
    with np.errstate(divide="ignore"):  # 0 to a negative power is infinite, and the norm then 0
        powers = np.abs(x) ** p
        return np.sum(powers, axis=axis, keepdims=keepdims) ** (1 / p)


def _power_norm_rule(g: Any, out: Any, x: Any, *, p: float, axis: Axes, keepdims: bool) -> Any:
    zero = (out == 0) | ~np.isfinite(out)
    ratio = x * _kept(np.where(zero, 0, 1 / np.where(zero, 1, out)), axis, keepdims)
    g = _kept(g, axis, keepdims)
    if p > 1 and p % 2 == 0:
        return g * ratio ** (int(p) - 1)
    flat = values(ratio) == 0
    size = np.abs(np.where(flat, 1, ratio)) ** (p - 1)
    return g * np.where(flat, 0, size * np.sign(x))


_power_norm = Primitive(
    "power_norm",
    _power_norm_forward,
    [_power_norm_rule],
    formula=r"\left( \textstyle\sum_i |x_i|^p \right)^{1/p}",
    vjp_formulas=[
        r"\operatorname{sign}(x) \left( \tfrac{|x|}{z} \right)^{p-1} \bar{z}",
    ],
    analytic=False,
    kinks="where an element, or z, is 0 the derivative is 0",
)


def _vector_norm(x: Any, order: Any, axis: Axes, keepdims: bool) -> Any:
    """The norm over all of the axes, as if they were one."""
    if order is None or order == 2:
        return _norm(x, axis=axis, keepdims=keepdims)
    if order == math.inf or order == -math.inf:
        size = np.abs(x)
        if order > 0:
            return _largest(size, axis, keepdims)
        return np.min(size, axis=axis, keepdims=keepdims)
    if order == 0:
        return np.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    return _power_norm(x, p=float(order), axis=axis, keepdims=keepdims)


def _largest(size: Any, axis: Any, keepdims: bool = False) -> Any:
    """The largest of some sizes, and 0 where there are none."""
    over = axis if isinstance(axis, tuple) else (axis,)
    if all(size.shape[i] for i in over):
        return np.max(size, axis=axis, keepdims=keepdims)
    return np.sum(size, axis=axis, keepdims=keepdims)


def _matrix_norm(x: Any, order: Any, axis: Axes, keepdims: bool) -> Any:
    """The norm of the matrices that two axes make: the first runs over rows."""
    if order in (None, "fro", "f"):
        return _norm(x, axis=axis, keepdims=keepdims)
    x = np.moveaxis(x, axis, (-2, -1))
    if order == "nuc":
        z = nuclear_norm(x)
    elif order in (2, -2):
        s = np.linalg.svdvals(x)
        z = _largest(s, -1) if order == 2 else np.min(s, axis=-1)
    else:
        sums = np.sum(np.abs(x), axis=-2 if abs(order) == 1 else -1)
        z = _largest(sums, -1) if order > 0 else np.min(sums, axis=-1)
    return np.expand_dims(z, axis) if keepdims else z


def _check_order(name: str, order: Any, count: int) -> None:
    if count == 1 and (order is None or (not isinstance(order, str) and np.isscalar(order))):
        return
    known = (None, "fro", "f", "nuc", 1, -1, 2, -2, math.inf, -math.inf)
    if count == 2 and any(order is k or (k is not None and order == k) for k in known):
        return
    what = "vectors: a number, inf or -inf" if count == 1 else "matrices: fro, nuc, ±1, ±2, ±inf"
    raise ArgumentError(
        f"np.linalg.{name} with ord={order!r} (at {user_line()}).\nFix: ord for {what}."
    )


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of vectors or matrices, of any order; see `numpy.linalg.norm`.

    The derivative of a norm at 0 is 0; ties for the largest share it evenly.

    Raises
    ------
    ArgumentError
        There is no norm of this order.
    AxisError
        More than two axes for an order, or an axis that is not there.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> np.linalg.norm(x).backward()
    >>> x.grad
    Tensor([0.6, 0.8])
    """
    x = _as_float(x)
    if axis is None and ord is None:
        return _norm(x, axis=tuple(range(x.ndim)), keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else normalized_axes("linalg.norm", axis, x)
    if len(axes) not in (1, 2):
        raise AxisError(
            f"np.linalg.norm of shape {x.shape} with ord={ord!r} (at {user_line()}): there are "
            f"{len(axes)} axes.\nFix: name one or two with axis=, or leave ord away."
        )
    _check_order("norm", ord, len(axes))
    return (_vector_norm if len(axes) == 1 else _matrix_norm)(x, ord, axes, bool(keepdims))


def _as_float(x: Any) -> Any:
    x = operand(x)
    return x if x.dtype.kind in "fc" else x.astype(float)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Norm over some axes, or all, as if they were one; see `numpy.linalg.vector_norm`."""
    x = _as_float(x)
    _check_order("vector_norm", ord, 1)
    axes = tuple(range(x.ndim)) if axis is None else normalized_axes("linalg.vector_norm", axis, x)
    return _vector_norm(x, ord, axes, bool(keepdims))


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Norm of the matrices of a stack; see `numpy.linalg.matrix_norm`."""
    x = _as_float(x)
    check_matrices("matrix_norm", x)
    _check_order("matrix_norm", ord, 2)
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), bool(keepdims))


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Condition number, in any matrix norm; see `numpy.linalg.cond`.

    It is infinite, with a gradient of 0, where a matrix is singular.

    Raises
    ------
    ShapeError
        There are less than two axes; or the matrices are not square, and p is neither 2 nor -2.
    LinAlgError
        The matrices have no elements.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.linalg.cond(tg.Tensor([[4.0, 0.0], [0.0, 2.0]])).item()
    2.0
    """
    x = _as_float(x)
    check_matrices("cond", x)
    if x.size == 0 and 0 in x.shape[-2:]:
        raise LinAlgError(
            f"np.linalg.cond of shape {x.shape} (at {user_line()}): there is nothing to measure.\n"
            "Fix: pass matrices with elements."
        )
    _check_order("cond", p, 2)
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        high, low = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        singular = values(low) == 0
        return np.where(singular, np.inf, high / np.where(singular, 1, low))
    check_square("cond", x)
    singular = _singular(values(x))
    regular = np.where(singular[..., None, None], np.eye(x.shape[-1], dtype=x.dtype), x)
    axes = (x.ndim - 2, x.ndim - 1)
    z = _matrix_norm(regular, p, axes, False) * _matrix_norm(np.linalg.inv(regular), p, axes, False)
    return np.where(singular, np.inf, z)


def _singular(x: Any) -> Any:
    """Which matrices of a stack have no inverse."""
    try:
        np.linalg.inv(x)
    except np.linalg.LinAlgError:
        if x.ndim == 2:
            return np.asarray(True)
        return np.stack([_singular(part) for part in x])
    return np.zeros(x.shape[:-2], bool)
