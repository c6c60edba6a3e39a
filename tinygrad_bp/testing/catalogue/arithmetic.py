"""Cases of `tinygrad_bp.ops.arithmetic`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((2,), ()),
    ((), ()),
    ((0, 3), (3,)),
)
SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
ABOVE_ZERO = (0.3, 2.0)
APART = ((-2.0, 2.0), ABOVE_ZERO)


CASES = [
    Case("add", np.add, PAIRS, complex_step=True),
    Case("add", lambda x: x + 1.5, SINGLES, complex_step=True, label="number on the right"),
    Case("add", lambda x: 2 + x, SINGLES, complex_step=True, label="number on the left"),
    Case("add", lambda x: x + x, SINGLES, complex_step=True, label="itself"),
    Case("subtract", np.subtract, PAIRS, complex_step=True),
    Case("subtract", lambda x: 1 - x, SINGLES, complex_step=True, label="from a number"),
    Case("multiply", np.multiply, PAIRS, complex_step=True),
    Case("multiply", lambda x: 1.5 * x, SINGLES, complex_step=True, label="number"),
    Case("multiply", lambda x: x * x, SINGLES, complex_step=True, label="itself"),
    Case("divide", np.divide, PAIRS, domains=APART, complex_step=True),
    Case("divide", lambda x: 2 / x, SINGLES, domains=(ABOVE_ZERO,), complex_step=True, label="1/x"),
    Case("negative", np.negative, SINGLES, complex_step=True),
    Case("positive", np.positive, SINGLES, complex_step=True),
    Case("square", np.square, SINGLES, complex_step=True),
    Case("reciprocal", np.reciprocal, SINGLES, domains=(ABOVE_ZERO,), complex_step=True),
    Case("power", np.power, PAIRS, domains=(ABOVE_ZERO, (-2.0, 3.0)), complex_step=True),
    Case("power", lambda x: x**2, SINGLES, complex_step=True, label="squared"),
    Case("power", lambda x: x**3, SINGLES, complex_step=True, label="cubed"),
    Case("power", lambda x: x**1, SINGLES, complex_step=True, label="to the first"),
    Case(
        "power", lambda x: x**-1.5, SINGLES, domains=(ABOVE_ZERO,), complex_step=True, label="-1.5"
    ),
    Case("power", lambda x: 2.0**x, SINGLES, complex_step=True, label="of a number"),
    Case(
        "power",
        lambda x: x ** np.array([0, 1, 2]),
        (((3,),), ((2, 3),), ((),)),
        complex_step=True,
        label="whole exponents, any base",
    ),
    Case(
        "float_power", np.float_power, PAIRS, domains=(ABOVE_ZERO, (-2.0, 3.0)), complex_step=True
    ),
    Case(
        "remainder",
        np.remainder,
        PAIRS,
        domains=((4.2, 4.8), (1.8, 2.0)),
        label="quotient 2",
    ),
    Case(
        "remainder",
        np.remainder,
        PAIRS,
        domains=((-4.8, -4.2), (1.8, 2.0)),
        label="quotient -3",
    ),
    Case(
        "remainder",
        lambda x: x % 1.5,
        SINGLES,
        domains=((1.6, 2.9),),
        label="by a number",
    ),
    Case("fmod", np.fmod, PAIRS, domains=((4.2, 4.8), (1.8, 2.0)), label="quotient 2"),
    Case("fmod", np.fmod, PAIRS, domains=((-4.8, -4.2), (1.8, 2.0)), label="quotient -2"),
    Case("copy", np.copy, SINGLES, complex_step=True),
]
