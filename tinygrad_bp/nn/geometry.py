"""The arguments of functions and layers that move windows along one, two or three axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import ArgumentError, ShapeError, user_line
from tinygrad_bp.ops.geometry import Sizes

SMALLER = "a smaller kernel or dilation, or more padding."

#: A number for all axes, or one for each.
Counts = int | tuple[int, ...] | list[int]


def sizes(name: str, value: Any, axes: int, least: int = 1) -> Sizes:
    """An argument that is a whole number, or one for each axis, as a tuple.

    Raises
    ------
    ArgumentError
        It is neither, or a number is less than `least`.

    Examples
    --------
    >>> sizes("stride", 2, 3), sizes("stride", [2, 1], 2)
    ((2, 2, 2), (2, 1))
    """
    each = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in each)
    if len(each) != axes or not whole or min(each) < least:
        several, example = (f", or {axes} of them", (3,) * axes) if axes > 1 else ("", 3)
        raise ArgumentError(
            f"{name} is a whole number of {least} or more{several}, not {value!r} "
            f"(at {user_line()}).\nFix: as {name}={example}."
        )
    return tuple(int(n) for n in each)


def where(function: str) -> str:
    """The beginning of a message: the module at work, or the function and the user's line."""
    path = MODE.get().path()
    return f"in {path} ({function})" if path else f"{function} at {user_line()}"


def batched(function: str, x: Any, axes: int) -> tuple[Tensor, bool]:
    """An input with its batch axis, and whether it had one.

    Raises
    ------
    ShapeError
        It has neither as many axes as a batch nor as a sample.
    """
    x = as_tensor(x)
    if x.ndim == axes + 2:
        return x, True
    if x.ndim == axes + 1:
        return x[None], False
    names = ("L", "H, W", "D, H, W")[axes - 1]
    raise ShapeError(
        f"{where(function)}: input {x.shape}, expected (N, C, {names}) or one sample "
        f"(C, {names}).\nFix: reshape it, as Unflatten does in a network."
    )


def fits(function: str, x: Any, out: Sizes, what: str, fix: str) -> None:
    """Raise a `ShapeError` where nothing would come out."""
    if min(out) < 1:
        raise ShapeError(
            f"{where(function)}: {what} does not fit into the input {tuple(x.shape)}: the output "
            f"would be {out} long.\nFix: {fix}"
        )
