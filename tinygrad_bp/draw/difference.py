"""`difference`: two graphs in one picture, with what is only in one of them, and what changed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.scene import Arrow, Box, Scene, nodes_behind, short
from tinygrad_bp.errors import ArgumentError, a_kind, user_line

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture

_IN_FULL = 5_000  # operations of both graphs, up to which they are compared one by one
_AROUND = 4  # arrows to what differs, within which the rest of a large graph is drawn
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
    before: Any,
    after: Any,
    theme: str = "light",
    legend: bool = False,
    budget: int | None = 150,
    **options: Any,
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
    budget : int or None, default 150
        How many boxes there may be before what is the same, and far from all that differs, is left
        out; where more differs than that, both graphs are folded.
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

    graphs = [_graph(graph) for graph in (before, after)]
    tensors = [t for graph in graphs if not isinstance(graph, Scene) for t in graph]
    small = not tensors or len(nodes_behind(tensors)) <= _IN_FULL
    scene = merged(*[_scene(graph, options, None if small else budget) for graph in graphs])
    if budget is not None and len(scene.boxes) > budget:
        if sum(box.state != "same" for box in scene.boxes.values()) > budget:
            scene = merged(*[_scene(graph, options, budget) for graph in graphs])
        else:
            scene = _nearby(scene, budget)
    return to_dot(scene, theme, legend)


def _graph(graph: Any) -> Scene | Sequence[Tensor]:
    """What is to be compared, or an error."""
    from tinygrad_bp.draw.picture import Picture

    if isinstance(graph, Picture):
        return graph.scene
    tensors = [graph] if isinstance(graph, Tensor) else graph
    if not isinstance(tensors, (list, tuple)) or not all(isinstance(t, Tensor) for t in tensors):
        raise ArgumentError(
            f"difference compares graphs, not {a_kind(graph)} (at {user_line()}).\n"
            "Fix: pass a tensor, a list of tensors, or a picture that draw made."
        )
    return tensors


def _scene(graph: Scene | Sequence[Tensor], options: dict[str, Any], budget: int | None) -> Scene:
    from tinygrad_bp.draw.graph import draw

    return graph if isinstance(graph, Scene) else draw(*graph, budget=budget, **options).scene


def _nearby(scene: Scene, budget: int) -> Scene:
    """What differs in a scene of two, and what is around it, as far as there is room."""
    beside: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        beside.setdefault(arrow.head, []).append(arrow.tail)
        beside.setdefault(arrow.tail, []).append(arrow.head)
    differ = [key for key, box in scene.boxes.items() if box.state != "same"]
    ends = [key for key, box in scene.boxes.items() if box.role == "output"]
    kept = dict.fromkeys(differ or ends, 0)  # with the number of arrows to what differs
    waiting = list(kept)
    for key in waiting:  # which grows meanwhile
        for other in beside.get(key, ()) if kept[key] < _AROUND else ():
            if other not in kept and len(kept) < budget:
                kept[other] = kept[key] + 1
                waiting.append(other)
    near = dataclasses.replace(scene, boxes={}, arrows=[])
    more = {a.head for a in scene.arrows if a.head in kept and a.tail not in kept}
    for key, box in scene.boxes.items():
        if key in more:
            stub = Box(f"more_{key}", "fold", "…", state="same")
            near.boxes[stub.key] = stub
            near.arrows.append(Arrow(stub.key, key, state="same"))
        if key in kept:
            near.boxes[key] = box
    near.arrows += [a for a in scene.arrows if a.head in kept and a.tail in kept]
    near.notes += (f"{len(scene.boxes) - len(kept):,} of the same are not drawn",)
    near.drop_empty_frames()
    return near


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
        numbers: dict[Any, int] = {}
        a = [numbers.setdefault(token(before, box), len(numbers)) for box in old]
        b = [numbers.setdefault(token(after, box), len(numbers)) for box in new]
        for i0, i1, j0, j1 in gaps:
            pairs += [(i0 + i, j0 + j) for i, j in _common(a[i0:i1], b[j0:j1])]
        pairs.sort()
        ends = [(-1, -1), *pairs, (len(old), len(new))]
        gaps = [
            (i0 + 1, i1, j0 + 1, j1)
            for (i0, j0), (i1, j1) in pairwise(ends)
            if i1 > i0 + 1 and j1 > j0 + 1
        ]
    return [(old[i].key, new[j].key) for i, j in pairs]


def _common(a: list[int], b: list[int]) -> Iterator[tuple[int, int]]:
    """Places of what is common to two lists, in both orders."""
    start, shorter = 0, min(len(a), len(b))
    while start < shorter and a[start] == b[start]:
        yield start, start
        start += 1
    end = 0
    while end < shorter - start and a[-1 - end] == b[-1 - end]:
        end += 1
        yield len(a) - end, len(b) - end
    middle = a[start : len(a) - end], b[start : len(b) - end]
    for i, j, size in SequenceMatcher(None, *middle, autojunk=False).get_matching_blocks():
        yield from ((start + i + k, start + j + k) for k in range(size))


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
    if len(old.nodes) != len(new.nodes):
        was.append(f"was {len(old.nodes):,} operations")
    elif len(new.nodes) > 1 and not was and _within(old, new) != _within(new, old):
        was.append("was made of others")
    return dataclasses.replace(new, state="changed" if was else "same", marks=tuple(was))


def _within(box: Box, other: Box) -> list[Any]:
    """What a box of many operations is made of, and how they are wired, as far as it is known."""
    if any(node.freed_at is not None for node in (*box.nodes, *other.nodes)):
        return [node.primitive.name for node in box.nodes]
    places: dict[int, int] = {}
    made: list[Any] = []
    for k, node in enumerate(box.nodes):
        params = tuple([(name, short(value)) for name, value in node.params.items()])
        sources = tuple([places.get(id(x), -1) for x in node.sources])
        made.append((node.primitive.name, params, np.shape(node.out), sources))
        places[id(node)] = k
    return made


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
