"""Cases of `ops/joining.py`, and of what it makes of other primitives."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _joined(primitive, call, *shapes, label=""):
    return Case(primitive, lambda *xs: call(xs), shapes, complex_step=True, label=label)


def _one(primitive, call, *shapes, label=""):
    return Case(primitive, call, tuple((s,) for s in shapes), complex_step=True, label=label)


CASES = [
    _joined(
        "concatenate",
        np.concatenate,
        ((2,), (3,), (1,)),
        ((2, 3), (1, 3)),
        ((0, 2), (2, 2)),
        ((2, 3),),
    ),
    _joined(
        "concatenate",
        lambda xs: np.concatenate(xs, axis=-1),
        ((2, 3), (2, 1)),
        ((2, 2, 1), (2, 2, 2)),
        label="last axis",
    ),
    _joined(
        "concatenate",
        lambda xs: np.concatenate(xs, axis=None),
        ((2, 3), (), (1,)),
        label="axis None",
    ),
    _joined("stack", np.stack, ((3,), (3,)), ((2, 3),), ((), ()), ((0,), (0,), (0,))),
    _joined("stack", lambda xs: np.stack(xs, axis=-1), ((2, 3), (2, 3)), label="last axis"),
    _joined("concatenate", np.vstack, ((3,), (2, 3)), ((), ()), label="vstack"),
    _joined("concatenate", np.hstack, ((3,), (2,)), ((2, 3), (2, 1)), ((), (2,)), label="hstack"),
    _joined("concatenate", np.dstack, ((3,), (3,)), ((2, 3), (2, 3)), label="dstack"),
    _joined("concatenate", np.column_stack, ((2,), (2, 3)), label="column_stack"),
    _one("getitem", lambda x: np.split(x, 2)[1], (4,), (2, 3), label="split"),
    _one("getitem", lambda x: np.split(x, [1, 2], axis=-1)[1], (2, 3), label="split at places"),
    _one("getitem", lambda x: np.array_split(x, 3)[0], (4,), (2, 2), label="array_split"),
    _one("getitem", lambda x: np.hsplit(x, 2)[0], (4,), (2, 4), label="hsplit"),
    _one("getitem", lambda x: np.vsplit(x, 2)[0], (2, 3), label="vsplit"),
    _one("getitem", lambda x: np.dsplit(x, 2)[1], (1, 2, 2), label="dsplit"),
    Case(
        "concatenate",
        lambda x, y: np.concatenate((x, y), dtype=np.float64),
        (((2,), (3,)),),
        label="dtype",
    ),
    Case("stack", lambda x: np.stack((x, [1, 2]), dtype=np.float64), (((2,),),), label="dtype"),
    _one("broadcast_to", lambda x: np.tile(x, (2, 1, 2)), (3,), (2, 2), (), label="tile"),
    _one("broadcast_to", lambda x: np.tile(x, 2), (2, 1, 2), (0,), label="tile by a number"),
    _one("gather", lambda x: np.repeat(x, 2), (3,), (2, 2), (), label="repeat"),
    _one("gather", lambda x: np.repeat(x, [2, 0, 1], axis=-1), (2, 3), label="repeat by counts"),
]
