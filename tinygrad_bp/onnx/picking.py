"""Rules of reading elements by an index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.onnx.builder import Builder, Value
from tinygrad_bp.onnx.shaping import stacked
from tinygrad_bp.onnx.table import Step, rule
from tinygrad_bp.onnx.tracing import same

_END = np.iinfo(np.int64).max


@rule("getitem", "gather", growing=True)
def _getitem(b: Builder, step: Step) -> str:
    index, other = (_spread(p["index"], step.input().rank) for p in (step.params, step.other))
    if any(isinstance(i, (bool, np.bool_)) for i in index):
        raise step.failed("a single truth value is no position")
    if [*map(_kind, index)] != [*map(_kind, other)]:
        raise step.failed("its index has another form for another number of samples")
    if step.input().name in b.parts:
        return _part(b, step, index)
    arrays = [k for k, i in enumerate(index) if _kind(i) == "array"]
    numbers = [k for k, i in enumerate(index) if _kind(i) == "number"]
    name = _basic(b, step, index, other, squeeze=not arrays)
    if not arrays:
        return name
    places = sorted([*arrays, *numbers])
    positions = _positions(b, step, [index[k] for k in places], [other[k] for k in places])
    if len(places) == 1:
        return b.add("Gather", name, positions[0], axis=places[0])
    # The axes that are picked from come first, and what was picked goes where the first of them
    # was: but to the front where others lie between them, as in NumPy.
    order = [*places, *(k for k in range(len(index)) if k not in places)]
    front = b.add("Transpose", name, perm=order) if order != sorted(order) else name
    at = b.whole(-1)
    together = b.add("Concat", *(b.add("Unsqueeze", p, at) for p in positions), axis=-1)
    out = b.add("GatherND", front, together)
    start, wide = places[0], step.out.rank - (len(index) - len(places))
    if places[-1] - start + 1 != len(places) or not start:
        return out
    axes = list(range(step.out.rank))
    return b.add(
        "Transpose", out, perm=[*axes[wide : wide + start], *axes[:wide], *axes[wide + start :]]
    )


def _kind(i: Any) -> str:
    """What an index is along an axis: a slice, a number, an array, or a new axis."""
    if i is None:
        return "new"
    if isinstance(i, slice):
        return "slice"
    return "array" if isinstance(i, (np.ndarray, list)) else "number"


def _spread(index: Any, rank: int) -> list[Any]:
    """An index as a list, in which slices stand for the ellipsis and for what is left out.

    An array of truth values becomes the positions of what is true.
    """
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if not np.isscalar(part) and _kind(part) == "array" and np.asarray(part).dtype == np.bool_:
            parts += np.nonzero(part)
        else:
            parts.append(part)
    used = sum(1 for i in parts if i is not None and i is not Ellipsis)
    rest = [slice(None)] * (rank - used)
    for k, part in enumerate(parts):
        if part is Ellipsis:
            return [*parts[:k], *rest, *parts[k + 1 :]]
    return [*parts, *rest]


@rule("embedding")
def _embedding(b: Builder, step: Step) -> str:
    return b.add("Gather", step.cast(0), b.cast(step.input(1).name, np.int64), axis=0)


@rule("sliding_window_view")
def _windows(b: Builder, step: Step) -> str:
    """Each element of a window is a slice of its own, and these are joined along a last axis."""
    name, sizes = step.cast(), list(step.input().shape)
    rank = len(sizes)
    for window, axis in zip(step.params["window"], step.params["axes"], strict=True):
        if not step.input().fixed([axis]):
            raise step.failed("its windows go along the samples")
        sizes[axis] = count = sizes[axis] - int(window) + 1
        at = b.whole(int(axis) % step.input().rank)
        parts = [
            b.add("Slice", name, b.whole(i), b.whole(i + count), at) for i in range(int(window))
        ]
        name = stacked(b, parts, rank)
        rank += 1
    return name


def _basic(b: Builder, step: Step, index: list[Any], other: list[Any], squeeze: bool) -> str:
    """Slices, whole numbers and new axes; an array of positions leaves its axis as it is."""
    value = step.input()
    cuts: list[tuple[int, int, int, int]] = []  # axis, start, end, step
    gone: list[int] = []
    new: list[int] = []
    axis = 0
    for mine, theirs in zip(index, other, strict=True):
        kind = _kind(mine)
        if kind == "new":
            new.append(axis - len(gone) + len(new))
            continue
        if kind == "slice":
            cuts += [(axis, *cut) for cut in _cut(step, value, axis, mine, theirs)]
        elif kind == "number" and squeeze:
            if not same(mine, theirs):
                raise step.failed(
                    "it reads a place that depends on values or the number of samples"
                )
            cuts.append((axis, int(mine), int(mine) + 1 or _END, 1))
            gone.append(axis)
        axis += 1
    name = value.name
    if cuts:
        axes, starts, ends, steps = (b.whole(*each) for each in zip(*cuts, strict=True))
        name = b.add("Slice", name, starts, ends, axes, steps)
    if gone:
        name = b.add("Squeeze", name, b.whole(*gone))
    return b.add("Unsqueeze", name, b.whole(*new)) if new else name


def _cut(
    step: Step, value: Value, axis: int, mine: slice, theirs: slice
) -> list[tuple[int, int, int]]:
    """Start, end and step of a slice; nothing where it takes the whole axis."""
    n, m = value.shape[axis], value.other[axis]
    here, there = mine.indices(n), theirs.indices(m)
    if here == (0, n, 1) and there == (0, m, 1):
        return []
    if not same(mine, theirs):
        raise step.failed("it reads a part that depends on values or the number of samples")
    by = here[2]
    first, last = (0, _END) if by > 0 else (_END, -_END)
    start = first if mine.start is None else int(mine.start)
    return [(start, last if mine.stop is None else int(mine.stop), by)]


def _positions(b: Builder, step: Step, index: list[Any], other: list[Any]) -> list[str]:
    """Arrays of positions, and numbers among them, broadcast to one shape."""
    shape, wide = (np.broadcast_shapes(*map(np.shape, each)) for each in (index, other))
    names = []
    for mine, theirs in zip(index, other, strict=True):
        name = step.value_of(mine)
        if name is not None:
            name = b.cast(name, np.int64)
        elif same(np.asarray(mine), np.asarray(theirs)):
            name = b.constant(mine, np.int64)
        else:
            name = b.repeated(mine, theirs)
        if name is None:
            raise step.failed("its positions depend on values in a way that was not recorded")
        if np.shape(mine) != shape or np.shape(theirs) != wide:
            name = b.add("Expand", name, b.sizes(shape, wide))
        names.append(name)
    return names


def _part(b: Builder, step: Step, index: list[Any]) -> str:
    """A part of what an LSTM gives, of which ONNX has some alone."""
    parts, picked = b.parts[step.input().name], [i for i in index if not same(i, slice(None))]
    if any(_kind(i) != "number" for i in picked):
        raise step.failed("of an LSTM, ONNX has all states, and of the cells the last")
    key = tuple(int(i) for i in picked)
    if len(key) > 1 and step.input().shape[len(key) - 1] - 1 == key[-1] >= 0:
        key = (*key[:-1], -1)
    found = {known[len(key) :]: name for known, name in parts.items() if known[: len(key)] == key}
    if () in found:
        return found[()]
    if not found:
        raise step.failed("of the cells of an LSTM, ONNX has the last ones alone")
    rest = b.fresh(f"{b.label}part")
    b.parts[rest] = found
    return rest
