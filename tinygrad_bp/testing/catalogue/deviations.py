"""Cases of `tinygrad_bp.ops.deviations`, each over none, one, some and all axes and masked."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.reductions import mask_of, masked_rows, rows_of_axes


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


def _around(name, function):
    """Cases with `mean=`, which has a gradient of its own, and which x does not come near."""
    far = {"domains": ((-1.0, 1.0), (2.0, 3.0))}
    return [
        Case(
            name, lambda x, m: function(x, axis=0, mean=m), (((2, 3), (1, 3)),), **far,
            label="mean",
        ),
        Case(
            name,
            lambda x, m: function(x, axis=-1, mean=m, where=mask_of(x), ddof=1, keepdims=True),
            (((3, 4), (3, 1)),),
            label="mean, where",
            **far,
        ),
    ]  # fmt: skip


_ENOUGH = {"shapes": (((6, 4),), ((6, 5),)), "distinct": True}

CASES = [
    *rows_of_axes("var", np.var, scalars=False),
    *_deviation("var", np.var, ddof=1),
    *_deviation("std", np.std),
    *_deviation("std", np.std, ddof=1),
    *masked_rows("var", np.var, **_ENOUGH),
    *masked_rows("var", np.var, **_ENOUGH, ddof=1),
    *masked_rows("std", np.std, **_ENOUGH),
    *_around("var", np.var),
    *_around("std", np.std),
    Case("var", lambda x: np.var(x, correction=1), (((3,),),), label="correction"),
]
