"""Marks: what is the matter with a box, in words.

Values and gradients that are not finite, gradients that are exactly 0, constants that were cut off
from a graph, parameters that several operations share, and parameters that nothing here uses.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.backward import Pass
from tinygrad_bp.draw.numbers import handed_on, repeated
from tinygrad_bp.draw.scene import Box, Frame, Scene, facts, printable

#: How the marks begin of what is likely to be wrong.
ALARMS = ("not finite", "gradient not finite", "dead", "failed")

#: So many unused parameters have boxes of their own; the others share one.
_APART = 6


def add_marks(scene: Scene, found: Pass | None = None) -> None:
    """Mark the boxes of a scene, and add the parameters that are not used in it.

    Parameters
    ----------
    scene : Scene
        Its boxes get the marks.
    found : Pass, optional
        The backward pass; without it nothing is said of gradients.
    """
    nodes = [node for box in scene.boxes.values() for node in box.nodes]
    uses = Counter(id(x) for node in nodes for x in node.sources if isinstance(x, Tensor))
    for box in scene.boxes.values():
        value, g = handed_on(box, found)
        if repeated(box):
            box.marks += tuple(_in_blocks(box.nodes, found))
            continue
        marks = [_not_finite(value, "")]
        if box.role == "parameter" and uses[id(box.tensor)] > 1:
            marks.append(f"shared: used {uses[id(box.tensor)]} times")
        if box.tensor is not None and not box.tensor.requires_grad and box.tensor._cut:
            marks.append(f"detached: {box.tensor._cut}")
        if g is not None:
            marks += [_not_finite(g, "gradient "), dead(g, box.role == "parameter")]
        box.marks += tuple(mark for mark in marks if mark)
    _add_unused(scene, nodes, uses)


def _in_blocks(nodes: Sequence[Node], found: Pass | None) -> Iterator[str]:
    """In how many blocks the matter is what, for an operation that is repeated."""
    gradients = [g for g in map(found.of, nodes) if g is not None] if found is not None else []
    for what, arrays in (("", [node.out for node in nodes]), ("gradient ", gradients)):
        count = sum(bool(_not_finite(x, what)) for x in arrays)
        if count:
            yield f"{what}not finite in {count} of {len(nodes)} blocks"
    count = sum(not np.any(g) for g in gradients)
    if count:
        yield f"dead: the gradient is 0 in {count} of {len(nodes)} blocks"


def _not_finite(value: Any, what: str) -> str:
    """How many elements are NaN or infinite."""
    if value is None or (isinstance(value, np.floating) and math.isfinite(value)):
        return ""  # a number by itself costs a third so: there may be a million in a row
    array = np.asarray(value)
    if array.dtype.kind not in "fc" or np.isfinite(array).all():
        return ""
    nan = int(np.count_nonzero(np.isnan(array)))
    infinite = int(np.count_nonzero(np.isinf(array)))
    kinds = " and ".join(f"{n} {kind}" for n, kind in ((nan, "NaN"), (infinite, "∞")) if n)
    return f"{what}not finite: {kinds} of {array.size}"


def dead(gradient: Any, parameter: bool = False) -> str:
    """How much of a gradient is exactly 0: elements, or the units whose part is 0 as a whole.

    A unit is a row of a parameter, and of other values what stands at one place of the last axis,
    over the whole batch.

    Examples
    --------
    >>> dead(np.zeros(3)), dead(np.array([0.0, 2.0]))
    ('dead: the gradient is 0', 'gradient 0 in 1 of 2 elements')
    >>> dead(np.array([[0.0, 1.0], [0.0, 0.0]])), dead(np.eye(3))
    ('gradient 0 in 1 of 2 units', '')
    """
    array = np.asarray(gradient)
    if not array.size:
        return ""
    alive = array != 0
    if not alive.any():
        return "dead: the gradient is 0"
    if alive.ndim > 1:
        alive = alive.any(axis=tuple(range(1, alive.ndim) if parameter else range(alive.ndim - 1)))
        unit = "row" if parameter else "unit"
    else:
        unit = "element"
    count = int(np.count_nonzero(~alive))
    return f"gradient 0 in {count} of {alive.size} {unit}s" if count else ""


def wrapped(text: str, width: int = 44) -> list[str]:
    """Text in lines, with all of its characters but blanks at the ends of lines.

    Examples
    --------
    >>> wrapped("detached: 'x' was cut off", 16)
    ["detached: 'x'", 'was cut off']
    """
    return textwrap.wrap(printable(text), width) or [text]


def _add_unused(scene: Scene, nodes: Iterable[Node], used: Mapping[int, int]) -> None:
    """Draw apart the parameters of the modules in the picture that no operation in it uses."""
    modes = {id(node.mode): node.mode for node in nodes}
    roots = {id(m): m for mode in modes.values() for m in mode.modules()[:1]}
    found: list[tuple[str, Tensor]] = []
    for root in roots.values():
        seen = {id(p) for _, p in found}
        found += [
            (name, p)
            for name, p in root.named_parameters()
            if id(p) not in used and id(p) not in seen
        ]
    if not found:
        return
    scene.frames["unused"] = Frame("unused", "not used here", "", None)
    shown = found if len(found) <= _APART else found[: _APART - 1]
    for k, (name, p) in enumerate(shown, 1):
        mark = "unused" + (f": {p._cut}" if p._cut else "" if p.requires_grad else ": frozen")
        scene.boxes[f"u{k}"] = Box(
            f"u{k}", "parameter", name, (facts(p.data),), "unused", None, p.data, p, marks=(mark,)
        )
    rest = found[len(shown) :]
    if rest:
        size = sum(p.data.size for _, p in rest)
        scene.boxes["u"] = Box(
            "u",
            "parameter",
            f"{len(rest)} more parameters",
            (f"{size} numbers",),
            "unused",
            marks=("unused",),
        )
