"""The arguments of layers: checked when they are given, and shown in the repr."""

from __future__ import annotations

import inspect
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.errors import ArgumentError

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
        raise ArgumentError(f"{name} is a positive integer, not {value!r}.")
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
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not (low <= value <= high and math.isfinite(value))
    ):
        where = f"in [{low}, {high}]" if math.isfinite(high) else f"of {low} or more"
        raise ArgumentError(f"{name} is a number {where}, not {value!r}.")
    return value


def weak(option: Any) -> Any:
    """A scalar of NumPy as a number of Python, which leaves a float32 array float32.

    Examples
    --------
    >>> import numpy as np
    >>> (np.ones(1, np.float32) * weak(np.float64(0.5))).dtype
    dtype('float32')
    """
    return option.item() if isinstance(option, np.generic) else option
