"""A scene in Mermaid's language, which GitHub and many Markdown pages show as a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tinygrad_bp.draw.scene import Arrow, Box, Scene, printable
from tinygrad_bp.draw.themes import Theme, theme_named

_SHAPES = {
    "input": ("([", "])"),
    "constant": ("[", "]"),
    "parameter": ("[", "]"),
    "saved": (">", "]"),
    "module": ("[[", "]]"),
    "fold": ("[[", "]]"),
}
_LINES = {"backward": "-.->", "saved": "-.-", "part": "---"}
# What may mean something: all signs but a few, and what begins a list or is emphasis in Markdown.
_SPECIAL = re.compile(r"[^\w\s(),:=/.-]|\b_|_\b|^\s*\d+\.(?=\s)|^\s*-")


def to_mermaid(scene: Scene, theme: str = "light") -> str:
    """Write a scene as a flowchart.

    Parameters
    ----------
    scene : Scene
    theme : {"light", "dark"}
    """
    look = theme_named(theme)
    base = "dark" if theme == "dark" else "base"
    lines = [
        f'%%{{init: {{"theme": "{base}"}}}}%%',
        f"flowchart {'RL' if scene.sideways else 'TB'}",
    ]
    lines += _inside(scene, "", "    ")
    lines += [f"    {_arrow(arrow)}" for arrow in scene.arrows]
    lines += _classes(scene, look)
    lines += _frames(scene, look)
    for k, arrow in enumerate(scene.arrows):
        if "color" in (state := look.states.get(arrow.state, {})):
            lines.append(f"    linkStyle {k} stroke:{state['color']}")
    return "\n".join(lines) + "\n"


def _inside(scene: Scene, frame: str, indent: str) -> Iterator[str]:
    """What lies in a frame, with the frames in it."""
    for box in scene.boxes.values():
        if box.frame == frame:
            yield indent + _box(box)
    for inner in scene.frames.values():
        if inner.parent == frame:
            yield f'{indent}subgraph {inner.key}["{shown(inner.title)}"]'
            yield from _inside(scene, inner.key, indent + "    ")
            yield f"{indent}end"


def _box(box: Box) -> str:
    first, last = _SHAPES.get(box.role, ("(", ")"))
    lines = (*box.lines, *box.numbers, *box.gradient, *box.marks)
    text = "<br/>".join([f"<b>{shown(box.title)}</b>", *map(shown, lines)])
    return f'{box.key}{first}"{text}"{last}:::{box.state or box.role}'


def _arrow(arrow: Arrow) -> str:
    position = "" if arrow.position is None else str(arrow.position)
    label = ": ".join(part for part in (position, arrow.label) if part)
    text = f'|"{shown(label)}"|' if label else ""
    return f"{arrow.tail} {_LINES.get(arrow.state, '-->')}{text} {arrow.head}"


def _classes(scene: Scene, look: Theme) -> Iterator[str]:
    """The colours of the roles and states that are there."""
    roles = {box.role for box in scene.boxes.values() if not box.state}
    states = {box.state for box in scene.boxes.values()}
    for name, role in look.roles.items():
        if name in roles:
            dashed = ",stroke-dasharray:4" if "dashed" in role["style"] else ""
            width = ",stroke-width:3px" if "peripheries" in role else ""
            yield (
                f"    classDef {name} fill:{role['fillcolor']},stroke:{role['color']},"
                f"color:{look.ink}{dashed}{width}"
            )
    for name, state in look.states.items():
        if name in states:
            fill, ink = state.get("fillcolor", look.background), state.get("fontcolor", look.ink)
            yield (
                f"    classDef {name} fill:{fill},stroke:{state['color']},color:{ink},"
                "stroke-width:3px"
            )


def _frames(scene: Scene, look: Theme) -> Iterator[str]:
    """The colours of frames: those of calls, and those of rows of identical blocks."""
    for frame in scene.frames.values():
        style = look.frames[frame.times > 1]
        yield (
            f"    style {frame.key} fill:{style['fillcolor']},stroke:{style['color']},"
            f"color:{look.muted},stroke-width:{style['penwidth']}px"
        )


def shown(text: str) -> str:
    """Text with Mermaid's entity codes for what could mean something to it, or to HTML.

    Examples
    --------
    >>> shown('"a" <b>')
    '#34;a#34; #60;b#62;'
    """
    return _SPECIAL.sub(lambda found: "".join(f"#{ord(c)};" for c in found[0]), printable(text))
