"""Cases of `ops/polar.py`, at equal singular values too, which numerical derivatives part."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.decompositions import apart

SHAPES = (
    ((2, 2),),
    ((3, 3),),
    ((3, 2),),
    ((2, 3),),
    ((2, 3, 2),),
    ((0, 2, 2),),
    ((1, 3),),
    ((0, 3),),
)


def _tied(x):
    """All singular values are 2, of a matrix that turns with x."""
    n = x.shape[-1]
    unit = np.eye(n, dtype=x.dtype)
    turn = (x - x.swapaxes(-1, -2)) / 4
    return 2 * np.linalg.solve(unit + turn, unit - turn)


def _by_newton(x):
    """Newton's iteration for the polar factor of a regular matrix, which is square."""
    for _ in range(12):
        x = (x + np.linalg.inv(x).swapaxes(-1, -2)) / 2
    return x


def _by_kronecker(x, y):
    """The Lyapunov equation as one system of n² equations."""
    n = x.shape[-1]
    unit = np.eye(n, dtype=x.dtype)
    left = np.einsum("...ij,kl->...ikjl", x, unit) + np.einsum("ij,...lk->...ikjl", unit, x)
    system = left.reshape((*x.shape[:-2], n * n, n * n))
    return np.linalg.solve(system, y.reshape((*y.shape[:-2], n * n, 1))).reshape(y.shape)


def _positive(x):
    return x @ x.swapaxes(-1, -2) + np.eye(x.shape[-1], dtype=x.dtype)


CASES = [
    Case("nuclear_norm", lambda x: np.linalg.norm(apart(x), "nuc", axis=(-2, -1)), SHAPES),
    Case(
        "nuclear_norm",
        lambda x, y: np.linalg.norm(_tied(x) + y, "nuc", axis=(0, 1)),
        (((2, 2), (2, 2)), ((3, 3), (3, 3))),
        domains=((-2.0, 2.0), (-1e-15, 1e-15)),
        label="equal singular values",
    ),
    Case(
        "nuclear_norm",
        lambda x, y: np.linalg.matrix_norm(apart(x) @ apart(y), ord="nuc"),
        (((3, 1), (1, 2)), ((3, 2), (2, 3))),
        label="low rank",
    ),
    Case(
        "polar",
        lambda x: PRIMITIVES["polar"](apart(x)),
        (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),)),
        reference=lambda x: _by_newton(apart(x)),
        label="square",
    ),
    Case(
        "polar",
        lambda x, y: PRIMITIVES["polar"](_tied(x) + y),
        (((2, 2), (2, 2)), ((3, 3), (3, 3))),
        reference=lambda x, y: _by_newton(_tied(x) + y),
        domains=((-2.0, 2.0), (-1e-15, 1e-15)),
        label="equal singular values",
    ),
    Case(
        "polar",
        lambda x: PRIMITIVES["polar"](apart(x)),
        (((3, 2),), ((2, 3),), ((2, 3, 1),)),
        reference=lambda x: _by_svd(apart(x)),
        label="rectangular",
    ),
    Case(
        "lyapunov",
        lambda x, y: PRIMITIVES["lyapunov"](_positive(x), y),
        (((2, 2), (2, 2)), ((3, 3), (3, 3)), ((2, 2, 2), (2, 2, 2)), ((1, 1), (1, 1))),
        reference=lambda x, y: _by_kronecker(_positive(x), y),
    ),
]


def _by_svd(x):
    u, _, vh = np.linalg.svd(x, full_matrices=False)
    return u @ vh
