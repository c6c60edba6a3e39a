"""Cases of `tinygrad_bp.ops.reductions`, each over none, one, some and all axes."""

from __future__ import annotations

from functools import partial

import numpy as np

from catalogue.case import Case

ANY = (((3,),), ((2, 3),), ((),), ((2, 1, 2),))
EMPTY = (((0,),), ((0, 2),))
MATRICES = (((2, 3),), ((1, 2),), ((2, 3, 2),), ((3, 1),))
AXES = {
    "axis 0": {"axis": 0},
    "last axis kept": {"axis": -1, "keepdims": True},
    "axes 1 and 0": {"axis": (1, 0)},
    "axes -1 and 0 kept": {"axis": (-1, 0), "keepdims": True},
    "no axes": {"axis": ()},
}


def _rows(name, function, *, empty=False, scalars=True, analytic=False, distinct=False, **params):
    """One case over everything, and one for each way to name the axes.

    `scalars` says whether NumPy lets axis 0 and -1 of an array without axes pass.
    """
    label = ", ".join(f"{word}={value}" for word, value in params.items())
    smooth = {"complex_step": analytic, "distinct": distinct, "domains": ((-2.0, 2.0),)}
    rows = [
        Case(name, partial(function, **params), ANY + EMPTY * empty, label=label, **smooth),
        Case(
            name, partial(function, **params, keepdims=True), ANY, label=f"{label} kept", **smooth
        ),
    ]
    for words, axes in AXES.items():
        shapes = (
            MATRICES + (((0, 3),),) * empty + (((),),) * (scalars and type(axes["axis"]) is int)
        )
        call = partial(function, **params, **axes)
        rows.append(Case(name, call, shapes, label=f"{label} {words}".strip(), **smooth))
    return rows


def _deviation(name, function, **params):
    """Cases with two or more elements to deviate; one has no deviation, a kink of std."""
    some = {
        "": {},
        "axis 0": {"axis": 0},
        "last axis kept": {"axis": -1, "keepdims": True},
        "axes -1 and 0": {"axis": (-1, 0)},
    }
    shapes = (((2, 3),), ((3, 2),), ((2, 2, 3),))
    label = ", ".join(f"{word}={value}" for word, value in params.items())
    return [
        Case(
            name, partial(function, **params, **axes), shapes, distinct=True,
            label=f"{label} {words}".strip(),
        )
        for words, axes in some.items()
    ]  # fmt: skip


CASES = [
    *_rows("sum", np.sum, empty=True, analytic=True),
    *_rows("mean", np.mean, analytic=True, scalars=False),
    *_rows("prod", np.prod, empty=True, analytic=True),
    Case("prod", lambda x: np.prod(x * np.array([0, 1, 1])), (((3,),), ((2, 3),)), label="a zero"),
    Case("prod", lambda x: np.prod(x * np.array([0, 1, 0])), (((3,),), ((2, 3),)), label="zeros"),
    Case("prod", np.prod, (((5,),), ((2, 3),), ((7,),), ((9,),)), label="odd lengths"),
    *_rows("max", np.max, distinct=True),
    *_rows("min", np.min, distinct=True),
    *_rows("var", np.var, scalars=False),
    *_deviation("var", np.var, ddof=1),
    *_deviation("std", np.std),
    *_deviation("std", np.std, ddof=1),
    Case("sum", lambda x: x.sum(0), MATRICES, label="method", complex_step=True),
    Case("mean", lambda x: x.mean(-1, keepdims=True), MATRICES, label="method", complex_step=True),
    Case("max", lambda x: x.max(0), MATRICES, label="method", distinct=True),
    Case("min", np.amin, MATRICES, label="amin", distinct=True),
    Case("max", np.amax, MATRICES, label="amax", distinct=True),
]
