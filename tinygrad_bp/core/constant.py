"""Functions of NumPy that have no derivative: on tensors they give constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import numpy as np

from tinygrad_bp.core.messages import explain, full_name
from tinygrad_bp.core.registry import FUNCTIONS, load_late
from tinygrad_bp.core.tensor import Tensor, constant
from tinygrad_bp.errors import ArgumentError, OperationError, user_line

#: Told of every result that is a constant, for those who read a graph and need what is beside it:
#: ``watcher(name, args, keywords, out)``.
WATCHER: ContextVar[Callable[..., None] | None] = ContextVar("tinygrad_bp_watcher", default=None)


def without_derivative(functions: Mapping[Any, str]) -> None:
    """Register NumPy functions whose results are constants, each with the reason why."""
    load_late()
    if not isinstance(functions, Mapping):
        raise ArgumentError(
            f"without_derivative takes functions with the reason of each, not "
            f"{type(functions).__name__} (at {user_line()}).\n"
            'Fix: without_derivative({function: "its graph is made of steps"}).'
        )
    for function, why in functions.items():
        FUNCTIONS[function] = Constant(function, why)


class Constant:
    """A NumPy function applied to the arrays of its tensors; what comes out is a constant."""

    __slots__ = ("function", "why")

    def __init__(self, function: Callable[..., Any], why: str) -> None:
        self.function = function
        self.why = why

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function."""
        return self._apply(self.function, args, kwargs)

    def method(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Apply a method of a ufunc, as ``np.logical_and.reduce``."""
        if name == "at":
            raise OperationError(
                f"np.{self.function.__name__}.at writes into its first input, and the values of a "
                f"tensor are never written to (at {user_line()}). Nothing was changed.\n"
                "Fix: compute a new tensor, as with np.where."
            )
        return self._apply(getattr(self.function, name), args, kwargs)

    def _apply(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs.get("out") is not None:
            raise OperationError(
                f"{full_name(self.function)} with out= is not available on tensors (at "
                f"{user_line()}).\n"
                "Fix: leave out= away and use what is returned."
            )
        values = [_arrays(x) for x in args]
        try:
            out = function(*values, **{name: _arrays(v) for name, v in kwargs.items()})
        except (ValueError, TypeError, IndexError) as error:
            raise explain(error, self.function.__name__, values) from error
        watcher = WATCHER.get()
        if watcher is not None:
            watcher(function.__name__, args, kwargs, out)
        if isinstance(out, (np.ndarray, np.generic)):
            needed = any(isinstance(x, Tensor) and x.requires_grad for x in args)
            return constant(out, args, self.function.__name__ if needed else None)
        return out


def _arrays(value: Any) -> Any:
    """The value with every tensor, also inside lists and tuples, replaced by its array."""
    if isinstance(value, Tensor):
        return value._data
    if type(value) in (list, tuple):
        return type(value)(_arrays(v) for v in value)
    return value
