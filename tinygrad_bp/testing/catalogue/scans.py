"""Cases of `tinygrad_bp.ops.scans`, along each axis and over all elements."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.ops import scans
from tinygrad_bp.testing.catalogue.case import Case

LINES = (((4,),), ((3, 2),), ((2, 3, 2),), ((1,),), ((0,),), ((0, 2),), ((2, 0),))


def _rows(name, function, *, analytic=True, reference=None, **smooth):
    """One case for each way to name the axis."""
    some = {"": {"axis": 0}, "last axis": {"axis": -1}, "flat": {"axis": None}}
    return [
        Case(
            name,
            partial(function, **axes),
            LINES if words == "" else (((2, 3),), ((),), ((2, 1, 3),)),
            reference=reference and partial(reference, **axes),
            complex_step=analytic,
            label=f"{smooth.get('label', '')} {words}".strip(),
            **{key: value for key, value in smooth.items() if key != "label"},
        )
        for words, axes in some.items()
    ]


def _accumulate(ufunc):
    """NumPy's own, which knows neither axis None nor numbers."""

    def reference(x, axis):
        return ufunc.accumulate(np.reshape(x, -1) if axis is None or not x.ndim else x, axis or 0)

    return reference


def _recurrence(axis, reverse):
    def call(a, b):
        if isinstance(a, tg.Tensor) or isinstance(b, tg.Tensor):
            return PRIMITIVES["recurrence"](a, b, axis=axis, reverse=reverse)
        z = np.moveaxis(np.array(b, np.result_type(a, b)), axis, 0)
        a = np.moveaxis(np.broadcast_to(a, b.shape), axis, 0)
        order = range(len(z))[:: -1 if reverse else 1]
        for before, k in pairwise(order):
            z[k] += a[k] * z[before]
        return np.moveaxis(z, 0, axis)

    return Case(
        "recurrence",
        call,
        (((3, 2), (3, 2)), ((2, 2, 1), (2, 2, 2)), ((1, 3), (1, 3)), ((0, 2), (0, 2))),
        complex_step=True,
        label=f"axis {axis}{' backwards' if reverse else ''}",
    )


def _with_zeros(x):
    return np.cumprod(x * (np.indices(x.shape).sum(axis=0) % 3 != 1), axis=-1)


def _with_nan(function):
    def call(x):
        holes = np.where(np.indices(x.shape).sum(axis=0) % 3 != 1, 0, np.nan).astype(x.dtype)
        return function(x + holes, axis=-1)

    return call


_WITH_INITIAL = {"axis": -1, "include_initial": True}

CASES = [
    *_rows("cumsum", np.cumsum),
    *_rows("cumprod", np.cumprod),
    *_rows(
        "cummax",
        scans.accumulate_max,
        reference=_accumulate(np.maximum),
        analytic=False,
        distinct=True,
    ),
    *_rows(
        "cummin",
        scans.accumulate_min,
        reference=_accumulate(np.minimum),
        analytic=False,
        distinct=True,
    ),
    *_rows("logcumsumexp", scans.logcumsumexp, reference=_accumulate(np.logaddexp), analytic=False),
    Case("cumprod", _with_zeros, (((5,),), ((2, 4),)), complex_step=True, label="zeros"),
    Case("cumprod", lambda x: np.cumprod(0 * x), (((4,),),), complex_step=True, label="all zeros"),
    Case("cumsum", lambda x: np.cumsum(x, dtype=np.float64), LINES, label="dtype"),
    Case("cumsum", np.cumulative_sum, (((3,),), ((),), ((0,),)), label="cumulative_sum"),
    Case("cumprod", np.cumulative_prod, (((3,),), ((),), ((0,),)), label="cumulative_prod"),
    Case(
        "cumsum",
        partial(np.cumulative_sum, **_WITH_INITIAL),
        (((3,),), ((2, 3),), ((2, 0),)),
        label="cumulative_sum with initial",
    ),
    Case(
        "cumprod",
        partial(np.cumulative_prod, **_WITH_INITIAL),
        (((3,),), ((2, 3),), ((2, 0),)),
        label="cumulative_prod with initial",
    ),
    Case("cumsum", _with_nan(np.nancumsum), (((4,),), ((2, 3),)), label="nancumsum"),
    Case("cumprod", _with_nan(np.nancumprod), (((4,),), ((2, 3),)), label="nancumprod"),
    _recurrence(0, False),
    _recurrence(0, True),
    _recurrence(1, True),
]
