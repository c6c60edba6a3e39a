"""Reads formulas that say which element by sums and differences of indices, one by one."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import Any

import numpy as np
from draw.derivation.lookup import UnreadableError, Value
from draw.derivation.reader import Reader

#: The indices that are free in the formulas of an operation: forward, and of each input.
FREE = {
    "convolve": ("k", "i", "i"),
    "cummax": ("k", "k"),
    "cummin": ("k", "k"),
    "diagonal": ("i", ""),
    "diff": ("i", "i"),
    "overlap_add": ("k", "ij"),
    "polyval": ("", "i", ""),
    "recurrence": ("k", "", ""),
    "sliding_window_view": ("ij", "k"),
    "trace": ("", "ij"),
}


@dataclasses.dataclass
class ElementReader(Reader):
    """Computes one element at a time, with numbers for the indices.

    Attributes
    ----------
    length : int
        Of the first input.
    indices : dict
        The number that each index has at the moment.
    """

    length: int = 0
    indices: dict[str, int] = dataclasses.field(default_factory=dict)

    def elements(self, latex: str, free: str, shape: tuple[int, ...]) -> Any:
        """The array whose elements a formula gives."""
        if len(free) != len(shape):
            raise UnreadableError(f"{free!r} are not the axes of {shape}")
        first = 1 if self.operation == "polyval" else 0
        out = np.zeros(shape)
        for place in np.ndindex(shape):
            self.indices = {a: n + first for a, n in zip(free, place, strict=True)}
            out[place] = self.read(latex)
        return out

    def _symbol(self, base: str, below: str, above: str) -> Value | None:
        if base in self.indices and not below and not above:
            return Value(np.float64(self.indices[base]))
        if base == "n" and self.operation == "polyval":
            return Value(np.float64(self.length))
        found = super()._symbol(base, below, above)
        if found is not None or not below:
            return found
        numbered = re.match(r"(\d+),(.*)", below)
        name = base + (f"_{{{numbered[1]}}}" if numbered else "")
        if name not in self.values:
            return None
        element = self._indexed(Value(self.values[name]), numbered[2] if numbered else below)
        return self._raised(element, above)

    def _indexed(self, value: Value, index: str) -> Value:
        array = np.asarray(value.array)
        place = [self._number(part) for part in index.split(",")]
        if self.operation == "polyval":
            place = [n - 1 for n in place]
        if len(place) != array.ndim:
            raise UnreadableError(f"the index {index!r} of an array {array.shape}")
        inside = all(0 <= n < size for n, size in zip(place, array.shape, strict=True))
        return Value(array[tuple(place)] if inside else np.float64(0.0))

    def _number(self, text: str) -> int:
        for letter, number in self.indices.items():
            text = text.replace(letter, str(number))
        if not re.fullmatch(r"[\d+\- ]+", text):
            raise UnreadableError(f"the index {text!r}")
        return int(eval(text))

    def _big(self) -> Value:
        start = self.at
        self.take()
        below, above, _ = self._scripts()
        if not below:  # of a whole array
            self.at = start
            return super()._big()
        start, outer, total = self.at, self.indices, 0.0
        letters = [c for c in dict.fromkeys(re.findall("[ijk]", below)) if c not in outer]
        most = max(map(max, (np.shape(v) for v in self.values.values() if np.ndim(v)))) + 2
        end = start
        for numbers in itertools.product(range(most), repeat=len(letters)):
            self.indices = outer | dict(zip(letters, numbers, strict=True))
            if self._holds(below, above):
                self.at = start
                total += float(self._product().array)
                end = self.at
        self.indices, self.at = outer, end
        return Value(np.float64(total))

    def _holds(self, below: str, above: str) -> bool:
        """Whether an index is among those that a sum goes over."""
        if above:  # from 1 to n
            most = int(self.inner(above).array)
            return 1 <= self.indices["i"] <= most
        for sign, holds in ((r"\le", int.__le__), (r"\ge", int.__ge__), ("=", int.__eq__)):
            if sign in below:
                left, right = (self._number(part) for part in below.split(sign))
                return bool(holds(left, right))
        most = max(np.size(v) for v in self.values.values())
        return all(n < most for n in self.indices.values())
