"""Cases of `tinygrad_bp.ops.embedding`, without a padding row, whose gradient is none."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops.embedding import embedding
from tinygrad_bp.testing.catalogue.case import Case


def _case(label, indices, *shapes):
    indices = np.array(indices)
    return Case(
        "embedding",
        lambda w: embedding(w, indices, padding_idx=None, by_frequency=False),
        tuple((shape,) for shape in shapes),
        lambda w: np.take(w, indices, axis=0),
        complex_step=True,
        label=label,
    )


CASES = [
    _case("", [2, 0, 2], (3, 2), (4, 1)),
    _case("several axes", [[1, 1], [0, 2]], (3, 2), (3, 0)),
    _case("one index", 1, (3, 2)),
    _case("no index", np.zeros((0, 2), int), (2, 3)),
]
