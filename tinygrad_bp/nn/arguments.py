"""The arguments of layers: checked when they are given, and shown in the repr."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, DTypeError, IndexingError, a_kind, user_line

if TYPE_CHECKING:
    from tinygrad_bp.nn.module import Module

_HANDED = ("input_shape", "dtype", "generator")


def shown(layer: Module, **values: Any) -> str:
    """The arguments of a layer for its repr, without those that are at their defaults.

    They are read from the attributes of their names, unless `values` has them.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> shown(tg.nn.LeakyReLU(0.2)), shown(tg.nn.LeakyReLU())
    ('negative_slope=0.2', '')
    """
    parts = []
    for argument in inspect.signature(type(layer)).parameters.values():
        if argument.name in _HANDED:
            continue
        name, default = argument.name, argument.default
        value = values[name] if name in values else getattr(layer, name)
        if default is inspect.Parameter.empty:
            parts.append(repr(value))
        elif type(value) is not type(default) or value != default:
            parts.append(f"{name}={value!r}")
    return ", ".join(parts)


def one_line(name: str) -> str:
    """A name as it is, but for what would break a line or does not show."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def positive(name: str, value: Any) -> int:
    """An argument that is a positive whole number.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> positive("num_features", 64)
    64
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise ArgumentError(
            f"{name} is a positive integer, not {value!r} (at {user_line()}).\n"
            f"Fix: a whole number of 1 or more, as {name}=8."
        )
    return number


def between(name: str, value: Any, low: float, high: float = math.inf) -> float:
    """An argument that is a number in [low, high], and finite.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> between("eps", 1e-5, 0)
    1e-05
    """
    number: float = weak(value)
    if not _is_number(number) or not (low <= number <= high and math.isfinite(number)):
        where = f"in [{low}, {high}]" if math.isfinite(high) else f"of {low} or more"
        most = f", and at most {name}={high}" if math.isfinite(high) else ""
        raise ArgumentError(
            f"{name} is a number {where}, not {value!r} (at {user_line()}).\n"
            f"Fix: at least {name}={low}{most}."
        )
    return number


def finite(name: str, value: Any) -> float:
    """An argument that is a finite number.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> finite("negative_slope", -0.5)
    -0.5
    """
    number: float = weak(value)
    if not _is_number(number) or not math.isfinite(number):
        raise ArgumentError(
            f"{name} is a finite number, not {value!r} (at {user_line()}).\nFix: as {name}=0.5."
        )
    return number


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def real(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """The dtype of parameters."""
    try:
        kind = np.dtype(object if dtype is None else dtype)
    except (TypeError, ValueError):
        kind = np.dtype(object)
    if kind.kind != "f":
        raise DTypeError(
            f"the dtype of parameters is float32 or float64, not {dtype!r} (at {user_line()}).\n"
            "Fix: dtype=np.float32."
        )
    return kind


def several(owner: Module, items: Any) -> list[Any]:
    """What a container is given for several items, as a list.

    Raises
    ------
    ArgumentError
        It is no iterable, or a text.
    """
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise ArgumentError(
            f"{a_kind(owner)} takes a list of several, not {a_kind(items)} (at {user_line()}).\n"
            "Fix: put it into a list, [...]."
        )
    return list(items)


def position(owner: Any, index: Any, count: int) -> Any:
    """The position of one of so many items of a container, or a slice of them.

    Raises
    ------
    IndexingError
        There is no such item.
    """
    if isinstance(index, slice):
        return index
    try:
        number = operator.index(index)
    except TypeError:
        number = count
    if not -count <= number < count:
        fix = f"a number from 0 to {count - 1}." if count else "put one in before; it is empty."
        raise IndexingError(
            f"there is no position {index!r} in this {type(owner).__name__} of {len(owner)} (at "
            f"{user_line()}).\nFix: {fix}"
        )
    return number


def weak(option: Any) -> Any:
    """A scalar of NumPy as a number of Python, which leaves a float32 array float32.

    Examples
    --------
    >>> import numpy as np
    >>> (np.ones(1, np.float32) * weak(np.float64(0.5))).dtype
    dtype('float32')
    """
    return option.item() if isinstance(option, np.generic) else option
