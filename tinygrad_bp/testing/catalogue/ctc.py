"""Cases of `tinygrad_bp.ops.ctc`."""

from __future__ import annotations

import itertools

import numpy as np

from tinygrad_bp.ops import ctc
from tinygrad_bp.testing.catalogue.case import Case

# States: blank, label, blank, label, blank, of labels that differ in the first sample alone.
SKIP = np.array([[False, False, False, True, False], [False] * 5])
STEPS, LENGTHS = np.array([4, 3]), np.array([2, 1])


def _probability(e, skip, steps, length):
    """The sum over all ways, one by one."""
    total = 0.0
    for way in itertools.product(range(e.shape[1]), repeat=steps):
        begins, ends = way[0] < 2, way[-1] in (2 * length, 2 * length - 1)
        moves = all(b - a in (0, 1) or (b - a == 2 and skip[b]) for a, b in itertools.pairwise(way))
        if begins and ends and moves:
            total = total + np.exp(sum(e[t, s] for t, s in enumerate(way)))
    return total


def _each(e):
    rows = zip(np.moveaxis(e, 1, 0), SKIP, STEPS, LENGTHS, strict=True)
    return -np.log(np.array([_probability(*row) for row in rows]))


CASES = [
    Case(
        "ctc",
        lambda e: ctc.ctc(e, SKIP, STEPS, LENGTHS),
        (((4, 2, 5),),),
        _each,
        complex_step=True,
    ),
]
