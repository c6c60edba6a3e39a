"""Reductions over axes: sum, mean, variance, deviation, product, largest and smallest element."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import OperationError, user_line

Axis = int | tuple[int, ...] | None
_MISSING = np._NoValue


def _kept(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduced value with the reduced axes put back, each of length 1."""
    # NumPy lets axis 0 and -1 of an array without axes pass.
    return v if keepdims or axis is None or not x.ndim else np.expand_dims(v, axis)


def _spread(v: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """A reduced value, given to every element of x that went into it."""
    return np.broadcast_to(_kept(v, x, axis, keepdims), x.shape)


def _sum_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return _spread(g, x, axis, keepdims)


def _mean_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return _spread(g / _count(x, out), x, axis, keepdims)


def _count(x: Any, out: Any) -> int:
    """How many elements of x went into each element of the result; 1 where there are none."""
    return (x.size // out.size if out.size else 0) or 1


def _var_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool, ddof: float) -> Any:
    g = _kept(g * (2 / (_count(x, out) - ddof)), x, axis, keepdims)
    return g * (x - x.mean(axis=axis, keepdims=True))


def _std_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool, ddof: float) -> Any:
    g = g / np.where(out == 0, 1, out) / (_count(x, out) - ddof)
    return _kept(g, x, axis, keepdims) * (x - x.mean(axis=axis, keepdims=True))


def _extreme_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    chosen = x == _kept(out, x, axis, keepdims)
    ties = np.sum(chosen, axis=axis, keepdims=keepdims, dtype=g.dtype)
    return _kept(g / ties, x, axis, keepdims) * chosen


def _prod_rule(g: Any, out: Any, x: Any, *, axis: Axis, keepdims: bool) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = [i % x.ndim for i in axes if x.ndim]
    order = [i for i in range(x.ndim) if i not in last] + last
    moved = np.transpose(x, order)
    kept = moved.shape[: x.ndim - len(last)]
    others = _others(np.reshape(moved, (*kept, _count(x, out)))) if x.size else moved
    back = [order.index(i) for i in range(x.ndim)]
    return _kept(g, x, axis, keepdims) * np.transpose(np.reshape(others, moved.shape), back)


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


def _no_extras(name: str, out: Any, **asked: Any) -> None:
    """Refuse the arguments for which there is no rule, before anything is computed."""
    given = [word for word, value in asked.items() if value is not _MISSING]
    if out is not None:
        given.append("out")
    if given:
        fixes = {
            "out": "use what np.{} returns",
            "where": "choose first, as with np.where(mask, t, neutral) or t[mask]",
            "initial": "combine it with the result, as in np.add, np.multiply or np.maximum",
            "mean": "leave mean away",
        }
        raise OperationError(
            f"np.{name} with {', '.join(f'{word}=' for word in given)} is not available on "
            f"tensors (at {user_line()}).\n"
            f"Fix: {'; '.join(fixes[word].format(name) for word in given)}."
        )


def _cast(a: Any, dtype: Any) -> Any:
    return a if dtype is None or np.dtype(dtype) == a.dtype else a.astype(dtype)


_sum = Primitive(
    "sum",
    lambda x, *, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims),
    [_sum_rule],
    formula=r"\textstyle\sum_i x_i",
    vjp_formulas=[r"\bar{z}"],
)

_mean = Primitive(
    "mean",
    lambda x, *, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    [_mean_rule],
    formula=r"\textstyle\frac{1}{n} \sum_i x_i",
    vjp_formulas=[r"\frac{1}{n} \bar{z}"],
)

_var = Primitive(
    "var",
    lambda x, *, axis, keepdims, ddof: x.var(axis=axis, ddof=ddof, keepdims=keepdims),
    [_var_rule],
    formula=r"\textstyle\frac{1}{n - d} \sum_i (x_i - \mu)^2, \; \mu = \frac{1}{n} \sum_i x_i",
    vjp_formulas=[r"\frac{2}{n - d} (x - \mu) \, \bar{z}"],
    analytic=False,
)

_std = Primitive(
    "std",
    lambda x, *, axis, keepdims, ddof: x.std(axis=axis, ddof=ddof, keepdims=keepdims),
    [_std_rule],
    formula=r"\textstyle\sqrt{\frac{1}{n - d} \sum_i (x_i - \mu)^2}",
    vjp_formulas=[r"\frac{x - \mu}{(n - d) \, z} \, \bar{z}"],
    analytic=False,
    kinks="where all elements are equal, and z = 0, the derivative is 0",
)

