"""Rules of other shapes: reshape, transpose, broadcast, join, pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step, rule


@rule("reshape", growing=True)
def _reshape(b: Builder, step: Step) -> str:
    shape, other = step.out.shape, step.out.other
    grows = [i for i, (n, m) in enumerate(zip(shape, other, strict=True)) if n != m]
    if len(grows) == 1 and 0 not in shape:  # what is left over
        sizes = b.whole(*(-1 if i in grows else n for i, n in enumerate(shape)))
    else:
        sizes = b.sizes(shape, other)
    return b.add("Reshape", step.input().name, sizes, allowzero=int(0 in shape))


@rule("transpose")
def _transpose(b: Builder, step: Step) -> str:
    n, axes = step.input().rank, step.params["axes"]
    order = range(n)[::-1] if axes is None else [int(i) % n for i in axes]
    if not n:
        return b.add("Identity", step.input().name)
    return b.add("Transpose", step.input().name, perm=list(order))


@rule("broadcast_to", growing=True)
def _broadcast_to(b: Builder, step: Step) -> str:
    return b.add("Expand", step.input().name, b.sizes(step.out.shape, step.out.other))


@rule("concatenate")
def _concatenate(b: Builder, step: Step) -> str:
    parts = [step.cast(i) for i in range(len(step.inputs))]
    return b.add("Concat", *parts, axis=int(step.params["axis"]))


@rule("stack")
def _stack(b: Builder, step: Step) -> str:
    axis = int(step.params["axis"]) % step.out.rank
    return stacked(b, [step.cast(i) for i in range(len(step.inputs))], axis)


def stacked(b: Builder, names: list[str], axis: int) -> str:
    """Values of one shape along a new axis."""
    at = b.whole(axis)
    return b.add("Concat", *(b.add("Unsqueeze", name, at) for name in names), axis=axis)


@rule("pad")
def _pad(b: Builder, step: Step) -> str:
    width: Any = step.params["width"] or ()
    ends = [int(n) for k in (0, 1) for n in (pair[k] for pair in width)]
    values = np.unique(step.params["value"])
    if len(values) > 1:
        raise step.failed("its ends have values of their own")
    value = step.number(values[0])
    return b.add("Pad", step.cast(), b.whole(*ends), value) if ends else step.cast()


@rule("tril", "triu")
def _triangle(b: Builder, step: Step) -> str:
    if step.input().rank < 2:
        raise step.failed("it makes a matrix of a vector")
    upper = int(step.name == "triu")
    return b.add("Trilu", step.cast(), b.constant(int(step.params["k"])), upper=upper)
