"""Cases of `tinygrad_bp.ops.filling`, which composes primitives of other families."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case

_LIKE = tg.Tensor(np.zeros((2, 3), np.float32))

CASES = [
    Case(
        "broadcast_to",
        lambda x: np.full_like(_LIKE, x, dtype=x.dtype),
        (((),), ((3,),), ((2, 1),)),
        reference=lambda x: np.broadcast_to(x, (2, 3)),
        complex_step=True,
        label="full_like",
    ),
    Case(
        "scatter",
        lambda w: np.bincount([0, 2, 2, 5], weights=w, minlength=4),
        (((4,),),),
        label="bincount",
    ),
]
