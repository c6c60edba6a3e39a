"""Hypergeometric functions, in their last argument, and exponential integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable

hyp0f1 = differentiable(
    special.hyp0f1,
    [None, lambda g, out, v, x: g * (special.hyp0f1(v + 1, x) / v)],
    r"{}_0F_1(v; x)",
    ["", r"\frac{1}{v} \, {}_0F_1(v+1; x) \, \bar{z}"],
    parameters={0: "v"},
)

hyp1f1 = differentiable(
    special.hyp1f1,
    [None, None, lambda g, out, a, b, x: g * (a / b * special.hyp1f1(a + 1, b + 1, x))],
    r"{}_1F_1(a; b; x)",
    ["", "", r"\frac{a}{b} \, {}_1F_1(a+1; b+1; x) \, \bar{z}"],
    parameters={0: "a", 1: "b"},
)


def _hyp2f1_vjp(g: Any, out: Any, a: Any, b: Any, c: Any, x: Any) -> Any:
    return g * (a * b / c * special.hyp2f1(a + 1, b + 1, c + 1, x))


hyp2f1 = differentiable(
    special.hyp2f1,
    [None, None, None, _hyp2f1_vjp],
    r"{}_2F_1(a, b; c; x)",
    ["", "", "", r"\frac{a b}{c} \, {}_2F_1(a+1, b+1; c+1; x) \, \bar{z}"],
    parameters={0: "a", 1: "b", 2: "c"},
)

hyperu = differentiable(
    special.hyperu,
    [None, None, lambda g, out, a, b, x: g * (-a * special.hyperu(a + 1, b + 1, x))],
    r"U(a, b, x)",
    ["", "", r"-a \, U(a+1, b+1, x) \, \bar{z}"],
    parameters={0: "a", 1: "b"},
)

exp1 = differentiable(
    special.exp1,
    [lambda g, out, x: -g * (np.exp(-x) / x)],
    r"E_1(x) = \textstyle\int_x^\infty \frac{e^{-t}}{t} dt",
    [r"-\frac{e^{-x}}{x} \, \bar{z}"],
    kinks="at 0 the derivative is infinite",
)

expi = differentiable(
    special.expi,
    [lambda g, out, x: g * (np.exp(x) / x)],
    r"\operatorname{Ei}(x) = \textstyle\int_{-\infty}^x \frac{e^t}{t} dt",
    [r"\frac{e^x}{x} \, \bar{z}"],
    kinks="at 0 the derivative is infinite",
)


def _expn_vjp(g: Any, out: Any, n: Any, x: Any) -> Any:
    """The order below; of the order 0, exp(-x) / x, there is none."""
    lowest = np.equal(n, 0)
    below = special.expn(np.where(lowest, 1, n) - 1, x)
    first = np.where(lowest, x, 1)  # elsewhere nothing is to be divided by 0
    return g * np.where(lowest, -np.exp(-first) * (first + 1) / np.square(first), -below)


expn = differentiable(
    special.expn,
    [None, _expn_vjp],
    r"E_n(x) = \textstyle\int_1^\infty t^{-n} e^{-x t} dt",
    ["", r"-E_{n-1}(x) \, \bar{z}"],
    parameters={0: "n"},
    kinks="at 0 the derivative is infinite where n is 0, 1 or 2",
)
