"""Cases of `ops/spectra.py`: functions of vectors that do not know their signs."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.decompositions import apart

SHAPES = (((2, 2),), ((3, 2),), ((2, 3),), ((2, 3, 2),), ((1, 3),), ((0, 2, 2),), ((0, 3),))


def _all_of_it(full, hermitian=False):
    def call(x):
        u, s, vh = np.linalg.svd(apart(x), full_matrices=full, hermitian=hermitian)
        k = s.shape[-1]
        first, second = u[..., :k, :1] if k else u, vh[..., :1, :]
        parts = [u[..., :, :k].swapaxes(-1, -2) ** 2, vh[..., :k, :] ** 2, s[..., None]]
        pair = first * second if k else u[..., :k, :k]
        pad = np.zeros((*s.shape[:-1], k, 1), s.dtype)
        return np.concatenate([*parts, pad, pair[..., :k, :]], axis=-1)

    return call


def _eigen(x):
    w, v = np.linalg.eig(apart(x))
    return np.concatenate([v * v, w[..., None, :]], axis=-2)


SQUARE = (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),))

CASES = [
    Case("svd", _all_of_it(False), SHAPES, label="reduced"),
    Case("svd", _all_of_it(True), SHAPES[:4], label="full"),
    Case("svd", lambda x: np.linalg.svd(apart(x))[1], SHAPES, label="values"),
    Case("eigh", _all_of_it(True, hermitian=True), SQUARE, label="svd of symmetric"),
    Case(
        "svd",
        lambda x: _product(*np.linalg.svd(apart(x), full_matrices=False)),
        SHAPES,
        reference=apart,
        complex_step=False,
        label="product",
    ),
    Case("svdvals", lambda x: np.linalg.svdvals(apart(x)), SHAPES),
    Case("svdvals", lambda x: np.linalg.svd(apart(x), compute_uv=False), SHAPES, label="svd"),
    Case(
        "eigvalsh",
        lambda x: np.linalg.svd(apart(x), compute_uv=False, hermitian=True),
        SQUARE,
        label="svd of symmetric",
    ),
    Case("eig", _eigen, SQUARE, label="all"),
    Case("eigvals", lambda x: np.linalg.eigvals(apart(x)), SQUARE, label="values"),
]


def _product(u, s, vh):
    return (u * s[..., None, :]) @ vh
