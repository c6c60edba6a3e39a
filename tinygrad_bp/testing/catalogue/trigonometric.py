"""Cases of `tinygrad_bp.ops.trigonometric`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((3,), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((), ()), ((0,), (1,)))
SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
INSIDE = ((-0.9, 0.9),)

CASES = [
    *(
        Case(ufunc.__name__, ufunc, SINGLES, complex_step=True)
        for ufunc in (np.sin, np.cos, np.arcsinh, np.sinh, np.cosh, np.tanh)
    ),
    *(
        Case(ufunc.__name__, ufunc, SINGLES, domains=INSIDE, complex_step=True)
        for ufunc in (np.tan, np.arcsin, np.arccos, np.arctanh, np.arctan)
    ),
    Case("arctan", np.arctan, SINGLES, domains=((1.2, 4.0),), label="beyond 1"),
    Case("arccosh", np.arccosh, SINGLES, domains=((1.3, 4.0),), complex_step=True),
    Case("arctan2", np.arctan2, PAIRS, domains=((-2.0, 2.0), (0.3, 2.0)), label="right"),
    Case("arctan2", np.arctan2, PAIRS, domains=((0.3, 2.0), (-2.0, 2.0)), label="upper"),
    Case("sinc", np.sinc, SINGLES, label="through 0 and 1"),
    Case("sinc", np.sinc, SINGLES, domains=((-0.01, 0.01),), label="around 0"),
    Case("sinc", np.sinc, SINGLES, domains=((-9.0, -3.0),), label="far"),
    Case("deg2rad", np.deg2rad, SINGLES, domains=((-180.0, 180.0),)),
    Case("deg2rad", np.radians, SINGLES, label="radians"),
    Case("rad2deg", np.rad2deg, SINGLES),
    Case("rad2deg", np.degrees, SINGLES, label="degrees"),
]
