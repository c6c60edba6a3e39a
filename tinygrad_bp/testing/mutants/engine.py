"""Mistakes of the backward pass itself: lines of its source replaced, and compiled anew."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tinygrad_bp.core import PRIMITIVES, backward_pass
from tinygrad_bp.core.cotangents import Sparse, conform, sum_of_rows, sum_to_shape
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.mutants.mutant import Mutant

_ARRIVED = "_, total, held = arrived[key]\n"

#: Function, the line that is replaced, what it becomes, and the kind of mistake.
_EVERYWHERE: tuple[tuple[Any, str, str, str], ...] = (
    (backward_pass, "total = total + part", "total = part", "= for += at fan-out"),
    (backward_pass, "total += part", "total[...] = part", "= for += at fan-out"),
    (backward_pass, "total = np.array(total)\n", "pass\n", "a sum in another's memory"),
    (backward_pass, "leaves[key] = (x, part, held)", "leaves[key] = (x, part, FRESH)", "aliasing"),
    (Sparse.add_to, "np.add.at(total, self.index, self.values)", "total[self.index] += self.values",
     "= for += at fan-out"),
    (Sparse.add_to, "total[self.index] += self.values\n            return",
     "total[self.index] = self.values\n            return", "= for += at fan-out"),
    (sum_to_shape, "keepdims=True) if axes else g", "keepdims=True) / g.size if axes else g",
     "mean for sum in un-broadcasting"),
    (sum_to_shape, "g = np.add.reduce(g, axis=0 if", "g = np.add.reduce(g, axis=-1 if",
     "un-broadcast over the wrong axis"),
    (sum_to_shape, "g = np.add.reduce(g,", "g = np.mean(g,", "mean for sum in un-broadcasting"),
    (sum_of_rows, ").dot(g)", ").dot(g) / n", "mean for sum in un-broadcasting"),
    (sum_of_rows, "np.add.reduce(g, axis=0)", "np.mean(g, axis=0)",
     "mean for sum in un-broadcasting"),
    (conform, "else part.astype(data.dtype)", "else part",
     "dtype of the input forgotten, as in float32"),
)  # fmt: skip


@dataclass(frozen=True)
class EngineMutant(Mutant):
    """A mutant of the engine, which is wrong for one primitive, or for all of them.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> with fan_out("multiply").installed():
    ...     (x * x).backward()
    >>> x.grad
    Tensor(3.)
    """

    function: Any = field(default=None, repr=False, compare=False)
    old: str = field(default="", repr=False, compare=False)
    new: str = field(default="", repr=False, compare=False)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the changed function take the place of the right one wherever that is known."""
        right = self.function
        source = inspect.getsource(right)
        if self.old not in source:
            raise ArgumentError(f"{right.__qualname__} has no line {self.old!r} to break.")
        namespace: dict[str, Any] = {}
        text = inspect.cleandoc("\n" + source.replace(self.old, self.new))
        exec(compile("from __future__ import annotations\n" + text, "<mutant>", "exec"),
             right.__globals__, namespace)  # fmt: skip
        wrong = namespace[right.__name__]
        homes = _homes(right)
        for home, name in homes:
            setattr(home, name, wrong)
        try:
            yield
        finally:
            for home, name in homes:
                setattr(home, name, right)


def _homes(function: types.FunctionType) -> list[tuple[Any, str]]:
    """Where a function is known by its name: modules, and the class that it is a method of."""
    homes: list[Any] = [m for n, m in list(sys.modules.items()) if n.startswith("tinygrad_bp")]
    homes.append(Sparse)
    return [(h, function.__name__) for h in homes if vars(h).get(function.__name__) is function]


def fan_out(name: str) -> EngineMutant:
    """For one primitive, what arrives second takes the place of what arrived first."""
    new = f"{_ARRIVED}            if node.primitive.name == {name!r}:\n"
    new += "                total, held = 0.0 * total, BORROWED\n"
    kind = "= for += at fan-out"
    return EngineMutant(name, 0, kind, "in the engine", None, backward_pass, _ARRIVED, new)  # type: ignore[arg-type]


#: What the mistakes of the engine that concern all primitives are put to.
WITNESSES = ("add", "multiply", "getitem", "matmul", "sum", "einsum", "concatenate", "where")


def engine_mutants(names: list[str] | None = None) -> list[Mutant]:
    """One for each primitive, and those that concern all, which stand with the witnesses."""
    chosen = list(PRIMITIVES) if names is None else names
    found: list[Mutant] = [fan_out(name) for name in chosen]
    for function, old, new, kind in _EVERYWHERE:
        detail = f"{function.__name__}: {' '.join(old.split())} -> {' '.join(new.split())}"
        found += [
            EngineMutant(name, 0, kind, detail, None, function, old, new)  # type: ignore[arg-type]
            for name in WITNESSES
            if name in chosen and name in PRIMITIVES
        ]
    return found
