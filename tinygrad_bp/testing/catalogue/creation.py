"""Cases of `tinygrad_bp.ops.creation`, which composes primitives of other families."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case

_LIKE = tg.Tensor(0.0)

CASES = [
    Case(
        "broadcast_to",
        lambda x: np.full((2, 3), x, like=_LIKE),
        (((),), ((3,),), ((2, 1),)),
        reference=lambda x: np.full((2, 3), x, x.dtype),
        complex_step=True,
        label="full",
    ),
    Case(
        "stack",
        lambda x, y: np.array([[x, y], [y, x]], like=_LIKE),
        (((), ()), ((2,), (2,)), ((0,), (0,))),
        reference=lambda x, y: np.array([[x, y], [y, x]]),
        complex_step=True,
        label="array of lists",
    ),
]
