"""`read`: a scene of a recorded graph, in as much detail as there is room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.core.graph import NOTHING
from tinygrad_bp.draw import words
from tinygrad_bp.draw.fold import STRETCHES, Group, Plan, plans
from tinygrad_bp.draw.scene import Arrow, Box, Frame, Names, Scene, facts, identity, nodes_behind

_LEAVES = {"parameter", "input", "constant"}


def read(
    outputs: Sequence[Tensor],
    level: str = "operation",
    depth: int | None = None,
    budget: int | None = None,
    each: bool = False,
    lines: bool = True,
) -> Scene:
    """Make a scene of the graph behind tensors.

    Parameters
    ----------
    outputs : sequence of Tensor
    level : {"module", "operation", "full"}
        Whether innermost calls of modules are boxes, or operations, or also what these save.
    depth : int, optional
        Calls of modules within so many others are boxes in any case.
    budget : int, optional
        How many boxes there may be before operations are folded into fewer.
    each : bool, default False
        Whether identical blocks stay apart while there is room.
    lines : bool, default True
        Whether, at level full, operations tell the user's line.

    Raises
    ------
    GraphError
        There is nothing behind one of them, or it has been freed.
    """
    nodes = nodes_behind(outputs)
    ends = {id(t.node) for t in outputs}
    for plan in plans(nodes, ends, level, depth, budget, each):
        if plan.coarsest or budget is None or len(plan.groups) <= budget:
            scene = _Reader(plan, ends, level == "full", lines).scene
            if plan.coarsest or budget is None or len(scene.boxes) <= budget:
                break
    if budget is not None:
        runs = any(group.run for group in plan.groups)
        room = min(budget, len(plan.groups) + budget // STRETCHES) if runs else budget
        if len(scene.boxes) > room:
            close = _gathered(scene, True)
            scene = close if len(close.boxes) <= room else _gathered(scene, False)
    if len(plan.groups) < len(nodes) and level != "module":
        scene.notes += (f"{len(nodes):,} operations",)
    if level == "full":
        scene.notes += (words.kept_by_all(nodes),)
    return scene


def _gathered(scene: Scene, closely: bool) -> Scene:
    """A scene with one box for all leaves of a role; closely, for those with the same uses."""
    heads: dict[str, set[str]] = {}
    for arrow in scene.arrows:
        heads.setdefault(arrow.tail, set()).add(arrow.head)
    rows: dict[Any, list[Box]] = {}
    for box in scene.boxes.values():
        uses = frozenset(heads.get(box.key, ())) if closely else None
        single = box.role in _LEAVES and box.value is not None  # not one in each block of a row
        which = (box.role, box.frame, uses) if single else box.key
        rows.setdefault(which, []).append(box)
    boxes: dict[str, Box] = {}
    moved: dict[str, str] = {}
    for first, *others in rows.values():
        if others:
            row = [first, *others]
            size = sum(np.size(box.value) for box in row)
            title, line = f"{len(row):,} {first.role}s", f"{size:,} numbers"
            first = Box(first.key, first.role, title, (line,), first.frame)
            moved |= {box.key: first.key for box in row}
        boxes[first.key] = first
    arrows: dict[Any, Arrow] = {}
    for a in scene.arrows:
        if a.tail in moved:
            a = Arrow(moved[a.tail], a.head)
        arrows[a.tail, a.head, a.position] = a
    return Scene(boxes, list(arrows.values()), scene.frames, scene.notes)


class _Reader:
    """Makes a scene of a plan."""

    def __init__(self, plan: Plan, ends: set[int], full: bool, lines: bool) -> None:
        self.plan, self.ends, self.full, self.lines = plan, ends, full, lines
        self.scene, self.names = Scene(), Names(plan.nodes)
        self.frames: list[str] = []
        self.within: dict[str, str] = {"": ""}  # paths of modules whose frames stand for a row
        self._add_frames()
        self.keys = self._keys()
        self.at = {id(node): g for node, g in zip(plan.nodes, plan.place, strict=True)}
        self.owner = self._owners()
        self.fed = self._fed()
        self.leaves: dict[Any, str] = {}  # the keys of their boxes, by id or by use
        self.slots: dict[tuple[int, int], str] = {}  # the same, by place and position of use
        self.rows: dict[str, dict[int, Any]] = {}  # what stands at the place of a leaf in a row
        self.made: list[dict[str, None]] = [{} for _ in plan.groups]  # shapes of what is used
        self.taken: list[dict[int, Any]] = [{} for _ in plan.groups]  # leaves without a box
        self.first = [0] * len(plan.groups)  # how many of them are in the first block of a row
        self.originals = [0] * len(plan.groups)  # how many operations are in the first block
        self.joined: set[tuple[str, str]] = set()
        for i, node in enumerate(plan.nodes):
            self._add(i, node)
        self._complete()

    def _add_frames(self) -> None:
        counted: Counter[str] = Counter()
        for around in self.plan.frames:
            letter = "x" if around.block else "c"
            counted[letter] += 1
            key = f"{letter}{counted[letter]}"
            parent = self._frame(around.parent)
            module = None if around.block else around.calls[0].module
            title = words.title(around, self.names, self.within[parent])
            self.frames.append(key)
            self.scene.frames[key] = Frame(key, title, parent, module, around.times)
            row = module is not None and len(around.calls) > 1
            self.within[key] = self.names.path(module) if row else self.within[parent]

    def _frame(self, place: int) -> str:
        return self.frames[place] if place >= 0 else ""

    def _keys(self) -> list[str]:
        """The keys of the boxes of all groups."""
        counted: Counter[str] = Counter()
        keys = []
        for group in self.plan.groups:
            letter = "r" if group.run else "m"
            if group.many:
                counted[letter] += 1
            keys.append(f"{letter}{counted[letter]}" if group.many else f"n{group.first + 1}")
        return keys

    def _owners(self) -> dict[int, int]:
        """For each leaf, by id, the place of the group that uses it, or -1 where several do."""
        owner: dict[int, int] = {}
        if any(group.many for group in self.plan.groups):
            for node, g in zip(self.plan.nodes, self.plan.place, strict=True):
                for x in node.sources:
                    if isinstance(x, (Tensor, np.ndarray)) and owner.setdefault(id(x), g) != g:
                        owner[id(x)] = -1
        return owner

    def _fed(self) -> set[int]:
        """The places of the groups into which something goes that is no array of their own."""
        fed: set[int] = set()
        if self.owner:
            for node, g in zip(self.plan.nodes, self.plan.place, strict=True):
                for x in node.sources:
                    ours = self.at[id(x)] == g if isinstance(x, Node) else self._is_within(x, g)
                    if not ours:
                        fed.add(g)
        return fed

    def _is_within(self, x: Any, g: int) -> bool:
        """Whether a leaf is a parameter, or a constant that no other group uses."""
        if not isinstance(x, (Tensor, np.ndarray)) or not x.ndim:
            return True
        if id(x) in self.names.parameters or id(x) in self.names.buffers:
            return True
        given = isinstance(x, Tensor) and (x.requires_grad or x.name)
        return not given and self.owner[id(x)] == g

    def _add(self, i: int, node: Node) -> None:
        """Add what an operation brings: its box, where it is the first in there, and arrows."""
        g = self.plan.place[i]
        if id(node) in self.ends:
            self.made[g][facts(node.out)] = None
        if self.plan.like[i] != i:
            self._repeat(i, node, g)
            return
        group, key = self.plan.groups[g], self.keys[g]
        self.originals[g] += 1
        for position, x in enumerate(node.sources):
            tail = self._tail(x, i, position, g)
            if not tail or (group.many and (tail, key) in self.joined):
                continue
            where = position if node.y is not NOTHING and not group.many else None
            self.scene.arrows.append(Arrow(tail, key, where, source=x))
            if group.many:
                self.joined.add((tail, key))
        if key not in self.scene.boxes:
            self.scene.boxes[key] = self._box(key, group, node)

    def _repeat(self, i: int, node: Node, g: int) -> None:
        """Note the leaves of an operation that repeats another, whose arrows are drawn."""
        for position, x in enumerate(node.sources):
            if not isinstance(x, (Tensor, np.ndarray)):
                continue
            if self.plan.groups[g].many and self._is_taken(x, g):
                self.taken[g][id(x)] = x
            else:
                self.rows[self.slots[self.plan.like[i], position]][id(x)] = x

    def _tail(self, x: Any, i: int, position: int, g: int) -> str:
        """The key of the box from which an arrow comes, or nothing where there is none."""
        many = self.plan.groups[g].many
        if isinstance(x, Node):
            other = self.at[id(x)]
            if other == g and many:
                return ""
            self.made[other][facts(x.out)] = None
            return self.keys[other]
        if many and self._is_taken(x, g):
            if isinstance(x, (Tensor, np.ndarray)):
                self.taken[g][id(x)] = x
                self.first[g] = len(self.taken[g])
            return ""
        return self._leaf(x, i, position, g)

    def _is_taken(self, x: Any, g: int) -> bool:
        """Whether a leaf is drawn within the box of many operations that uses it."""
        group = self.plan.groups[g]
        if not isinstance(x, (Tensor, np.ndarray)):
            return True
        if group.run:
            return self.owner[id(x)] == g
        if id(x) in self.names.parameters or id(x) in self.names.buffers or not x.ndim:
            return True
        # What a layer makes for itself, as the first state of a recurrence; but an array that is
        # all that goes in is its input.
        return g in self.fed and self._is_within(x, g)

    def _leaf(self, x: Any, i: int, position: int, g: int) -> str:
        """The key of the box of what no operation made, which is new perhaps."""
        frame = self._frame(self.plan.groups[g].frame)
        alone = not isinstance(x, (Tensor, np.ndarray))  # numbers are drawn at each use
        use = (i, position) if alone else identity(x)
        key = self.leaves.get(use)
        if key is None:
            key = self.leaves[use] = f"v{len(self.leaves) + 1}"
            box = self.scene.boxes[key] = self.names.box(key, x)
            box.frame = frame if alone or box.role == "parameter" else ""
            self.rows[key] = {id(x): x}
        elif self.scene.boxes[key].frame != frame:
            self.scene.boxes[key].frame = self._common(self.scene.boxes[key].frame, frame)
        self.slots[i, position] = key
        return key

    def _common(self, a: str, b: str) -> str:
        """The innermost frame around two frames."""
        around = {a}
        while a:
            a = self.scene.frames[a].parent
            around.add(a)
        while b not in around:
            b = self.scene.frames[b].parent
        return b

    def _box(self, key: str, group: Group, node: Node) -> Box:
        """The box of a group."""
        frame, nodes = self._frame(group.frame), group.nodes
        if group.run:
            head = f"{len(nodes):,} operations"
            return Box(key, "fold", head, (words.kinds(nodes),), frame, nodes=nodes)
        if group.calls:
            told = group.frame >= 0 and bool(self.plan.frames[group.frame].block)
            role = "module" if told or group.times == 1 else "fold"
            title = words.title(group, self.names, self.within[frame], told)
            return Box(key, role, title, (), frame, nodes=nodes)
        role = "output" if any(id(n) in self.ends for n in nodes) else "operation"
        lines = (*words.params(nodes, self.full), facts(node.out))
        lines += words.kept(nodes, self.lines) if self.full else ()
        one = len(nodes) == 1
        box = Box(key, role, node.primitive.name, lines, frame, nodes=nodes)
        if one:
            box.node, box.value = node, node.out
        if self.full and node.saved is not None:
            saved = f"s{key[1:]}"
            line = facts(node.saved) + ("" if one else f" × {len(nodes):,}")
            self.scene.boxes[saved] = Box(saved, "saved", "saved", (line,), frame)
            self.scene.arrows.append(Arrow(key, saved, state="saved"))
        return box

    def _complete(self) -> None:
        """Write into boxes what is known only when all has been read."""
        for g, group in enumerate(self.plan.groups):
            if group.many:
                box, leaves = self.scene.boxes[self.keys[g]], self.taken[g]
                shared = any(self.owner[key] == -1 for key in leaves)
                times = len(group.nodes) // self.originals[g]
                more = words.taken(list(leaves.values()), self.first[g], times, shared, self.names)
                box.lines += (*words.shapes(self.made[g]), *more)
        for key, members in self.rows.items():
            if len(members) > 1:
                box = self.scene.boxes[key]
                within = self.within[box.frame]
                box.title, box.lines = words.of_row(list(members.values()), self.names, within)
                box.value = box.tensor = None
