"""Products with logarithms, entropies, and Huber's losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable


def _quotient(x: Any, y: Any) -> Any:
    """``x / y``, and 0 where both are 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


_XLOGY_KINKS = "where x = 0 and the logarithm is infinite both derivatives are 0"

xlogy = differentiable(
    special.xlogy,
    [
        lambda g, out, x, y: g * np.log(np.where((x == 0) & (y == 0), 1, y)),
        lambda g, out, x, y: g * _quotient(x, y),
    ],
    r"x \ln y",
    [r"\ln y \, \bar{z}", r"\frac{x}{y} \, \bar{z}"],
    kinks=_XLOGY_KINKS,
)

xlog1py = differentiable(
    special.xlog1py,
    [
        lambda g, out, x, y: g * np.log1p(np.where((x == 0) & (y == -1), 0, y)),
        lambda g, out, x, y: g * _quotient(x, 1 + y),
    ],
    r"x \ln(1 + y)",
    [r"\ln(1 + y) \, \bar{z}", r"\frac{x}{1 + y} \, \bar{z}"],
    kinks=_XLOGY_KINKS,
)

entr = differentiable(
    special.entr,
    [lambda g, out, x: -g * (np.log(x) + 1)],
    r"-x \ln x",
    [r"-(\ln x + 1) \, \bar{z}"],
    kinks="at 0 the derivative is infinite",
)

rel_entr = differentiable(
    special.rel_entr,
    [
        lambda g, out, x, y: g * (np.log(x) - np.log(y) + 1),
        lambda g, out, x, y: -g * _quotient(x, y),
    ],
    r"x \ln \frac{x}{y}",
    [r"\left(\ln \frac{x}{y} + 1\right) \bar{z}", r"-\frac{x}{y} \, \bar{z}"],
    kinks="at x = 0 the derivative in x is infinite; at x = y = 0 none, and that in y is 0",
)

kl_div = differentiable(
    special.kl_div,
    [
        lambda g, out, x, y: g * (np.log(x) - np.log(y)),
        lambda g, out, x, y: g * (1 - _quotient(x, y)),
    ],
    r"x \ln \frac{x}{y} - x + y",
    [r"\ln \frac{x}{y} \, \bar{z}", r"\left(1 - \frac{x}{y}\right) \bar{z}"],
    kinks="at x = 0 the derivative in x is infinite; at x = y = 0 none, and that in y is 1",
)

huber = differentiable(
    special.huber,
    [
        lambda g, out, d, x: g * (np.abs(x) - d) * (np.abs(x) > d),
        lambda g, out, d, x: g * np.where(np.abs(x) > d, d * np.sign(x), x),
    ],
    r"|x| \le d \; ? \; \tfrac{1}{2} x^2 : d \, (|x| - \tfrac{1}{2} d)",
    [
        r"\max(|x| - d, 0) \, \bar{z}",
        r"(|x| \le d \; ? \; x : d \operatorname{sign} x) \, \bar{z}",
    ],
    analytic=False,
    kinks="smooth at abs(x) = d, where the second derivative jumps: that of the square there",
)


def _bend(d: Any, x: Any) -> Any:
    return np.hypot(1, x / d)


pseudo_huber = differentiable(
    special.pseudo_huber,
    [
        lambda g, out, d, x: g * (np.square(out / d) / (d * _bend(d, x))),
        lambda g, out, d, x: g * (x / _bend(d, x)),
    ],
    r"d^2 \left(\sqrt{1 + (x/d)^2} - 1\right)",
    [
        r"\frac{z^2}{d^3 \sqrt{1 + (x/d)^2}} \, \bar{z}",
        r"\frac{x}{\sqrt{1 + (x/d)^2}} \, \bar{z}",
    ],
)
