"""Stretches of a topological order, for graphs in which nothing else can be folded.

What comes of boxes that are stretches of a topological order has no circles. They are cut where few
values are in use, so that few arrows join them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def segments(last_use: Any, count: int) -> Iterator[tuple[int, int]]:
    """Cut a topological order into stretches of similar length.

    Parameters
    ----------
    last_use : array_like of int
        For each thing, the place of the last that uses it.
    count : int
        How many stretches there shall be.

    Examples
    --------
    A value that is needed until the end, and a chain beside it.

    >>> list(segments([5, 2, 3, 4, 5, 5], 2))
    [(0, 3), (3, 6)]
    """
    n = len(last_use)
    last = np.asarray(last_use)
    starts, ends = np.arange(n) + 1, np.maximum(last, np.arange(n)) + 1
    steps = np.bincount(starts, minlength=n + 2) - np.bincount(ends, minlength=n + 2)
    crossing: Any = np.cumsum(steps)  # values in use at a cut before each place
    cuts = [0]
    reach = n / count / 4
    for k in range(1, count):
        target = k * n / count
        low = max(cuts[-1] + 1, round(target - reach))
        places = np.arange(low, max(low + 1, min(n, round(target + reach) + 1)))
        if places[0] >= n:
            break
        order = np.lexsort((np.abs(places - target), crossing[places]))
        cuts.append(int(places[order[0]]))
    return zip(cuts, [*cuts[1:], n], strict=True)
