"""Padding: elements before and after along each axis, in every mode of `numpy.pad`."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import ArgumentError, OperationError, ShapeError, nearest, user_line
from tinygrad_bp.ops.grids import linspace
from tinygrad_bp.ops.joining import concatenate, stack
from tinygrad_bp.ops.shaping import broadcast_to, flip, normalized_axes, reshape, squeeze

_pad = Primitive(
    "pad",
    lambda x, *, width, value: np.pad(x, width or 0, constant_values=value),
    [
        lambda g, out, x, *, width, value: g[
            tuple(slice(before, before + n) for (before, _), n in zip(width, x.shape, strict=True))
        ]
    ],
    formula=r"\text{pad}(x)",
    vjp_formulas=[r"\bar{z}_{[x]}"],
)

_STATISTICS = {
    "maximum": np.max,
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
}
_OPTIONS: dict[str, set[str]] = {
    "constant": {"constant_values"},
    "edge": set(),
    "linear_ramp": {"end_values"},
    "reflect": {"reflect_type"},
    "symmetric": {"reflect_type"},
    "wrap": set(),
    **{mode: {"stat_length"} for mode in _STATISTICS},
}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Add elements before and after along the axes; see `numpy.pad`.

    Parameters
    ----------
    array : Tensor
        Any shape.
    pad_width : int, (before, after), or one such pair per axis, or a dict of them by axis
        How many elements to add.
    mode : str, default 'constant'
        'edge', 'reflect', 'symmetric' and 'wrap' repeat elements of the array; 'maximum',
        'minimum', 'mean' and 'median' their statistic over `stat_length` elements; 'linear_ramp'
        goes to `end_values`, and 'constant' puts in `constant_values` (both may be tensors).

    Raises
    ------
    OperationError
        Mode 'empty', whose numbers are anything, or a function as mode, which would write.
    ArgumentError
        There is no such mode, or it has no such option.
    ShapeError
        The width does not fit the array, or an axis has no element to repeat.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.pad(tg.Tensor([1.0, 2.0, 3.0]), (0, 2), mode="reflect")
    Tensor([1., 2., 3., 2., 1.])
    """
    array = as_tensor(array)
    _check_mode(mode, kwargs)
    width = _width(pad_width, array)
    _check_room(mode, width, array)
    if mode == "constant":
        value = _together(kwargs.get("constant_values", 0))
        if not _needed(value):
            return _pad(array, width=width, value=_values(value))
        ends = _pairs(value.astype(array.dtype), array)
    if mode == "linear_ramp":
        ends = _pairs(_together(kwargs.get("end_values", 0)), array)
    if mode in _STATISTICS:
        lengths = _lengths(kwargs.get("stat_length"), array)
    if array.dtype.kind != "f":  # whose statistics and ramps NumPy rounds
        return as_tensor(np.pad(_values(array), width or 0, mode, **_plain(kwargs)))
    for axis, (before, after) in enumerate(width):
        if not before and not after:
            continue
        if mode == "constant":
            sides = [_repeated(ends[axis, i], n, axis, array) for i, n in enumerate(width[axis])]
        elif mode == "linear_ramp":
            sides = _ramps(array, axis, width[axis], ends)
        elif mode in _STATISTICS:
            sides = _statistics(array, axis, width[axis], lengths[axis], mode)
        elif kwargs.get("reflect_type") == "odd" and array.shape[axis] > 1:
            array = _reflected(array, axis, before, after, edge=mode == "symmetric")
            continue
        else:
            places = np.pad(np.arange(array.shape[axis]), (before, after), mode=mode)
            array = FUNCTIONS[operator.getitem](array, (slice(None),) * axis + (places,))
            continue
        array = concatenate((sides[0], array, sides[1]), axis)
    return array


def _ramps(a: Any, axis: int, width: tuple[int, int], ends: Any) -> list[Any]:
    """Numbers from the end values to the edges."""
    sides = []
    for i, n in enumerate(width):
        edge = squeeze(_part(a, axis, slice(0, 1) if i == 0 else slice(-1, None)), axis)
        ramp = linspace(ends[axis, i], edge, n, endpoint=False, dtype=a.dtype, axis=axis)
        sides.append(ramp if i == 0 else flip(ramp, axis))
    return sides


def _statistics(a: Any, axis: int, width: tuple[int, int], length: Any, mode: str) -> list[Any]:
    """A statistic of the first elements, and of the last."""
    n = a.shape[axis]
    left, right = (n if m is None else min(m, n) for m in length)
    parts = [slice(0, left), slice(n - right, n)]
    if 0 in (left, right) and mode != "mean":
        raise ArgumentError(
            f"np.pad with mode={mode!r}: no element has no {mode} (at {user_line()}).\n"
            "Fix: a stat_length of 1 or more."
        )
    of = FUNCTIONS[_STATISTICS[mode]]
    values = [of(_part(a, axis, part), axis=axis, keepdims=True) for part in parts]
    return [_repeated(v, m, axis, a) for v, m in zip(values, width, strict=True)]


