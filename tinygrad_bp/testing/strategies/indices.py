"""Indices of every kind that NumPy knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.errors import ArgumentError, nearest

#: What an index may consist of.
INDEX_KINDS = ("integer", "slice", "newaxis", "ellipsis", "integers", "repeated", "mask")
_OF_AN_AXIS = ("integer", "slice", "integers", "repeated", "mask")
_ARRAYS = ("integers", "repeated", "mask")


@st.composite
def indices(draw: st.DrawFn, /, shape: tuple[int, ...], kinds: Iterable[str] = INDEX_KINDS) -> Any:
    """Indices that arrays of a shape have.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    kinds : iterable of str
        What to put together: "integer", "slice" (of any step), "newaxis" and "ellipsis" are basic;
        "integers" (arrays of any shape that broadcast against each other), "repeated" (the same,
        with a place that occurs twice) and "mask" (of one axis, or of all) are not.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(indices((2, 3), ["integers"]), lambda index: np.size(index[0]) > 1)
    (array([0, 0]), array([0, 0]))
    >>> find(indices((2,), ["newaxis", "slice"]), lambda index: None in index)
    (None,)
    """
    chosen = tuple(kinds)
    for kind in chosen:
        if kind not in INDEX_KINDS:
            raise ArgumentError(f"there is no index {kind!r}: {nearest(kind, INDEX_KINDS)}")
    if "mask" in chosen and shape and draw(st.integers(0, 7)) == 7:
        return draw(hnp.arrays(bool, shape, fill=st.nothing()))
    of_axes = [kind for kind in _OF_AN_AXIS if kind in chosen]
    only_arrays = of_axes and all(kind in _ARRAYS for kind in chosen)
    count = len(shape) if only_arrays else draw(st.integers(0, len(shape) if of_axes else 0))
    ellipsis = "ellipsis" in chosen and draw(st.booleans())
    before = draw(st.integers(0, count)) if ellipsis else count
    places = [*range(before), *range(len(shape) - (count - before), len(shape))]
    entries = _entries(draw, [shape[i] for i in places], of_axes)
    if ellipsis:
        entries.insert(before, Ellipsis)
    if "newaxis" in chosen:
        for place in draw(st.lists(st.integers(0, len(entries)), max_size=2)):
            entries.insert(place, None)
    bare = len(entries) == 1 and not only_arrays and draw(st.booleans())
    return entries[0] if bare else tuple(entries)


def _entries(draw: st.DrawFn, sides: list[int], kinds: list[str]) -> list[Any]:
    """An entry for each axis, the arrays among them such that they broadcast."""
    picked = []
    for side in sides:
        possible = kinds if side else [kind for kind in kinds if kind == "slice"]
        picked.append(draw(st.sampled_from(possible)) if possible else "slice")
    masked = [side for side, kind in zip(sides, picked, strict=True) if kind == "mask"]
    # All masks choose as many places, and so do the last axes of the arrays beside them.
    common = draw(st.lists(st.integers(1, 3), max_size=2).map(tuple))
    if "repeated" in picked:
        common = (*common[:-1], max(2, *common[-1:], 2))
    if masked:
        number = draw(st.integers(1, min(masked)))
        common = (*common[:-1], number)
    return [_entry(draw, side, kind, common) for side, kind in zip(sides, picked, strict=True)]


def _entry(draw: st.DrawFn, side: int, kind: str, common: tuple[int, ...]) -> Any:
    """One entry, for an axis of the length `side`."""
    if kind == "slice":
        end = st.none() | st.integers(-side - 1, side + 1)
        step = st.none() | st.sampled_from([1, 2, -1, -2])
        return slice(draw(end), draw(end), draw(step))
    place = st.integers(0, side - 1) | st.integers(-side, -1)
    if kind == "integer":
        return draw(place)
    if kind == "mask":
        wanted = common[-1]
        true = draw(
            st.lists(st.sampled_from(range(side)), min_size=wanted, max_size=wanted, unique=True)
        )
        mask = np.zeros(side, bool)
        mask[true] = True
        return mask
    if kind == "repeated":
        values = draw(hnp.arrays(np.int64, common, elements=place, fill=st.nothing()))
        values[..., -1] = values[..., 0]
        return values
    own = tuple(draw(st.sampled_from([n, 1])) for n in common)[draw(st.integers(0, len(common))) :]
    return draw(hnp.arrays(np.int64, own, elements=place, fill=st.nothing()))
