"""`failure`: the graph of what had been computed when an error was raised, and what failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.core.tensor import recorded
from tinygrad_bp.draw.marks import wrapped
from tinygrad_bp.draw.numbers import in_figures
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import Arrow, Box, Scene
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
    theme, legend, budget
        As for `draw`.

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
    box.lines = tuple(wrapped(message))
    box.marks = (f"failed at {in_words(failed.place)}",)
    _show_inputs(scene, box)
    return to_dot(scene, theme, legend)


def _scene(failed: Failed, budget: int | None) -> tuple[Scene, Box]:
    """The scene of a graph and the box of what failed in it."""
    node = failed.node
    if failed.root is not None:
        scene = _read([failed.root], budget)
        box = _box_of(scene, node)
        if box is None:
            box = scene.boxes["failed"] = Box("failed", "operation", node.primitive.name)
        _add_passed(scene, failed.passed)
        return scene, box
    scene = _read([recorded(node.out, node)], budget)
    box = _box_of(scene, node)
    if box is None or len(box.nodes) > 1:
        inputs = [x for x in node.inputs if isinstance(x, Tensor) and x.node is not None]
        scene = _read(inputs, budget)
        box = scene.boxes["failed"] = Box("failed", "operation", node.primitive.name)
        for position, x in enumerate(node.sources):
            tail = _box_of(scene, x) if isinstance(x, Node) else None
            if tail is not None:
                where = position if len(node.sources) > 1 else None
                scene.arrows.append(Arrow(tail.key, box.key, where, source=x))
    box.role, box.value = "operation", None
    return scene, box


def _read(outputs: Sequence[Tensor], budget: int | None) -> Scene:
    """A scene of the graph behind tensors; of one that has been freed, what is left of it."""
    try:
        return read(outputs, budget=budget)
    except GraphError:
        scene = Scene()
        for k, node in enumerate(dict.fromkeys(t.node for t in outputs if t.node is not None), 1):
            if node.freed_at is not None:
                lines = (f"freed by the backward pass at {in_words(node.freed_at)}",)
                name = node.primitive.name
                scene.boxes[f"n{k}"] = Box(f"n{k}", "operation", name, lines, nodes=(node,))
        return scene


def _box_of(scene: Scene, node: Node) -> Box | None:
    """The box of a node."""
    for box in scene.boxes.values():
        if any(n is node for n in box.nodes):
            return box
    return None


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
