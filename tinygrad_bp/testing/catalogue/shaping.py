"""Cases of `ops/shaping.py`, and of what it makes of other primitives."""

from __future__ import annotations

import operator

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _case(primitive, call, *shapes, label=""):
    return Case(primitive, call, tuple((s,) for s in shapes), complex_step=True, label=label)


CASES = [
    _case("reshape", lambda x: np.reshape(x, (3, -1)), (2, 3), (3,), (3, 1, 2)),
    _case("reshape", lambda x: np.reshape(x, 0), (0, 3), (2, 0), label="empty"),
    _case("reshape", lambda x: np.reshape(x, ()), (1,), (1, 1), (), label="to a number"),
    _case("reshape", np.ravel, (2, 3), (), (0, 2), label="ravel"),
    _case("reshape", lambda x: np.reshape(x, (3, -1), order="F"), (2, 3), (3, 1, 2), label="F"),
    _case("reshape", lambda x: np.ravel(x, order="F"), (2, 3), (), (0, 2), label="ravel F"),
    _case("reshape", lambda x: np.expand_dims(x, (0, -1)), (2, 3), (), (0,), label="expand_dims"),
    _case("reshape", np.squeeze, (1, 3, 1), (1,), (), (2,), label="squeeze"),
    _case("reshape", lambda x: np.squeeze(x, -1), (1, 3, 1), (1,), label="squeeze of an axis"),
    _case("reshape", np.atleast_1d, (), label="atleast_1d"),
    _case("reshape", np.atleast_2d, (), (2,), label="atleast_2d"),
    _case("reshape", np.atleast_3d, (), (2,), (2, 3), label="atleast_3d"),
    _case("transpose", np.transpose, (2, 3), (2, 3, 2), (3,), (), (0, 2)),
    _case("transpose", lambda x: np.transpose(x, (2, 0, 1)), (2, 3, 4), label="cycle"),
    _case("transpose", lambda x: np.transpose(x, (-1, 0, -2)), (2, 3, 4), label="negative"),
    _case("transpose", lambda x: np.swapaxes(x, 0, -1), (2, 3), (2, 3, 4), (2,), label="swapaxes"),
    _case("transpose", np.matrix_transpose, (2, 3), (2, 3, 4), label="matrix_transpose"),
    _case("transpose", lambda x: np.moveaxis(x, 0, -1), (2, 3), (2, 3, 4), label="moveaxis"),
    _case(
        "transpose",
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
        (2, 3, 4),
        (2, 3, 1, 2),
        label="moveaxis of two",
    ),
    _case("transpose", lambda x: np.rollaxis(x, 2, 1), (2, 3, 4), label="rollaxis"),
    _case("transpose", lambda x: np.rollaxis(x, 0, 3), (2, 3, 4), label="rollaxis to the end"),
    _case("broadcast_to", lambda x: np.broadcast_to(x, (2, 3)), (3,), (2, 1), (), (2, 3)),
    _case("broadcast_to", lambda x: np.broadcast_to(x, (0, 2)), (2,), (1, 2), label="to empty"),
    Case(
        "broadcast_to",
        lambda a, b: operator.mul(*np.broadcast_arrays(a, b)),
        (((3,), (2, 1)), ((), (2,))),
        label="broadcast_arrays",
    ),
    _case("getitem", np.flip, (2, 3), (3,), (0, 2), label="flip"),
    _case("getitem", lambda x: np.flip(x, (0, -1)), (2, 3, 2), label="flip of axes"),
    _case("getitem", np.fliplr, (2, 3), label="fliplr"),
    _case("getitem", np.flipud, (2, 3), (3,), label="flipud"),
    _case("gather", lambda x: np.roll(x, 2), (2, 3), (5,), (0,), label="roll"),
    _case("gather", lambda x: np.roll(x, (1, -1), (0, -1)), (2, 3), label="roll of axes"),
]
