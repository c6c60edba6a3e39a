"""Differences of neighbours, and what is made of them: derivatives, integrals, unwrapped angles."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, user_line
from tinygrad_bp.ops.reductions import MISSING
from tinygrad_bp.ops.shaping import normalized_axes


def _diff_rule(g: Any, out: Any, x: Any, *, n: int, axis: int) -> Any:
    """Differences again, of the cotangent between zeros; each one turns the sign."""
    if not out.size:
        return np.broadcast_to(np.sum(g), x.shape)  # zeros, but recorded where g is
    ends = np.zeros((*g.shape[:axis], n, *g.shape[axis + 1 :]), g.dtype)
    back = np.diff(g, n, axis, ends, ends)
    return -back if n % 2 else back


_diff = Primitive(
    "diff",
    lambda x, *, n, axis: np.diff(x, n, axis),
    [_diff_rule],
    formula=r"x_{i+1} - x_i",
    vjp_formulas=[r"\bar{z}_{i-1} - \bar{z}_i"],
)


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = MISSING, append: Any = MISSING) -> Any:
    """Differences of neighbours along an axis, n times over; see `numpy.diff`.

    Raises
    ------
    ArgumentError
        `n` is negative.
    AxisError
        There is no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.diff(tg.Tensor([1.0, 4.0, 9.0]), prepend=0.0)
    Tensor([1., 3., 5.])
    """
    times = operator.index(n)
    x: Any = as_tensor(a)
    if times < 0:
        raise ArgumentError(f"np.diff with n={n} (at {user_line()}).\nFix: pass n=0 or more.")
    (place,) = normalized_axes("diff", operator.index(axis), x)
    if times == 0:
        return x
    if prepend is not MISSING or append is not MISSING:
        edge = (*x.shape[:place], 1, *x.shape[place + 1 :])
        ends = [None if end is MISSING else as_tensor(end) for end in (prepend, append)]
        first, last = (
            [] if end is None else [end if end.ndim else np.broadcast_to(end, edge)] for end in ends
        )
        x = np.concatenate([*first, x, *last], place)
    return _diff(x, n=times, axis=place)


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours among all elements, and more at the ends; see `numpy.ediff1d`.

    Raises
    ------
    DTypeError
        What comes at the ends does not fit the dtype.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.ediff1d(tg.Tensor([1.0, 4.0, 9.0]), to_begin=0.0)
    Tensor([0., 3., 5.])
    """
    x = np.reshape(as_tensor(ary), -1)
    parts: list[Any] = [_diff(x, n=1, axis=0)]
    for end, word, place in ((to_begin, "to_begin", 0), (to_end, "to_end", 2)):
        if end is None:
            continue
        t: Any = np.reshape(as_tensor(end), -1)
        weak = isinstance(end, (int, float)) and np.can_cast(type(end), x.dtype, "same_kind")
        if not weak and not np.can_cast(t.dtype, x.dtype, "same_kind"):
            raise DTypeError(
                f"np.ediff1d: {word}= of dtype {t.dtype} does not fit {x.dtype} "
                f"(at {user_line()}).\nFix: pass the dtype of the array."
            )
        parts.insert(place, t if t.dtype == x.dtype else t.astype(x.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes by central differences, one-sided at the edges; see `numpy.gradient`.

    Spacings and coordinates may be tensors, and have gradients too.

    Raises
    ------
    ArgumentError
        The spacings do not belong to the axes, or `edge_order` is neither 1 nor 2.
    ShapeError
        An axis is too short, or not as long as its coordinates.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.gradient(tg.Tensor([1.0, 4.0, 9.0]), 0.5)
    Tensor([ 6.,  8., 10.])
    """
    x = as_tensor(f)
    if edge_order not in (1, 2):
        raise ArgumentError(
            f"np.gradient with edge_order={edge_order} (at {user_line()}).\nFix: pass 1 or 2."
        )
    axes = tuple(range(x.ndim)) if axis is None else normalized_axes("gradient", axis, x)
    x = x if x.dtype.kind in "fc" else x.astype(float)
    if not varargs:
        spacings: tuple[Any, ...] = (1.0,) * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = varargs * len(axes)
    elif len(varargs) == len(axes):
        spacings = varargs
    else:
        raise ArgumentError(
            f"np.gradient along {len(axes)} axes got {len(varargs)} spacings (at {user_line()}).\n"
            "Fix: pass one for all axes, or one for each."
        )
    found = tuple(
        _slopes(x, _steps(x, i, given), i, edge_order)
        for i, given in zip(axes, spacings, strict=True)
    )
    return found[0] if len(found) == 1 else found


def _steps(x: Any, axis: int, given: Any) -> Any:
    """The step along an axis as a number, or those between coordinates, in shape to multiply."""
    t: Any = given if isinstance(given, (Variable, float, int)) else np.asarray(given)
    if np.ndim(t) == 0:
        return t
    if np.ndim(t) > 1 or len(t) != x.shape[axis]:
        raise ShapeError(
            f"np.gradient: coordinates of shape {t.shape} for axis {axis} of shape {x.shape} "
            f"(at {user_line()}).\nFix: pass a number, or a vector as long as the axis."
        )
    t = as_tensor(t)
    steps: Any = np.diff(t if t.dtype.kind == "f" else t.astype(float))
    # Equal steps need one number. A tensor's are kept, for each of them has a derivative.
    if not t.requires_grad and len(steps.data) and (steps.data == steps.data[0]).all():
        return steps.data[0]
    return np.reshape(steps, tuple(-1 if i == axis else 1 for i in range(x.ndim)))


def _slopes(x: Any, steps: Any, axis: int, edge_order: int) -> Any:
    if x.shape[axis] <= edge_order:
        raise ShapeError(
            f"np.gradient of shape {x.shape} (at {user_line()}): axis {axis} is too short.\n"
            f"Fix: edge_order={edge_order} needs {edge_order + 1} elements or more."
        )

    def part(t: Any, start: int | None, stop: int | None) -> Any:
        return t[(slice(None),) * axis + (slice(start, stop),)]

    even = np.ndim(steps) == 0
    before, after = (steps, steps) if even else (part(steps, None, -1), part(steps, 1, None))
    first, last = (steps, steps) if even else (part(steps, 0, 1), part(steps, -1, None))
    if even:
        inside = (part(x, 2, None) - part(x, None, -2)) / (2.0 * steps)
    else:
        both = before + after
        inside = (
            part(x, None, -2) * (-after / (before * both))
            + part(x, 1, -1) * ((after - before) / (before * after))
            + part(x, 2, None) * (before / (after * both))
        )
    if edge_order == 1:
        low = (part(x, 1, 2) - part(x, 0, 1)) / first
        high = (part(x, -1, None) - part(x, -2, -1)) / last
    else:
        second = steps if even else part(steps, 1, 2)
        last_but_one = steps if even else part(steps, -2, -1)
        low = _edge(part(x, 0, 1), part(x, 1, 2), part(x, 2, 3), first, second)
        high = -_edge(part(x, -1, None), part(x, -2, -1), part(x, -3, -2), last, last_but_one)
    z = np.concatenate([low, inside, high], axis)
    return z if z.dtype == x.dtype else z.astype(x.dtype)


def _edge(x0: Any, x1: Any, x2: Any, h1: Any, h2: Any) -> Any:
    """The slope at the first of three elements, of the parabola through them."""
    both = h1 + h2
    return x0 * (-(2.0 * h1 + h2) / (h1 * both)) + x1 * (both / (h1 * h2)) - x2 * (h1 / (h2 * both))


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Integral along an axis by the trapezoidal rule; see `numpy.trapezoid`.

    Raises
    ------
    AxisError
        There is no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.trapezoid(tg.Tensor([1.0, 2.0, 4.0]), x=[0.0, 1.0, 3.0]).item()
    7.5
    """
    t = as_tensor(y)
    (place,) = normalized_axes("trapezoid", operator.index(axis), t)
    steps = dx
    if x is not None:
        x = as_tensor(x)
        steps = np.diff(x, axis=-1 if x.ndim == 1 else axis)
        if x.ndim == 1:
            steps = np.reshape(steps, tuple(-1 if i == place else 1 for i in range(t.ndim)))
    lead = (slice(None),) * place
    pairs = t[(*lead, slice(1, None))] + t[(*lead, slice(None, -1))]
    return np.sum(steps * pairs / 2.0, axis=place)


def _unwrapped(x: Any, period: Any, *, discont: Any, axis: int) -> Any:
    return np.unwrap(x, discont, axis, period=period)


def _unwrap_period(g: Any, out: Any, x: Any, period: Any, *, discont: Any, axis: int) -> Any:
    """How many periods were taken; of the period 0 none at the first, and no number elsewhere."""
    return g * np.rint((out - x) / np.where(period == 0, 1, period))


_unwrap = Primitive(
    "unwrap",
    _unwrapped,
    [lambda g, out, x, period, *, discont, axis: g, _unwrap_period],
    formula=r"x_i + k_i \, y, \; k_i \in \mathbb{Z}",
    vjp_formulas=[r"\bar{z}", r"\textstyle\sum_i k_i \, \bar{z}_i"],
    analytic=False,
    kinks="where neighbours differ by half a period: the derivative of the branch that is taken",
)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """Take periods out of the jumps along an axis; see `numpy.unwrap`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.unwrap(tg.Tensor([0.0, 3.0, 4.5]), period=4.0)
    Tensor([ 0. , -1. ,  0.5])
    """
    x = as_tensor(p)
    (place,) = normalized_axes("unwrap", operator.index(axis), x)
    least = discont._data if isinstance(discont, Variable) else discont
    return _unwrap(x, period, discont=least, axis=place)
