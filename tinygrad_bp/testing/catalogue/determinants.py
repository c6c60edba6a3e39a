"""Cases of `ops/determinants.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

SQUARE = (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 2, 2),), ((0, 0),))


def _regular(x):
    return x + 6 * np.eye(x.shape[-1], dtype=x.dtype)


def _leibniz(x):
    """The determinant as a sum over permutations."""
    n = x.shape[-1]
    if n == 0:
        return np.ones(x.shape[:-2], x.dtype)
    return sum(
        (-1) ** i * x[..., 0, i] * _leibniz(np.delete(x[..., 1:, :], i, axis=-1)) for i in range(n)
    )


CASES = [
    Case("det", np.linalg.det, SQUARE, complex_step=True),
    Case("det", np.linalg.det, SQUARE, reference=_leibniz, complex_step=True, label="leibniz"),
    *(
        Case(
            "det",
            lambda x, y: np.linalg.det(x @ y),
            (((n, n - k), (n - k, n)), ((2, n, n - k), (n - k, n))),
            reference=lambda x, y: _leibniz(x @ y),
            label=f"rank {n - k} of {n}",
        )
        for n, k in ((2, 1), (3, 1), (3, 2), (4, 2))
    ),
    *(
        Case(  # away from the matrices of that rank too, where the sign of the gradient shows
            "det",
            lambda x, y, z: np.linalg.det(x @ y + z),
            (((n, n - 1), (n - 1, n), (n, n)),),
            reference=lambda x, y, z: _leibniz(x @ y + z),
            domains=((-2.0, 2.0), (-2.0, 2.0), (0.0, 0.0)),
            label=f"beside rank {n - 1} of {n}",
        )
        for n in (2, 3)
    ),
    Case(
        "slogdet",
        lambda x: np.linalg.slogdet(_regular(x))[1],
        SQUARE,
        reference=lambda x: np.log(np.linalg.det(_regular(x))),
        complex_step=True,
    ),
    Case(
        "slogdet",
        lambda x: np.linalg.slogdet(_regular(x)[..., ::-1, :]).logabsdet,
        (((2, 2),), ((2, 3, 3),)),
        label="negative determinant",
    ),
]
