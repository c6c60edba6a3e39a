"""The error function, the normal distribution, and the logistic function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable

_SQRT_PI = math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2 * math.pi)

erf = differentiable(
    special.erf,
    [lambda g, out, x: g * ((2 / _SQRT_PI) * np.exp(-x * x))],
    r"\operatorname{erf} x",
    [r"\frac{2}{\sqrt\pi} e^{-x^2} \, \bar{z}"],
)

erfc = differentiable(
    special.erfc,
    [lambda g, out, x: g * ((-2 / _SQRT_PI) * np.exp(-x * x))],
    r"\operatorname{erfc} x",
    [r"-\frac{2}{\sqrt\pi} e^{-x^2} \, \bar{z}"],
)

erfi = differentiable(
    special.erfi,
    [lambda g, out, x: g * ((2 / _SQRT_PI) * np.exp(x * x))],
    r"\operatorname{erfi} x",
    [r"\frac{2}{\sqrt\pi} e^{x^2} \, \bar{z}"],
)


def _far_out(x: Any, far: Any, sign: int) -> Any:
    r"""The series of ``x**2`` times the slope of a function that falls like 1/x, where `far`.

    :math:`\sum_n (2n+1)!! \, u^n` at :math:`u = \pm 1/(2 x^2)`, 9 terms, for x beyond 25. The
    slope is a difference of two numbers that agree ever better there.
    """
    u = (0.5 * sign) / np.square(np.where(far, x, 30))
    total = 0 * u
    for n in range(9, -1, -1):
        total = total * u + math.prod(range(1, 2 * n + 2, 2))
    return total * (2 * sign) * u


def _erfcx_vjp(g: Any, out: Any, x: Any) -> Any:
    far = x > 25
    near = 2 * np.where(far, 0, x) * np.where(far, 0, out) - 2 / _SQRT_PI
    return g * np.where(far, _far_out(x, far, -1) * (-1 / _SQRT_PI), near)


erfcx = differentiable(
    special.erfcx,
    [_erfcx_vjp],
    r"e^{x^2} \operatorname{erfc} x",
    [r"\left(2 x z - \frac{2}{\sqrt\pi}\right) \bar{z}"],
)


def _dawsn_vjp(g: Any, out: Any, x: Any) -> Any:
    far = np.abs(x) > 25
    near = 1 - 2 * np.where(far, 0, x) * np.where(far, 0, out)
    return g * np.where(far, _far_out(x, far, 1) * -0.5, near)


dawsn = differentiable(
    special.dawsn,
    [_dawsn_vjp],
    r"e^{-x^2} \textstyle\int_0^x e^{t^2} dt",
    [r"(1 - 2 x z) \, \bar{z}"],
)

erfinv = differentiable(
    special.erfinv,
    [lambda g, out, x: g * (_SQRT_PI / 2 * np.exp(out * out))],
    r"\operatorname{erf}^{-1} x",
    [r"\frac{\sqrt\pi}{2} e^{z^2} \, \bar{z}"],
    kinks="at -1 and 1 the derivative is infinite",
)

erfcinv = differentiable(
    special.erfcinv,
    [lambda g, out, x: g * (-_SQRT_PI / 2 * np.exp(out * out))],
    r"\operatorname{erfc}^{-1} x",
    [r"-\frac{\sqrt\pi}{2} e^{z^2} \, \bar{z}"],
    kinks="at 0 and 2 the derivative is infinite",
)

ndtr = differentiable(
    special.ndtr,
    [lambda g, out, x: g * (np.exp(-0.5 * x * x) / _SQRT_2PI)],
    r"\Phi(x)",
    [r"\frac{e^{-x^2/2}}{\sqrt{2\pi}} \, \bar{z}"],
)

ndtri = differentiable(
    special.ndtri,
    [lambda g, out, x: g * (_SQRT_2PI * np.exp(0.5 * out * out))],
    r"\Phi^{-1}(x)",
    [r"\sqrt{2\pi} \, e^{z^2/2} \, \bar{z}"],
    kinks="at 0 and 1 the derivative is infinite",
)


def _mills(x: Any) -> Any:
    """The density divided into the distribution at x, without cancellation on either side."""
    return math.sqrt(math.pi / 2) * special.erfcx(x * -math.sqrt(0.5))


def _log_ndtr_vjp(g: Any, out: Any, x: Any) -> Any:
    limit = 37 if x.dtype == np.float64 else 13  # beyond, what is divided by would overflow
    return g / _mills(np.where(x > limit, limit, x))


log_ndtr = differentiable(
    special.log_ndtr,
    [_log_ndtr_vjp],
    r"\log \Phi(x)",
    [r"\frac{e^{-x^2/2}}{\sqrt{2\pi} \, \Phi(x)} \, \bar{z}"],
)

ndtri_exp = differentiable(
    special.ndtri_exp,
    [lambda g, out, x: g * _mills(out)],
    r"\Phi^{-1}(e^x)",
    [r"\sqrt{2\pi} \, e^{z^2/2} \, \Phi(z) \, \bar{z}"],
    kinks="at 0 the derivative is infinite",
)

expit = differentiable(
    special.expit,
    # Not 1 - z, which is 0 where expit(-x) is small but is not.
    [lambda g, out, x: g * (out * special.expit(-x))],
    r"\sigma(x) = \frac{1}{1 + e^{-x}}",
    [r"z \, (1 - z) \, \bar{z}"],
)

logit = differentiable(
    special.logit,
    [lambda g, out, x: g / (x * (1 - x))],
    r"\ln \frac{x}{1 - x}",
    [r"\frac{\bar{z}}{x \, (1 - x)}"],
    kinks="at 0 and 1 the derivative is infinite",
)

log_expit = differentiable(
    special.log_expit,
    [lambda g, out, x: g * special.expit(-x)],
    r"\ln \sigma(x)",
    [r"\sigma(-x) \, \bar{z}"],
)


def _owens_h(g: Any, out: Any, h: Any, a: Any) -> Any:
    density = np.exp(-0.5 * h * h) / _SQRT_2PI
    return g * (density * special.erf(a * h * math.sqrt(0.5)) * -0.5)


def _owens_a(g: Any, out: Any, h: Any, a: Any) -> Any:
    q = 1 + a * a
    return g * (np.exp(-0.5 * h * h * q) / (q * (2 * math.pi)))


owens_t = differentiable(
    special.owens_t,
    [_owens_h, _owens_a],
    r"T(h, a) = \frac{1}{2\pi} \textstyle\int_0^a \frac{e^{-h^2 (1 + t^2) / 2}}{1 + t^2} dt",
    [
        r"-\frac{e^{-h^2/2}}{2\sqrt{2\pi}} \operatorname{erf} \frac{a h}{\sqrt2} \, \bar{z}",
        r"\frac{e^{-h^2 (1 + a^2) / 2}}{2\pi (1 + a^2)} \, \bar{z}",
    ],
)
