"""The table of a module's layers: what they give, what they hold, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.mode import enable_grad
from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn.arguments import one_line
from tinygrad_bp.nn.costs import Cost, costs
from tinygrad_bp.nn.module import Module, is_parameter, members, places

_HEAD = ("layer", "type", "output", "parameters", "multiply-adds", "kept")


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
        With the batch axis; of several arrays, that of the first in words, ``"(1, 5, 8), …"``; the
        name of a type where it gave no array; None where it was not called.
    parameters : int
        Elements in its own parameters, without those of the modules below, and without those that
        belong to an earlier row.
    multiply_adds : int
        In its own products of matrices, convolutions and recurrences, in all calls, without those
        of the modules below.
    kept : int
        Bytes of what its own operations keep until the backward pass: results, and what they
        saved.
    same_as : str or None
        The path of an earlier row where this is the same module once more; that row has what it
        holds and costs.
    """

    path: str
    type: str
    output_shape: tuple[int, ...] | str | None
    parameters: int
    multiply_adds: int = 0
    kept: int = 0
    same_as: str | None = None


@dataclass(frozen=True)
class Summary:
    """What `Module.summary` returns; its text is a table.

    Attributes
    ----------
    rows : tuple of Row
        A row for each place of a module.
    parameters : int
        Elements in all parameters.
    trained : int
        Those of them that require a gradient.
    nbytes : int
        Memory of all parameters.
    multiply_adds : int
        Of the forward pass; the backward pass takes about twice as many.
    kept : int
        Bytes that are kept between the passes.
    """

    rows: tuple[Row, ...]
    parameters: int
    trained: int
    nbytes: int
    multiply_adds: int = 0
    kept: int = 0

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [_HEAD]
        for row in self.rows:
            shape = "not called" if row.output_shape is None else str(row.output_shape)
            numbers = (f"{row.parameters:,}", f"{row.multiply_adds:,}", _size(row.kept))
            kind = row.type
            if row.same_as is not None:
                kind += f" (same as {one_line(row.same_as) or '.'})"
            table.append((one_line(row.path) or ".", kind, shape, *numbers))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        table.insert(1, tuple("-" * width for width in widths))
        lines = [
            "  ".join(
                cell.rjust(width) if i >= 3 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        rest = self.parameters - self.trained
        trained = f"{rest:,} of them not trained" if rest else "all trained"
        lines.append(f"{self.parameters:,} parameters ({_size(self.nbytes)}), {trained}")
        lines.append(
            f"{self.multiply_adds:,} multiply-adds; {_size(self.kept)} kept for the backward pass"
        )
        return "\n".join(lines)

    __repr__ = __str__


def summarize(
    module: Module,
    input_shape: Any,
    batch_size: int,
    dtype: npt.DTypeLike | None = None,
) -> Summary:
    """See `Module.summary`."""
    samples: Any = batch_size
    if not isinstance(samples, Integral) or samples < 1:
        raise ArgumentError(
            f"summary was called with batch_size={batch_size!r}, which is no number of samples.\n"
            "Fix: batch_size=1; the shapes of several inputs are one list: summary([(3,), (4,)])."
        )
    shapes, spent = _dry_run(module, input_shape, batch_size, dtype)
    rows = []
    seen: dict[int, Any] = {}
    for path, each, before in places(module):
        if not isinstance(each, Module):
            continue
        given = shapes.get(id(each), [None])
        shape = given.pop(0) if len(given) > 1 else given[0]  # of a call for each place
        if before is not None:
            rows.append(Row(path, type(each).__name__, shape, 0, same_as=before))
            continue
        count = 0
        for _, part in members(each):
            if is_parameter(part) and id(part) not in seen:
                seen[id(part)] = part
                count += part.size
        cost = spent.get(id(each), Cost())
        rows.append(Row(path, type(each).__name__, shape, count, *cost))
    parameters = list(module.parameters())
    return Summary(
        tuple(rows),
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if p.requires_grad),
        sum(p.data.nbytes for p in parameters),
        sum(cost.multiply_adds for cost in spent.values()),
        sum(cost.kept for cost in spent.values()),
    )


def _zeros(
    module: Module, input_shape: Any, batch_size: int, dtype: npt.DTypeLike | None
) -> list[npt.NDArray[Any]]:
    """An array for each input."""
    if dtype is None and not module.takes_indices:
        first = next(module.parameters(), None)
        dtype = np.float32 if first is None else first.dtype
    shapes: Any = input_shape
    if isinstance(shapes, Mapping):
        shapes = list(shapes.values())
    elif not isinstance(shapes, Iterable):
        shapes = [(shapes,)]
    else:
        axes = tuple(shapes)
        shapes = axes if axes and all(isinstance(each, Iterable) for each in axes) else [axes]
    kind = np.int64 if dtype is None else dtype
    try:
        return [
            np.zeros((batch_size, *(shape if isinstance(shape, Iterable) else (shape,))), kind)
            for shape in shapes
        ]
    except (TypeError, ValueError):
        raise ArgumentError(
            f"no input has the shape {input_shape!r}, batch size {batch_size!r} and dtype "
            f"{dtype!r}.\nFix: the shape of one sample, as (784,) or (3, 32, 32)."
        ) from None


def _dry_run(
    module: Module, input_shape: Any, batch_size: int, dtype: npt.DTypeLike | None
) -> tuple[dict[int, list[tuple[int, ...] | str | None]], dict[int, Cost]]:
    """By the ids of the modules, the shapes that each gave in turn, and what all calls cost."""
    shapes: dict[int, list[tuple[int, ...] | str | None]] = {}

    def note(each: Module, inputs: Any, output: Any) -> None:
        shapes.setdefault(id(each), []).append(_shape(output))

    xs = _zeros(module, input_shape, batch_size, dtype)
    modules = list(module.modules())
    training = [each.training for each in modules]
    frozen = [p for p in module.parameters() if not p.requires_grad]
    handles = [each.register_forward_hook(note) for each in modules]
    try:
        for parameter in frozen:  # so that their operations are recorded, and counted
            parameter.requires_grad = True
        with enable_grad():
            output = module.eval()(*xs)
        return shapes, costs(_tensors(output), frozen, xs)
    finally:
        for parameter in frozen:
            parameter.requires_grad = False
        for each, mode in zip(modules, training, strict=True):
            each.training = mode
        for handle in handles:
            handle.remove()


def _shape(output: Any) -> tuple[int, ...] | str:
    """The shape of what a module gave, or words for it."""
    first = output
    while isinstance(first, (tuple, list)) and first:
        first = first[0]
    shape = getattr(first, "shape", None)
    if shape is None:
        return type(output).__name__
    return tuple(shape) if first is output else f"{tuple(shape)}, …"


def _tensors(output: Any) -> list[Tensor]:
    """The tensors in what a module gave."""
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, (tuple, list)):
        return [tensor for each in output for tensor in _tensors(each)]
    return [output] if isinstance(output, Tensor) else []


def _size(nbytes: int) -> str:
    size = float(nbytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
