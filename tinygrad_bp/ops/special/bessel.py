"""Bessel functions, plain, modified and scaled: each derivative is made of the neighbours.

The neighbours of the orders 0 and 1 are written with the functions of any order, ``jv(2, x)``, so
that no rule divides by x.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable

_ORDER = {0: "v"}
_AT_ZERO = "at 0 the slope of exp(-abs(x)) counts as 0"
_TERMS = 10


def _logarithmic_slope(v: Any, x: Any, far: Any, sign: int) -> Any:
    r"""The slope of a scaled function divided by the function, where `far`.

    The scaled functions are :math:`|x|^{-1/2} \sum_k c_k u^k` at :math:`u = \pm 1/|x|`, with
    :math:`c_k = c_{k-1} (4 v^2 - (2k-1)^2) / (8k)`, up to a factor. Their slopes, as differences
    of neighbours, lose as many digits as x has.
    """
    x = np.where(far, x, 1e6)
    u = sign / np.abs(x)
    coefficients = [1.0 + 0.0 * v]
    for k in range(1, _TERMS):
        coefficients.append(coefficients[-1] * (4.0 * v * v - (2 * k - 1) ** 2) / (8 * k))
    value = slope = 0.0 * u
    for k in range(_TERMS - 1, -1, -1):
        value = value * u + coefficients[k]
        slope = slope * u + coefficients[k] * (k + 0.5)
    return -slope / (value * x)


def _scaled(v: Any, x: Any, out: Any, sign: int, near: Any) -> Any:
    """The slope of a scaled function: `near` of argument and value, or the series far out."""
    far = np.abs(x) > 100 + 5.0 * v * v
    series = out * _logarithmic_slope(v, x, far, sign)
    # SciPy's neighbours are not numbers beyond 1e9.
    return np.where(far, series, near(np.where(far, 1, x), np.where(far, 0, out)))


def _of_any_order(ufunc: Any, function: Any, name: str) -> Any:
    """J or Y, whose derivative is half the difference of the neighbours."""
    return differentiable(
        ufunc,
        [None, lambda g, out, v, x: g * ((function(v - 1, x) - function(v + 1, x)) * 0.5)],
        f"{name}_v(x)",
        ["", rf"\frac{{{name}_{{v-1}}(x) - {name}_{{v+1}}(x)}}{{2}} \, \bar{{z}}"],
        parameters=_ORDER,
    )


jv = _of_any_order(special.jv, special.jv, "J")
yv = _of_any_order(special.yv, special.yv, "Y")
yn = _of_any_order(special.yn, special.yv, "Y")

j0 = differentiable(
    special.j0,
    [lambda g, out, x: -g * special.j1(x)],
    r"J_0(x)",
    [r"-J_1(x) \, \bar{z}"],
)

j1 = differentiable(
    special.j1,
    [lambda g, out, x: g * ((special.j0(x) - special.jv(2, x)) * 0.5)],
    r"J_1(x)",
    [r"\frac{J_0(x) - J_2(x)}{2} \, \bar{z}"],
)

y0 = differentiable(
    special.y0,
    [lambda g, out, x: -g * special.y1(x)],
    r"Y_0(x)",
    [r"-Y_1(x) \, \bar{z}"],
)

y1 = differentiable(
    special.y1,
    [lambda g, out, x: g * ((special.y0(x) - special.yv(2, x)) * 0.5)],
    r"Y_1(x)",
    [r"\frac{Y_0(x) - Y_2(x)}{2} \, \bar{z}"],
)

i0 = differentiable(
    special.i0,
    [lambda g, out, x: g * special.i1(x)],
    r"I_0(x)",
    [r"I_1(x) \, \bar{z}"],
)

i1 = differentiable(
    special.i1,
    [lambda g, out, x: g * ((special.i0(x) + special.iv(2, x)) * 0.5)],
    r"I_1(x)",
    [r"\frac{I_0(x) + I_2(x)}{2} \, \bar{z}"],
)

iv = differentiable(
    special.iv,
    [None, lambda g, out, v, x: g * ((special.iv(v - 1, x) + special.iv(v + 1, x)) * 0.5)],
    r"I_v(x)",
    ["", r"\frac{I_{v-1}(x) + I_{v+1}(x)}{2} \, \bar{z}"],
    parameters=_ORDER,
)


def _i0e_near(x: Any, out: Any) -> Any:
    return special.i1e(x) - np.sign(x) * out


i0e = differentiable(
    special.i0e,
    [lambda g, out, x: g * _scaled(0.0, x, out, -1, _i0e_near)],
    r"e^{-|x|} I_0(x)",
    [r"(e^{-|x|} I_1(x) - \operatorname{sign}(x) \, z) \, \bar{z}"],
    analytic=False,
    kinks=_AT_ZERO,
)


def _i1e_near(x: Any, out: Any) -> Any:
    return (special.i0e(x) + special.ive(2, x)) * 0.5 - np.sign(x) * out


i1e = differentiable(
    special.i1e,
    [lambda g, out, x: g * _scaled(1.0, x, out, -1, _i1e_near)],
    r"e^{-|x|} I_1(x)",
    [r"(e^{-|x|} \frac{I_0(x) + I_2(x)}{2} - \operatorname{sign}(x) \, z) \, \bar{z}"],
    analytic=False,
)


def _ive_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    def near(x: Any, out: Any) -> Any:
        return (special.ive(v - 1, x) + special.ive(v + 1, x)) * 0.5 - np.sign(x) * out

    return g * _scaled(v, x, out, -1, near)


ive = differentiable(
    special.ive,
    [None, _ive_vjp],
    r"e^{-|x|} I_v(x)",
    ["", r"(e^{-|x|} \frac{I_{v-1}(x) + I_{v+1}(x)}{2} - \operatorname{sign}(x) \, z) \, \bar{z}"],
    parameters=_ORDER,
    analytic=False,
    kinks=_AT_ZERO,
)

k0 = differentiable(
    special.k0,
    [lambda g, out, x: -g * special.k1(x)],
    r"K_0(x)",
    [r"-K_1(x) \, \bar{z}"],
)

k1 = differentiable(
    special.k1,
    [lambda g, out, x: g * ((special.k0(x) + special.kv(2, x)) * -0.5)],
    r"K_1(x)",
    [r"-\frac{K_0(x) + K_2(x)}{2} \, \bar{z}"],
)


def _kv_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    return g * ((special.kv(v - 1, x) + special.kv(v + 1, x)) * -0.5)


_K_FORMULAS = ["", r"-\frac{K_{v-1}(x) + K_{v+1}(x)}{2} \, \bar{z}"]
kv = differentiable(special.kv, [None, _kv_vjp], "K_v(x)", _K_FORMULAS, parameters=_ORDER)
kn = differentiable(special.kn, [None, _kv_vjp], "K_v(x)", _K_FORMULAS, parameters=_ORDER)

k0e = differentiable(
    special.k0e,
    [lambda g, out, x: g * _scaled(0.0, x, out, 1, lambda x, out: out - special.k1e(x))],
    r"e^x K_0(x)",
    [r"(z - e^x K_1(x)) \, \bar{z}"],
)


def _k1e_near(x: Any, out: Any) -> Any:
    return out - (special.k0e(x) + special.kve(2, x)) * 0.5


k1e = differentiable(
    special.k1e,
    [lambda g, out, x: g * _scaled(1.0, x, out, 1, _k1e_near)],
    r"e^x K_1(x)",
    [r"(z - e^x \frac{K_0(x) + K_2(x)}{2}) \, \bar{z}"],
)


def _kve_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    def near(x: Any, out: Any) -> Any:
        return out - (special.kve(v - 1, x) + special.kve(v + 1, x)) * 0.5

    return g * _scaled(v, x, out, 1, near)


kve = differentiable(
    special.kve,
    [None, _kve_vjp],
    r"e^x K_v(x)",
    ["", r"(z - e^x \frac{K_{v-1}(x) + K_{v+1}(x)}{2}) \, \bar{z}"],
    parameters=_ORDER,
)


def _forcing(v: Any, x: Any) -> Any:
    """What makes the equations of Struve's functions inhomogeneous."""
    return np.power(x * 0.5, v) * (special.rgamma(v + 1.5) / math.sqrt(math.pi))


