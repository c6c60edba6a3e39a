"""Variance and standard deviation, also of masked elements and around a given mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.ops.reductions import (
    MISSING,
    Axis,
    cast,
    count_of,
    counts_of,
    kept,
    masked,
    no_out,
)


def _freedom(x: Any, out: Any, axis: Axis, keepdims: bool, ddof: float, where: Any) -> Any:
    """The degrees of freedom of a variance; NaN where there are none, as it has no derivative."""
    if where is None:
        n = count_of(x, out)
        return n - ddof if n > ddof else math.nan
    counts = counts_of(x, axis, keepdims, where)
    return np.where(counts > ddof, counts - ddof, math.nan)


def _deviation(x: Any, mean: Any, axis: Axis, where: Any) -> Any:
    """How far x lies from its mean, or from the given one; under a mask, anything finite."""
    if where is None:
        return x - (x.mean(axis=axis, keepdims=True) if mean is None else mean)
    x = np.where(where, x, 0)
    if mean is None:
        mean = x.sum(axis=axis, keepdims=True) / counts_of(x, axis, True, where, 1)
    return x - mean


def _var_rule(
    g: Any,
    out: Any,
    x: Any,
    mean: Any = None,
    *,
    axis: Axis,
    keepdims: bool,
    ddof: float,
    where: Any = None,
) -> Any:
    g = kept(g * (2 / _freedom(x, out, axis, keepdims, ddof, where)), x, axis, keepdims)
    part = g * _deviation(x, mean, axis, where)
    return part if where is None else np.where(where, part, 0)


def _std_rule(
    g: Any,
    out: Any,
    x: Any,
    mean: Any = None,
    *,
    axis: Axis,
    keepdims: bool,
    ddof: float,
    where: Any = None,
) -> Any:
    zero = out == 0
    g = np.where(zero, 0, g / np.where(zero, 1, out)) / _freedom(
        x, out, axis, keepdims, ddof, where
    )
    away = _deviation(x, mean, axis, where)
    if mean is None:  # the mean of equal elements is rounded, and z may be no more than that
        away = _deviation(away, None, axis, where)
    part = kept(g, x, axis, keepdims) * away
    return part if where is None else np.where(where, part, 0)


def _var_forward(
    x: Any, mean: Any = None, *, axis: Axis, keepdims: bool, ddof: float, where: Any = None
) -> Any:
    if where is None and mean is None:
        return x.var(axis=axis, ddof=ddof, keepdims=keepdims)
    x, options = _centred(x, mean, axis, where)
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims, **options)


def _std_forward(
    x: Any, mean: Any = None, *, axis: Axis, keepdims: bool, ddof: float, where: Any = None
) -> Any:
    if where is None and mean is None:
        return x.std(axis=axis, ddof=ddof, keepdims=keepdims)
    x, options = _centred(x, mean, axis, where)
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims, **options)


def _centred(x: Any, mean: Any, axis: Axis, where: Any) -> tuple[Any, dict[str, Any]]:
    """The mean in place of what is masked, which then neither overflows nor warns."""
    if where is None:
        return x, {"mean": mean}
    if mean is None:
        total = np.sum(x, axis=axis, keepdims=True, where=where)
        counts = np.sum(np.broadcast_to(where, x.shape), axis=axis, keepdims=True)
        mean = (total / np.maximum(counts, 1)).astype(np.result_type(x.dtype, np.float16))
    return np.where(where, x, mean), {"mean": mean, "where": where}


_MEAN = r", \; \mu = \textstyle\frac{1}{n} \sum_i x_i"

_var = Primitive(
    "var",
    _var_forward,
    [_var_rule, lambda g, out, x, mean, **params: -_var_rule(g, out, x, mean, **params)],
    formula=r"\textstyle\frac{1}{n - d} \sum_i (x_i - \mu)^2" + _MEAN,
    vjp_formulas=[
        r"\frac{2}{n - d} (x - \mu) \, \bar{z}" + _MEAN,
        r"-\textstyle\frac{2}{n - d} \sum_i (x_i - \mu) \, \bar{z}",
    ],
    analytic=False,
)

_std = Primitive(
    "std",
    _std_forward,
    [_std_rule, lambda g, out, x, mean, **params: -_std_rule(g, out, x, mean, **params)],
    formula=r"\textstyle\sqrt{\frac{1}{n - d} \sum_i (x_i - \mu)^2}" + _MEAN,
    vjp_formulas=[
        r"\frac{x - \mu}{(n - d) \, z} \, \bar{z}" + _MEAN,
        r"-\textstyle\sum_i \frac{x_i - \mu}{(n - d) \, z} \, \bar{z}",
    ],
    analytic=False,
    kinks="where all elements are equal, and z = 0, the derivative is 0",
)


def _spread_of(primitive: Any, function: Any) -> Any:
    """The function of tensors for `numpy.var` or `numpy.std`, which share their signature."""
    name = primitive.name

    @implements(function)
    def measure(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        out: None = None,
        ddof: float = 0,
        keepdims: Any = MISSING,
        *,
        where: Any = MISSING,
        mean: Any = MISSING,
        correction: Any = MISSING,
    ) -> Any:
        no_out(name, out)
        if correction is not MISSING:
            if ddof != 0:
                raise ArgumentError(
                    f"np.{name} got both ddof= and correction= (at {user_line()}).\n"
                    "Fix: pass one of them; they mean the same."
                )
            ddof = correction
        keep = keepdims is not MISSING and bool(keepdims)
        if where is MISSING and mean is MISSING:
            return primitive(cast(a, dtype), axis=axis, keepdims=keep, ddof=ddof)
        x = cast(as_tensor(a), dtype)
        inputs = (x,) if mean is MISSING else (x, as_tensor(mean))
        return primitive(*inputs, axis=axis, keepdims=keep, ddof=ddof, **masked(name, where, x))

    measure.__name__ = name
    measure.__doc__ = f"""See `numpy.{name}`; a tensor as `mean` has a gradient too."""
    return measure


var = _spread_of(_var, np.var)

std = _spread_of(_std, np.std)
