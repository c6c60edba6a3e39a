"""Rows of dense layers."""

from __future__ import annotations

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


@row("Linear", "bias, leading axes")
def linear(rng: np.random.Generator) -> Case:
    import torch

    n, m, bias = int(rng.integers(1, 6)), int(rng.integers(1, 6)), bool(rng.integers(2))
    shape = (*rng.integers(1, 4, size=rng.integers(1, 4)), n)
    ours = tg.nn.Linear(n, m, bias, dtype=float, generator=rng)
    return Case(ours, torch.nn.Linear(n, m, bias), (rng.normal(size=shape),))
