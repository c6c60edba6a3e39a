"""Reductions that pass over NaN, to which no gradient flows either."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import PRIMITIVES, as_tensor, implements
from tinygrad_bp.errors import user_depth
from tinygrad_bp.ops.deviations import std, var
from tinygrad_bp.ops.extremes import max_, min_
from tinygrad_bp.ops.reductions import MISSING, Axis, masked, mean, no_out, prod, sum_


def _without_nan(name: str, a: Any, where: Any) -> tuple[Any, Any]:
    """The tensor, and the mask of what is left of it; where nothing is NaN, `where` itself."""
    x = as_tensor(a)
    numbers = ~np.isnan(x.data)
    if numbers.all():
        return x, where
    return x, numbers & masked(name, where, x).get("where", True)


@implements(np.nansum)
def nansum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    """Sum in which NaN counts as 0; see `numpy.nansum`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, np.nan, 3.0], requires_grad=True)
    >>> np.nansum(x).backward()
    >>> x.grad
    Tensor([1., 0., 1.])
    """
    no_out("nansum", out)
    x, left = _without_nan("nansum", a, where)
    return sum_(x, axis, dtype, None, keepdims, initial, left)


@implements(np.nanprod)
def nanprod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    initial: Any = MISSING,
    where: Any = MISSING,
) -> Any:
    """Product in which NaN counts as 1; see `numpy.nanprod`."""
    no_out("nanprod", out)
    x, left = _without_nan("nanprod", a, where)
    return prod(x, axis, dtype, None, keepdims, initial, left)


@implements(np.nanmean)
def nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
) -> Any:
    """Mean of what is not NaN; of nothing it is NaN, with a warning; see `numpy.nanmean`."""
    no_out("nanmean", out)
    x, left = _without_nan("nanmean", a, where)
    with np.errstate(invalid="ignore"):
        return mean(x, axis, dtype, None, keepdims, where=left)


def _deviation_of(function: Any, plain: Any) -> Any:
    """The function of tensors for `numpy.nanvar` or `numpy.nanstd`."""
    name = function.__name__

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
        x, left = _without_nan(name, a, where)
        how = {"where": left, "mean": mean, "correction": correction}
        if left is where:
            return plain(x, axis, dtype, None, ddof, keepdims, **how)
        with np.errstate(invalid="ignore", divide="ignore"):
            z = plain(x, axis, dtype, None, ddof, keepdims, **how)
        keep = keepdims is not MISSING and bool(keepdims)
        counts = np.sum(np.broadcast_to(left, x.shape), axis=axis, keepdims=keep)
        none = counts <= (ddof if correction is MISSING else correction)
        return np.where(none, z.dtype.type(np.nan), z) if none.any() else z

    measure.__name__ = name
    measure.__doc__ = f"""Of what is not NaN; see `numpy.{name}`."""
    return measure


nanvar = _deviation_of(np.nanvar, var)
nanstd = _deviation_of(np.nanstd, std)


def _extreme_of(function: Any, plain: Any, primitive: str) -> Any:
    """The function of tensors for `numpy.nanmax` or `numpy.nanmin`."""
    name = function.__name__

    @implements(function)
    def extreme(
        a: Any,
        axis: Axis = None,
        out: None = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        no_out(name, out)
        x, left = _without_nan(name, a, where)
        if left is where or initial is not MISSING or where is not MISSING:
            return plain(x, axis, None, keepdims, initial, left)
        keep = keepdims is not MISSING and bool(keepdims)
        z = PRIMITIVES[primitive](x, axis=axis, keepdims=keep, where=left)
        empty = ~left.any(axis=axis, keepdims=keep)
        if not empty.any():
            return z
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=user_depth())
        return np.where(empty, z.dtype.type(np.nan), z)

    extreme.__name__ = name
    extreme.__doc__ = f"""Of what is not NaN; ties share evenly; see `numpy.{name}`."""
    return extreme


nanmax = _extreme_of(np.nanmax, max_, "max")
nanmin = _extreme_of(np.nanmin, min_, "min")
