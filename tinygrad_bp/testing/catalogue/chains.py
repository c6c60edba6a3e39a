"""Cases of `ops/chains.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

SQUARE = (((2, 2),), ((3, 3),), ((2, 2, 2),), ((1, 1),))
EMPTY = (((0, 2, 2),), ((0, 0),))


def _power(n, label, shapes=SQUARE + EMPTY):
    return Case(
        "inv" if n < 0 else "matmul",
        lambda x: np.linalg.matrix_power(_regular(x), n),
        shapes,
        complex_step=True,
        label=label,
    )


def _regular(x):
    return x + 6 * np.eye(x.shape[-1], dtype=x.dtype)


CASES = [
    Case(
        "matmul",
        lambda *arrays: np.linalg.multi_dot(arrays),
        (
            ((2, 3), (3, 2)),
            ((2, 3), (3, 1), (1, 4)),
            ((3,), (3, 2), (2,)),
            ((2,), (2, 3), (3, 1), (1, 2)),
            ((2, 3), (3, 2), (2, 1), (1,)),
            ((2, 0), (0, 3), (3, 2)),
        ),
        complex_step=True,
        label="multi_dot",
    ),
    _power(2, "power 2"),
    _power(5, "power 5"),
    _power(-1, "power -1"),
    _power(-3, "power -3"),
    Case("positive", lambda x: np.linalg.matrix_power(x, 1), SQUARE, label="power 1"),
    Case(
        "solve",
        lambda x, y: np.linalg.tensorsolve(_tensor(x, 2), y),
        (((2, 3, 6), (2, 3)), ((2, 1, 1, 2), (2, 1))),
        label="tensorsolve",
    ),
    Case(
        "solve",
        lambda x, y: np.linalg.tensorsolve(_tensor(x, 1), y, axes=(0,)),
        (((4, 2, 2), (2, 2)),),
        reference=lambda x, y: np.linalg.tensorsolve(np.transpose(_tensor(x, 1), (1, 2, 0)), y),
        label="tensorsolve of axes",
    ),
    Case(
        "inv",
        lambda x: np.linalg.tensorinv(_tensor(x, 2)),
        (((2, 3, 6),), ((2, 1, 1, 2),)),
        complex_step=True,
        label="tensorinv",
    ),
    Case(
        "inv",
        lambda x: np.linalg.tensorinv(_tensor(x, 1), ind=1),
        (((4, 2, 2),), ((2, 2),)),
        label="tensorinv of one axis",
    ),
    Case(
        "matmul",
        np.linalg.matmul,
        (((2, 3), (3, 2)), ((2, 2, 3), (3,))),
        label="linalg.matmul",
    ),
    Case(
        "matmul",
        lambda x, y: np.linalg.tensordot(x, y, axes=1),
        (((2, 3), (3, 2)),),
        label="linalg.tensordot",
    ),
    Case("multiply", np.linalg.outer, (((2,), (3,)), ((0,), (2,))), label="linalg.outer"),
    Case("transpose", np.linalg.matrix_transpose, (((2, 3),), ((4, 2, 3),)), label="linalg"),
    *(
        Case(
            "gather",
            lambda x, k=k: np.linalg.diagonal(x, offset=k),
            (((2, 3),), ((3, 2),), ((2, 3, 3),), ((0, 2, 2),)),
            label=f"linalg.diagonal, offset {k}",
        )
        for k in (0, 1, -1)
    ),
    *(
        Case(
            "sum",
            lambda x, k=k: np.linalg.trace(x, offset=k),
            (((2, 3),), ((3, 2),), ((2, 3, 3),), ((0, 2, 2),)),
            label=f"linalg.trace, offset {k}",
        )
        for k in (0, 2, -1)
    ),
]


def _tensor(x, count):
    """With 6 added along the diagonal of the matrix that the first axes make with the others."""
    n = int(np.prod(x.shape[:count]))
    return x + 6 * np.reshape(np.eye(n, dtype=x.dtype), x.shape)
