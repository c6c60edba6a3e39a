"""Cases of `ops/linear_algebra.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops.linear_algebra import linear
from tinygrad_bp.testing.catalogue.case import Case


def _affine(x, weight, bias=0):
    """A dense layer without a matrix product."""
    return (x[..., None, :] * weight).sum(axis=-1) + bias


CASES = [
    Case(
        "matmul",
        np.matmul,
        (
            ((3,), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3,)),
            ((2, 3), (3, 4)),
            ((1, 3), (3, 4)),
            ((2, 1), (1, 3)),
            ((2, 3), (3, 1)),
        ),
        complex_step=True,
        label="matrices",
    ),
    Case(
        "matmul",
        np.matmul,
        (
            ((2, 2, 3), (3, 2)),
            ((2, 2, 3), (3,)),
            ((2, 3), (2, 3, 2)),
            ((3,), (2, 3, 2)),
            ((2, 1, 2, 3), (3, 3, 2)),
            ((2, 3, 1), (1, 1, 2)),
            ((1, 1, 3), (2, 3, 2)),
        ),
        complex_step=True,
        label="stacks",
    ),
    Case(
        "matmul",
        np.matmul,
        (
            ((0,), (0,)),
            ((2, 0), (0, 3)),
            ((0, 3), (3, 2)),
            ((2, 3), (3, 0)),
            ((2, 0, 3), (3, 2)),
            ((0, 2, 3), (3,)),
            ((0,), (2, 0, 3)),
        ),
        label="empty",
    ),
    Case("multiply", np.dot, (((), (2, 3)), ((2,), ()), ((), ())), label="dot of a number"),
    Case(
        "matmul",
        np.dot,
        (
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((2, 3), (3, 2)),
            ((3,), (2, 3, 2)),
            ((2, 2, 3), (3,)),
            ((2, 2, 3), (2, 3, 2)),
        ),
        complex_step=True,
        label="dot",
    ),
    Case(
        "matmul",
        lambda a, b: np.tensordot(a, b, ((0, -1), (1, 0))),
        (((2, 3, 2), (2, 2, 3)), ((2, 2), (2, 2)), ((0, 2, 2), (2, 0))),
        complex_step=True,
        label="tensordot of pairs",
    ),
    Case(
        "matmul",
        lambda a, b: np.tensordot(a, b, 1),
        (((2, 3), (3, 2, 2)), ((3,), (3,))),
        label="tensordot of one",
    ),
    Case(
        "matmul",
        lambda a, b: np.tensordot(a, b, 0),
        (((2,), (3, 2)), ((), (3,))),
        label="tensordot of none",
    ),
    Case("multiply", np.outer, (((2,), (3,)), ((2, 2), ()), ((0,), (2,))), label="outer"),
    Case(
        "linear",
        linear,
        (
            ((2, 3), (4, 3), (4,)),
            ((1, 3), (4, 3), (4,)),
            ((3,), (4, 3), (4,)),
            ((2, 2, 3), (1, 3), (1,)),
            ((1, 1, 3), (1, 3), (1,)),
            ((2, 1), (3, 1), (3,)),
            ((1,), (3, 1), (3,)),
            ((0, 3), (2, 3), (2,)),
            ((2, 0), (3, 0), (3,)),
        ),
        reference=_affine,
        complex_step=True,
    ),
    Case(
        "linear",
        linear,
        (((2, 3), (4, 3)), ((1, 3), (4, 3)), ((3,), (1, 3)), ((2, 2, 1), (2, 1))),
        reference=_affine,
        complex_step=True,
        label="no bias",
    ),
]
