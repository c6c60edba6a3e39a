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


def _reciprocal_slope(x: Any) -> Any:
    """Of 1 / gamma; below 1/2 by reflection, which has no poles: there z is 0, psi infinite."""
    low = x < 0.5
    above, mirrored = np.where(low, 1, x), np.where(low, 1 - x, 1)
    turn = math.pi * np.where(low, x, 0)
    below = np.cos(turn) - np.sin(turn) * special.psi(mirrored) / math.pi
    slope = special.rgamma(above) * special.psi(above)
    return np.where(low, special.gamma(mirrored) * below, -slope)


rgamma = differentiable(
    special.rgamma,
    [lambda g, out, x: g * _reciprocal_slope(x)],
    r"\frac{1}{\Gamma(x)}",
    [r"-z \, \psi(x) \, \bar{z}"],
)


def _sin_pi(x: Any) -> Any:
    """Exact at whole numbers, and to all digits beside them."""
    whole = np.rint(x)
    odd = np.abs(whole - 2 * np.rint(whole / 2))
    return (1 - 2 * odd) * np.sin(math.pi * (x - whole))


def _trigamma(x: Any) -> Any:
    """Below 1/2 by reflection: SciPy's zeta adds up one term for each whole number from x on."""
    low = x < 0.5
    above = special.zeta(2, np.where(low, 1 - x, x))
    turn = math.pi / _sin_pi(np.where(low, x, 0.5))
    return np.where(low, turn * turn - above, above)


psi = differentiable(
    special.psi,
    [lambda g, out, x: g * _trigamma(x)],
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


def _pole(x: Any) -> Any:
    """Where the gamma function has one, and its reciprocal a zero."""
    return (x <= 0) & (x == np.rint(x))


_SHIFT = 15
# Bernoulli's numbers of even index, each divided by the index.
_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)


def _rise_above_zero(x: Any, y: Any) -> Any:
    r"""Term by term: :math:`\psi(x + 1) = \psi(x) + 1/x`, and Stirling's series far out."""
    total = 0 * y
    for k in range(_SHIFT):
        total = total + y / ((x + k) * (x + y + k))
    p, q = 1 / (x + _SHIFT), 1 / (x + y + _SHIFT)
    value = quotient = 0 * p  # the series at q**2, and its rise to p**2 divided by p**2 - q**2
    for coefficient in (*_SERIES[::-1], 0):
        quotient = quotient * p * p + value
        value = value * q * q + coefficient
    return total + np.log1p(y * p) + y * p * q * (0.5 + (p + q) * quotient)


def _rise(x: Any, y: Any) -> Any:
    r""":math:`\psi(x + y) - \psi(x)`, which cancels where y is small; below 0 by reflection."""
    plain = (x > 0) & (x + y > 0)
    mirrored = ~plain & (x < 1) & (x + y < 1) & ~_pole(x) & ~_pole(x + y)
    start = np.where(plain, x, np.where(mirrored, 1 - x, 1))
    total = _rise_above_zero(start, np.where(plain, y, np.where(mirrored, -y, 0)))
    turns = _sin_pi(np.where(mirrored, x, 0.5)) * _sin_pi(np.where(mirrored, x + y, 0.5))
    total = total + math.pi * _sin_pi(np.where(mirrored, y, 0)) / turns
    near = plain | mirrored
    rest = special.psi(np.where(near, 1, x + y)) - special.psi(np.where(near, 1, x))
    return np.where(near, total, rest)


beta = differentiable(
    special.beta,
    [
        lambda g, out, x, y: -g * (out * _rise(x, y)),
        lambda g, out, x, y: -g * (out * _rise(y, x)),
    ],
    r"B(x, y)",
    [r"z \, (\psi(x) - \psi(x + y)) \, \bar{z}", r"z \, (\psi(y) - \psi(x + y)) \, \bar{z}"],
    kinks=_POLES,
)

betaln = differentiable(
    special.betaln,
    [lambda g, out, x, y: -g * _rise(x, y), lambda g, out, x, y: -g * _rise(y, x)],
    r"\ln |B(x, y)|",
    [r"(\psi(x) - \psi(x + y)) \, \bar{z}", r"(\psi(y) - \psi(x + y)) \, \bar{z}"],
    kinks=_POLES,
)


def _near_pole(x: Any) -> Any:
    """Or so near to one, and not so far out, that psi has few digits beside its reciprocal."""
    return _pole(x) | ((x > -100) & (x < 0.01) & (np.abs(x - np.rint(x)) < 0.01))


def _at_zeros(zero: Any, x: Any, rest: Any) -> Any:
    """The slope in x of ``rest / gamma(x)`` at its zeros, but for that of `rest`."""
    return _reciprocal_slope(np.where(zero, x, 1)) * rest


def _poch_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    """Of poles of both gamma functions the quotient is finite, by reflection."""
    both = _pole(x) & _pole(x + y)
    zero = _near_pole(x) & ~_near_pole(x + y)
    end = np.where(zero, x + y, 1)
    steep = _at_zeros(zero, x, special.gamma(end)) + out * special.psi(end)
    start = np.where(both, 1 - x, np.where(zero, 1, x))
    rise = _rise(start, np.where(both, -y, np.where(zero, 0, y)))
    return g * np.where(zero, steep, out * rise)


poch = differentiable(
    special.poch,
    [_poch_x, lambda g, out, x, y: g * (out * special.psi(x + y))],
    r"\frac{\Gamma(x + y)}{\Gamma(x)}",
    [r"z \, (\psi(x + y) - \psi(x)) \, \bar{z}", r"z \, \psi(x + y) \, \bar{z}"],
    kinks=(
        "where x + y is 0, -1, -2, ... the derivative in y is infinite or not a number; that in x "
        "is the limit where x is one of these too"
    ),
)


def _binom_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    zero = _near_pole(x - y + 1)
    rest = special.poch(np.where(zero, y + 1, 1), np.where(zero, x - y, 0))
    steep = _at_zeros(zero, x - y + 1, rest) + out * special.psi(np.where(zero, x + 1, 1))
    rise = _rise(np.where(zero, 1, x - y + 1), np.where(zero, 0, y))
    return g * np.where(zero, steep, out * rise)


def _binom_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """At the zeros in y + 1 or in x - y + 1, either of which is the mirror image of the other."""
    mirrored = _near_pole(x - y + 1)
    zero = _near_pole(y + 1) | mirrored
    below, above = np.where(mirrored, x - y, y), np.where(mirrored, y, x - y)
    rest = special.poch(np.where(zero, above + 1, 1), np.where(zero, below, 0))
    steep = _at_zeros(zero, below + 1, rest) + out * special.psi(np.where(zero, above + 1, 1))
    rise = _rise(np.where(zero, 1, y + 1), np.where(zero, 0, x - 2 * y))
    return g * np.where(zero, np.where(mirrored, -steep, steep), out * rise)


binom = differentiable(
    special.binom,
    [_binom_x, _binom_y],
    r"\binom{x}{y}",
    [
        r"z \, (\psi(x + 1) - \psi(x - y + 1)) \, \bar{z}",
        r"z \, (\psi(x - y + 1) - \psi(y + 1)) \, \bar{z}",
    ],
    kinks="where x is a negative whole number the value and the derivative are not a number",
)

without_derivative({special.gammasgn: STEP})
