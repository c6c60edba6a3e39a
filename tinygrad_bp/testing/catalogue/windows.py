"""Cases of `ops/windows.py`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case


def _case(call, *shapes, label=""):
    rows = tuple((s,) for s in shapes)
    return Case("sliding_window_view", call, rows, complex_step=True, label=label)


def _summed(x):
    """Windows of 2 of five elements, added up one by one."""
    total = np.zeros(5, x.dtype)
    for i in range(4):
        total[i : i + 2] += x[i]
    return total


CASES = [
    _case(lambda x: sliding_window_view(x, 3), (3,), (5,)),
    _case(lambda x: sliding_window_view(x, (2, 2)), (3, 4), (2, 2), label="two axes"),
    _case(lambda x: sliding_window_view(x, 2, axis=-1), (3, 4), (0, 2), label="an axis"),
    _case(lambda x: sliding_window_view(x, (1, 2), axis=(1, 0)), (3, 2, 2), label="axes"),
    _case(lambda x: sliding_window_view(x, (2, 2), axis=(0, 0)), (4,), (3, 2), label="repeated"),
    _case(lambda x: sliding_window_view(x, ()), (), label="of a number"),
    Case(
        "overlap_add",
        lambda x: PRIMITIVES["overlap_add"](x, shape=(5,), axes=(0,)),
        (((4, 2),),),
        reference=_summed,
        complex_step=True,
    ),
]
