"""The gamma function and its kin: logarithm, reciprocal, digamma, zeta, beta, binomials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.core import without_derivative
from tinygrad_bp.ops.constants import STEP
from tinygrad_bp.ops.special.register import differentiable

_POLES = "at the poles 0, -1, -2, ... the derivative is infinite or not a number"

gamma = differentiable(
    special.gamma,
    [lambda g, out, x: g * (out * special.psi(x))],
    r"\Gamma(x)",
    [r"z \, \psi(x) \, \bar{z}"],
    kinks=_POLES,
)

gammaln = differentiable(
    special.gammaln,
    [lambda g, out, x: g * special.psi(x)],
    r"\ln |\Gamma(x)|",
    [r"\psi(x) \, \bar{z}"],
    kinks=_POLES,
)

loggamma = differentiable(
    special.loggamma,
    [lambda g, out, x: g * special.psi(x)],
    r"\ln \Gamma(x)",
    [r"\psi(x) \, \bar{z}"],
    kinks="below 0 the logarithm is complex, and the value not a number",
)


def _rgamma_vjp(g: Any, out: Any, x: Any) -> Any:
    """Below 1/2 by reflection, which has no poles: there z is 0 and psi is infinite."""
    low = x < 0.5
    above, mirrored = np.where(low, 1, x), np.where(low, 1 - x, 1)
    turn = math.pi * np.where(low, x, 0)
    below = np.cos(turn) - np.sin(turn) * special.psi(mirrored) / math.pi
    slope = special.rgamma(above) * special.psi(above)
    return g * np.where(low, special.gamma(mirrored) * below, -slope)


rgamma = differentiable(
    special.rgamma,
    [_rgamma_vjp],
    r"\frac{1}{\Gamma(x)}",
    [r"-z \, \psi(x) \, \bar{z}"],
)

psi = differentiable(
    special.psi,
    [lambda g, out, x: g * special.zeta(2, x)],
    r"\psi(x) = \frac{\Gamma'(x)}{\Gamma(x)}",
    [r"\zeta(2, x) \, \bar{z}"],
    kinks=_POLES,
)

# special.zeta is a function of Python that hands its arguments to this ufunc as they are.
zeta = differentiable(
    special._ufuncs._zeta,
    [None, lambda g, out, s, x: g * (-s * special.zeta(s + 1, x))],
    r"\zeta(s, x) = \textstyle\sum_{n \ge 0} (n + x)^{-s}",
    ["", r"-s \, \zeta(s + 1, x) \, \bar{z}"],
    parameters={0: "x (the exponent)"},
    kinks=_POLES,
)

beta = differentiable(
    special.beta,
    [
        lambda g, out, x, y: g * (out * (special.psi(x) - special.psi(x + y))),
        lambda g, out, x, y: g * (out * (special.psi(y) - special.psi(x + y))),
    ],
    r"B(x, y)",
    [r"z \, (\psi(x) - \psi(x + y)) \, \bar{z}", r"z \, (\psi(y) - \psi(x + y)) \, \bar{z}"],
    kinks=_POLES,
)

betaln = differentiable(
    special.betaln,
    [
        lambda g, out, x, y: g * (special.psi(x) - special.psi(x + y)),
        lambda g, out, x, y: g * (special.psi(y) - special.psi(x + y)),
    ],
    r"\ln |B(x, y)|",
    [r"(\psi(x) - \psi(x + y)) \, \bar{z}", r"(\psi(y) - \psi(x + y)) \, \bar{z}"],
    kinks=_POLES,
)

poch = differentiable(
    special.poch,
    [
        lambda g, out, x, y: g * (out * (special.psi(x + y) - special.psi(x))),
        lambda g, out, x, y: g * (out * special.psi(x + y)),
    ],
    r"\frac{\Gamma(x + y)}{\Gamma(x)}",
    [r"z \, (\psi(x + y) - \psi(x)) \, \bar{z}", r"z \, \psi(x + y) \, \bar{z}"],
    kinks=_POLES,
)

binom = differentiable(
    special.binom,
    [
        lambda g, out, x, y: g * (out * (special.psi(x + 1) - special.psi(x - y + 1))),
        lambda g, out, x, y: g * (out * (special.psi(x - y + 1) - special.psi(y + 1))),
    ],
    r"\binom{x}{y}",
    [
        r"z \, (\psi(x + 1) - \psi(x - y + 1)) \, \bar{z}",
        r"z \, (\psi(x - y + 1) - \psi(y + 1)) \, \bar{z}",
    ],
    kinks="where x, y or x - y is a negative whole number the derivative is not a number",
)

without_derivative({special.gammasgn: STEP})
