"""Padding as a function of tensors: from the last axis on, as networks have it, by `numpy.pad`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest
from tinygrad_bp.nn.functional.activations import as_real
from tinygrad_bp.nn.geometry import where
from tinygrad_bp.ops.geometry import Pads

#: The modes, and how `numpy.pad` calls them.
MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(
    x: Any,
    pad: tuple[int, ...] | list[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    """Add elements before and after along the last axes, or cut them off.

    Parameters
    ----------
    x : array_like
        Any shape.
    pad : sequence of int
        How many elements come before and after along the last axis, then along the one before
        it, and so on: ``(left, right, top, bottom)`` for images. Negative numbers cut off.
    mode : {"constant", "reflect", "replicate", "circular"}
        What is added: `value`, the mirror image in the outermost element, that element again
        and again, or what lies at the other end.
    value : float, optional
        The constant; 0 unless given. Beside a float, whole numbers become floats.

    Raises
    ------
    ArgumentError
        There is no such mode, it has no value, or `pad` are no pairs of whole numbers.
    ShapeError
        There are fewer axes than pairs, or more is cut off or repeated than is there.

    Examples
    --------
    >>> pad(np.array([[1.0, 2.0, 3.0]]), (2, 1), "reflect")
    Tensor([[3., 2., 1., 2., 3., 2.]])
    >>> pad(np.array([[1.0, 2.0, 3.0]]), (-1, 0, 0, 1))
    Tensor([[2., 3.],
            [0., 0.]])
    """
    x = as_tensor(x)
    if mode not in MODES:
        raise ArgumentError(f"{where('pad')}: no mode {mode!r}.\nFix: {nearest(mode, MODES)}")
    if value is not None and mode != "constant":
        raise ArgumentError(
            f"{where('pad')}: value={value!r}, which mode={mode!r} does not put in.\n"
            "Fix: leave out value, or mode='constant'."
        )
    width = _pairs(pad, x)
    if any(n < 0 for pair in width for n in pair):
        each = zip(width, x.shape, strict=True)
        x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in each)]
        width = tuple((max(a, 0), max(b, 0)) for a, b in width)
    _room(mode, width, x)
    options: Any = {"mode": MODES[mode]}
    if mode == "constant":
        options["constant_values"] = 0 if value is None else value
        x = as_real(x) if isinstance(value, float) else x
    return as_tensor(np.pad(x, width, **options))


def whole_numbers(name: str, value: Any, count: int | None = None) -> tuple[int, ...]:
    """An argument that is so many whole numbers, or pairs of them, as a tuple.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> whole_numbers("pad", [1, 0])
    (1, 0)
    """
    each = value if isinstance(value, (tuple, list)) else (value,) * (count or 1)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in each)
    if not whole or (len(each) % 2 if count is None else len(each) != count):
        what = "pairs of whole numbers" if count is None else f"a whole number, or {count} of them"
        raise ArgumentError(
            f"{name} is {what}, (before, after) from the last axis on, not {value!r}.\n"
            f"Fix: {name.split()[-1]}={(1,) * (count or 2)}, for one element at each end."
        )
    return tuple(int(n) for n in each)


def _pairs(pad: Any, x: Tensor) -> Pads:
    """(before, after) for each axis of x."""
    each = whole_numbers(f"{where('pad')}: pad", pad)
    pairs = tuple(zip(each[::2], each[1::2], strict=True))[::-1]
    if len(pairs) > x.ndim:
        raise ShapeError(
            f"{where('pad')}: pad={pad!r} is for {len(pairs)} axes, and the input {x.shape} has "
            f"{x.ndim}.\nFix: one pair for each axis at most."
        )
    width = ((0, 0),) * (x.ndim - len(pairs)) + pairs
    for axis, ((a, b), n) in enumerate(zip(width, x.shape, strict=True)):
        if max(-a, 0) + max(-b, 0) > n:
            raise ShapeError(
                f"{where('pad')}: ({a}, {b}) cuts off more than the {n} elements along axis "
                f"{axis} of the input {x.shape}.\nFix: cut off fewer."
            )
    return width


def _room(mode: str, width: Pads, x: Tensor) -> None:
    """Raise a `ShapeError` where there are fewer elements than are to be repeated."""
    for axis, (pair, n) in enumerate(zip(width, x.shape, strict=True)):
        most = {"reflect": n - 1, "circular": n, "replicate": max(pair) if n else 0}.get(mode)
        if most is not None and max(pair) > max(most, 0):
            raise ShapeError(
                f"{where('pad')}: mode={mode!r} has at most {max(most, 0)} elements to repeat "
                f"along axis {axis} of {x.shape}, not {max(pair)}.\n"
                "Fix: pad with fewer, or in another mode."
            )
