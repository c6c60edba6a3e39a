"""`failure`: the graph of what had been computed when an error was raised, and what failed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.core.graph import NOTHING
from tinygrad_bp.core.tensor import recorded, wrap
from tinygrad_bp.draw.numbers import in_figures
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import Arrow, Box, Names, Scene, facts, nodes_behind
from tinygrad_bp.draw.traces import Failed, find
from tinygrad_bp.errors import GraphError, in_words

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture


def failure(
    error: BaseException, theme: str = "light", legend: bool = False, budget: int | None = 150
) -> Picture:
    """Draw the graph of what had been computed when an error was raised.

    The operation that failed is red, with the first line of the message, and above it is what led
    to it, with the values that went in. Where the backward pass failed, dashed arrows show how far
    it had come. An error that was raised in no operation is drawn with the newest tensors that were
    known where it was raised.

    Parameters
    ----------
    error : Exception
        What was caught, one of ours or any other, with its traceback; `sys.last_value` in an
        interactive session.
    theme, legend
        As for `draw`.
    budget : int or None, default 150
        How many boxes there may be, or so, before only the operations nearest to the one that
        failed are drawn.

    Returns
    -------
    Picture

    Raises
    ------
    GraphError
        No tensor was known where the error was raised.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    >>> try:
    ...     np.tanh(x) @ np.ones((4, 5))
    ... except tg.errors.ShapeError as error:
    ...     picture = tg.draw.failure(error)
    >>> [box.title for box in picture.scene.boxes.values() if box.state == "failed"]
    ['matmul']
    """
    from tinygrad_bp.draw.dot import to_dot

    failed = find(error)
    scene, box = _scene(failed, budget)
    what = str(error).partition("\n")[0]
    message = f"{type(error).__name__}: {what}" if what else type(error).__name__
    box.state = "failed"
    box.lines = (message,)
    box.marks = (f"failed at {in_words(failed.place)}",)
    _show_inputs(scene, box)
    return to_dot(scene, theme, legend)


def _scene(failed: Failed, budget: int | None) -> tuple[Scene, Box]:
    """The scene of a graph and the box of what failed in it."""
    node, beyond = failed.node, 0
    try:
        if failed.root is not None:
            scene = read([failed.root], budget=budget)
            _add_passed(scene, failed.passed)
        else:
            node, beyond = _nearest(node, budget)
            scene = read([recorded(node.out, node)], budget=None)
    except GraphError:  # some of it was freed
        scene = _remains(node)
    for box in scene.boxes.values():
        if any(n is node for n in box.nodes):
            break
    else:
        box = scene.boxes["failed"] = Box("failed", "operation", node.primitive.name)
    if beyond:
        scene.notes += (f"{beyond:,} operations before these are not drawn",)
    if failed.root is None:
        box.role, box.value = "operation", None  # nothing came out
    return scene, box


def _nearest(node: Node, budget: int | None) -> tuple[Node, int]:
    """A copy of the operations nearest to one, if there are too many, and how many are left out.

    With their inputs, operations take three boxes or so. What the older ones made is a constant.
    """
    nodes = nodes_behind([recorded(node.out, node)])
    kept = len(nodes) if budget is None or len(nodes) <= budget else max(1, budget // 3)
    if kept == len(nodes):
        return node, 0
    copies: dict[int, Any] = {}
    for old in nodes[-kept:]:
        twin = copies[id(old)] = copy.copy(old)
        sources = []
        for x in old.sources:
            if isinstance(x, Node) and id(x) not in copies:
                copies[id(x)] = wrap(x.out)
                copies[id(x)].name = f"… {x.primitive.name}"
            sources.append(copies.get(id(x), x))
        twin.x, twin.y, *rest = (*sources, NOTHING, NOTHING)
        twin.rest = tuple(rest[: max(0, len(sources) - 2)])
    return copies[id(node)], len(nodes) - kept


def _remains(node: Node) -> Scene:
    """A scene of an operation and its inputs alone, behind which the graph was freed."""
    scene, names = Scene(), Names([node])
    for position, x in enumerate(node.sources):
        key = f"v{position}"
        if isinstance(x, Node):
            freed = x.freed_at is not None
            line = f"freed by {in_words(x.freed_at)}" if freed else facts(x.out)
            scene.boxes[key] = Box(key, "operation", x.primitive.name, (line,), nodes=(x,))
        else:
            scene.boxes[key] = names.box(key, x)
        where = position if len(node.sources) > 1 else None
        scene.arrows.append(Arrow(key, "n1", where, source=x))
    scene.boxes["n1"] = Box("n1", "operation", node.primitive.name, nodes=(node,))
    return scene


def _add_passed(scene: Scene, passed: Sequence[Node]) -> None:
    """Arrows back along which the backward pass came, to the node that failed."""
    there = {id(node) for node in passed}
    reached = {
        (box.key, id(x))
        for box in scene.boxes.values()
        for node in box.nodes
        if id(node) in there
        for x in node.sources
        if id(x) in there
    }
    scene.arrows += [
        Arrow(arrow.head, arrow.tail, state="backward")
        for arrow in scene.arrows
        if (arrow.head, id(arrow.source)) in reached
    ]


def _show_inputs(scene: Scene, box: Box) -> None:
    """Write the values on what goes into a box."""
    for arrow in scene.arrows:
        tail = scene.boxes[arrow.tail]
        if arrow.head == box.key and arrow.state != "backward" and not tail.numbers:
            value = tail.value if tail.node is None else tail.node.out
            if isinstance(value, (np.ndarray, np.generic)):
                tail.numbers = in_figures(value)
