"""Cases of `ops/indexing.py`: a kind of index each."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case

_MASK = np.array([[True, False, True], [False, False, True]])


def _case(primitive, index, *shapes, label):
    return Case(
        primitive,
        lambda x: x[index],
        tuple((s,) for s in shapes),
        complex_step=True,
        label=label,
    )


def _added(index, shape):
    """What `scatter` computes, as a product with a matrix of zeros and ones."""
    places = np.arange(int(np.prod(shape))).reshape(shape)[index]
    hits = (places.reshape(-1, 1) == np.arange(int(np.prod(shape)))).astype(np.float32)

    def reference(values):
        return (values.reshape(-1) @ hits.astype(values.dtype)).reshape(shape)

    return reference


def _scatter(index, shape, *values, label):
    return Case(
        "scatter",
        lambda x: PRIMITIVES["scatter"](x, index=index, shape=shape),
        tuple((v,) for v in values),
        reference=_added(index, shape),
        complex_step=True,
        label=label,
    )


CASES = [
    _case("getitem", 1, (2,), (2, 3), (2, 0), label="integer"),
    _case("getitem", -1, (2, 3), label="negative integer"),
    _case("getitem", np.int64(1), (2, 3), label="NumPy integer"),
    _case("getitem", slice(1, None), (3,), (2, 3), (1, 2), label="slice"),
    _case("getitem", slice(None, None, -2), (4,), (3, 2), label="negative step"),
    _case("getitem", (0, 1), (2, 3), (1, 2, 2), label="integers"),
    _case("getitem", (slice(0, 2), None, 1), (3, 2), label="mixed basic"),
    _case("getitem", (Ellipsis, 0), (2,), (2, 3), (2, 2, 2), label="ellipsis"),
    _case("getitem", None, (), (2,), label="newaxis"),
    _case("getitem", (), (), (2,), label="empty tuple"),
    _case("getitem", Ellipsis, (), (2,), label="ellipsis alone"),
    _case("gather", [0, 2, 0], (3,), (3, 2), label="list"),
    _case("gather", [], (3,), (3, 2), label="empty list"),
    _case("gather", np.array([[0, -1], [1, 1]]), (3,), (3, 2), label="integer array"),
    _case("gather", np.array(1), (3,), (2, 2), label="array without axes"),
    _case("gather", ([0, 0, 1], [2, 2, 0]), (2, 3), (2, 3, 2), label="pairs, repeated"),
    _case("gather", (np.array([[0], [1]]), [0, 2]), (2, 3), label="arrays that broadcast"),
    _case("gather", _MASK, (2, 3), (2, 3, 2), label="mask"),
    _case("gather", np.array([True, False]), (2,), (2, 3), label="mask of one axis"),
    _case("gather", (slice(None), [True, False, True]), (2, 3), label="slice and mask"),
    _case("gather", True, (), (2,), label="truth value"),
    _case("gather", (slice(1), [0, 0], None, 1), (2, 3, 2), label="all mixed"),
    _case("gather", ([0, 1], slice(None), [1, 1]), (2, 3, 2), label="arrays around a slice"),
    Case("gather", lambda x: np.take(x, [[0, 1], [1, 1]]), (((3,),), ((2, 2),)), label="take"),
    Case("gather", lambda x: np.take(x, [1, 1], axis=-1), (((2, 3),), ((2,),)), label="take axis"),
    _scatter(1, (3,), (), label="integer"),
    _scatter((slice(None), 1), (2, 3), (2,), label="slice"),
    _scatter(np.array([0, 2, 0]), (3,), (3,), label="repeated"),
    _scatter((np.array([0, 0]), np.array([1, 1])), (2, 3), (2,), label="pairs"),
    _scatter(_MASK, (2, 3), (3,), label="mask"),
]
