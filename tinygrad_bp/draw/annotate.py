"""What `draw` writes on a scene when asked: values, gradients, marks, thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_bp.core import Tensor, record_grads
from tinygrad_bp.core.mode import Returning
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.marks import add_marks
from tinygrad_bp.draw.numbers import add_gradients, add_values, add_widths
from tinygrad_bp.draw.reverse import alone, derivative, over
from tinygrad_bp.draw.scene import Frame, Scene, short
from tinygrad_bp.draw.thumbnails import add_thumbnails
from tinygrad_bp.errors import ArgumentError, in_words, nearest, user_line


def annotate(
    scene: Scene,
    outputs: Sequence[Tensor],
    values: bool = False,
    gradients: bool | record_grads = False,
    backward: str | None = None,
    image_shape: tuple[int, int] | None = None,
) -> Scene:
    """Write on a scene of the graph behind tensors what `draw` was asked for.

    Parameters
    ----------
    scene : Scene
    outputs : sequence of Tensor
        What it is the scene of.
    values, gradients, backward, image_shape
        As for `draw`.

    Returns
    -------
    Scene
        The same, or of the backward graph alone.

    Raises
    ------
    ArgumentError
        An option has a value that it cannot have.
    ShapeError
        A gradient is wanted of a value with several elements.
    """
    _check(gradients, backward)
    tape = gradients if isinstance(gradients, record_grads) else None
    found = None
    if gradients is not False or backward is not None:
        found = pull_back(outputs, tape)
    add_names(scene, outputs)
    add_passes(scene)
    if values:
        add_values(scene)
    if found is not None and gradients is not False:
        add_gradients(scene, found)
        add_widths(scene, found)
        add_marks(scene, found)
    else:
        add_marks(scene)
    if found is not None and backward == "over":
        over(scene, found)
    if found is not None and backward == "alone":
        scene = alone(scene, found, outputs)
    if image_shape is not None:
        add_thumbnails(scene, image_shape)
    return scene


def _check(gradients: Any, backward: Any) -> None:
    """Options that make sense, or an error."""
    if backward not in (None, "over", "alone"):
        raise ArgumentError(
            f"draw cannot draw the backward pass {backward!r} (at {user_line()}): "
            f"{nearest(backward, ('over', 'alone'))}\nFix: 'over' the graph, 'alone', or None."
        )
    if not isinstance(gradients, (bool, record_grads)):
        raise ArgumentError(
            f"gradients is {short(gradients)} (at {user_line()}).\n"
            "Fix: True, False, or the tape of `with record_grads() as tape:`."
        )


def add_names(scene: Scene, outputs: Sequence[Tensor]) -> None:
    """Write on boxes the names of outputs, and of which leaf they are the gradient.

    Of a backward pass with ``create_graph=True``, the gradients that leaves hold are in the graph.
    """
    names: dict[int, str] = {id(t.node): t.name for t in outputs if t.name}
    for box in scene.boxes.values():
        grad = None if box.tensor is None or box.tensor.node is not None else box.tensor.grad
        if grad is not None and grad.node is not None:
            names.setdefault(id(grad.node), derivative("L", box.title))
    for box in scene.boxes.values():
        if box.node is not None and id(box.node) in names:
            box.title = f"{names[id(box.node)]} = {box.title}"


def add_passes(scene: Scene) -> None:
    """Put what a backward pass recorded, for derivatives of higher order, into a frame."""
    frames: dict[tuple[int, str], str] = {}
    for box in scene.boxes.values():
        mode = box.nodes[0].mode if box.nodes else None
        if isinstance(mode, Returning) and box.nodes[-1].mode is mode:
            key = frames.setdefault((id(mode), box.frame), f"b{len(frames) + 1}")
            if key not in scene.frames:
                place = in_words((box.nodes[0].code, box.nodes[0].instruction, ""))
                title = f"backward pass at {place}"
                scene.frames[key] = Frame(key, title, box.frame, None)
            box.frame = key
    heads: dict[str, set[str]] = {}
    for arrow in scene.arrows:
        heads.setdefault(arrow.tail, set()).add(scene.boxes[arrow.head].frame)
    for box in scene.boxes.values():
        there = heads.get(box.key, set())
        if box.role == "constant" and len(there) == 1 and there <= set(frames.values()):
            (box.frame,) = there