_prod = Primitive(
    "prod",
    lambda x, *, axis, keepdims: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    [_prod_rule],
    formula=r"\textstyle\prod_i x_i",
    vjp_formulas=[r"\bar{z} \textstyle\prod_{j \ne i} x_j"],
)

_max = Primitive(
    "max",
    lambda x, *, axis, keepdims: np.maximum.reduce(x, axis=axis, keepdims=keepdims),
    [_extreme_rule],
    formula=r"\max_i x_i",
    vjp_formulas=[r"\bar{z} \, \frac{[x = z]}{\sum_i [x_i = z]}"],
    analytic=False,
    kinks="elements that tie for the largest share the gradient evenly",
)

_min = Primitive(
    "min",
    lambda x, *, axis, keepdims: np.minimum.reduce(x, axis=axis, keepdims=keepdims),
    [_extreme_rule],
    formula=r"\min_i x_i",
    vjp_formulas=[r"\bar{z} \, \frac{[x = z]}{\sum_i [x_i = z]}"],
    analytic=False,
    kinks="elements that tie for the smallest share the gradient evenly",
)


@implements(np.sum)
def sum_(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = _MISSING,
    initial: Any = _MISSING,
    where: Any = _MISSING,
) -> Any:
    """Sum over `axis`; see `numpy.sum`.

    Raises
    ------
    OperationError
        ``out=``, ``initial=`` or ``where=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> np.sum(x, axis=0)
    Tensor([4., 6.], made by sum)
    """
    if out is not None or initial is not _MISSING or where is not _MISSING:
        _no_extras("sum", out, initial=initial, where=where)
    return _sum(_cast(a, dtype), axis=axis, keepdims=keepdims is not _MISSING and bool(keepdims))


@implements(np.prod)
def prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = _MISSING,
    initial: Any = _MISSING,
    where: Any = _MISSING,
) -> Any:
    """Product over `axis`; its gradient is right where elements are 0; see `numpy.prod`.

    Raises
    ------
    OperationError
        ``out=``, ``initial=`` or ``where=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> np.prod(x).backward()
    >>> x.grad
    Tensor([6., 0., 0.])
    """
    _no_extras("prod", out, initial=initial, where=where)
    return _prod(_cast(a, dtype), axis=axis, keepdims=keepdims is not _MISSING and bool(keepdims))


@implements(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = _MISSING,
    *,
    where: Any = _MISSING,
) -> Any:
    """Mean over `axis`; see `numpy.mean`.

    Raises
    ------
    OperationError
        ``out=`` or ``where=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0, 6.0], requires_grad=True)
    >>> np.mean(x)
    Tensor(3., made by mean)
    """
    if out is not None or where is not _MISSING:
        _no_extras("mean", out, where=where)
    return _mean(_cast(a, dtype), axis=axis, keepdims=keepdims is not _MISSING and bool(keepdims))


def _spread_of(primitive: Any, function: Any) -> Any:
    """The function of tensors for `numpy.var` or `numpy.std`, which share their signature."""

    @implements(function)
    def measure(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        out: None = None,
        ddof: float = 0,
        keepdims: Any = _MISSING,
        *,
        where: Any = _MISSING,
        mean: Any = _MISSING,
        correction: Any = _MISSING,
    ) -> Any:
        _no_extras(primitive.name, out, where=where, mean=mean)
        return primitive(
            _cast(a, dtype),
            axis=axis,
            keepdims=keepdims is not _MISSING and bool(keepdims),
            ddof=ddof if correction is _MISSING else correction,
        )

    measure.__name__ = primitive.name
    measure.__doc__ = f"""See `numpy.{primitive.name}`; `where` and `mean` are not available."""
    return measure


var = _spread_of(_var, np.var)
std = _spread_of(_std, np.std)


def _extreme_of(primitive: Any, *functions: Any) -> Any:
    """The function of tensors for `numpy.max` or `numpy.min`, which share their signature."""

    @implements(*functions)
    def extreme(
        a: Any,
        axis: Axis = None,
        out: None = None,
        keepdims: Any = _MISSING,
        initial: Any = _MISSING,
        where: Any = _MISSING,
    ) -> Any:
        _no_extras(primitive.name, out, initial=initial, where=where)
        return primitive(a, axis=axis, keepdims=keepdims is not _MISSING and bool(keepdims))

    extreme.__name__ = primitive.name
    extreme.__doc__ = f"""See `numpy.{primitive.name}`; ties share the gradient evenly."""
    return extreme


max_ = _extreme_of(_max, np.max, np.amax)
min_ = _extreme_of(_min, np.min, np.amin)
