"""Medians, quantiles and percentiles: sorted elements, and lines between them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.core.constant import Constant
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import ArgumentError, OperationError, nearest, user_depth, user_line
from tinygrad_bp.ops.reductions import MISSING, Axis, no_out
from tinygrad_bp.ops.shaping import normalized_axes

# How far the place of a quantile among n elements moves with q, less n; for the methods in which
# the place depends on q continuously. With (alpha, beta) of Hyndman and Fan: 1 - alpha - beta.
_SLOPES = {
    "interpolated_inverted_cdf": 0.0,
    "hazen": 0.0,
    "weibull": 1.0,
    "linear": -1.0,
    "median_unbiased": 1 / 3,
    "normal_unbiased": 1 / 4,
}
_of_arrays: Any = np.quantile
_STEPS = {
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "lower",
    "higher",
    "midpoint",
    "nearest",
}


def _places(q: Any, *, counts: Any, method: str) -> Any:
    """Where each quantile lies among 0, 1, …, n - 1: (…, q) for counts (…, 1)."""
    counts = np.asarray(counts)
    places = np.zeros(np.broadcast_shapes(counts.shape, q.shape), q.dtype)
    for n in np.unique(counts[counts > 0]):
        of_n = _of_arrays(np.arange(n, dtype=q.dtype), q, method=method)
        places = np.where(counts == n, of_n, places)
    return places


def _place_rule(g: Any, out: Any, q: Any, *, counts: Any, method: str) -> Any:
    if method not in _SLOPES:
        return 0 * g
    inside = (out > 0) & (out < np.asarray(counts) - 1)
    return g * np.where(inside, counts + _SLOPES[method], 0)


_place = Primitive(
    "quantile_place",
    _places,
    [_place_rule],
    formula=r"\text{clip}(x \, (n + 1 - \alpha - \beta) + \alpha - 1, 0, n - 1)",
    vjp_formulas=[r"(n + 1 - \alpha - \beta) \, \bar{z} \, [0 < z < n - 1]"],
    analytic=False,
    kinks="0 and n - 1 count as outside; the place of methods that take steps has derivative 0",
)


def _lines(name: str, x: Any, axis: Axis) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """The reduced axes made into one, the last; the shape of the result without and with them."""
    over = tuple(range(x.ndim)) if axis is None else normalized_axes(name, axis, x)
    rest = tuple(i for i in range(x.ndim) if i not in over)
    shape = tuple(x.shape[i] for i in rest)
    full = tuple(1 if i in over else n for i, n in enumerate(x.shape))
    length = math.prod(x.shape[i] for i in over)
    return np.reshape(np.transpose(x, (*rest, *over)), (*shape, length)), shape, full


def _read(ordered: Any, places: Any) -> Any:
    """The elements of each line at its places: (…, n) and whole numbers (…, m) give (…, m)."""
    shape = (*ordered.shape[:-1], places.shape[-1])
    return np.take_along_axis(ordered, np.broadcast_to(places, shape), -1)


def _counted(lines: Any, skip_nan: bool) -> tuple[Any, Any]:
    """How many elements of each line count, and which lines have no value: (…, 1) each."""
    nan = np.isnan(lines.data)
    bad = nan.any(axis=-1, keepdims=True)
    if not skip_nan or not bad.any():
        return lines.shape[-1], bad
    counts = np.sum(~nan, axis=-1, keepdims=True)
    if not counts.all():
        warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=user_depth())
    return counts, counts == 0


def _quantiles(lines: Any, q: Any, method: str, skip_nan: bool) -> Any:
    """The quantiles q of each line: (…, n) and (m,) give (…, m)."""
    counts, bad = _counted(lines, skip_nan)
    place = _place(q, counts=counts, method=method)
    below = np.floor(place.data).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    ordered = np.sort(lines, axis=-1)
    low, high, t = _read(ordered, below), _read(ordered, above), place - below
    # From one infinity to the same, and in no step at all, nothing is added.
    endless = np.isinf(low.data) | np.isinf(high.data)
    still = endless & ((low.data == high.data) | (t.data == 0))
    step = high - low if not still.any() else np.where(still, 0, high) - np.where(still, 0, low)
    nearer = ((t.data >= 0.5) | np.isinf(low.data)) & ~still  # the end to start from, as in NumPy
    z = _read(ordered, np.where(nearer, above, below)) + (t - nearer) * step
    return np.where(bad, np.nan, z) if bad.any() else z


def _without_elements(name: str, x: Any, axis: Axis) -> ArgumentError:
    return ArgumentError(
        f"np.{name} of shape {x.shape} over axis {axis} (at {user_line()}): there is no element.\n"
        "Fix: pass at least one."
    )


def _quantile_of(name: str, whole: float, skip_nan: bool) -> Any:
    """The function of tensors for a relative of `numpy.quantile`, with q from 0 to `whole`."""
    function = getattr(np, name)
    of_whole_numbers = Constant(function, "whole numbers have no derivative")

    @implements(function)
    def quantile(
        a: Any,
        q: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = MISSING,
        *,
        weights: Any = None,
    ) -> Any:
        no_out(name, out)
        x, given = as_tensor(a), as_tensor(q)
        _check(name, given, whole, method, weights)
        keep = keepdims is not MISSING and bool(keepdims)
        plain = q._data if isinstance(q, Variable) else q
        if x.dtype.kind != "f" and not given.requires_grad:
            return of_whole_numbers(x, q, axis, method=method, keepdims=keep)
        dtype = function(np.zeros(1, x.dtype), plain, method=method).dtype
        lines, shape, full = _lines(name, x if x.dtype.kind == "f" else x.astype(float), axis)
        if not lines.shape[-1]:
            raise _without_elements(name, x, axis)
        given = given if given.dtype.kind == "f" else given.astype(float)
        shares = np.reshape(given if whole == 1 else given / whole, -1)
        z = np.moveaxis(_quantiles(lines, shares, method, skip_nan), -1, 0)
        z = z if z.dtype == dtype else z.astype(dtype)
        return np.reshape(z, given.shape + (full if keep else shape))

    quantile.__name__ = name
    quantile.__doc__ = f"""See `numpy.{name}`; q may be a tensor too; weights are not available.

    Elements that tie share the gradient evenly.

    Raises
    ------
    OperationError
        ``out=`` or ``weights=`` was given.
    ArgumentError
        `q` lies outside of its range, there is no such method, or there is no element.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([4.0, 1.0, 2.0], requires_grad=True)
    >>> np.{name}(x, {0.75 * whole:g}).backward()
    >>> x.grad
    Tensor([0.5, 0. , 0.5])
    """
    return quantile


def _check(name: str, q: Any, whole: float, method: str, weights: Any) -> None:
    if weights is not None:
        raise OperationError(
            f"np.{name} with weights= is not available on tensors (at {user_line()}).\n"
            "Fix: leave weights away, or repeat elements, as with np.repeat."
        )
    if method not in _SLOPES and method not in _STEPS:
        raise ArgumentError(
            f"np.{name} has no method {method!r} (at {user_line()}).\n"
            f"Fix: {nearest(method, _STEPS.union(_SLOPES))}"
        )
    if q.ndim > 2 or not ((q.data >= 0) & (q.data <= whole)).all():
        raise ArgumentError(
            f"np.{name}: q={q.data} (at {user_line()}) is not made of numbers between 0 and "
            f"{whole:g} on two axes at most.\nFix: pass a number in that range, or an array."
        )


quantile = _quantile_of("quantile", 1, False)
percentile = _quantile_of("percentile", 100, False)
nanquantile = _quantile_of("nanquantile", 1, True)
nanpercentile = _quantile_of("nanpercentile", 100, True)


def _median_of(name: str, skip_nan: bool) -> Any:
    """The function of tensors for `numpy.median` or `numpy.nanmedian`."""
    function = getattr(np, name)
    of_whole_numbers = Constant(function, "whole numbers have no derivative")

    @implements(function)
    def median(
        a: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        keepdims: Any = MISSING,
    ) -> Any:
        no_out(name, out)
        x, keep = as_tensor(a), keepdims is not MISSING and bool(keepdims)
        if x.dtype.kind != "f":
            return of_whole_numbers(x, axis, keepdims=keep)
        lines, shape, full = _lines(name, x, axis)
        if not lines.shape[-1]:
            return np.reshape(np.mean(lines, -1), full if keep else shape)  # NaN, and a warning
        counts, bad = _counted(lines, skip_nan)
        middle = np.atleast_1d(counts)
        ordered = np.sort(lines, axis=-1)
        upper = _read(ordered, np.minimum(middle // 2, lines.shape[-1] - 1))
        lower = _read(ordered, np.maximum(middle - 1, 0) // 2)
        z = (lower + upper) / 2
        z = np.where(bad, np.nan, z) if bad.any() else z
        return np.reshape(z, full if keep else shape)

    median.__name__ = name
    median.__doc__ = f"""See `numpy.{name}`; elements that tie share the gradient evenly.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([4.0, 1.0, 3.0, 2.0], requires_grad=True)
    >>> np.{name}(x).backward()
    >>> x.grad
    Tensor([0. , 0. , 0.5, 0.5])
    """
    return median


median = _median_of("median", False)
nanmedian = _median_of("nanmedian", True)
