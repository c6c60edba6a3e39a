"""Cases of `ops/solving.py`, on matrices that are well conditioned by construction."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def regular(x):
    """A square matrix that no draw makes singular."""
    return x + 6 * np.eye(x.shape[-1], dtype=x.dtype)


def tall(x):
    """A matrix of full rank."""
    return x + 6 * np.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)


def low_rank(x, y):
    """A matrix whose rank is the inner length, and stays so."""
    return tall(x) @ tall(y)


def normal_equations(a, b):
    return np.linalg.solve(a.swapaxes(-1, -2) @ a, a.swapaxes(-1, -2) @ b)


SQUARE = (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),), ((0, 2, 2),), ((0, 0),))

CASES = [
    Case("inv", lambda x: np.linalg.inv(regular(x)), SQUARE, complex_step=True),
    Case(
        "solve",
        lambda x, y: np.linalg.solve(regular(x), y),
        (
            ((3, 3), (3, 2)),
            ((2, 2, 2), (2, 2, 1)),
            ((2, 2), (3, 2, 2)),
            ((3, 2, 2), (2, 1)),
            ((2, 1, 2, 2), (3, 2, 2)),
            ((3, 3), (3, 0)),
            ((0, 0), (0, 2)),
            ((0, 2, 2), (2, 2)),
        ),
        complex_step=True,
        label="matrix",
    ),
    Case(
        "solve",
        lambda x, y: np.linalg.solve(regular(x), y),
        (((3, 3), (3,)), ((2, 2, 2), (2,)), ((1, 1), (1,)), ((0, 2, 2), (2,)), ((0, 0), (0,))),
        complex_step=True,
        label="vector",
    ),
    Case(
        "pinv",
        lambda x: np.linalg.pinv(tall(x)),
        (((3, 2),), ((2, 3),), ((2, 2),), ((2, 3, 1),), ((0, 3, 2),), ((3, 0),)),
        label="full rank",
    ),
    Case(
        "pinv",
        lambda x, y: np.linalg.pinv(low_rank(x, y), rcond=1e-6),
        (((3, 1), (1, 2)), ((3, 2), (2, 3)), ((2, 3, 1), (1, 3))),
        label="low rank",
    ),
    Case(
        "pinv",
        lambda x: np.linalg.pinv(graded(x), rtol=0.1),
        (((3, 3),), ((3, 2),), ((2, 3),), ((2, 3, 3),)),
        label="truncated",
    ),
    Case(
        "pinv",
        lambda x: np.linalg.pinv(regular(x), hermitian=True, rtol=None),
        (((2, 2),), ((3, 3),), ((2, 2, 2),)),
        label="hermitian",
    ),
    Case(
        "lstsq",
        lambda x, y: np.linalg.lstsq(tall(x), y)[0],
        (((4, 2), (4,)), ((4, 2), (4, 3)), ((3, 3), (3, 2)), ((3, 2), (3, 0))),
        reference=lambda x, y: normal_equations(tall(x), y),
        complex_step=True,
        label="overdetermined",
    ),
    Case(
        "lstsq",
        lambda x, y: np.linalg.lstsq(tall(x), y)[0],
        (((2, 4), (2,)), ((2, 3), (2, 2))),
        label="underdetermined",
    ),
    Case(
        "lstsq",
        lambda x, y, z: np.linalg.lstsq(low_rank(x, y), z, rcond=1e-6)[0],
        (((3, 1), (1, 2), (3,)), ((4, 2), (2, 3), (4, 2))),
        label="low rank",
    ),
    Case(
        "lstsq",
        lambda x, y: np.linalg.lstsq(tall(x), y)[1],
        (((4, 2), (4,)), ((4, 2), (4, 3))),
        label="residuals",
    ),
    Case(
        "svdvals", lambda x: np.linalg.lstsq(tall(x), x)[3], (((3, 2),), ((2, 3),)), label="lstsq"
    ),
]


def graded(x):
    """A matrix with a singular value far below the others, but not 0."""
    m, n = x.shape[-2:]
    return x / 20 + np.eye(m, n, dtype=x.dtype) * np.array([3, 2, 0.12][:n], x.dtype)
