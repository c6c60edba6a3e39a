"""What forward functions and rules share: work in place, and primitives inside of rules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive


def apply(primitive: Primitive, *inputs: Any, **params: Any) -> Any:
    """A primitive inside of a rule: its value on arrays, its recorded application on tensors.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> add = tg.core.PRIMITIVES["add"]
    >>> apply(add, np.float64(1), np.float64(2))
    np.float64(3.0)
    >>> apply(add, tg.Tensor(1.0), np.float64(2))
    Tensor(3.)
    """
    if all(isinstance(x, (np.ndarray, np.generic, float, int)) for x in inputs):
        return primitive.value(*inputs, **params)
    return primitive(*inputs, **params)


def on_float_arrays(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Let a forward function of one array count on axes and a floating-point dtype.

    It may then work in place on arrays of its own, which saves most of the time on large ones:
    on (5000, 25) float64, ``1 / (1 + np.exp(-x))`` takes 1000 µs and the same in place 240 µs,
    because fresh memory has to be fetched from the system page by page.

    Examples
    --------
    >>> @on_float_arrays
    ... def half(x):
    ...     y = x.copy()
    ...     y *= 0.5
    ...     return y
    >>> half(3), half(np.array([1, 2]))
    (np.float64(1.5), array([0.5, 1. ]))
    """

    @functools.wraps(forward)
    def wrapper(x: Any, **params: Any) -> Any:
        if type(x) is not np.ndarray or x.dtype.kind != "f":
            x = np.asarray(x)
            if x.dtype.kind != "f":
                x = x.astype(float, casting="same_kind")  # complex numbers are a TypeError
        if x.ndim:
            return forward(x, **params)
        return forward(x.reshape(1), **params).reshape(())[()]

    return wrapper
