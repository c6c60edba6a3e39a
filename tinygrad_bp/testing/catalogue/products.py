"""Cases of `ops/products.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops.products import matvec, vecmat
from tinygrad_bp.testing.catalogue.case import Case

CASES = [
    Case(
        "matmul",
        np.inner,
        (((3,), (3,)), ((2, 3), (3,)), ((2, 2, 3), (4, 3)), ((0,), (0,)), ((2, 0), (3, 0))),
        complex_step=True,
        label="inner",
    ),
    Case("multiply", np.inner, (((), (2, 3)), ((2,), ())), label="inner with a number"),
    Case(
        "matmul",
        np.vdot,
        (((3,), (3,)), ((2, 3), (3, 2)), ((), ()), ((0,), (0, 2))),
        label="vdot",
    ),
    Case(
        "vecdot",
        np.vecdot,
        (((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)), ((0,), (0,)), ((0, 2), (2,))),
        reference=lambda x, y: np.sum(x * y, axis=-1),
        complex_step=True,
    ),
    Case(
        "vecdot",
        lambda x, y: np.linalg.vecdot(x, y, axis=0),
        (((3, 2), (3, 2)), ((3, 1), (3, 2))),
        label="linalg, axis 0",
    ),
    Case(
        "matmul",
        matvec,
        (((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)), ((0, 3), (3,)), ((2, 0), (5, 0))),
        reference=lambda x, y: np.einsum("...ij,...j->...i", x, y),
        complex_step=True,
        label="matvec",
    ),
    Case(
        "matmul",
        vecmat,
        (((2,), (2, 3)), ((4, 2), (2, 3)), ((2,), (4, 2, 3)), ((0,), (0, 3))),
        reference=lambda x, y: np.einsum("...i,...ij->...j", x, y),
        complex_step=True,
        label="vecmat",
    ),
    Case(
        "cross",
        np.cross,
        (((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)), ((0, 3), (3,))),
        complex_step=True,
    ),
    Case(
        "cross",
        lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0),
        (((3, 2), (2, 3)), ((3, 2), (1, 3))),
        label="axes",
    ),
    Case(
        "cross",
        lambda x, y: np.linalg.cross(x, y, axis=0),
        (((3, 2), (3, 2)), ((3,), (3,))),
        label="linalg, axis 0",
    ),
    Case(
        "cross",
        np.cross,
        (((2,), (3,)), ((4, 3), (2,))),
        reference=lambda x, y: np.cross(_in_space(x), _in_space(y)),
        label="plane and space",
    ),
    Case(
        "multiply",
        np.cross,
        (((2,), (2,)), ((4, 2), (2,))),
        reference=lambda x, y: np.cross(_in_space(x), _in_space(y))[..., 2],
        label="cross in the plane",
    ),
    Case(
        "multiply",
        np.kron,
        (
            ((2,), (3,)),
            ((2, 3), (2, 2)),
            ((2,), (3, 2)),
            ((2, 1, 2), (3,)),
            ((0,), (2,)),
            ((), (2,)),
        ),
        complex_step=True,
        label="kron",
    ),
]


def _in_space(x):
    return np.concatenate([x, np.zeros((*x.shape[:-1], 3 - x.shape[-1]), x.dtype)], axis=-1)
