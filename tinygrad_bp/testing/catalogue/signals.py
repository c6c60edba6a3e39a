"""Cases of `tinygrad_bp.ops.signals`: both sequences longer and shorter, x off the points."""

from __future__ import annotations

from functools import partial

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((4,), (3,)), ((2,), (5,)), ((3,), (3,)), ((1,), (2,)))
MODES = ("full", "same", "valid")
_POINTS = np.array([-1.5, -0.5, 0.25, 1.0])


def _points(steps):
    """Coordinates that increase, from -2 on."""
    return np.cumsum(steps, axis=0) - 2.5


def _interp(x, steps, values):
    return np.interp(x, _points(steps), values)


def _repeated(x, period):
    return np.interp(x, [0.5, 3.0, 2.0], [1.0, 4.0, 2.0], period=period)


def _row(call, shapes, domains, kinks=(), *, label, **more):
    return Case(
        "where", call, shapes, domains=domains, kinks=kinks, label=f"interp, {label}", **more
    )


CASES = [
    *(
        Case("convolve", partial(np.convolve, mode=m), PAIRS, complex_step=True, label=m)
        for m in MODES
    ),
    *(
        Case("convolve", partial(np.correlate, mode=m), PAIRS, label=f"correlate, {m}")
        for m in MODES
    ),
    Case("convolve", np.convolve, (((), (2,)), ((3,), ())), label="numbers"),
    _row(
        lambda x: np.interp(x, _POINTS, [1.0, -1.0, 0.5, 2.0]),
        (((5,),), ((2, 3),), ((),), ((0,),)),
        ((-2.0, 2.0),),
        (tuple(_POINTS),),
        label="x",
    ),
    _row(
        lambda x: np.interp(x, _POINTS, [1.0, -1.0, 0.5, 2.0], left=7.0, right=-3.0),
        (((5,),), ((2, 3),)),
        ((-2.0, 2.0),),
        (tuple(_POINTS),),
        label="x, values beyond",
    ),
    _row(
        lambda x, values: np.interp(x, _POINTS, values),
        (((5,), (4,)), ((2, 2), (4,)), ((), (4,))),
        ((-2.0, 2.0), (-2.0, 2.0)),
        (tuple(_POINTS),),
        label="values",
    ),
    _row(
        _interp,
        (((3,), (3,), (3,)), ((2, 1), (3,), (3,))),
        ((-0.2, 0.2), (0.9, 1.1), (-2.0, 2.0)),
        label="points",
    ),
    _row(
        lambda x, values: np.interp(x, [0.5, 3.0, 2.0], values, period=4.0),
        (((3,), (3,)),),
        ((6.1, 6.4), (-2.0, 2.0)),
        label="period",
    ),
    _row(
        lambda x, period: _repeated(tg.as_tensor(x), period),
        (((3,), ()),),
        ((6.1, 6.4), (3.9, 4.1)),
        label="period of its own",
        reference=_repeated,
    ),
    _row(
        lambda value: np.interp([0.5, -1.0, 0.0], [0.0], np.reshape(value, 1)),
        (((),),),
        ((-2.0, 2.0),),
        label="one point",
    ),
]
