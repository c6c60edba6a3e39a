"""A scene as DOT, the language of Graphviz."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Mapping

from tinygrad_bp.draw.marks import ALARMS, wrapped
from tinygrad_bp.draw.picture import Picture
from tinygrad_bp.draw.scene import Arrow, Box, Frame, Scene, printable
from tinygrad_bp.draw.themes import ROLES, Theme, theme_named
from tinygrad_bp.draw.thumbnails import size_of

#: What stands beside the way of what is computed.
_SIDE = {"parameter", "constant", "saved"}
_ACROSS = 4  # boxes of the legend side by side


def to_dot(scene: Scene, theme: str = "light", legend: bool = False) -> Picture:
    """Write a scene as DOT.

    Parameters
    ----------
    scene : Scene
    theme : {"light", "dark"}
    legend : bool, default False
        Whether a corner of the picture says what the roles in it look like.
    """
    look = theme_named(theme)
    over = any(arrow.state == "backward" for arrow in scene.arrows)
    picture = Picture(
        graph_attr={
            "rankdir": "RL" if scene.sideways else "TB",
            "bgcolor": look.background,
            "fontname": "Helvetica",
            "fontsize": "10",
            "fontcolor": look.muted,
            "nodesep": "0.25",
            "ranksep": "0.35",
            "labeljust": "l",
            "pad": "0.2",
            "outputorder": "edgesfirst",  # so that no wide arrow reaches into a title
        },
        node_attr={
            "fontname": "Helvetica",
            "fontsize": "10",
            "fontcolor": look.ink,
            "height": "0.3",
            "margin": "0.12,0.06",
        },
        edge_attr={
            "fontname": "Helvetica",
            "fontsize": "8",
            "fontcolor": look.muted,
            "color": look.line,
            "arrowsize": "0.6",
            # Positions beside arrows, and neither on them nor on those that go back, to the right.
            "labelangle": "45" if over else "-45",
            "labeldistance": "1.6",
        },
    )
    if scene.notes or scene.signs:
        lines = "<BR/>".join(shown(note) for note in (*scene.notes, *scene.signs))
        picture.graph_attr.update(label=f"<{lines}>", labelloc="b", labeljust="c")
    picture.body += _frame(scene, look)
    picture.body += [_arrow(arrow, scene, look) for arrow in scene.arrows]
    picture.body += _order(scene)
    if legend:
        picture.body += _legend(scene, look)
    picture.scene, picture.theme = scene, theme
    return picture


def _frame(scene: Scene, look: Theme) -> Iterator[str]:
    """The lines of all boxes, each within its frames."""
    boxes: dict[str, list[Box]] = {}
    for box in scene.boxes.values():
        boxes.setdefault(box.frame, []).append(box)
    frames: dict[str, list[Frame]] = {}
    for frame in scene.frames.values():
        frames.setdefault(frame.parent, []).append(frame)

    parameters = {(a.tail, a.head) for a in scene.arrows if scene.boxes[a.tail].role == "parameter"}
    several = Counter(head for _, head in parameters)
    if any(arrow.state == "backward" for arrow in scene.arrows):
        several.clear()  # Graphviz loses arrows that go back between things in a set order

    def inside(key: str, indent: str) -> Iterator[str]:
        for box in boxes.get(key, ()):
            attributes = _box(box, look)
            if several[box.key] > 1:
                attributes["ordering"] = "in"  # the weight to the left of the bias
            yield f"{indent}{box.key} [{_attributes(attributes)}]\n"
        for inner in frames.get(key, ()):
            attributes = {
                "label": f"<{shown(inner.title)}>",
                "labeljust": "l",
                "labelloc": "t",
                **look.frames[inner.times > 1],
            }
            yield f"{indent}subgraph cluster_{inner.key} {{\n"
            yield f"{indent}\tgraph [{_attributes(attributes)}]\n"
            yield from inside(inner.key, indent + "\t")
            yield f"{indent}}}\n"

    return inside("", "\t")


def _box(box: Box, look: Theme) -> dict[str, str]:
    failed = box.state == "failed"  # with a message that may be long
    lines = [f"<B>{shown(box.title)}</B>"]
    facts = [part for line in box.lines for part in wrapped(line)] if failed else box.lines
    lines += [_small(line) for line in (*facts, *box.numbers)]
    lines += [_small(line, look.gradient) for line in box.gradient]
    state = look.states[box.state] if box.state else {}
    plain = len(lines) == 1 and not box.marks and not box.image
    label = lines[0] if plain else _table(box, lines, look)
    return {"label": f"<{label}>", **look.roles[box.role], **state}


def _table(box: Box, lines: list[str], look: Theme) -> str:
    """A label with a place for a thumbnail, which `render.layout` fills, and with badges."""
    cells = [f"<TD>{line}</TD>" for line in lines]
    if box.image:
        width, height = size_of(box.image)
        cells.append(
            f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}" ID="image_{box.key}"></TD>'
        )
    for mark in box.marks:
        fill = look.states["failed"]["color"] if mark.startswith(ALARMS) else look.ink
        text = "<BR/>".join(_small(line, look.background) for line in wrapped(mark))
        cells.append(f'<TD BGCOLOR="{fill}" STYLE="ROUNDED" CELLPADDING="2">{text}</TD>')
    rows = "".join(f"<TR>{cell}</TR>" for cell in cells)
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="0">{rows}</TABLE>'


def _small(line: str, color: str = "") -> str:
    colored = f' COLOR="{color}"' if color else ""
    return f'<FONT POINT-SIZE="8.5"{colored}>{shown(line)}</FONT>'


def _arrow(arrow: Arrow, scene: Scene, look: Theme) -> str:
    attributes: dict[str, str] = {}
    if scene.boxes[arrow.tail].role not in _SIDE:
        attributes["weight"] = "4"  # so that what is computed flows straight down
    label = arrow.label
    if arrow.position is not None:
        if len(label) > 2:  # on a short arrow it would lie on the position
            label = f"{arrow.position}: {label}"
        else:
            attributes["headlabel"] = str(arrow.position)
    if label:
        beside = "&#160;" if len(label) > 2 else ""  # and not on the line
        attributes["label"] = f"<{beside}{shown(label)}>"
    if arrow.width is not None:
        attributes["penwidth"] = f"{0.6 + 3.4 * arrow.width:.3g}"
    if arrow.state:
        attributes |= look.states[arrow.state]
        attributes |= {"style": "dashed"} if arrow.state == "removed" else {}
        if arrow.label and "color" in attributes:
            attributes["fontcolor"] = attributes["color"]
    listed = f" [{_attributes(attributes)}]" if attributes else ""
    return f"\t{arrow.tail} -> {arrow.head}{listed}\n"


def _order(scene: Scene) -> Iterator[str]:
    """Lines that nobody sees, which put parameters below what a layer takes.

    Without them a layer would begin beside the one before it, and layers would go down like stairs.
    """
    into: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        if arrow.state != "backward":
            into.setdefault(arrow.head, []).append(arrow.tail)
    for tails in into.values():
        boxes = [scene.boxes[tail] for tail in dict.fromkeys(tails)]
        for side in boxes:
            if side.role in _SIDE and side.frame:
                for box in boxes:
                    if box.frame != side.frame:
                        yield f"\t{box.key} -> {side.key} [style=invis]\n"


def _legend(scene: Scene, look: Theme) -> Iterator[str]:
    """One box for each role that the scene has."""
    there = {box.role for box in scene.boxes.values()}
    yield "\tsubgraph cluster_legend {\n"
    attributes = {
        "label": "<legend>",
        "labelloc": "t",
        "labeljust": "l",
        "style": "dashed",
        "color": look.line,
    }
    yield f"\t\tgraph [{_attributes(attributes)}]\n"
    keys = [f"legend_{role}" for role in ROLES if role in there]
    for key in reversed(keys):  # Graphviz begins at the right
        role = key.removeprefix("legend_")
        box = Box(key, role, ROLES[role])
        yield f"\t\t{key} [{_attributes(_box(box, look))}]\n"
    for above, below in zip(keys, keys[_ACROSS:], strict=False):  # few rows, for those are as high
        yield f"\t\t{above} -> {below} [style=invis]\n"  # as those of the picture
    yield "\t}\n"


def _attributes(values: Mapping[str, str]) -> str:
    """Attributes as DOT; labels are markup in angle brackets, and the rest is quoted."""
    return " ".join(
        f"{key}={value}" if value.startswith("<") else f'{key}="{value}"'
        for key, value in values.items()
    )


def shown(text: str) -> str:
    """Text as markup that shows each character as it is, whatever it means in DOT or HTML.

    Examples
    --------
    >>> shown('<b> "a" & b')
    '&lt;b&gt; &quot;a&quot; &amp; b'
    """
    # Two for each backslash, of which dot makes one; after one, an N would be the name of the box.
    escaped = html.escape(printable(text)).replace("\\", "&#92;&#92;")
    return escaped.replace("  ", "&#160;&#160;") if escaped.strip() else "&#160;" * len(text)
