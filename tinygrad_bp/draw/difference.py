"""`difference`: two graphs in one picture, with what is only in one of them, and what changed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.scene import Arrow, Box, Scene
from tinygrad_bp.errors import ArgumentError, user_line

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture

_OLD = "old_"  # what keys of removed boxes and frames begin with
_MINUS = "\N{MINUS SIGN}"
_WORDS = {
    "added": "added (+)",
    "removed": f"removed ({_MINUS})",
    "changed": "changed",
    "same": "the same",
}

#: Keys of boxes that belong together.
Pairs = list[tuple[str, str]]


def difference(
    before: Any, after: Any, theme: str = "light", legend: bool = False, **options: Any
) -> Picture:
    """Draw two graphs as one: what was added is green, removed red, changed blue, the rest pale.

    Added boxes are marked + as well, and removed ones −, and what has changed says what it was.
    Operations are matched in the order in which they came to be, first those that are alike in
    everything, then, between those, others of the same kind; what goes in, by where it goes in.

    Parameters
    ----------
    before, after : Tensor, sequence of Tensor, or Picture
        The graphs. A picture may be one that was drawn before the graph was freed.
    theme, legend
        As for `draw`.
    **options
        Passed on to `draw` for tensors, as ``level="module"``.

    Returns
    -------
    Picture

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> picture = tg.draw.difference((x * 2.0).sum(), np.tanh(x * 2.0).sum())
    >>> [(box.state, box.title) for box in picture.scene.boxes.values() if box.state != "same"]
    [('added', '+ tanh')]
    """
    from tinygrad_bp.draw.dot import to_dot

    scenes = [_scene(graph, options) for graph in (before, after)]
    return to_dot(merged(*scenes), theme, legend)


def _scene(graph: Any, options: dict[str, Any]) -> Scene:
    from tinygrad_bp.draw.graph import draw
    from tinygrad_bp.draw.picture import Picture

    if isinstance(graph, Picture):
        return graph.scene
    tensors = [graph] if isinstance(graph, Tensor) else graph
    if not isinstance(tensors, (list, tuple)) or not all(isinstance(t, Tensor) for t in tensors):
        raise ArgumentError(
            f"difference compares graphs, not a {type(graph).__name__} (at {user_line()}).\n"
            "Fix: pass a tensor, a list of tensors, or a picture that draw made."
        )
    return draw(*tensors, **options).scene


def merged(before: Scene, after: Scene) -> Scene:
    """A scene of two, with the states of boxes and arrows."""
    operations = _operations(before, after)
    leaves = _leaves(before, after, operations)
    result = Scene(sideways=after.sideways)
    frames = _merge_frames(before, after, operations, result)
    keys: dict[str, str] = {}  # of boxes in the result, by those in the first scene
    boxes: list[Box] = []
    for old, new in (*_in_order(before, after, operations), *leaves):
        if old and new:
            box = _compared(before.boxes[old], after.boxes[new])
        elif new:
            box = _marked(after.boxes[new], "added", "+")
        else:
            box = _marked(before.boxes[old], "removed", _MINUS)
            box.key, box.frame = _OLD + old, frames.get(box.frame, "")
        keys[old] = box.key
        boxes.append(box)
    _merge_arrows(before, after, keys, result)
    _put(boxes, result)
    result.drop_empty_frames()
    counted = Counter(box.state for box in boxes)
    result.notes = (", ".join(f"{counted[state]} {words}" for state, words in _WORDS.items()),)
    return result


def _operations(before: Scene, after: Scene) -> Pairs:
    """The operations that are the same, or the same but changed, in both orders."""
    old = [box for box in before.boxes.values() if box.nodes]
    new = [box for box in after.boxes.values() if box.nodes]
    gaps = [(0, len(old), 0, len(new))]
    pairs: list[tuple[int, int]] = []
    for token in _TOKENS:
        a, b = [token(before, box) for box in old], [token(after, box) for box in new]
        for i0, i1, j0, j1 in gaps:
            matcher = SequenceMatcher(None, a[i0:i1], b[j0:j1], autojunk=False)
            for i, j, size in matcher.get_matching_blocks():
                pairs += [(i0 + i + k, j0 + j + k) for k in range(size)]
        pairs.sort()
        ends = [(-1, -1), *pairs, (len(old), len(new))]
        gaps = [
            (i0 + 1, i1, j0 + 1, j1)
            for (i0, j0), (i1, j1) in pairwise(ends)
            if i1 > i0 + 1 and j1 > j0 + 1
        ]
    return [(old[i].key, new[j].key) for i, j in pairs]


def _leaves(before: Scene, after: Scene, operations: Pairs) -> Pairs:
    """All other boxes: those that go into the same operation at the same place are the same.

    Then those of which role and name are the same. What is left has no counterpart.
    """
    old = {key: box for key, box in before.boxes.items() if not box.nodes}
    new = {key: box for key, box in after.boxes.items() if not box.nodes}
    there = dict(operations)
    uses = {(a.head, a.position, a.state): a.tail for a in after.arrows if a.tail in new}
    found = []
    for arrow in before.arrows:
        tail = uses.get((there.get(arrow.head, ""), arrow.position, arrow.state), "")
        if arrow.tail in old and tail in new and old[arrow.tail].role == new[tail].role:
            found.append((arrow.tail, tail))
            del old[arrow.tail], new[tail]
    for token in _TOKENS:
        known: dict[Any, list[str]] = {}
        for key, box in new.items():
            known.setdefault(token(after, box), []).append(key)
        for key, box in list(old.items()):
            alike = known.get(token(before, box))
            if alike:
                found.append((key, alike.pop(0)))
                del old[key], new[found[-1][1]]
    return [*found, *((key, "") for key in old), *(("", key) for key in new)]


def _all(scene: Scene, box: Box) -> tuple[Hashable, ...]:
    titles, key = [], box.frame
    while key:
        titles.append(scene.frames[key].title)
        key = scene.frames[key].parent
    return (_role(box), box.title, box.lines, tuple(titles))


def _alike(scene: Scene, box: Box) -> tuple[Hashable, ...]:
    return (*_named(scene, box), box.lines)


def _placed(scene: Scene, box: Box) -> tuple[Hashable, ...]:
    role, title, _, frames = _all(scene, box)
    return (role, _class(box, str(title)), frames)


def _named(scene: Scene, box: Box) -> tuple[Hashable, ...]:
    """What remains where other layers come before it: the title without the path of a module."""
    title = box.title.rpartition(".")[2] if box.role == "parameter" else box.title
    return (_role(box), _class(box, title.rpartition(": ")[2]))


def _class(box: Box, title: str) -> str:
    """The title of a module without what it was made with."""
    return title.partition("(")[0] if box.role == "module" else title


_TOKENS = (_all, _alike, _placed, _named)


def _role(box: Box) -> str:
    return "operation" if box.role == "output" else box.role


def _in_order(before: Scene, after: Scene, pairs: Pairs) -> Iterator[tuple[str, str]]:
    """The keys of operations in an order that goes with both scenes; empty for what is in one."""
    old = (key for key, box in before.boxes.items() if box.nodes)
    new = (key for key, box in after.boxes.items() if box.nodes)
    for i, j in (*pairs, ("", "")):
        yield from ((key, "") for key in iter(lambda: next(old, ""), i))
        yield from (("", key) for key in iter(lambda: next(new, ""), j))
        if i:
            yield i, j


def _put(boxes: Sequence[Box], result: Scene) -> None:
    """Put boxes into a scene: operations as they come, each with what else goes into it before."""
    others = {box.key: box for box in boxes if not box.nodes}
    into: dict[str, list[str]] = {}
    for arrow in result.arrows:
        into.setdefault(arrow.head, []).append(arrow.tail)
    for box in boxes:
        if box.nodes:
            for tail in into.get(box.key, ()):
                if tail in others:
                    result.boxes[tail] = others.pop(tail)
            result.boxes[box.key] = box
    result.boxes |= others


def _compared(old: Box, new: Box) -> Box:
    """A box that is in both scenes, with what it was where it has changed."""
    was = [f"was {old.title}"] if old.title != new.title else []
    before, after = Counter(old.lines), Counter(new.lines)
    gone = list((before - after).elements())
    was += [f"was {line}" for line in gone]
    if not gone:
        was += [f"was without {line}" for line in (after - before).elements()]
    return dataclasses.replace(new, state="changed" if was else "same", marks=tuple(was))


def _marked(box: Box, state: str, sign: str) -> Box:
    return dataclasses.replace(box, state=state, title=f"{sign} {box.title}", marks=())


def _merge_frames(
    before: Scene, after: Scene, pairs: Sequence[tuple[str, str]], result: Scene
) -> dict[str, str]:
    """Put the frames of both scenes into the result; gives those of the first by their keys."""
    result.frames = dict(after.frames)
    found = {"": ""}
    for old, new in pairs:
        i, j = before.boxes[old].frame, after.boxes[new].frame
        while i and j and i not in found:
            found[i] = j
            i, j = before.frames[i].parent, after.frames[j].parent
    for key, frame in before.frames.items():
        if key not in found:
            found[key] = _OLD + key
            result.frames[found[key]] = frame._replace(
                key=found[key], title=f"{_MINUS} {frame.title}", parent=found[frame.parent]
            )
    return found


def _merge_arrows(before: Scene, after: Scene, keys: Mapping[str, str], result: Scene) -> None:
    """Put the arrows of both scenes into the result."""

    def ends(arrow: Arrow) -> tuple[str, str, int | None, str]:
        return (arrow.tail, arrow.head, arrow.position, arrow.state)

    moved = [a._replace(tail=keys[a.tail], head=keys[a.head]) for a in before.arrows]
    old, new = {ends(a) for a in moved}, {ends(a) for a in after.arrows}
    for arrow in after.arrows:
        same = ends(arrow) in old
        state, label = ("same", "") if same else ("added", "+")
        result.arrows.append(arrow._replace(state=state, label=label, width=None))
    for arrow in moved:
        if ends(arrow) not in new:
            result.arrows.append(arrow._replace(state="removed", label=_MINUS, width=None))
