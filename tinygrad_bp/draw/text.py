"""A scene as lines of text for terminals, from what comes out back to what goes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tinygrad_bp.draw.scene import Arrow, Box, Scene, printable

_LEAVES = {"parameter", "input", "constant", "saved"}


def to_text(scene: Scene) -> str:
    """Write a scene as an indented tree.

    Each line is a box and what it is made of. What a box needs comes below it, and only after
    everything else that needs it: so each line is there once. A branch is indented; the oldest
    one goes on in the same column, so that a chain does not wander to the right.
    """
    if scene.sideways:
        return "\n".join([*_parts(scene), *map(printable, scene.notes)]) + "\n"
    used: dict[str, list[str]] = {}
    for arrow in _forward(scene):
        used.setdefault(arrow.tail, []).append(arrow.head)
    lines = _tree(scene, _below(scene, used))
    names = _names(scene)
    for key, box in scene.boxes.items():
        if box.role in _LEAVES and (facts := _facts(box)):
            lines.append(f"{names[key]}: {facts} ({box.role})")
    return "\n".join([*lines, *map(printable, scene.notes)]) + "\n"


def _below(scene: Scene, used: dict[str, list[str]]) -> dict[str, list[str]]:
    """The boxes below each box: those of which it is the nearest that leads to all their uses.

    This is the tree of dominators of the graph, seen from what comes out, which is below ``""``.
    """
    above: dict[str, str] = {}
    depth = {"": 0}
    below: dict[str, list[str]] = {"": []}
    for key in reversed(scene.boxes):
        if scene.boxes[key].role in _LEAVES:
            continue
        users = [user for user in dict.fromkeys(used.get(key, ())) if user in above]
        nearest = users[0] if users else ""
        for user in users[1:]:
            while nearest != user:
                if depth[nearest] >= depth[user]:
                    nearest = above[nearest]
                else:
                    user = above[user]
        above[key], depth[key] = nearest, depth[nearest] + 1
        below[key] = []
        below[nearest].append(key)
    return below


def _forward(scene: Scene) -> list[Arrow]:
    """The arrows without those that lay the backward pass over the graph."""
    return [arrow for arrow in scene.arrows if arrow.state != "backward"]


def _tree(scene: Scene, below: dict[str, list[str]]) -> list[str]:
    """The lines of the boxes that are no leaves."""
    names = _names(scene)
    into: dict[str, list[str]] = {}
    for arrow in _forward(scene):
        into.setdefault(arrow.head, []).append(names[arrow.tail])
    lines: list[str] = []
    waiting = [("", "", key) for key in reversed(below[""])]
    while waiting:
        first, indent, key = waiting.pop()
        box = scene.boxes[key]
        call = f"{names[key]} = {printable(box.title)}({', '.join(into.get(key, ()))})"
        place = " ".join(f"in {printable(title)}" for title in _around(scene, box.frame))
        lines.append(first + "  ".join(part for part in (call, _facts(box), place) if part))
        *branches, last = below[key] or [""]
        if last:
            waiting.append((indent, indent, last))
        waiting += [(f"{indent}├─ ", f"{indent}│  ", branch) for branch in reversed(branches)]
    return lines


def _around(scene: Scene, key: str) -> Iterator[str]:
    """The titles of the innermost frame around a box, and of those that stand for several."""
    frame, innermost = scene.frames.get(key), True
    while frame is not None:
        if frame.times > 1 or (innermost and frame.parent):
            yield frame.title
        frame, innermost = scene.frames.get(frame.parent), False


def _parts(scene: Scene) -> list[str]:
    """The lines of a tree of modules, each with its parts below."""
    below: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        below.setdefault(arrow.head, []).append(arrow.tail)
    inside = {arrow.tail for arrow in scene.arrows}
    lines: list[str] = []
    waiting = [("", "", key) for key in reversed(scene.boxes) if key not in inside]
    while waiting:
        first, indent, key = waiting.pop()
        box = scene.boxes[key]
        lines.append(
            first + "  ".join(part for part in (printable(box.title), _facts(box)) if part)
        )
        for k, part in enumerate(reversed(below.get(key, ()))):
            lead, rest = ("├─ ", "│  ") if k else ("└─ ", "   ")
            waiting.append((indent + lead, indent + rest, part))
    return lines


def _names(scene: Scene) -> dict[str, str]:
    """What boxes are called where they are used: leaves by title, if no other has the same."""
    titles = Counter(box.title for box in scene.boxes.values() if box.role in _LEAVES)
    return {
        key: printable(box.title)
        if box.role in _LEAVES and (titles[box.title] == 1 or not box.lines)
        else key
        for key, box in scene.boxes.items()
    }


def _facts(box: Box) -> str:
    return " · ".join(map(printable, (*box.lines, *box.numbers, *box.gradient, *box.marks)))
