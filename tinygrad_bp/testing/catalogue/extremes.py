"""Cases of `tinygrad_bp.ops.extremes`, each over none, one, some and all axes and masked."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.reductions import MATRICES, masked_rows, rows_of_axes, started

CASES = [
    *rows_of_axes("max", np.max, distinct=True),
    *rows_of_axes("min", np.min, distinct=True),
    *masked_rows("max", np.max, distinct=True, initial=-9.0),
    *masked_rows("min", np.min, distinct=True, initial=9.0),
    started("max", np.max, ((3, 4), ()), ((0, 2), ()), ((3, 1), ()), axis=0, label="initial"),
    started("max", np.max, ((3, 2), ()), where=np.array([True, False]), label="initial, where"),
    started("min", np.min, ((3, 4), ()), ((0, 2), ()), ((), ()), keepdims=True, label="initial"),
    started("min", np.min, ((3, 2), ()), where=np.array([False, True]), label="initial, where"),
    Case("max", lambda x: x.max(0), MATRICES, label="method", distinct=True),
    Case("min", np.amin, MATRICES, label="amin", distinct=True),
    Case("max", np.amax, MATRICES, label="amax", distinct=True),
    Case("min", np.ptp, MATRICES, label="ptp", distinct=True),
    Case("max", partial(np.ptp, axis=-1, keepdims=True), MATRICES, label="ptp", distinct=True),
]
