"""Incomplete gamma and beta functions, their inverses, and the distributions made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable


def _gamma_density(a: Any, x: Any) -> Any:
    """By logarithms, since powers overflow; at 0 by the power, which has all derivatives there."""
    end = x == 0
    inside = np.where(end, 1, x)
    logarithm = special.xlogy(a - 1, inside) - inside - special.gammaln(a)
    power = np.power(np.where(end, x, 1), a - 1) * np.exp(-x) * special.rgamma(a)
    return np.where(end, power, np.exp(logarithm))


def _beta_density(a: Any, b: Any, x: Any, rest: Any) -> Any:
    """At `x` and `rest`, which is ``1 - x`` to all digits; at the ends as `_gamma_density`."""
    end = (x == 0) | (rest == 0)
    inside, beyond = np.where(end, 0.5, x), np.where(end, 0.5, rest)
    logarithm = special.xlogy(a - 1, inside) + special.xlogy(b - 1, beyond) - special.betaln(a, b)
    powers = np.power(np.where(end, x, 1), a - 1) * np.power(np.where(end, rest, 1), b - 1)
    return np.where(end, powers / special.beta(a, b), np.exp(logarithm))


_A, _AB = {0: "a"}, {0: "a", 1: "b"}
_GAMMA = r"\frac{x^{a-1} e^{-x}}{\Gamma(a)}"
_BETA = r"\frac{x^{a-1} (1-x)^{b-1}}{B(a, b)}"
_INV_GAMMA = r"\frac{\Gamma(a)}{z^{a-1} e^{-z}} \, \bar{z}"
_INV_BETA = r"\frac{B(a, b)}{z^{a-1} (1-z)^{b-1}} \, \bar{z}"

gammainc = differentiable(
    special.gammainc,
    [None, lambda g, out, a, x: g * _gamma_density(a, x)],
    r"P(a, x) = \frac{1}{\Gamma(a)} \textstyle\int_0^x t^{a-1} e^{-t} dt",
    ["", rf"{_GAMMA} \, \bar{{z}}"],
    parameters=_A,
)

gammaincc = differentiable(
    special.gammaincc,
    [None, lambda g, out, a, x: -g * _gamma_density(a, x)],
    r"Q(a, x) = 1 - P(a, x)",
    ["", rf"-{_GAMMA} \, \bar{{z}}"],
    parameters=_A,
)

gammaincinv = differentiable(
    special.gammaincinv,
    [None, lambda g, out, a, x: g / _gamma_density(a, out)],
    r"P(a, \cdot)^{-1}(x)",
    ["", _INV_GAMMA],
    parameters=_A,
)

gammainccinv = differentiable(
    special.gammainccinv,
    [None, lambda g, out, a, x: -g / _gamma_density(a, out)],
    r"Q(a, \cdot)^{-1}(x)",
    ["", f"-{_INV_GAMMA}"],
    parameters=_A,
)

betainc = differentiable(
    special.betainc,
    [None, None, lambda g, out, a, b, x: g * _beta_density(a, b, x, 1 - x)],
    r"I_x(a, b) = \frac{1}{B(a, b)} \textstyle\int_0^x t^{a-1} (1-t)^{b-1} dt",
    ["", "", rf"{_BETA} \, \bar{{z}}"],
    parameters=_AB,
)

betaincc = differentiable(
    special.betaincc,
    [None, None, lambda g, out, a, b, x: -g * _beta_density(a, b, x, 1 - x)],
    r"1 - I_x(a, b)",
    ["", "", rf"-{_BETA} \, \bar{{z}}"],
    parameters=_AB,
)

betaincinv = differentiable(
    special.betaincinv,
    [None, None, lambda g, out, a, b, x: g / _beta_density(a, b, out, 1 - out)],
    r"I_\cdot(a, b)^{-1}(x)",
    ["", "", _INV_BETA],
    parameters=_AB,
)

betainccinv = differentiable(
    special.betainccinv,
    [None, None, lambda g, out, a, b, x: -g / _beta_density(a, b, out, 1 - out)],
    r"(1 - I_\cdot(a, b))^{-1}(x)",
    ["", "", f"-{_INV_BETA}"],
    parameters=_AB,
)


def _student_density(df: Any, t: Any) -> Any:
    half = (df + 1) / 2
    scale = np.exp(special.gammaln(half) - special.gammaln(df / 2))
    return scale / np.sqrt(df * math.pi) * np.exp(-half * np.log1p(t * t / df))


_STUDENT = (
    r"\frac{\Gamma(\frac{\nu+1}{2})}{\sqrt{\nu\pi} \, \Gamma(\frac\nu2)}"
    r" \left(1 + \frac{%s^2}{\nu}\right)^{-\frac{\nu+1}{2}}"
)

stdtr = differentiable(
    special.stdtr,
    [None, lambda g, out, df, x: g * _student_density(df, x)],
    r"\int_{-\infty}^x " + _STUDENT % "t" + r" dt",
    ["", _STUDENT % "x" + r" \, \bar{z}"],
    parameters={0: "df"},
)

stdtrit = differentiable(
    special.stdtrit,
    [None, lambda g, out, df, x: g / _student_density(df, out)],
    r"\operatorname{stdtr}(\nu, \cdot)^{-1}(x)",
    ["", r"\frac{\bar{z}}{\operatorname{stdtr}'(\nu, z)}"],
    parameters={0: "df"},
    kinks="at 0 and 1 the derivative is infinite",
)


def _signed(sign: int, rule: Any) -> Any:
    """The rule of a distribution function, or, with the sign -1, of what remains to 1."""
    return lambda g, out, *inputs: g * (sign * rule(*inputs))


def _signed_formula(sign: int, formula: str) -> str:
    return formula if sign == 1 else f"-{formula}".removeprefix("--")


def _distribution(
    below: Any, above: Any, parameters: dict[int, str], rules: dict[int, Any], formula: str
) -> None:
    """Both of a pair of ufuncs that add up to 1."""
    for ufunc, sign in ((below, 1), (above, -1)):
        differentiable(
            ufunc,
            [_signed(sign, rules[i][0]) if i in rules else None for i in range(ufunc.nin)],
            formula if sign == 1 else f"1 - {formula}",
            [
                _signed_formula(sign, rules[i][1]) + r" \, \bar{z}" if i in rules else ""
                for i in range(ufunc.nin)
            ],
            parameters=parameters,
        )


_distribution(
    special.chdtr,
    special.chdtrc,
    {0: "v"},
    {1: (lambda v, x: _gamma_density(v / 2, x / 2) * 0.5, r"\frac12 P'(\tfrac v2, \tfrac x2)")},
    r"P(\tfrac v2, \tfrac x2)",
)


def _gamma_slope(b: Any, x: Any, a: Any) -> Any:
    """The slope of ``P(b, a x)`` in a; at x = 0, where the density may be infinite, it is 0."""
    end = (x == 0) & (a != 0)
    at_end = b * _gamma_density(b + 1, np.where(end, a * x, 0)) / np.where(end, a, 1)
    return np.where(end, at_end, x * _gamma_density(b, np.where(end, 1, a * x)))


_distribution(
    special.gdtr,
    special.gdtrc,
    {1: "b"},
    {
        0: (lambda a, b, x: _gamma_slope(b, x, a), r"x \, P'(b, a x)"),
        2: (lambda a, b, x: _gamma_slope(b, a, x), r"a \, P'(b, a x)"),
    },
    r"P(b, a x)",
)
_distribution(
    special.pdtr,
    special.pdtrc,
    {0: "k"},
    {1: (lambda k, x: -_gamma_density(np.floor(k) + 1, x), r"-P'(\lfloor k \rfloor + 1, x)")},
    r"Q(\lfloor k \rfloor + 1, x)",
)


def _f_density(m: Any, n: Any, x: Any) -> Any:
    total = n + m * x
    return _beta_density(m / 2, n / 2, m * x / total, n / total) * (m * n / np.square(total))


_distribution(
    special.fdtr,
    special.fdtrc,
    {0: "dfn", 1: "dfd"},
    {2: (_f_density, r"\frac{m n}{(n + m x)^2} \, I'_u(\tfrac m2, \tfrac n2)")},
    r"I_u(\tfrac m2, \tfrac n2), \; u = \tfrac{m x}{n + m x}",
)
