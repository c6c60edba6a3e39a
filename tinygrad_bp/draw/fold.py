"""Which operations share a box: the calls of modules, identical blocks, and stretches of many.

A `Plan` says for each operation which box it is in. `plans` makes them from the finest to the
coarsest, without a box for any of the operations, so that a million of them can be told apart.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.core.mode import Call
from tinygrad_bp.draw.repeats import Repeats, Row, places_of
from tinygrad_bp.draw.runs import segments

#: Stretches of operations take so small a part of the budget: they have long lines.
STRETCHES = 6


class Part:
    """A call of a module, or the graph as a whole: what it is made of.

    Attributes
    ----------
    call : Call
        None for the graph as a whole.
    depth : int
        Number of calls around it.
    items : list of int and Part
        Places of its own operations in the graph, and the calls from within it, in order.
    """

    __slots__ = ("call", "depth", "items")

    def __init__(self, call: Call | None, depth: int) -> None:
        self.call: Any = call
        self.depth = depth
        self.items: list[Any] = []

    def places(self) -> Iterator[int]:
        """The places of all operations in it."""
        for item in self.items:
            if isinstance(item, int):
                yield item
            else:
                yield from item.places()

    def innermost(self) -> bool:
        """Whether there is no call below it."""
        return not any(isinstance(item, Part) for item in self.items)

    def height(self) -> int:
        """The number of calls within each other below it."""
        return max((1 + p.height() for p in self.items if isinstance(p, Part)), default=0)


@dataclasses.dataclass(slots=True)
class Group:
    """What one box stands for.

    Attributes
    ----------
    nodes : list of Node
        Operations, oldest first, and those that repeat others after them.
    frame : int
        Place of its frame in the plan, -1 for none.
    first : int
        Place of its first operation in the graph.
    calls : tuple of Call
        The call of a module that it is, or a row of identical ones.
    run : bool
        Whether it is a stretch of operations that have nothing else in common.
    """

    nodes: list[Node]
    frame: int
    first: int
    calls: tuple[Call, ...] = ()
    run: bool = False

    @property
    def times(self) -> int:
        """How many identical calls it stands for."""
        return len(self.calls) or 1

    @property
    def many(self) -> bool:
        """Whether it stands for more than an operation, which a row may repeat."""
        return self.run or bool(self.calls)


@dataclasses.dataclass(slots=True)
class Around:
    """What one frame stands for.

    Attributes
    ----------
    parent : int
        Place of the frame around it in the plan, -1 for none.
    calls : tuple of Call
        The call of a module, or those in a row of identical blocks.
    block : tuple of str
        What the first block consists of, where it is not a single call.
    times : int
        How many blocks.
    """

    parent: int
    calls: tuple[Call, ...] = ()
    block: tuple[str, ...] = ()
    times: int = 1


class Plan:
    """Which box each operation is in.

    Attributes
    ----------
    nodes : list of Node
        All operations, in a topological order.
    place : list of int
        For each, the place of its group in `groups`.
    groups : list of Group
    frames : list of Around
    like : list of int
        For each operation, the place of the one that the box shows, which it may repeat.
    coarsest : bool
        Whether there is none with fewer groups.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.place = [0] * len(nodes)
        self.groups: list[Group] = []
        self.frames: list[Around] = []
        self.coarsest = False
        self.like = list(range(len(nodes)))

    def put(self, places: Sequence[int], frame: int, **facts: Any) -> None:
        """Add a group of operations."""
        group = Group([self.nodes[i] for i in places], frame, places[0], **facts)
        for i in places:
            self.place[i] = len(self.groups)
        self.groups.append(group)

    def repeat(self, start: int, length: int, times: int) -> None:
        """Put what repeats a block into the boxes of the block."""
        behind, end = start + length, start + length * times
        self.place[behind:end] = self.place[start:behind] * (times - 1)
        self.like[behind:end] = self.like[start:behind] * (times - 1)
        for i in range(start, behind):
            copies = self.nodes[i + length : end : length]
            self.groups[self.place[i]].nodes += copies


def outline(nodes: Sequence[Node]) -> Part:
    """The calls of modules in a graph, one within the other."""
    root = Part(None, 0)
    known: dict[int, Part] = {}
    for i, node in enumerate(nodes):
        call = node.mode.call
        if call is None:
            root.items.append(i)
            continue
        part = known.get(id(call))
        if part is None:
            chain = []
            outer: Call | None = call
            while outer is not None and id(outer) not in known:
                chain.append(outer)
                outer = outer.parent
            part = root if outer is None else known[id(outer)]
            for inner in reversed(chain):
                part.items.append(Part(inner, part.depth + 1))
                part = known[id(inner)] = part.items[-1]
        part.items.append(i)
    return root


