"""Cases of `tinygrad_bp.ops.reductions`, each over none, one, some and all axes and masked."""

from __future__ import annotations

from functools import partial

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case

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
MASKED = (((3, 4),), ((4, 5),), ((2, 3, 4),))


def rows_of_axes(
    name, function, *, empty=False, scalars=True, analytic=False, distinct=False, **params
):
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


def mask_of(x):
    """Two of three elements, others in each row and column."""
    return np.indices(x.shape).sum(axis=0) % 3 != 1


def masked_rows(name, function, *, analytic=False, distinct=False, shapes=MASKED, **params):
    """Cases with `where=`: over everything, over axes, and with NaN under the mask."""
    smooth = {"complex_step": analytic, "distinct": distinct}
    some = {"": {}, "axis 0 kept": {"axis": 0, "keepdims": True}, "axes": {"axis": (-1, 0)}}
    label = "".join(f"{word}={value} " for word, value in params.items())
    rows = [
        Case(
            name,
            lambda x, more=axes: function(x, where=mask_of(x), **params, **more),
            shapes if "axis" in axes else (*shapes, ((4,),)),
            label=f"{label}where {words}".strip(),
            **smooth,
        )
        for words, axes in some.items()
    ]

    def hidden(x):
        holes = np.where(mask_of(x), 0, np.nan).astype(x.dtype)
        return function(x + holes, axis=-1, where=mask_of(x), **params)

    return [*rows, Case(name, hidden, shapes, label=f"{label}where NaN is masked", **smooth)]


def started(name, function, *shapes, label, **more):
    """A case with `initial=`; NumPy asks no tensor there, so the first argument has to be one."""
    return Case(
        name,
        lambda x, start: function(tg.as_tensor(x), initial=start, **more),
        shapes,
        reference=lambda x, start: function(x, initial=start, **more),
        distinct=True,
        label=label,
    )


def _traces(label, shapes, **params):
    return Case("trace", partial(np.trace, **params), shapes, complex_step=True, label=label)


CASES = [
    *rows_of_axes("sum", np.sum, empty=True, analytic=True),
    *rows_of_axes("mean", np.mean, analytic=True, scalars=False),
    *rows_of_axes("prod", np.prod, empty=True, analytic=True),
    Case("prod", lambda x: np.prod(x * np.array([0, 1, 1])), (((3,),), ((2, 3),)), label="a zero"),
    Case("prod", lambda x: np.prod(x * np.array([0, 1, 0])), (((3,),), ((2, 3),)), label="zeros"),
    Case("prod", np.prod, (((5,),), ((2, 3),), ((7,),), ((9,),)), label="odd lengths"),
    Case("sum", lambda x: x.sum(0), MATRICES, label="method", complex_step=True),
    Case("mean", lambda x: x.mean(-1, keepdims=True), MATRICES, label="method", complex_step=True),
    *masked_rows("sum", np.sum, analytic=True),
    *masked_rows("mean", np.mean, analytic=True),
    *masked_rows("prod", np.prod, analytic=True),
    started("add", np.sum, ((3, 2), ()), ((0, 2), ()), axis=0, label="sum with initial"),
    started(
        "add", np.sum, ((3, 2), ()), where=np.array([True, False]), label="sum with initial, where"
    ),
    started(
        "multiply",
        np.prod,
        ((2, 3), ()),
        ((2, 0), ()),
        axis=-1,
        keepdims=True,
        label="prod with initial",
    ),
    started(
        "multiply",
        np.prod,
        ((3, 2), ()),
        where=np.array([True, False]),
        label="prod with initial, where",
    ),
    Case("sum", lambda x: np.sum(x, dtype=np.float64), ANY, label="dtype"),
    _traces("", (((2, 2),), ((2, 3),), ((3, 1),), ((0, 2),))),
    _traces("offset", (((3, 4),), ((2, 2),), ((1, 2),)), offset=1),
    _traces("offset below", (((3, 4),), ((2, 2),)), offset=-1),
    _traces("axes", (((2, 3, 2),),), axis1=-1, axis2=0, offset=1),
    _traces("axes apart", (((2, 3, 2, 2),),), axis1=1, axis2=3),
    Case("trace", lambda x: np.trace(x, dtype=np.float64), (((2, 3),),), label="dtype"),
]
