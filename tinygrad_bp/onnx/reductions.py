"""Rules of reductions and scans."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.table import Step, rule

_OPS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
    "norm": "ReduceL2",
}
_NEUTRAL = {"sum": 0, "max": -np.inf, "min": np.inf}


def reduced(b: Builder, op: str, name: str, axes: list[int], keepdims: bool) -> str:
    """A reduction over axes; until opset 17 all but ReduceSum have them as an attribute."""
    keep = int(bool(keepdims))
    if not axes:
        return b.add("Identity", name)
    if op == "ReduceSum" or b.opset >= 18:
        return b.add(op, name, b.whole(*axes), keepdims=keep)
    return b.add(op, name, axes=axes, keepdims=keep)


@rule(*_OPS)
def _reduction(b: Builder, step: Step) -> str:
    name, axes, keep = step.cast(), step.axes(step.params["axis"]), step.params["keepdims"]
    start = step.cast(1) if len(step.inputs) > 1 and step.inputs[1] is not None else None
    if step.name == "mean":
        return _mean(b, step, name, axes, keep)
    mask = step.params.get("where")
    if mask is not None:  # what is masked is replaced by what changes nothing
        name = b.add("Where", b.constant(mask, bool), name, step.number(_NEUTRAL[step.name]))
    out = reduced(b, _OPS[step.name], name, axes, keep)
    return out if start is None else b.add(step.name.capitalize(), out, start)


def _mean(
    b: Builder, step: Step, name: str, axes: list[int], keepdims: bool, less: float = 0
) -> str:
    """The mean of what a mask, if there is one, lets through; `less` of them are not counted."""
    mask, x = step.params.get("where"), step.input()
    if mask is None and not less:
        return reduced(b, "ReduceMean", name, axes, keepdims)
    if not x.fixed(axes):
        raise step.failed("it divides by a number that depends on the number of samples")
    if mask is None:
        counts = np.asarray(math.prod(x.shape[i] for i in axes))
    else:
        name = b.add("Where", b.constant(mask, bool), name, step.number(0))
        wide = tuple(n if x.fixed([i]) else 1 for i, n in enumerate(x.shape))
        counts = np.broadcast_to(mask, np.broadcast_shapes(mask.shape, wide))
        counts = counts.sum(axis=tuple(axes), keepdims=keepdims)
    return b.add("Div", reduced(b, "ReduceSum", name, axes, keepdims), step.number(counts - less))


@rule("var", "std")
def _deviation(b: Builder, step: Step) -> str:
    x, axes, keep = step.cast(), step.axes(step.params["axis"]), step.params["keepdims"]
    given = len(step.inputs) > 1 and step.inputs[1] is not None
    mean = step.cast(1) if given else _mean(b, step, x, axes, True)
    away = b.add("Sub", x, mean)
    value = _mean(b, step, b.add("Mul", away, away), axes, keep, step.params["ddof"])
    return b.add("Sqrt", value) if step.name == "std" else value


@rule("power_norm")
def _power_norm(b: Builder, step: Step) -> str:
    p, axes = step.params["p"], step.axes(step.params["axis"])
    powers = b.add("Pow", b.add("Abs", step.cast()), step.number(p))
    total = reduced(b, "ReduceSum", powers, axes, step.params["keepdims"])
    return b.add("Pow", total, step.number(1 / p))


@rule("cumsum")
def _cumsum(b: Builder, step: Step) -> str:
    return b.add("CumSum", step.cast(), b.constant(int(step.params["axis"])))


@rule("sum_to_shape", growing=True)
def _sum_to_shape(b: Builder, step: Step) -> str:
    lead = step.input().rank - step.out.rank
    axes = list(range(lead))
    name = reduced(b, "ReduceSum", step.cast(), axes, False) if axes else step.cast()
    ones = [i for i, n in enumerate(step.out.shape) if n == 1 != step.input().shape[lead + i]]
    return reduced(b, "ReduceSum", name, ones, True) if ones else name


@rule("argmax", "argmin")
def _position(b: Builder, step: Step) -> str:
    op = {"argmax": "ArgMax", "argmin": "ArgMin"}[step.name]
    axis, keep = _argument(step, 1, "axis"), bool(_argument(step, 3, "keepdims"))
    name = step.input().name
    if axis is None:
        name, axis = b.add("Reshape", name, b.whole(-1)), 0
        if keep:
            raise step.failed("it keeps the axes of all that it counts")
    return b.add(op, name, axis=int(axis), keepdims=int(keep))


def _argument(step: Step, at: int, name: str) -> Any:
    """An argument of a function that left no node: by its name, or by its place."""
    value = step.inputs[at] if at < len(step.inputs) else step.params.get(name)
    if isinstance(value, (int, np.integer, type(None))):
        return value
    raise step.failed(f"its {name} is no number")
