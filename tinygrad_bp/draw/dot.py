"""A scene as DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tinygrad_bp.draw.scene import Box, Frame, Scene
from tinygrad_bp.errors import missing_extra

if TYPE_CHECKING:
    import graphviz

# Fills that differ in lightness as well as in hue, so that they stay apart in grey print and for
# the colour-blind.
_STYLE = {
    "operation": {"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff"},
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#f5c26b"},
    "input": {"shape": "box", "style": "filled", "fillcolor": "#a6d3f0"},
    "constant": {"shape": "box", "style": "filled", "fillcolor": "#ececec"},
    "output": {"shape": "box", "style": "rounded,filled,bold", "fillcolor": "#bfe3c0"},
}


def to_dot(scene: Scene) -> graphviz.Digraph:
    """Write a scene as DOT."""
    try:
        import graphviz
    except ImportError as error:  # a core dependency, but a trimmed installation may lack it
        raise missing_extra("graphviz", "draw", "draw") from error
    picture = graphviz.Digraph(
        graph_attr={"rankdir": "TB", "fontname": "Helvetica", "fontsize": "11", "ranksep": "0.35"},
        node_attr={
            "fontname": "Helvetica",
            "fontsize": "10",
            "height": "0.3",
            "margin": "0.12,0.06",
        },
        edge_attr={"fontname": "Helvetica", "fontsize": "8", "arrowsize": "0.6"},
    )
    boxes: dict[str, list[Box]] = {}
    for box in scene.boxes.values():
        boxes.setdefault(box.frame, []).append(box)
    frames: dict[str, list[Frame]] = {}
    for frame in scene.frames.values():
        frames.setdefault(frame.parent, []).append(frame)
    _put(picture, boxes, frames, "")
    for arrow in scene.arrows:
        position = {} if arrow.position is None else {"taillabel": str(arrow.position)}
        picture.edge(arrow.tail, arrow.head, **position)
    return picture


def _put(
    picture: graphviz.Digraph,
    boxes: dict[str, list[Box]],
    frames: dict[str, list[Frame]],
    frame: str,
) -> None:
    """Write what lies in a frame into a picture, or into a part of it."""
    for box in boxes.get(frame, ()):
        picture.node(box.key, label=label((box.title, *box.lines)), **_STYLE[box.role])
    for inner in frames.get(frame, ()):
        with picture.subgraph(name=f"cluster_{inner.key}") as part:
            part.attr(label=label([inner.title]), style="rounded", color="#7f7f7f")
            _put(part, boxes, frames, inner.key)


def label(lines: Iterable[str]) -> str:
    """Lines as a label that shows each character as it is, whatever it means in DOT or HTML."""
    import graphviz

    shown = (
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in lines
    )
    text: str = graphviz.nohtml("\\n".join(line.replace("\\", "\\\\") for line in shown))
    return text
