"""Cases of `ops/decompositions.py`: factors, and functions that do not know their signs."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

SQUARE = (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 2, 2),), ((0, 0),))
TALL = (((3, 2),), ((2, 2),), ((2, 3, 2),), ((2, 1),), ((0, 3, 2),), ((3, 0),))
WIDE = (((2, 3),), ((1, 3),), ((2, 2, 3),))


def positive(x):
    """Positive definite, and symmetric to the bit."""
    n = x.shape[-1]
    return (x + x.swapaxes(-1, -2)) / 2 + 3 * n * np.eye(n, dtype=x.dtype)


def apart(x):
    """Eigenvalues that keep a distance, as do singular values; no zeros, at which signs jump."""
    m, n = x.shape[-2:]
    size = (5 * np.arange(1, n + 1)).astype(x.dtype)
    return x / 4 + x.dtype.type(0.6) + np.eye(m, n, dtype=x.dtype) * size


def mixed(w, v):
    """All that an eigendecomposition gives, in one array, signs aside."""
    return np.concatenate([v * v, w[..., None]], axis=-1)


def factors(q, r):
    return np.concatenate([abs(q), abs(r)], axis=-2) if q.shape[-1] == r.shape[-1] else abs(r)


def product(x):
    """Signs of Q and R undone."""
    q, r = np.linalg.qr(apart(x))
    return q[..., :, 0:1] * r[..., 0:1, :]


CASES = [
    Case("cholesky", lambda x: np.linalg.cholesky(positive(x)), SQUARE, label="symmetric"),
    Case(
        "cholesky",
        lambda x: np.linalg.cholesky(x + 9 * np.eye(x.shape[-1], dtype=x.dtype)),
        SQUARE,
        label="one triangle",
    ),
    Case(
        "cholesky",
        lambda x: np.linalg.cholesky(x + 9 * np.eye(x.shape[-1], dtype=x.dtype), upper=True),
        SQUARE,
        label="upper",
    ),
    Case("qr", lambda x: factors(*np.linalg.qr(apart(x))), TALL, kinks=((0.0,),), label="tall"),
    Case("qr", lambda x: np.linalg.qr(apart(x)).Q, TALL, label="Q of a tall matrix"),
    Case("qr", lambda x: np.linalg.qr(apart(x)).R, TALL, label="R of a tall matrix"),
    Case("qr", lambda x: np.linalg.qr(apart(x)).Q, WIDE, label="Q of a wide matrix"),
    Case("qr", lambda x: np.linalg.qr(apart(x)).R, WIDE, label="R of a wide matrix"),
    Case("qr", product, TALL[:3] + WIDE, label="signs undone"),
    Case("qr", lambda x: np.linalg.qr(apart(x), mode="r"), TALL + WIDE, label="r"),
    Case(
        "qr",
        lambda x: np.linalg.qr(apart(x), mode="complete").R,
        TALL[:2] + WIDE[:1],
        label="R of a complete one",
    ),
    Case(
        "complement",
        lambda x: np.linalg.qr(apart(x), mode="complete").Q[..., : x.shape[-1]],
        (((3, 2),), ((2, 3, 1),)),
        label="Q of a complete one",
    ),
    Case("eigh", lambda x: mixed(*np.linalg.eigh(apart(x))), SQUARE, label="lower"),
    Case("eigh", lambda x: mixed(*np.linalg.eigh(apart(x), "U")), SQUARE[:3], label="upper"),
    Case(
        "eigh",
        lambda x: (
            np.linalg.eigh(apart(x)).eigenvectors[..., :1]
            * np.linalg.eigh(apart(x)).eigenvectors[..., :1, :1]
        ),
        (((3, 3),), ((2, 2, 2),)),
        label="an eigenvector, its sign undone",
    ),
    Case("eigvalsh", lambda x: np.linalg.eigvalsh(apart(x)), SQUARE, label="lower"),
    Case("eigvalsh", lambda x: np.linalg.eigvalsh(apart(x), "U"), SQUARE[:3], label="upper"),
]
