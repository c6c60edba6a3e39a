"""Cases of `tinygrad_bp.ops.mapping`, which composes primitives of other families."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _along(axis, function, *shapes, label):
    return Case(
        "stack",
        lambda x: np.apply_along_axis(function, axis, x),
        tuple((s,) for s in shapes),
        complex_step=True,
        label=label,
    )


CASES = [
    _along(0, lambda v: v[0] * v[-1], (3,), (2, 3), (2, 2, 2), label="along 0, to numbers"),
    _along(-1, lambda v: v * v[::-1], (3,), (2, 3), (2, 1, 2), label="along -1, to vectors"),
    _along(
        1,
        lambda v: np.outer(v, v)[:, :1] * np.ones((1, 2), v.dtype),
        (2, 3),
        (2, 3, 2),
        label="along 1, to matrices",
    ),
    Case(
        "sum",
        lambda x: np.apply_over_axes(np.sum, x, (0, -1)),
        (((2, 3),), ((2, 3, 2),), ((0, 2),)),
        complex_step=True,
        label="apply_over_axes",
    ),
    Case(
        "cumsum",
        lambda x: np.apply_over_axes(np.cumsum, x, 0),
        (((3,),), ((2, 3),)),
        complex_step=True,
        label="apply_over_axes that keeps them",
    ),
    Case("astype", lambda x: np.astype(x, np.float64), (((3,),), ((),)), label="np.astype"),
]