def _struve_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    """By the neighbours; far out, where they and the forcing cancel, by the lower one alone."""
    far = np.abs(x) > 10
    lowest = np.equal(v, 0)
    above = special.struve(v + 1, x)
    forcing = _forcing(v, np.where(far, 1, x))
    lower = special.struve(np.where(lowest, 1, v) - 1, x)
    near = (lower - above + forcing) * 0.5
    beyond = lower - out * v / np.where(far, x, 1)
    return g * np.where(lowest, 2 / math.pi - above, np.where(far, beyond, near))


def _modstruve_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    """By the neighbours; of the order 0, whose lower one is singular at 0, by the upper one."""
    lowest = np.equal(v, 0)
    above = special.modstruve(v + 1, x)
    near = (special.modstruve(np.where(lowest, 1, v) - 1, x) + above + _forcing(v, x)) * 0.5
    return g * np.where(lowest, 2 / math.pi + above, near)


_FORCING = r"\frac{(x/2)^v}{\sqrt\pi \, \Gamma(v + 3/2)}"
struve = differentiable(
    special.struve,
    [None, _struve_vjp],
    r"\mathbf{H}_v(x)",
    [
        "",
        r"\frac12 \left(\mathbf{H}_{v-1}(x) - \mathbf{H}_{v+1}(x) + "
        + _FORCING
        + r"\right) \bar{z}",
    ],
    parameters=_ORDER,
)

modstruve = differentiable(
    special.modstruve,
    [None, _modstruve_vjp],
    r"\mathbf{L}_v(x)",
    [
        "",
        r"\frac12 \left(\mathbf{L}_{v-1}(x) + \mathbf{L}_{v+1}(x) + "
        + _FORCING
        + r"\right) \bar{z}",
    ],
    parameters=_ORDER,
)
