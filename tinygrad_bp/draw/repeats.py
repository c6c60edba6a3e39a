"""Rows of identical blocks: the same operations again and again, each block fed by the one before.

Blocks are identical if they consist of calls of modules of the same classes and of the same
operations, on values of the same shapes and dtypes, wired in the same way. Each may have parameters
of its own, and take its own step of a sequence. Nothing but the next block uses what is within one,
except for the last.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.scene import short

#: A row has at least so many blocks, and a block at most so many items.
LEAST = 4
LONGEST = 64
#: The operation that may take another part of its input in each block, as a step of a sequence.
VARYING = "getitem"
_ATTEMPTS = 8  # at where a block may begin in a row


class Row(NamedTuple):
    """Items that belong together: `times` blocks of `period` items, from `start` on."""

    start: int
    period: int
    times: int = 1


class Repeats:
    """What looks for rows in a graph.

    Attributes
    ----------
    of_operations : bool
        Whether blocks may be of operations alone, without the call of a module.
    last_use : array of int
        For each operation, the place of the last that uses what it makes; for outputs, the number
        of all operations.
    """

    def __init__(self, nodes: Sequence[Node], ends: set[int]) -> None:
        self.of_operations = False
        self._known: dict[Any, int] = {}
        self._of_parts: dict[Any, int] = {}
        at = {id(node): i for i, node in enumerate(nodes)}
        leaves: dict[int, int] = {}  # by id, from -1 down
        values: list[Any] = []
        specs: list[int] = []  # a number for shape and dtype of what each operation makes
        leaf_specs: list[int] = []
        kinds, wires, ends_of_wires = [], array("q"), array("q", [0])
        for node in nodes:
            key: list[Any] = [node.primitive, self._spec(node.out)]
            specs.append(key[1])
            for x in node.sources:
                place = at.get(id(x))
                if place is None:
                    place = leaves.get(id(x))
                    if place is None:
                        place = leaves[id(x)] = -1 - len(values)
                        values.append(x)
                        leaf_specs.append(self._spec(x))
                    key.append(leaf_specs[-1 - place])
                else:
                    key.append(specs[place])
                wires.append(place)
            ends_of_wires.append(len(wires))
            if node.params and node.primitive.name != VARYING:
                key += [(name, short(value)) for name, value in node.params.items()]
            kinds.append(self._number(tuple(key)))
        self._kinds = kinds
        self._wires, self._until = np.array(wires), np.array(ends_of_wires)
        users = np.repeat(np.arange(len(nodes)), np.diff(self._until))
        made, taken = self._wires >= 0, self._wires < 0
        self.last_use = np.arange(len(nodes))
        np.maximum.at(self.last_use, self._wires[made], users[made])
        self.last_use[[i for i, node in enumerate(nodes) if id(node) in ends]] = len(nodes)
        self._numbers = np.array([not isinstance(x, (Tensor, np.ndarray)) for x in values], bool)
        self._first = np.full(len(values), len(nodes))
        self._last = np.full(len(values), -1)
        np.minimum.at(self._first, -1 - self._wires[taken], users[taken])
        np.maximum.at(self._last, -1 - self._wires[taken], users[taken])

    def _number(self, key: Any) -> int:
        """The same number for the same key."""
        return self._known.setdefault(key, len(self._known))

    def _spec(self, value: Any) -> int:
        """A number for what is equal for values that may stand at the same place of two blocks.

        It is the same for a leaf as for what an operation makes: where the first block takes a
        leaf, the next may take what the first made.
        """
        if isinstance(value, (np.ndarray, np.generic, Tensor)):
            return self._number((value.shape, value.dtype))
        return self._number(short(value))

    def kind(self, item: Any) -> int:
        """The number of an operation, by its place, or of a call of a module."""
        if isinstance(item, int):
            return self._kinds[item]
        if item not in self._of_parts:
            inner = tuple([self.kind(below) for below in item.items])
            self._of_parts[item] = self._number((type(item.call.module), inner))
        return self._of_parts[item]

    def rows(self, items: Sequence[Any]) -> list[Row]:
        """Cut items into rows, those that are in no row of several blocks among them."""
        found: list[Row] = []
        calls = [k for k, item in enumerate(items) if not isinstance(item, int)]
        if len(items) >= LEAST and (calls or self.of_operations):
            kinds = np.array([self.kind(item) for item in items])
            taken = np.zeros(len(items), bool)
            for start, period, length in _periodic(kinds):
                if taken[start : start + length].any():
                    continue
                row = self._row(items, start, period, length)
                if row is not None:
                    found.append(row)
                    taken[row.start : row.start + row.period * row.times] = True
        return list(_complete(sorted(found), len(items)))

    def _row(self, items: Sequence[Any], start: int, period: int, length: int) -> Row | None:
        """The longest row within items of which each is of the kind of that a period before."""
        for first in range(start, min(start + _ATTEMPTS, start + length - LEAST * period + 1)):
            times = (start + length - first) // period
            if not self.of_operations and all(
                isinstance(item, int) for item in items[first : first + period]
            ):
                continue
            places = list(places_of(items[first : first + times * period]))
            block = len(places) // times
            if places == list(range(places[0], places[0] + block * times)):
                times = self._chained(places[0], block, times)
                if times >= LEAST:
                    return Row(first, period, times)
        return None

    def _chained(self, start: int, block: int, times: int) -> int:
        """How many blocks from the place `start` on are wired as a row; 0 for none.

        The wires of a block are a line of a table. A wire comes from within the block; or, in every
        block but the first, from the same place of the block before; or from one thing for all;
        or from a leaf that its block alone uses.
        """
        end = start + block * times
        table = self._wires[self._until[start] : self._until[end]].reshape(times, -1)
        shift = block * np.arange(times)[:, None]
        first, second = table[:1], table[1:2]
        within = (first >= start) & (table - shift == first)
        before = (first < start) & (second >= start) & (second < start + block)
        before = before & (table - shift == second - block)
        before[0] = first < start
        fits = within | before | (table == first) & (first < start)
        leaves = (table < 0) & (first < 0) & (second < 0)
        leaf = np.where(leaves, -1 - table, 0)
        own = (self._first[leaf] >= start + shift) & (self._last[leaf] < start + shift + block)
        fits |= leaves & (self._numbers[leaf] | (own & own[0]))
        right = fits.all(axis=1)
        if not right.all():
            times = int(np.argmin(right))
        used = self.last_use[start : start + block * times].reshape(times, block)
        inside = used[:-1] < start + shift[1:times] + block
        return times if inside.all() else 0


def places_of(items: Iterable[Any]) -> Iterator[int]:
    """The places of all operations in items."""
    for item in items:
        if isinstance(item, int):
            yield item
        else:
            yield from item.places()


def _periodic(kinds: Any) -> list[tuple[int, int, int]]:
    """Start, period and length of stretches that repeat often enough; the longest come first."""
    found = []
    for period in range(1, min(LONGEST, len(kinds) // LEAST) + 1):
        same = np.concatenate([[False], kinds[period:] == kinds[:-period], [False]])
        edges = np.flatnonzero(same[1:] != same[:-1])
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if end - begin >= (LEAST - 1) * period:
                found.append((begin, period, end - begin + period))
    return sorted(found, key=lambda row: (-row[2], row[1], row[0]))


def _complete(rows: Iterable[Row], length: int) -> Iterator[Row]:
    """Rows with what is between them."""
    at = 0
    for row in rows:
        if at < row.start:
            yield Row(at, row.start - at)
        yield row
        at = row.start + row.period * row.times
    if at < length:
        yield Row(at, length - at)
