"""Cases of `ops/choosing.py`, and of what it makes of other primitives."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PLACES = np.array([[0, 2, 1], [1, 1, 0]])


def _one(primitive, call, *shapes, label, **more):
    return Case(primitive, call, tuple((s,) for s in shapes), label=label, **more)


CASES = [
    Case(
        "choose",
        lambda *xs: np.choose(PLACES, xs),
        (((2, 3), (2, 3), (2, 3)), ((), (2, 1), (3,)), ((1, 1), (), ())),
    ),
    Case(
        "choose",
        lambda x, y: np.choose([-1, 1, 4], [x, y], mode="clip"),
        (((3,), (3,)), ((2, 1), ())),
        label="clip",
    ),
    Case(
        "choose",
        lambda x, y: np.choose([-1, 1, 4], [x, y], mode="wrap"),
        (((3,), (3,)), ((2, 1), ())),
        label="wrap",
    ),
    Case("choose", lambda x: np.choose(0, [x]), (((),), ((2, 0),)), label="of one"),
    _one(
        "gather",
        lambda x: np.compress([True, False, True], x),
        (3,),
        (2, 2),
        (4,),
        label="compress",
        complex_step=True,
    ),
    _one(
        "gather",
        lambda x: np.compress([0, 1], x, axis=-1),
        (2, 3),
        (2,),
        (0, 2),
        label="compress of an axis",
        complex_step=True,
    ),
    _one(
        "gather",
        lambda x: np.extract([[True, False], [False, True]], x),
        (2, 2),
        (4,),
        label="extract",
        complex_step=True,
    ),
    Case(
        "where",
        lambda x, y: np.select(
            [np.array([True, False, False]), np.array([True, True, False])], [x, y * y], 3
        ),
        (((3,), (3,)), ((), (3,)), ((2, 1), (1, 3))),
        label="select",
    ),
    Case(
        "where",
        lambda x: np.select([x < 0, x > 1], [1, x * x], default=x),
        (((4,),), ((2, 3),), ((),), ((0,),)),
        kinks=((0.0, 1.0),),
        label="select by its own values",
    ),
    _one(
        "scatter",
        lambda x: np.piecewise(x, [x < 0, x > 1], [lambda v: v * v, lambda v: 3 * v, np.positive]),
        (5,),
        (2, 3),
        (),
        reference=lambda x: np.select([x < 0, x > 1], [x * x, 3 * x], x),
        kinks=((0.0, 1.0),),
        label="piecewise",
    ),
]
