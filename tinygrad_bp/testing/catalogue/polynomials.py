"""Cases of `ops/polynomials.py`, by the primitives that it comes down to."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case


def _case(primitive, call, *shapes, label="", complex_step=True, **more):
    return Case(primitive, call, shapes, label=label, complex_step=complex_step, **more)


POINTS = np.array([-1.5, -0.5, 0.25, 1.0, 2.0])

CASES = [
    _case(
        "polyval",
        np.polyval,
        ((3,), ()),
        ((4,), (2, 3)),
        ((2,), (0,)),
    ),
    _case(
        "polyval",
        lambda p: np.polyval(p, [2.0, -1.0]),
        ((3,),),
        ((1,),),
        ((0,),),
        label="at numbers",
    ),
    _case("polyval", np.polyval, ((3, 2), (2,)), ((3, 1), (2,)), ((3, 2), ()), label="of columns"),
    _case("polyval", lambda x: np.polyval([1, 0, 2], x), ((3,),), ((),), label="of numbers"),
    _case("multiply", np.polyder, ((3,),), ((1,),), label="polyder"),
    _case("multiply", lambda p: np.polyder(p, 2), ((4,),), ((2,),), label="polyder twice"),
    _case("divide", np.polyint, ((3,),), ((1,),), label="polyint"),
    _case(
        "concatenate",
        lambda p: np.polyint(p, 2, p[:2]),
        ((3,),),
        ((1,),),
        label="polyint with constants",
    ),
    _case("add", np.polyadd, ((3,), (2,)), ((2,), (3,)), ((), (2,)), ((2,), (2,)), label="polyadd"),
    _case("subtract", np.polysub, ((3,), (2,)), ((2,), (3,)), ((2,), ()), label="polysub"),
    _case(
        "convolve",
        np.polymul,
        ((3,), (2,)),
        ((1,), (3,)),
        ((), (2,)),
        domains=((0.5, 2.0), (0.5, 2.0)),
        label="polymul",
    ),
    _case("convolve", np.poly, ((3,),), ((1,),), complex_step=False, label="poly"),
    _case(
        "multiply",
        lambda u, v: np.polydiv(u, v)[0],
        ((4,), (2,)),
        ((3,), (3,)),
        ((2,), (1,)),
        domains=((0.5, 2.0), (0.5, 2.0)),
        label="polydiv, quotient",
    ),
    _case(
        "concatenate",
        lambda u, v: np.polydiv(u, v)[1][-1:],  # its length depends on rounding
        ((4,), (2,)),
        ((4,), (3,)),
        domains=((5.0, 6.0), (0.5, 1.0)),
        label="polydiv, rest",
    ),
    Case(
        "lstsq",
        lambda x, y: np.polyfit(x + POINTS.astype(x.dtype), y, 2),
        (((5,), (5,)), ((), (5, 2))),
        domains=((-0.1, 0.1), (-2.0, 2.0)),
        label="polyfit",
    ),
    Case(
        "lstsq",
        lambda x, y, w: np.polyfit(x + POINTS.astype(x.dtype), y, 1, w=w),
        (((5,), (5,), (5,)), ((5,), (5, 2), (5,))),
        domains=((-0.1, 0.1), (-2.0, 2.0), (0.5, 2.0)),
        label="polyfit with weights",
    ),
]
