"""Elementary functions that `scipy.special` computes without loss of digits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.core import FUNCTIONS, without_derivative
from tinygrad_bp.ops.arithmetic import POWER_KINKS, power_x, power_y
from tinygrad_bp.ops.constants import STEP
from tinygrad_bp.ops.special.register import differentiable

_DEGREE = math.pi / 180

# SciPy's own ufuncs of these names compute what NumPy's do.
for _theirs, _ours in (
    (special.cbrt, np.cbrt),
    (special.exp2, np.exp2),
    (special.expm1, np.expm1),
    (special.log1p, np.log1p),
):
    FUNCTIONS.setdefault(_theirs, FUNCTIONS[_ours])

without_derivative({special.round: STEP})

exp10 = differentiable(
    special.exp10,
    [lambda g, out, x: g * (out * math.log(10))],
    r"10^x",
    [r"z \ln 10 \, \bar{z}"],
)

exprel = differentiable(
    special.exprel,
    # (e**x - z) / x would cancel near 0; this is the integral of t e**(x t) over [0, 1].
    [lambda g, out, x: g * (special.hyp1f1(2, 3, x) * 0.5)],
    r"\frac{e^x - 1}{x}",
    [r"\frac{e^x - z}{x} \, \bar{z}"],
)

cosm1 = differentiable(
    special.cosm1,
    [lambda g, out, x: -g * np.sin(x)],
    r"\cos x - 1",
    [r"-\sin x \, \bar{z}"],
)

sindg = differentiable(
    special.sindg,
    [lambda g, out, x: g * (special.cosdg(x) * _DEGREE)],
    r"\sin \frac{\pi x}{180}",
    [r"\frac{\pi}{180} \cos \frac{\pi x}{180} \, \bar{z}"],
)

cosdg = differentiable(
    special.cosdg,
    [lambda g, out, x: g * (special.sindg(x) * -_DEGREE)],
    r"\cos \frac{\pi x}{180}",
    [r"-\frac{\pi}{180} \sin \frac{\pi x}{180} \, \bar{z}"],
)

tandg = differentiable(
    special.tandg,
    [lambda g, out, x: g * ((1 + out * out) * _DEGREE)],
    r"\tan \frac{\pi x}{180}",
    [r"\frac{\pi}{180} \, (1 + z^2) \, \bar{z}"],
)

cotdg = differentiable(
    special.cotdg,
    [lambda g, out, x: g * ((1 + out * out) * -_DEGREE)],
    r"\cot \frac{\pi x}{180}",
    [r"-\frac{\pi}{180} \, (1 + z^2) \, \bar{z}"],
)

radian = differentiable(
    special.radian,
    [
        lambda g, out, d, m, s: g * _DEGREE,
        lambda g, out, d, m, s: g * (_DEGREE / 60),
        lambda g, out, d, m, s: g * (_DEGREE / 3600),
    ],
    r"\frac{\pi}{180} \left(d + \frac{m}{60} + \frac{s}{3600}\right)",
    [
        r"\frac{\pi}{180} \, \bar{z}",
        r"\frac{\pi}{10800} \, \bar{z}",
        r"\frac{\pi}{648000} \, \bar{z}",
    ],
)


def _stretch(log: Any, y: Any) -> Any:
    """How ``(e**(y log) - 1) / y`` grows with y, also at y = 0."""
    return np.square(log) * special.hyp1f1(2, 3, y * log) * 0.5


boxcox = differentiable(
    special.boxcox,
    [
        lambda g, out, x, y: g * np.power(x, y - 1),
        lambda g, out, x, y: g * _stretch(np.log(x), y),
    ],
    r"\frac{x^y - 1}{y}",
    [r"x^{y-1} \, \bar{z}", r"\frac{x^y \ln x - z}{y} \, \bar{z}"],
    kinks="at y = 0 the value and both derivatives are their limits",
)

boxcox1p = differentiable(
    special.boxcox1p,
    [
        lambda g, out, x, y: g * np.power(1 + x, y - 1),
        lambda g, out, x, y: g * _stretch(np.log1p(x), y),
    ],
    r"\frac{(1 + x)^y - 1}{y}",
    [r"(1 + x)^{y-1} \, \bar{z}", r"\frac{(1 + x)^y \ln(1 + x) - z}{y} \, \bar{z}"],
    kinks="at y = 0 the value and both derivatives are their limits",
)


def _inv_boxcox_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """By the logarithm of z that keeps the digits of small x."""
    return -g * (_stretch(np.log1p(special.inv_boxcox1p(x, y)), y) * np.power(out, 1 - y))


# By the implicit function: the Box-Cox transform of z is x.
inv_boxcox = differentiable(
    special.inv_boxcox,
    [
        lambda g, out, x, y: g * np.power(out, 1 - y),
        _inv_boxcox_y,
    ],
    r"(x y + 1)^{1/y}",
    [r"z^{1-y} \, \bar{z}", r"\frac{x - z^y \ln z}{y} \, z^{1-y} \, \bar{z}"],
    kinks="at y = 0 the value and both derivatives are their limits",
)

inv_boxcox1p = differentiable(
    special.inv_boxcox1p,
    [
        lambda g, out, x, y: g * np.power(1 + out, 1 - y),
        lambda g, out, x, y: -g * (_stretch(np.log1p(out), y) * np.power(1 + out, 1 - y)),
    ],
    r"(x y + 1)^{1/y} - 1",
    [
        r"(1 + z)^{1-y} \, \bar{z}",
        r"\frac{x - (1 + z)^y \ln(1 + z)}{y} \, (1 + z)^{1-y} \, \bar{z}",
    ],
    kinks="at y = 0 the value and both derivatives are their limits",
)

powm1 = differentiable(
    special.powm1,
    [
        # Those of x^y, which keeps the digits that -1 has taken, and the conventions at x = 0.
        lambda g, out, x, y: power_x(g, out, x, y),
        lambda g, out, x, y: power_y(g, np.power(x, y), x, y),
    ],
    r"x^y - 1",
    [r"y \, x^{y-1} \, \bar{z}", r"x^y \ln x \, \bar{z}"],
    kinks=POWER_KINKS,
)

wrightomega = differentiable(
    special.wrightomega,
    [lambda g, out, x: g * (out / (1 + out))],
    r"\omega(x), \; \omega + \ln \omega = x",
    [r"\frac{z}{1 + z} \, \bar{z}"],
)
