"""The table of a module's layers, with their output shapes and parameter counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.nn.module import Module, is_parameter, members


@dataclass(frozen=True)
class Row:
    """One module in a `Summary`.

    Attributes
    ----------
    path : str
        Its dotted name; empty for the module that was asked.
    type : str
        The name of its class.
    output_shape : tuple of int, str or None
        With the batch axis; the name of a type where it gave no array; None where it was not
        called.
    parameters : int
        Elements in its own parameters, without those of the modules below, and without those that
        belong to an earlier row.
    """

    path: str
    type: str
    output_shape: tuple[int, ...] | str | None
    parameters: int


@dataclass(frozen=True)
class Summary:
    """What `Module.summary` returns; its text is a table.

    Attributes
    ----------
    rows : tuple of Row
        A row for each module.
    parameters : int
        Elements in all parameters.
    trained : int
        Those of them that require a gradient.
    nbytes : int
        Memory of all parameters.
    """

    rows: tuple[Row, ...]
    parameters: int
    trained: int
    nbytes: int

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [("layer", "type", "output", "parameters")]
        for row in self.rows:
            shape = "not called" if row.output_shape is None else str(row.output_shape)
            table.append((row.path or ".", row.type, shape, f"{row.parameters:,}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        table.insert(1, tuple("-" * width for width in widths))
        lines = [
            "  ".join(
                cell.rjust(width) if i == 3 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        rest = self.parameters - self.trained
        trained = f"{rest:,} of them not trained" if rest else "all trained"
        lines.append(f"{self.parameters:,} parameters ({_size(self.nbytes)}), {trained}")
        return "\n".join(lines)

    __repr__ = __str__


def summarize(
    module: Module,
    input_shape: int | tuple[int, ...],
    batch_size: int,
    dtype: npt.DTypeLike | None = None,
) -> Summary:
    """See `Module.summary`."""
    shapes = _output_shapes(module, input_shape, batch_size, dtype)
    rows = []
    seen: dict[int, Any] = {}
    for path, each in module.named_modules():
        count = 0
        for _, part in members(each):
            if is_parameter(part) and id(part) not in seen:
                seen[id(part)] = part
                count += part.size
        rows.append(Row(path, type(each).__name__, shapes.get(id(each)), count))
    parameters = list(module.parameters())
    return Summary(
        tuple(rows),
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if p.requires_grad),
        sum(p.data.nbytes for p in parameters),
    )


def _output_shapes(
    module: Module,
    input_shape: int | tuple[int, ...],
    batch_size: int,
    dtype: npt.DTypeLike | None,
) -> dict[int, tuple[int, ...] | str]:
    """The shape that each module, by its id, gave the first time it was called."""
    shapes: dict[int, tuple[int, ...] | str] = {}

    def note(each: Module, inputs: Any, output: Any) -> None:
        shapes.setdefault(id(each), getattr(output, "shape", type(output).__name__))

    first = next(module.parameters(), None)
    axes = tuple(input_shape) if isinstance(input_shape, Iterable) else (input_shape,)
    if dtype is None and not module.takes_indices:
        dtype = np.float32 if first is None else first.dtype
    x = np.zeros((batch_size, *axes), np.int64 if dtype is None else dtype)
    modules = list(module.modules())
    training = [each.training for each in modules]
    handles = [each.register_forward_hook(note) for each in modules]
    try:
        with no_grad():
            module.eval()(x)
    finally:
        for each, mode in zip(modules, training, strict=True):
            each.training = mode
        for handle in handles:
            handle.remove()
    return shapes


def _size(nbytes: int) -> str:
    size = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
