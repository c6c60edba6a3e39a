"""Rows of identical blocks: the same operations again and again, each block fed by the one before.

Blocks are identical if they consist of calls of modules of the same classes and of the same
operations, on values of the same shapes and dtypes, wired in the same way. Each may have parameters
of its own. Nothing but the next block uses what is within one, except for the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.scene import short

#: A row has at least so many blocks, and a block at most so many items.
LEAST = 4
LONGEST = 64
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
    last_use : list of int
        For each operation, the place of the last that uses what it makes; for outputs, the number
        of all operations.
    """

    def __init__(self, nodes: Sequence[Node], ends: set[int]) -> None:
        self.of_operations = False
        self._known: dict[Any, int] = {}
        self._kinds: list[int] = []
        self._inputs: list[tuple[Any, ...]] = []
        self.last_use = list(range(len(nodes)))  # of what each operation makes
        self._leaf_uses: dict[int, list[int]] = {}  # the first and the last, by id
        at = {id(node): i for i, node in enumerate(nodes)}
        for i, node in enumerate(nodes):
            inputs = tuple(at[id(x)] if isinstance(x, Node) else _Leaf(x) for x in node.sources)
            for x in inputs:
                if isinstance(x, int):
                    self.last_use[x] = i
                else:
                    self._leaf_uses.setdefault(id(x.value), [i, i])[1] = i
            self._inputs.append(inputs)
            self._kinds.append(self._kind(node, inputs))
            if id(node) in ends:
                self.last_use[i] = len(nodes)

    def _number(self, key: Any) -> int:
        """The same number for the same key."""
        return self._known.setdefault(key, len(self._known))

    def _kind(self, node: Node, inputs: tuple[Any, ...]) -> int:
        """A number for all operations that are the same but for where their inputs come from."""
        out, params = node.out, node.params
        leaves = tuple([None if isinstance(x, int) else x.kind for x in inputs])
        told = tuple([(k, short(v)) for k, v in params.items()]) if params else ()
        shape = getattr(out, "shape", ())
        return self._number((node.primitive.name, told, shape, getattr(out, "dtype", ""), leaves))

    def kind(self, item: Any) -> int:
        """The number of an operation, by its place, or of a call of a module."""
        if isinstance(item, int):
            return self._kinds[item]
        inner = tuple([self.kind(below) for below in item.items])
        return self._number((type(item.call.module), inner))

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
        """How many blocks from the place `start` on are wired as a row; 0 for none."""
        for k in range(1, times):
            begin = start + k * block
            if not all(self._alike(i, start, block, k) for i in range(begin, begin + block)):
                times = k
                break
        for k in range(times - 1):
            begin, end = start + k * block, start + (k + 1) * block
            if max(self.last_use[begin:end]) >= end + block:
                return 0  # what is within is used from outside
        return times

    def _alike(self, i: int, start: int, block: int, k: int) -> bool:
        """Whether an operation is wired as that of block 0, and fed as that of block 1."""
        shift, begin = k * block, start + k * block
        here, first = self._inputs[i], self._inputs[i - shift]
        second = self._inputs[i - shift + block]
        for x, x0, x1 in zip(here, first, second, strict=True):
            if not isinstance(x, int):
                if x.value is not x0.value and not (x.number or self._own(x, x0, i, start, block)):
                    return False
            elif x >= begin:
                if x != x0 + shift:
                    return False
            elif x0 >= start:
                return False
            elif x < start:
                if x != x0:
                    return False
            elif x < begin - block or x != x1 + shift - block:
                return False
        return True

    def _own(self, x: _Leaf, x0: _Leaf, i: int, start: int, block: int) -> bool:
        """Whether a leaf is used in its block alone, as the one at its place in block 0 is."""
        begin = i - (i - start) % block
        first, last = self._leaf_uses[id(x.value)]
        first0, last0 = self._leaf_uses[id(x0.value)]
        return begin <= first and last < begin + block and start <= first0 and last0 < start + block


class _Leaf:
    """What goes into an operation and was made by none."""

    __slots__ = ("kind", "number", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.number = not isinstance(value, (Tensor, np.ndarray))
        data = value._data if isinstance(value, Tensor) else value
        self.kind: Any = short(value) if self.number else (type(value), np.shape(data), data.dtype)


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
