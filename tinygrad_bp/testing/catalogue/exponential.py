"""Cases of `tinygrad_bp.ops.exponential`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((3,), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((), ()), ((0,), (1,)))
SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
ABOVE_ZERO = ((0.3, 3.0),)

CASES = [
    *(
        Case(ufunc.__name__, ufunc, SINGLES, complex_step=True)
        for ufunc in (np.exp, np.exp2, np.expm1)
    ),
    *(
        Case(ufunc.__name__, ufunc, SINGLES, domains=ABOVE_ZERO, complex_step=True)
        for ufunc in (np.log, np.log2, np.log10, np.sqrt)
    ),
    Case("log1p", np.log1p, SINGLES, domains=((-0.6, 2.0),), complex_step=True),
    Case("logaddexp", np.logaddexp, PAIRS),
    Case("logaddexp", lambda x: np.logaddexp(0, x), SINGLES, label="softplus"),
    Case("logaddexp2", np.logaddexp2, PAIRS),
    Case("cbrt", np.cbrt, SINGLES, domains=ABOVE_ZERO),
    Case("cbrt", np.cbrt, SINGLES, domains=((-3.0, -0.3),), label="below zero"),
    Case("hypot", np.hypot, PAIRS, domains=((0.3, 2.0), (-2.0, 2.0))),
    Case("hypot", lambda x: np.hypot(x, 2), SINGLES, label="with a number"),
]