def plans(
    nodes: list[Node],
    ends: set[int],
    level: str,
    depth: int | None,
    budget: int | None,
    each: bool = False,
) -> Iterator[Plan]:
    """Plans from the finest to the coarsest.

    Parameters
    ----------
    nodes : list of Node
        In a topological order.
    ends : set of int
        The ids of those that are drawn as outputs.
    level : str
        At ``"module"`` the innermost calls are boxes.
    depth : int or None
        Calls within so many others are boxes.
    budget : int or None
        How many boxes are wanted at most; None gives one plan, in which nothing is folded.
    each : bool, default False
        Whether the first plan does not fold identical blocks.
    """
    root = outline(nodes)
    leaves, deepest = level == "module", root.height()
    asked = deepest if depth is None else min(depth, deepest)
    most = len(nodes) if budget is None else budget
    if budget is None or each or not deepest:
        plan = _Layer(nodes, asked, leaves, most).plan(root)
        plan.coarsest = budget is None
        yield plan
    if budget is None:
        return
    repeats = Repeats(nodes, ends)
    for shallower in range(asked, -1, -1):
        for repeats.of_operations in (False, True) if deepest else (True,):
            yield _Layer(nodes, shallower, leaves, most, repeats).plan(root)
    plan = _runs(nodes, ends, root, repeats.last_use, budget)
    plan.coarsest = True
    yield plan


class _Layer:
    """Lays the operations of a graph into boxes and frames, until there are too many."""

    def __init__(
        self, nodes: list[Node], depth: int, leaves: bool, most: int, repeats: Repeats | None = None
    ) -> None:
        self.made = Plan(nodes)
        self.depth, self.leaves, self.most, self.repeats = depth, leaves, most, repeats

    def plan(self, root: Part) -> Plan:
        """The plan of a whole graph, or one that is too large already."""
        self._inside(root.items, -1)
        return self.made

    def _inside(self, items: Sequence[Any], frame: int) -> None:
        """Lay items into a frame."""
        rows = self.repeats.rows(items) if self.repeats else [Row(0, len(items))]
        for start, period, times in rows:
            if len(self.made.groups) > self.most:
                return
            block = items[start : start + period]
            if times == 1:
                for item in block[: self.most + 1]:
                    self._item(item, frame, (item,))
                continue
            row = items[start : start + period * times]
            if period == 1 and isinstance(row[0], Part):
                self._item(row[0], frame, row)
            else:
                calls = tuple([part.call for part in row if isinstance(part, Part)])
                self.made.frames.append(Around(frame, calls, self._kinds(block), times))
                around = len(self.made.frames) - 1
                for k, item in enumerate(block):
                    self._item(item, around, row[k::period])
            places = list(places_of(block))
            self.made.repeat(places[0], len(places), times)

    def _kinds(self, items: Sequence[Any]) -> tuple[str, ...]:
        """What items are called."""
        return tuple(
            [
                self.made.nodes[item].primitive.name
                if isinstance(item, int)
                else type(item.call.module).__name__
                for item in items
            ]
        )

    def _item(self, item: Any, frame: int, row: Sequence[Any]) -> None:
        """Lay an operation or a call, which may be the first of a row, into a frame."""
        if isinstance(item, int):
            self.made.put([item], frame)
            return
        calls = tuple([part.call for part in row])
        if item.depth > self.depth or (self.leaves and item.innermost()):
            self.made.put(sorted(item.places()), frame, calls=calls)
        else:
            told = frame >= 0 and bool(self.made.frames[frame].block)  # how many there are
            self.made.frames.append(Around(frame, calls, times=1 if told else len(calls)))
            self._inside(item.items, len(self.made.frames) - 1)


def _runs(nodes: list[Node], ends: set[int], root: Part, last: Any, budget: int) -> Plan:
    """Stretches of operations; outputs stay by themselves, and calls, if they are few."""
    plan = Plan(nodes)
    units = [[x] if isinstance(x, int) else sorted(x.places()) for x in root.items]
    calls = {k: x.call for k, x in enumerate(root.items) if isinstance(x, Part)}
    alone = {k for k, unit in enumerate(units) if any(id(nodes[i]) in ends for i in unit)}
    alone = alone if len(alone) <= budget // 4 else set()
    if len(calls) <= budget // 4:
        alone |= calls.keys()
    flat = np.fromiter(itertools.chain.from_iterable(units), int, len(nodes))
    starts = np.cumsum([0, *map(len, units[:-1])])
    unit_of = np.empty(len(nodes), int)
    unit_of[flat] = np.repeat(np.arange(len(units)), [len(unit) for unit in units])
    until = np.maximum.reduceat(unit_of[np.minimum(last, len(nodes) - 1)[flat]], starts)
    bounds = [-1, *sorted(alone), len(units)]
    wanted = max(1, budget // STRETCHES)
    for before, after in itertools.pairwise(bounds):
        begin, length = before + 1, after - before - 1
        share = max(1, round(wanted * length / len(units)))
        within = np.minimum(until[begin:after], after - 1) - begin
        for low, high in segments(within, min(share, length)) if length else ():
            places = [i for unit in units[begin + low : begin + high] for i in unit]
            plan.put(places, -1, run=len(places) > 1)
        if after in alone:
            plan.put(units[after], -1, calls=(calls[after],) if after in calls else ())
    return plan
