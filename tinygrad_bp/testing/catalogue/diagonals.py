"""Cases of `ops/diagonals.py`: square matrices and others, diagonals in and beyond them."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case


def _case(primitive, call, *shapes, label="", reference=None):
    return Case(
        primitive,
        call,
        tuple((s,) for s in shapes),
        reference=reference,
        complex_step=True,
        label=label,
    )


def _inner(x):
    return np.diagonal(x, offset=1, axis1=-1, axis2=0)


CASES = [
    _case("diagonal", np.diagonal, (3, 3), (2, 3), (3, 2), (2, 2, 2), (0, 2)),
    _case("diagonal", _inner, (2, 2, 3), (3, 3), label="offset and axes"),
    _case("diagonal", lambda x: np.diagonal(x, 5), (2, 3), label="beyond the matrix"),
    _case("diagonal", lambda x: np.diag(x, -1), (3, 3), (2, 4), (4, 2), label="diag"),
    _case("make_diagonal", np.diag, (3,), (1,), (0,)),
    _case("make_diagonal", lambda x: np.diag(x, 2), (3,), (0,), label="above"),
    _case("make_diagonal", lambda x: np.diag(x, -1), (3,), label="below"),
    _case("make_diagonal", lambda x: np.diagflat(x, 1), (2, 2), (), label="diagflat"),
    _case(
        "make_diagonal",
        lambda x: PRIMITIVES["make_diagonal"](x, shape=(2, 3, 4), offset=1, axis1=0, axis2=2),
        (3, 2),
        reference=lambda x: np.einsum(
            "bi,ia,ic->abc", x, np.eye(2, dtype=x.dtype), np.eye(2, 4, 1, dtype=x.dtype)
        ),
        label="not square, in a stack",
    ),
    _case("tril", np.tril, (3, 3), (2, 4), (4, 2), (2, 3, 3), (0, 2), (3,)),
    _case("tril", lambda x: np.tril(x, -1), (3, 3), (2, 2, 3), label="below"),
    _case("triu", np.triu, (3, 3), (2, 4), (4, 2), (2, 3, 3), (0, 2), (3,)),
    _case("triu", lambda x: np.triu(x, 1), (3, 3), (2, 2, 3), label="above"),
    _case("power", np.vander, (3,), (1,), (0,), label="vander"),
    _case("power", lambda x: np.vander(x, 5, increasing=True), (2,), label="vander, increasing"),
    _case("power", lambda x: np.vander(x, 2), (4,), label="vander, few columns"),
]
