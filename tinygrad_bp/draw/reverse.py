"""The backward pass in pictures: as a graph of its own, or laid over the forward one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.backward import Pass
from tinygrad_bp.draw.numbers import along_arrows, handed_on
from tinygrad_bp.draw.scene import Arrow, Box, Scene, facts


def over(scene: Scene, found: Pass) -> None:
    """Lay the backward pass over the scene of a graph: an arrow back along each that it takes.

    Boxes say so where several cotangents meet and are added. Widths go to the arrows back.
    """
    back = []
    for k in along_arrows(scene, found):
        arrow = scene.arrows[k]
        back.append(Arrow(arrow.head, arrow.tail, None, "backward", arrow.width))
        scene.arrows[k] = arrow._replace(width=None)
    scene.arrows += back
    for key, count in Counter(arrow.head for arrow in back).items():
        if count > 1:
            scene.boxes[key].gradient += (f"a sum of {count}",)
    scene.signs += ("dashed arrows: the backward pass",)


def alone(scene: Scene, found: Pass, outputs: Sequence[Tensor]) -> Scene:
    """Make a scene of the backward pass alone, of the scene of a graph.

    A box stands for the rules of an operation, or of all operations in a box of many: what goes in
    is the cotangent of what was made there, and what comes out are those of the inputs. Where
    several meet, a box adds them. In the end they are the gradients of the leaves.
    """
    arriving: dict[str, list[Arrow]] = {}
    for k in along_arrows(scene, found):
        arriving.setdefault(scene.arrows[k].tail, []).append(scene.arrows[k])
    result = Scene(frames=dict(scene.frames), notes=scene.notes, signs=scene.signs)
    starts = {id(t.node) for t in outputs}
    loss = outputs[0].name or "L" if len(outputs) == 1 else "L"
    for box in reversed(scene.boxes.values()):
        started = any(id(node) in starts for node in box.nodes)
        arrows = arriving.get(box.key, [])
        count = len(arrows) + started
        first = f"sum_{box.key}" if count > 1 else box.key
        if started:
            start = Box(f"start_{box.key}", "input", "1", (f"∂{loss}/∂{loss}",))
            result.boxes[start.key] = start
            result.arrows.append(Arrow(start.key, first))
        if count:
            for arrow in arrows:
                label = "" if arrow.position is None else f"of input {arrow.position}"
                back = Arrow(arrow.head, first, None, "", arrow.width, label, arrow.source)
                result.arrows.append(back)
            _add(result, box, found, first, loss)
    result.drop_empty_frames()
    return result


def _add(result: Scene, box: Box, found: Pass, first: str, loss: str) -> None:
    """Add the box of the rules of a box, or of the gradient of a leaf, and a sum before it."""
    value, g = handed_on(box, found)
    if first != box.key:
        result.boxes[first] = Box(first, "sum", "+", (), box.frame)
        result.arrows.append(Arrow(first, box.key))
    if box.nodes:
        name = box.title if box.node is None else box.node.primitive.name
        role, title = "operation", f"{name} backward"
    else:
        role, title = "output", derivative(loss, box.title)
    lines = box.lines if value is None else (facts(value),)
    lines += () if box.nodes else ("added to .grad",)
    result.boxes[box.key] = dataclasses.replace(
        box, role=role, title=title, lines=lines, value=g, numbers=(), marks=(), image=None
    )


def derivative(top: str, name: str) -> str:
    """The derivative of something by something.

    Examples
    --------
    >>> derivative("L", "x"), derivative("L", "0.weight")
    ('∂L/∂x', '∂L/∂(0.weight)')
    """
    return f"∂{top}/∂{name}" if name.isalnum() else f"∂{top}/∂({name})"
