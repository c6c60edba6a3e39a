"""Cases of `ops/sorting.py`; ties are in tests/ops/test_sorting.py."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _case(primitive, call, *shapes, label=""):
    return Case(primitive, call, tuple((s,) for s in shapes), distinct=True, label=label)


def _lines(x, places):
    return np.take_along_axis(x, np.array(places), axis=1)


CASES = [
    _case("sort", np.sort, (4,), (2, 3), (2, 2, 3), (1,), (0,), (2, 0)),
    _case("sort", lambda x: np.sort(x, axis=0), (4,), (3, 2), (3, 2, 2), (0, 2), label="axis 0"),
    _case("sort", lambda x: np.sort(x, axis=-2), (3, 2), (2, 3, 2), label="axis -2"),
    _case("sort", lambda x: np.sort(x, axis=None), (2, 3), (), (2, 0), label="axis None"),
    _case("sort", lambda x: np.sort(x, stable=True), (5,), label="stable"),
    _case("sort", lambda x: np.sort(x, kind="heapsort"), (2, 4), label="kind"),
    _case("partition", lambda x: np.partition(x, 1), (4,), (2, 3), (2, 2, 4)),
    _case("partition", lambda x: np.partition(x, (0, -1), axis=0), (4,), (3, 2), label="axis 0"),
    _case("partition", lambda x: np.partition(x, 2, axis=None), (2, 3), label="axis None"),
    Case(
        "gather",
        lambda x: _lines(x, [[1, 0, 1], [-1, -1, 0]]),
        (((2, 2),), ((2, 3),)),
        complex_step=True,
        label="take_along_axis",
    ),
    Case(
        "gather",
        lambda x: _lines(x, [[[1, 0]]]),
        (((2, 2, 2),), ((1, 3, 1),)),
        complex_step=True,
        label="take_along_axis, broadcast",
    ),
    Case(
        "gather",
        lambda x: np.take_along_axis(x, np.array([3, 0, 0]), None),
        (((2, 2),), ((5,),)),
        complex_step=True,
        label="take_along_axis of all",
    ),
]
