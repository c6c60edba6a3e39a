"""The table of what has a counterpart in ONNX: a rule for each primitive."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinygrad_bp.core.graph import Node
from tinygrad_bp.errors import ExportError
from tinygrad_bp.onnx.builder import Builder, Value

F = TypeVar("F", bound=Callable[..., Any])

_FILES = ("elementwise", "shaping", "picking", "reductions", "products", "images", "recurrent")


@dataclass
class Step:
    """One application of a primitive in both runs, as a rule gets it.

    Attributes
    ----------
    name : str
        Of the primitive.
    inputs : list of Value or None
        None where there is none.
    params : dict
        The keywords, in the run with 2 samples.
    other : dict
        The same in the run with 3.
    out : Value
        What comes out; its name is that of no value yet.
    node : Node or None
        The application itself, which knows its module and the user's line.
    value_of : callable
        The name of an array among the parameters, where it is a value of the graph, or None.
    """

    builder: Builder
    name: str
    inputs: list[Value | None]
    params: dict[str, Any]
    other: dict[str, Any]
    out: Value
    node: Node | None
    value_of: Callable[[Any], str | None]
    makers: dict[str, Step]

    def input(self, i: int = 0) -> Value:
        """An input that must be there."""
        value = self.inputs[i]
        if value is None:
            raise self.failed(f"it has no input {i}")
        return value

    def cast(self, i: int = 0) -> str:
        """An input in the dtype of the output."""
        value = self.input(i)
        same = value.dtype == self.out.dtype
        return value.name if same else self.builder.cast(value.name, self.out.dtype)

    def number(self, value: Any) -> str:
        """A constant of the dtype of the output."""
        return self.builder.constant(np.asarray(value, self.out.dtype))

    def axes(self, axis: Any) -> list[int]:
        """Axes of the first input, counted from 0; None stands for all."""
        n = self.input().rank
        if axis is None:
            return list(range(n))
        return [int(i) % n for i in (axis if isinstance(axis, tuple) else (axis,))] if n else []

    def failed(self, reason: str) -> ExportError:
        """The error for what ONNX, or the table, lacks."""
        where = self.node.where() if self.node is not None else ""
        return ExportError(
            f"{self.name!r}{where} cannot be written in ONNX: {reason}. Nothing was written.\n"
            "Fix: compute it from operations that ONNX has (tinygrad_bp.onnx.operations() lists "
            "them), or leave it out of the module that is exported."
        )


Rule = Callable[[Builder, Step], str]

#: A rule for each primitive: it adds nodes and returns the name of the output.
RULES: dict[str, Rule] = {}

#: Those whose parameters may differ between the runs, because their rule knows what to do.
GROWING: set[str] = set()


def rule(*names: str, growing: bool = False) -> Callable[[F], F]:
    """Register the rule of primitives: a decorator."""

    def register(function: F) -> F:
        for name in names:
            RULES[name] = function
            if growing:
                GROWING.add(name)
        return function

    return register


def load() -> dict[str, Rule]:
    """The whole table."""
    for name in _FILES:
        importlib.import_module(f"tinygrad_bp.onnx.{name}")
    return RULES


def operations() -> list[str]:
    """The names of the primitives that `to_onnx` can write.

    Examples
    --------
    >>> {"convolution", "linear", "lstm"} <= set(operations())
    True
    """
    return sorted(load())
