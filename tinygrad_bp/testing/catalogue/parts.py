"""Cases of `ops/parts.py`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
WHOLE = (tuple(float(n) for n in range(-3, 4)),)
POWERS = ((*(s * 2.0**n for s in (-1, 1) for n in range(-5, 3)), 0.0),)

CASES = [
    Case(
        "heaviside",
        lambda y: np.heaviside([-1.0, 0.0, 2.0], y),
        (((3,),), ((2, 1),), ((),), ((0, 3),)),
    ),
    Case("heaviside", lambda y: np.heaviside(0, y), SINGLES, label="of a number"),
    Case(
        "copysign",
        lambda x: np.copysign(x, [-1.0, 2.0, -0.0]),
        (((3,),), ((2, 1),), ((),), ((0, 3),)),
        kinks=((0.0,),),
    ),
    Case("copysign", lambda x: np.copysign(x, -3), SINGLES, kinks=((0.0,),), label="of a number"),
    Case("ldexp", lambda x: np.ldexp(x, [0, 3, -2]), (((3,),), ((2, 1),), ((),), ((0, 3),))),
    Case("modf", lambda x: np.modf(x)[0], SINGLES, kinks=WHOLE),
    Case("frexp", lambda x: np.frexp(x)[0], SINGLES, kinks=POWERS),
    Case(
        "remainder",
        lambda x: np.divmod(x, 1.5)[1],
        SINGLES,
        kinks=((-1.5, 0, 1.5),),
        label="divmod",
    ),
    Case("real", lambda x: np.real(x), SINGLES),
    Case("real", lambda x: np.real_if_close(x), SINGLES, label="real_if_close"),
    Case("conjugate", np.conjugate, SINGLES),
    Case("nan_to_num", np.nan_to_num, SINGLES),
    Case("i0", np.i0, SINGLES),
    Case("i0", np.i0, SINGLES, domains=((-20.0, 20.0),), label="far"),
]
