"""Cases of the primitives that live in the engine, which needs them itself."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case


def _sum_to_shape(x):
    """Applied directly: no function of NumPy reaches it."""
    if isinstance(x, tg.Tensor):
        return PRIMITIVES["sum_to_shape"](x, shape=(3, 1))
    return x.sum(axis=(0, 2)).reshape(3, 1)


def _identity(x):
    return PRIMITIVES["identity"](x) if isinstance(x, tg.Tensor) else x


CASES = [
    Case("identity", _identity, (((2, 3),), ((),), ((0, 2),)), complex_step=True),
    Case("sum_to_shape", _sum_to_shape, (((2, 3, 2),), ((0, 3, 1),)), complex_step=True),
    Case("astype", lambda x: x.astype(np.float64), (((3,),), ((2, 3),), ((),), ((0, 2),))),
]