def _reflected(a: Any, axis: int, before: int, after: int, *, edge: bool) -> Any:
    """The array continued by its mirror image in the point at each edge, again and again.

    As in NumPy, only whole periods of the original are mirrored.
    """
    period = a.shape[axis] if edge else a.shape[axis] - 1
    skipped = 0 if edge else 1  # the edge itself belongs to its image, or not
    while before or after:
        n = a.shape[axis]
        whole = (n - skipped) // period * period
        left, right = min(whole, before), min(whole, after)
        first, last = _part(a, axis, slice(0, 1)), _part(a, axis, slice(n - 1, n))
        low, high = skipped, n - skipped
        a = concatenate(
            (
                2 * first - flip(_part(a, axis, slice(low, low + left)), axis),
                a,
                2 * last - flip(_part(a, axis, slice(high - right, high)), axis),
            ),
            axis,
        )
        before, after = before - left, after - right
    return a


def _part(a: Any, axis: int, part: slice) -> Any:
    return FUNCTIONS[operator.getitem](a, (slice(None),) * axis + (part,))


def _repeated(value: Any, n: int, axis: int, a: Any) -> Any:
    return broadcast_to(value, (*a.shape[:axis], n, *a.shape[axis + 1 :]))


def _check_mode(mode: Any, options: dict[str, Any]) -> None:
    if callable(mode) or mode == "empty":
        why = "a function as mode, which would write," if callable(mode) else "mode='empty'"
        raise OperationError(
            f"np.pad with {why} is not available on tensors (at {user_line()}).\n"
            "Fix: another mode, or join what is to stand there with np.concatenate."
        )
    if mode not in _OPTIONS:
        raise ArgumentError(
            f"np.pad has no mode {mode!r} (at {user_line()}).\nFix: {nearest(mode, _OPTIONS)}."
        )
    for name in options:
        if name not in _OPTIONS[mode]:
            known = ", ".join(f"{known}=" for known in _OPTIONS[mode]) or "none at all"
            raise ArgumentError(
                f"np.pad with mode={mode!r} has no option {name}= (at {user_line()}).\n"
                f"Fix: its options: {known}."
            )
    if options.get("reflect_type", "even") not in ("even", "odd"):
        raise ArgumentError(
            f"np.pad with reflect_type={options['reflect_type']!r} (at {user_line()}).\n"
            "Fix: 'even' or 'odd'."
        )


def _check_room(mode: str, width: tuple[tuple[int, int], ...], array: Any) -> None:
    for axis, ((before, after), n) in enumerate(zip(width, array.shape, strict=True)):
        if mode != "constant" and n == 0 and (before or after):
            raise ShapeError(
                f"np.pad with mode={mode!r}: axis {axis} of shape {array.shape} has no element "
                f"to repeat (at {user_line()}).\nFix: pad it with a constant."
            )


def _width(pad_width: Any, array: Any) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis."""
    if isinstance(pad_width, dict):
        wide: list[Any] = [(0, 0)] * array.ndim
        for axis, pair in pad_width.items():
            (place,) = normalized_axes("pad", axis, array)
            wide[place] = pair if isinstance(pair, Iterable) else (pair, pair)
        pad_width = wide
    widths = np.asarray(pad_width)
    try:
        pairs = np.broadcast_to(widths, (array.ndim, 2))
    except ValueError as error:
        raise ShapeError(
            f"np.pad: pad_width {pad_width} does not fit shape {array.shape} (at {user_line()}).\n"
            "Fix: pass one pair (before, after) per axis."
        ) from error
    if widths.dtype.kind not in "iu" or (pairs < 0).any():
        raise ShapeError(
            f"np.pad: pad_width {pad_width} must be whole numbers from 0 on (at {user_line()}).\n"
            "Fix: to drop elements, slice."
        )
    return tuple((int(before), int(after)) for before, after in pairs)


def _pairs(values: Any, array: Any) -> Any:
    """One pair of values for each axis, from a number, a pair, or pairs."""
    if values.size in (1, 2) and values.shape != (2, 1):
        values = reshape(values, -1)
    try:
        np.broadcast_shapes(values.shape, (array.ndim, 2))
    except ValueError as error:
        raise ShapeError(
            f"np.pad: values of shape {values.shape} do not fit shape {array.shape} "
            f"(at {user_line()}).\nFix: pass one pair (before, after) per axis."
        ) from error
    return broadcast_to(values, (array.ndim, 2))


def _lengths(length: Any, array: Any) -> Any:
    """How many elements at each end of each axis a statistic is about; None for all."""
    if length is None:
        return [(None, None)] * array.ndim
    whole = np.round(np.asarray(length)).astype(int)
    if (whole < 0).any():
        raise ArgumentError(
            f"np.pad: stat_length {length} is negative (at {user_line()}).\nFix: 1 or more."
        )
    return _values(_pairs(as_tensor(whole), array)).tolist()


def _together(values: Any) -> Any:
    """A number, a tensor, or nested lists of them as one tensor."""
    if isinstance(values, (list, tuple)):
        return stack([_together(v) for v in values])
    return as_tensor(values)


def _needed(t: Any) -> bool:
    return bool(t.requires_grad)


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {name: _values(v) for name, v in options.items()}
