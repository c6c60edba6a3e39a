"""Cases of `tinygrad_bp.ops.rectifiers`; the references choose among the pieces."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops import rectifiers
from tinygrad_bp.testing.catalogue.case import Case

SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
WIDE = ((-3.0, 3.0),)


def _of(primitive, **params):
    return lambda *xs: primitive(*xs, **params)


def _pieces(*pieces):
    """The first piece whose condition holds, in the dtype of x."""

    def reference(x):
        conditions, values = ([f(x) for f in column] for column in zip(*pieces, strict=True))
        return np.select(conditions, values).astype(x.dtype)

    return reference


def _same(x):
    return x


CASES = [
    Case(
        "hardtanh",
        _of(rectifiers.hardtanh, low=-0.5, high=1.5),
        SINGLES,
        _pieces(
            (lambda x: x < -0.5, lambda x: 0 * x - 0.5),
            (lambda x: x < 1.5, _same),
            (lambda x: x > 0, lambda x: 0 * x + 1.5),
        ),
        WIDE,
        ((-0.5, 1.5),),
    ),
    Case(
        "hardshrink",
        _of(rectifiers.hardshrink, limit=0.75),
        SINGLES,
        _pieces((lambda x: x**2 > 0.75**2, _same)),
        WIDE,
        ((-0.75, 0.75),),
    ),
    Case(
        "softshrink",
        _of(rectifiers.softshrink, limit=0.75),
        SINGLES,
        _pieces(
            (lambda x: x > 0.75, lambda x: x - 0.75), (lambda x: x < -0.75, lambda x: x + 0.75)
        ),
        WIDE,
        ((-0.75, 0.75),),
    ),
    Case(
        "threshold",
        _of(rectifiers.threshold, limit=0.5, other=-2.0),
        SINGLES,
        _pieces((lambda x: x > 0.5, _same), (lambda x: x <= 0.5, lambda x: 0 * x - 2)),
        WIDE,
        ((0.5,),),
    ),
    Case(
        "hardswish",
        rectifiers.hardswish,
        SINGLES,
        _pieces(
            (lambda x: x < -3, lambda x: 0 * x),
            (lambda x: x < 3, lambda x: x * (x + 3) / 6),
            (lambda x: x > 0, _same),
        ),
        ((-6.0, 6.0),),
        ((-3.0, 3.0),),
    ),
    Case(
        "prelu",
        rectifiers.prelu,
        (((2, 3), (3,)), ((3,), ()), ((2, 3, 2), (3, 1)), ((), ()), ((0, 2), (2,))),
        lambda x, w: np.where(x > 0, x, w * x).astype(np.result_type(x, w)),
        kinks=((0.0,),),
    ),
]
