"""Cases of `tinygrad_bp.ops.nan_reductions`: the rows of a matrix have NaN at other places."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

SHAPES = (((3, 4),), ((4, 5),), ((5, 3, 4),))


def holes(x):
    """The array with NaN in a third of its places."""
    return x + np.where(np.indices(x.shape).sum(axis=0) % 3 != 1, 0, np.nan).astype(x.dtype)


def nan_rows(name, function, shapes=SHAPES, *, analytic=False, distinct=False, **params):
    """One case for each way to name the axes, and one without any NaN."""
    some = {
        "": {},
        "axis 0": {"axis": 0},
        "last axis kept": {"axis": -1, "keepdims": True},
        "axes": {"axis": (0, -1)},
    }
    label = "".join([function.__name__, *(f" {k}={v}" for k, v in params.items())])
    smooth = {"complex_step": analytic, "distinct": distinct}
    rows = [
        Case(
            name,
            lambda x, more=axes: function(holes(x), **params, **more),
            shapes if "axis" in axes else (*shapes, ((6,),)),
            label=f"{label} {words}".strip(),
            **smooth,
        )
        for words, axes in some.items()
    ]
    return [
        *rows,
        Case(
            name,
            lambda x: function(x, axis=-1, **params),
            shapes,
            label=f"{label} without NaN",
            **smooth,
        ),
    ]


_ENOUGH = (((4, 6),), ((4, 7),))

CASES = [
    *nan_rows("sum", np.nansum, analytic=True),
    *nan_rows("prod", np.nanprod, analytic=True),
    *nan_rows("mean", np.nanmean, analytic=True),
    *nan_rows("max", np.nanmax, distinct=True),
    *nan_rows("min", np.nanmin, distinct=True),
    *nan_rows("max", np.nanmax, distinct=True, initial=-9.0),
    *nan_rows("var", np.nanvar, _ENOUGH),
    *nan_rows("var", np.nanvar, _ENOUGH, ddof=1),
    *nan_rows("std", np.nanstd, _ENOUGH, distinct=True),
    *nan_rows("std", np.nanstd, _ENOUGH, correction=1, distinct=True),
]
