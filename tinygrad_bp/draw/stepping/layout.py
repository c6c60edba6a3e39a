"""The picture of the page: laid out by Graphviz, drawn here, so that a page can colour and fold it.

Boxes have sizes of our own and Graphviz sees no text, so a layout depends neither on fonts nor on
what things are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

from tinygrad_bp.draw.derivation.naming import Naming
from tinygrad_bp.draw.derivation.plain import plain
from tinygrad_bp.draw.render import layout
from tinygrad_bp.draw.scene import Box, Scene, printable
from tinygrad_bp.draw.stepping.naming import facts_of, is_literal, symbol_of

_LETTER = 7.0  # width of a character of a title
_LONGEST = 24  # characters of a title


class Look(NamedTuple):
    """What is written in a box, and its size in pixels."""

    title: str
    symbol: str
    facts: str
    width: float
    height: float


def picture(scene: Scene, naming: Naming) -> str:
    """A scene as the element `svg` of a page.

    Boxes have the ids ``box-n1``, arrows ``arrow-0``, frames ``frame-c1``.

    Raises
    ------
    MissingExtraError
        There is no Graphviz.
    """
    looks = {key: _look(box, naming) for key, box in scene.boxes.items()}
    laid_out = json.loads(layout(_dot(scene, looks), "json0"))
    *_, width, height = (float(x) for x in laid_out["bb"].split(","))
    places = {o["name"]: o for o in laid_out.get("objects", ())}
    parts = [
        _frame(scene, f.key, places[f"cluster_{f.key}"], height) for f in scene.frames.values()
    ]
    edges = {edge["id"]: edge["pos"] for edge in laid_out.get("edges", ())}
    for k, arrow in enumerate(scene.arrows):
        parts.append(
            f'<path class="arrow" id="arrow-{k}" data-tail="{arrow.tail}" '
            f'data-head="{arrow.head}" d="{_path(edges[f"e{k}"], height)}"/>'
        )
    for key, box in scene.boxes.items():
        x, y = (float(c) for c in places[key]["pos"].split(","))
        parts.append(_box(box, looks[key], x, height - y))
    for frame in scene.frames.values():  # above the arrows that come in
        parts.append(_title(scene, frame.key, places[f"cluster_{frame.key}"], height))
    inside = "\n".join(parts)
    return (
        f'<svg id="picture" role="group" aria-label="The graph" '
        f'viewBox="0 0 {width:g} {height:g}" data-width="{width:g}" data-height="{height:g}">\n'
        f"<defs>{_tip('tip-plain', 8)}{_tip('tip-on', 12)}{_tip('tip-back', 11)}</defs>"
        f'\n<g id="scene">\n{inside}\n</g></svg>'
    )


def _tip(name: str, size: int) -> str:
    """The tip of an arrow, at its end or its start."""
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}" '
        f'markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        '<path d="M0,1 L9,5 L0,9 z"/></marker>'
    )


def _look(box: Box, naming: Naming) -> Look:
    """Texts and size of a box."""
    title = printable(box.title)
    title = title if len(title) <= _LONGEST else title[: _LONGEST - 1] + "…"
    if is_literal(box):
        return Look(title, "", "", 20 + _LETTER * len(title), 26)
    symbol, facts = plain(symbol_of(naming, box).latex()), facts_of(box.value)
    width = max(34 + _LETTER * (len(title) + len(symbol)), 22 + 5.8 * len(facts), 132)
    return Look(title, symbol, facts, round(width), 52 if box.role == "constant" else 66)


def _dot(scene: Scene, looks: Mapping[str, Look]) -> str:
    """The scene in DOT, with sizes in place of texts."""
    lines = [
        "digraph {",
        'graph [rankdir=TB ranksep=0.42 nodesep=0.3 fontsize=12 fontname="Helvetica"]',
        'node [shape=box fixedsize=true label=""]',
        "edge [arrowsize=0.6]",
    ]
    inner: dict[str, list[str]] = {}
    for frame in scene.frames.values():
        inner.setdefault(frame.parent, []).append(frame.key)
    boxes: dict[str, list[str]] = {}
    for box in scene.boxes.values():
        boxes.setdefault(box.frame, []).append(box.key)
    beside = _beside(scene)
    open_frames = [("", False)]
    while open_frames:  # modules may be nested deeper than Python's stack
        key, done = open_frames.pop()
        if done:
            lines.append("}")
            continue
        if key:
            length = min(60, len(printable(scene.frames[key].title)) + 3)
            lines.append(f'subgraph cluster_{key} {{ margin=10 labeljust=l label="{"n" * length}"')
            open_frames.append((key, True))
        for name in boxes.get(key, ()):
            look = looks[name]
            lines.append(f"{name} [width={look.width / 72:.4f} height={look.height / 72:.4f}]")
        lines += [f"{{ rank=same {' '.join(row)} }}" for row in beside.get(key, ())]
        open_frames += [(k, False) for k in reversed(inner.get(key, ()))]
    right = {leaf for rows in beside.values() for row in rows for leaf in row[2::2]}
    for k, a in enumerate(scene.arrows):  # what was computed runs straight, what goes in beside it
        weight = 1 if scene.boxes[a.tail].node is None else 4
        flip = a.tail in right and scene.boxes[a.head].frame == scene.boxes[a.tail].frame
        ends = f"{a.head} -> {a.tail}" if flip else f"{a.tail} -> {a.head}"
        lines.append(f'{ends} [id="e{k}" weight={weight}{" dir=back" if flip else ""}]')
    return "\n".join([*lines, "}"])


def _beside(scene: Scene) -> dict[str, list[list[str]]]:
    """What lies in a row with the operation that takes it first, so that modules stay flat.

    These are parameters and constants; the rows are given by the frames that they lie in.
    """
    rows: dict[str, list[str]] = {}
    first = {arrow.tail: arrow.head for arrow in reversed(scene.arrows)}
    for key in filter(first.get, scene.boxes):
        leaf, taker = scene.boxes[key], scene.boxes[first[key]]
        small = leaf.node is None and leaf.role in ("parameter", "constant")
        if small and leaf.frame == taker.frame:
            rows.setdefault(taker.key, [taker.key]).append(leaf.key)
    found: dict[str, list[list[str]]] = {}
    for key, row in rows.items():
        found.setdefault(scene.boxes[key].frame, []).append(row)
    return found


def _path(pos: str, height: float) -> str:
    """A spline of Graphviz, to the tip of its arrow, as the path of an SVG."""
    words = [word.split(",") for word in pos.split()]
    points = [(float(x), height - float(y)) for *_, x, y in words]
    marks = {word[0]: points.pop(0) for word in words if len(word) == 3}
    if "s" in marks:  # written from head to tail, so that the tail is laid out to the right
        points.reverse()
    start, *rest = [f"{x:.5g},{y:.5g}" for x, y in (*points, *marks.values())]
    return f"M{start} C{' '.join(rest[:-1])} L{rest[-1]}"


def _frame(scene: Scene, key: str, place: Mapping[str, Any], height: float) -> str:
    """A call of a module: a rounded rectangle with a title, which folds it."""
    x0, y0, x1, y1 = (float(c) for c in place["bb"].split(","))
    title = escape(printable(scene.frames[key].title), quote=True)
    x, y, w, h = x0, height - y1, x1 - x0, y1 - y0
    return (
        f'<g class="frame" id="frame-{key}" data-key="{key}" role="button" tabindex="0" '
        f'aria-expanded="true" aria-label="module {title}" '
        f'data-x="{x:g}" data-y="{y:g}" data-w="{w:g}" data-h="{h:g}">'
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="9"/>'
        f'<text class="sum" x="{x + w / 2:g}" y="{y + 34:g}"></text></g>'
    )


def _title(scene: Scene, key: str, place: Mapping[str, Any], height: float) -> str:
    """The title of a frame; what lies below it takes the clicks."""
    x0, _, _, y1 = (float(c) for c in place["bb"].split(","))
    title = escape(printable(scene.frames[key].title))
    return (
        f'<text class="frame-title" id="title-{key}" x="{x0 + 10:g}" y="{height - y1 + 17:g}" '
        f'aria-hidden="true"><tspan class="sign">▾</tspan> {title}</text>'
    )


def _box(box: Box, look: Look, x: float, y: float) -> str:
    """A box about its middle; the page fills in the numbers."""
    w, h = look.width, look.height
    head = (
        f'<g class="box {box.role}" id="box-{box.key}" data-key="{box.key}" role="button" '
        f'tabindex="0" data-frame="{box.frame}" data-x="{x:g}" data-y="{y:g}" '
        f'data-h="{h:g}" transform="translate({x:g},{y:g})">'
        f'<rect x="{-w / 2:g}" y="{-h / 2:g}" width="{w:g}" height="{h:g}" '
        f'rx="{2 if box.role == "parameter" else 8}"/>'
    )
    title = escape(look.title)
    if not look.facts:
        return f'{head}<text class="literal" y="4">{title}</text></g>'
    left, right, top = -w / 2 + 10, w / 2 - 10, -h / 2
    return (
        f'{head}<text class="title" x="{left:g}" y="{top + 17:g}">{title}</text>'
        f'<text class="symbol" x="{right:g}" y="{top + 17:g}">{escape(look.symbol)}</text>'
        f'<text class="facts" x="{left:g}" y="{top + 31:g}">{escape(look.facts)}</text>'
        f'<text class="value" x="{left:g}" y="{top + 45:g}"></text>'
        f'<text class="gradient" x="{left:g}" y="{top + 59:g}"></text></g>'
    )
