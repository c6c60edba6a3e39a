"""Cases of `ops/rearranging.py`, by the primitives that it comes down to."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _one(primitive, call, *shapes, label):
    return Case(primitive, call, tuple((s,) for s in shapes), complex_step=True, label=label)


def _two(primitive, call, *shapes, label):
    """NumPy's insert casts to the dtype of its first argument, and so drops imaginary parts."""
    analytic = not label.startswith("insert")
    return Case(primitive, call, shapes, complex_step=analytic, label=label)


CASES = [
    _two("concatenate", np.append, ((2,), (2, 2)), ((), ()), ((0,), (1,)), label="append"),
    _two(
        "concatenate",
        lambda x, y: np.append(x, y, axis=-1),
        ((2, 3), (2, 1)),
        label="append on an axis",
    ),
    _one("gather", lambda x: np.delete(x, 1), (3,), (2, 2), label="delete"),
    _one("gather", lambda x: np.delete(x, [0, -1], axis=1), (2, 3), (0, 4), label="delete places"),
    _one("gather", lambda x: np.delete(x, slice(None, None, 2), 0), (4, 2), label="delete slice"),
    _one("gather", lambda x: np.delete(x, [True, False, False]), (3,), label="delete mask"),
    _two("gather", lambda x, v: np.insert(x, 1, v), ((3,), ()), ((2, 2), (2,)), label="insert"),
    _two(
        "gather",
        lambda x, v: np.insert(x, -1, v, axis=0),
        ((3, 2), (2,)),
        ((3, 2), ()),
        ((2, 2), (3, 1)),
        label="insert rows",
    ),
    _two(
        "gather",
        lambda x, v: np.insert(x, 1, v, axis=1),
        ((3, 2), (3,)),
        ((3, 2), (2, 3)),
        label="insert columns",
    ),
    _two(
        "gather",
        lambda x, v: np.insert(x, [2, 0, 2], v, axis=1),
        ((2, 2), (2, 3)),
        ((1, 3), (3,)),
        ((2, 2), ()),
        label="insert at several",
    ),
    _two(
        "gather",
        lambda x, v: np.insert(x, [1], v, axis=1),
        ((2, 2), (2, 3)),
        ((2, 2), (2, 1)),
        label="insert at a list of one",
    ),
    _two(
        "gather",
        lambda x, v: np.insert(x, slice(0, 2), v),
        ((3,), (2,)),
        ((2,), ()),
        label="insert at a slice",
    ),
    _one("gather", lambda x: np.resize(x, (2, 3)), (4,), (3, 3), (), label="resize"),
    _one("gather", lambda x: np.resize(x, 0), (4,), (0,), label="resize to nothing"),
    Case(
        "getitem",
        lambda x: np.trim_zeros(x * np.array([0, 1, 1, 0], np.float32)),
        (((4,),),),
        domains=((0.5, 2.0),),
        complex_step=True,
        label="trim_zeros",
    ),
    _one("getitem", lambda x: np.rot90(x), (2, 3), (2, 3, 2), (0, 2), label="rot90"),
    _one("getitem", lambda x: np.rot90(x, 2, (0, 1)), (2, 3), label="rot90 twice"),
    _one("getitem", lambda x: np.rot90(x, -1, (-1, 0)), (2, 3, 2), label="rot90 back"),
    _one("getitem", lambda x: np.rot90(x, 4), (2, 3), label="rot90 full turn"),
    _two(
        "concatenate",
        lambda x, y, z: np.block([[x, y], [z]]),
        ((2, 2), (2, 1), (1, 3)),
        ((2,), (), (3,)),
        ((1,), (2,), (1, 1, 3)),
        label="block",
    ),
    _two("concatenate", lambda x, y: np.block([x, y]), ((2,), ()), label="block of a list"),
    _one("reshape", lambda x: np.block(x), (2,), (), label="block of an array"),
]
if hasattr(np, "unstack"):
    CASES.append(
        _one("getitem", lambda x: np.unstack(x, axis=-1)[1], (2, 3), (0, 2), label="unstack")
    )
