"""Exponentials, logarithms and roots."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements

_LN2, _LN10 = math.log(2.0), math.log(10.0)

exp = implements(np.exp)(
    Primitive(
        "exp",
        np.exp,
        [lambda g, out, x: g * out],
        formula=r"e^x",
        vjp_formulas=[r"\bar{z} \, z"],
    )
)

exp2 = implements(np.exp2)(
    Primitive(
        "exp2",
        np.exp2,
        [lambda g, out, x: g * out * _LN2],
        formula=r"2^x",
        vjp_formulas=[r"\bar{z} \, z \ln 2"],
    )
)

expm1 = implements(np.expm1)(
    Primitive(
        "expm1",
        np.expm1,
        # z + 1 would be 0 where e**x is small but is not.
        [lambda g, out, x: g * np.exp(x)],
        formula=r"e^x - 1",
        vjp_formulas=[r"\bar{z} \, e^x"],
    )
)

log = implements(np.log)(
    Primitive(
        "log",
        np.log,
        [lambda g, out, x: g / x],
        formula=r"\ln x",
        vjp_formulas=[r"\frac{\bar{z}}{x}"],
    )
)

log2 = implements(np.log2)(
    Primitive(
        "log2",
        np.log2,
        [lambda g, out, x: g / (x * _LN2)],
        formula=r"\log_2 x",
        vjp_formulas=[r"\frac{\bar{z}}{x \ln 2}"],
    )
)

log10 = implements(np.log10)(
    Primitive(
        "log10",
        np.log10,
        [lambda g, out, x: g / (x * _LN10)],
        formula=r"\log_{10} x",
        vjp_formulas=[r"\frac{\bar{z}}{x \ln 10}"],
    )
)

log1p = implements(np.log1p)(
    Primitive(
        "log1p",
        np.log1p,
        [lambda g, out, x: g / (1 + x)],
        formula=r"\ln(1 + x)",
        vjp_formulas=[r"\frac{\bar{z}}{1 + x}"],
    )
)


def share_of_sum(add: Any, exponential: Any, g: Any, x: Any, y: Any) -> Any:
    """How much x has in ``log(exp(x) + exp(y))``: at most 1, so that nothing overflows.

    The difference of x and y is exact where they are close, and that of x and the sum is not: far
    from 0 the sum is rounded by more than the logarithm of 2. Where both are infinite, an infinite
    x has all of it; where both are -inf, nothing has a share.
    """
    alike = np.isinf(x) & (x == y)
    part = exponential(-add(0, np.where(alike, 0, y) - np.where(alike, 0, x)))
    return g * np.where(alike, x == np.inf, part)


_ENDLESS = "at x = y = -inf both derivatives are 0"

logaddexp = implements(np.logaddexp)(
    Primitive(
        "logaddexp",
        np.logaddexp,
        [
            lambda g, out, x, y: share_of_sum(np.logaddexp, np.exp, g, x, y),
            lambda g, out, x, y: share_of_sum(np.logaddexp, np.exp, g, y, x),
        ],
        formula=r"\ln(e^x + e^y)",
        vjp_formulas=[r"\bar{z} \, e^{x-z}", r"\bar{z} \, e^{y-z}"],
        analytic=False,
        kinks=_ENDLESS,
    )
)

logaddexp2 = implements(np.logaddexp2)(
    Primitive(
        "logaddexp2",
        np.logaddexp2,
        [
            lambda g, out, x, y: share_of_sum(np.logaddexp2, np.exp2, g, x, y),
            lambda g, out, x, y: share_of_sum(np.logaddexp2, np.exp2, g, y, x),
        ],
        formula=r"\log_2(2^x + 2^y)",
        vjp_formulas=[r"\bar{z} \, 2^{x-z}", r"\bar{z} \, 2^{y-z}"],
        analytic=False,
        kinks=_ENDLESS,
    )
)

sqrt = implements(np.sqrt)(
    Primitive(
        "sqrt",
        np.sqrt,
        [lambda g, out, x: g * 0.5 / out],
        formula=r"\sqrt{x}",
        vjp_formulas=[r"\frac{\bar{z}}{2 z}"],
        kinks="at 0 the derivative is infinite",
    )
)

cbrt = implements(np.cbrt)(
    Primitive(
        "cbrt",
        np.cbrt,
        # What does not hang on an element has no derivative by it, at 0 neither: not 0 / 0.
        [lambda g, out, x: g / np.where((g == 0) & (out == 0), 1, 3 * out * out)],
        formula=r"\sqrt[3]{x}",
        vjp_formulas=[r"\frac{\bar{z}}{3 z^2}"],
        analytic=False,
        kinks="at 0 the derivative is infinite",
    )
)


def _leg(g: Any, out: Any, x: Any) -> Any:
    """The cotangent of one leg of a right triangle, 0 where both legs are 0."""
    zero = out == 0
    return g * np.where(zero, 0, x / np.where(zero, 1, out))


hypot = implements(np.hypot)(
    Primitive(
        "hypot",
        np.hypot,
        [lambda g, out, x, y: _leg(g, out, x), lambda g, out, x, y: _leg(g, out, y)],
        formula=r"\sqrt{x^2 + y^2}",
        vjp_formulas=[r"\bar{z} \, \frac{x}{z}", r"\bar{z} \, \frac{y}{z}"],
        analytic=False,
        kinks="at x = y = 0 both derivatives are 0",
    )
)
