"""Reductions over axes: sum, mean, product, trace, and what all reductions share."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import DTypeError, OperationError, ShapeError, user_line

Axis = int | tuple[int, ...] | None
MISSING = np._NoValue


def kept(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduced value with the reduced axes put back, each of length 1."""
    # NumPy lets axis 0 and -1 of an array without axes pass.
    return v if keepdims or axis is None or not x.ndim else np.expand_dims(v, axis)


def _spread(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduced value, given to every element of x that went into it."""
    return np.broadcast_to(kept(v, x, axis, keepdims), x.shape)


def _spread_where(v: Any, x: Any, axis: Axis, keepdims: bool, where: Any) -> Any:
    """The same, and 0 for the elements that a mask left out."""
    v = _spread(v, x, axis, keepdims)
    return v if where is None else np.where(where, v, 0)


def _sum_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool, where: Any = None) -> Any:
    return _spread_where(g, x, axis, keepdims, where)


def _mean_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool, where: Any = None) -> Any:
    g = g / count_of(x, out) if where is None else g / counts_of(x, axis, keepdims, where, 1)
    return _spread_where(g, x, axis, keepdims, where)


def count_of(x: Any, out: Any) -> int:
    """How many elements of x went into each element of the result; 1 where there are none."""
    return (x.size // out.size if out.size else 0) or 1


def counts_of(x: Any, axis: Axis, keepdims: bool, where: Any, least: int = 0) -> Any:
    """How many elements a mask let into each element of the result, `least` or more."""
    counts = np.sum(np.broadcast_to(where, x.shape), axis=axis, keepdims=keepdims)
    return np.maximum(counts, least).astype(np.result_type(x.dtype, np.float32))


def _prod_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = [i % x.ndim for i in axes if x.ndim]
    order = [i for i in range(x.ndim) if i not in last] + last
    moved = np.transpose(x, order)
    lead = moved.shape[: x.ndim - len(last)]
    others = _others(np.reshape(moved, (*lead, count_of(x, out)))) if x.size else moved
    back = [order.index(i) for i in range(x.ndim)]
    return kept(g, x, axis, keepdims) * np.transpose(np.reshape(others, moved.shape), back)


def _others(x: Any) -> Any:
    """For each element of the last axis, the product of all the others, zeros or not.

    Elements are multiplied in pairs; the others of an element are the partner in its pair and
    the others of the pair. That is O(n) multiplications, and nothing is divided by.
    """
    n = x.shape[-1]
    if n == 1:
        return np.ones_like(x)
    half = (n + 1) // 2
    left, right = x[..., :half], x[..., half:]
    if n % 2:
        right = np.concatenate([right, np.ones((*x.shape[:-1], 1), x.dtype)], axis=-1)
    beyond = _others(left * right)
    return np.concatenate([beyond * right, (beyond * left)[..., : n - half]], axis=-1)


def no_out(name: str, out: Any) -> None:
    """Refuse ``out=``: the values of a tensor are never written."""
    if out is not None:
        raise OperationError(
            f"np.{name} with out= is not available on tensors (at {user_line()}).\n"
            f"Fix: use what np.{name} returns."
        )


def cast(a: Any, dtype: Any) -> Any:
    """The array in the dtype in which to reduce it; None leaves it."""
    return a if dtype is None or np.dtype(dtype) == a.dtype else a.astype(dtype)


def masked(name: str, where: Any, x: Any) -> dict[str, Any]:
    """The argument `where` as a parameter: none for True, else an array of truth values.

    Raises
    ------
    DTypeError
        The mask holds something other than truth values.
    ShapeError
        The mask does not broadcast to the shape of `x`.

    Examples
    --------
    >>> masked("sum", True, np.zeros(2)), masked("sum", [True, False], np.zeros(2))
    ({}, {'where': array([ True, False])})
    """
    if where is MISSING or where is True:
        return {}
    mask = np.asarray(where._data if isinstance(where, Variable) else where)
    if mask.dtype.kind not in "biu":
        raise DTypeError(
            f"np.{name}: where= takes truth values, not {mask.dtype} (at {user_line()}).\n"
            "Fix: compare, as in where=t > 0."
        )
    try:
        fits = np.broadcast_shapes(mask.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"np.{name}: where= of shape {mask.shape} does not fit a tensor of shape {x.shape} "
            f"(at {user_line()}).\nFix: pass a mask that broadcasts to the shape of the tensor."
        )
    return {"where": mask.astype(bool, copy=False)}


def start_of(name: str, initial: Any, dtype: Any) -> Any:
    """The argument `initial` in the dtype of the reduction."""
    start = as_tensor(initial)
    if start.ndim:
        raise ShapeError(
            f"np.{name}: initial= is a single number, not of shape {start.shape} "
            f"(at {user_line()}).\nFix: combine the array with the result, as in np.add."
        )
    return cast(start, dtype)


def _sum_forward(x: Any, *, axis: Axis, keepdims: Any, where: Any = None) -> Any:
    if where is None:
        return np.add.reduce(x, axis=axis, keepdims=keepdims)
    return np.add.reduce(x, axis=axis, keepdims=keepdims, where=where)


def _mean_forward(x: Any, *, axis: Axis, keepdims: bool, where: Any = None) -> Any:
    if where is None:
        return x.mean(axis=axis, keepdims=keepdims)
    return x.mean(axis=axis, keepdims=keepdims, where=where)


_sum = Primitive(
    "sum",
    _sum_forward,
    [_sum_rule],
    formula=r"\textstyle\sum_i x_i",
    vjp_formulas=[r"\bar{z}"],
)

_mean = Primitive(
    "mean",
    _mean_forward,
    [_mean_rule],
    formula=r"\textstyle\frac{1}{n} \sum_i x_i",
    vjp_formulas=[r"\frac{1}{n} \bar{z}"],
)

_prod = Primitive(
    "prod",
    lambda x, *, axis, keepdims: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    [_prod_rule],
    formula=r"\textstyle\prod_i x_i",
    vjp_formulas=[r"\bar{z} \textstyle\prod_{j \ne i} x_j"],
)


@implements(np.sum)
def sum_(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    """Sum over `axis`; `initial` may be a tensor too; see `numpy.sum`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, np.nan]], requires_grad=True)
    >>> np.sum(x, axis=0, where=~np.isnan(x))
    Tensor([4., 2.], made by sum)
    """
    x, keep = cast(a, dtype), keepdims is not MISSING and bool(keepdims)
    if out is None and initial is MISSING and where is MISSING:
        return _sum.apply(x, axis=axis, keepdims=keep)
    no_out("sum", out)
    z = _sum(x, axis=axis, keepdims=keep, **masked("sum", where, x))
    return z if initial is MISSING or initial is None else z + start_of("sum", initial, z.dtype)


@implements(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    """Product over `axis`; its gradient is right where elements are 0; see `numpy.prod`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> np.prod(x).backward()
    >>> x.grad
    Tensor([6., 0., 0.])
    """
    x, keep = cast(a, dtype), keepdims is not MISSING and bool(keepdims)
    if out is None and initial is MISSING and where is MISSING:
        return _prod.apply(x, axis=axis, keepdims=keep)
    no_out("prod", out)
    mask = masked("prod", where, x)
    z = _prod(np.where(mask["where"], x, x.dtype.type(1)) if mask else x, axis=axis, keepdims=keep)
    return z if initial is MISSING or initial is None else z * start_of("prod", initial, z.dtype)


@implements(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
) -> Any:
    """Mean over `axis`; see `numpy.mean`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0, 6.0], requires_grad=True)
    >>> np.mean(x)
    Tensor(3., made by mean)
    """
    x, keep = cast(a, dtype), keepdims is not MISSING and bool(keepdims)
    if out is None and where is MISSING:
        return _mean.apply(x, axis=axis, keepdims=keep)
    no_out("mean", out)
    return _mean.apply(x, axis=axis, keepdims=keep, **masked("mean", where, x))


def _trace_rule(g: Any, out: Any, x: Any, *, offset: int, axis1: int, axis2: int) -> Any:
    places = np.eye(x.shape[axis1], x.shape[axis2], offset, dtype=g.dtype)
    lengths = [x.shape[i] if i in (axis1 % x.ndim, axis2 % x.ndim) else 1 for i in range(x.ndim)]
    turned = places.T if axis1 % x.ndim > axis2 % x.ndim else places
    return np.expand_dims(g, (axis1 % x.ndim, axis2 % x.ndim)) * turned.reshape(lengths)


_trace = Primitive(
    "trace",
    lambda x, *, offset, axis1, axis2: np.trace(x, offset, axis1, axis2),
    [_trace_rule],
    formula=r"\textstyle\sum_i x_{i, i + k}",
    vjp_formulas=[r"\bar{z} \, [j = i + k]"],
)


@implements(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """Sum along a diagonal; see `numpy.trace`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.trace(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1).item()
    2.0
    """
    no_out("trace", out)
    k, i, j = operator.index(offset), operator.index(axis1), operator.index(axis2)
    return _trace.apply(cast(a, dtype), offset=k, axis1=i, axis2=j)
