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

i0e = differentiable(
    special.i0e,
    [lambda g, out, x: g * (special.i1e(x) - np.sign(x) * out)],
    r"e^{-|x|} I_0(x)",
    [r"(e^{-|x|} I_1(x) - \operatorname{sign}(x) \, z) \, \bar{z}"],
    analytic=False,
    kinks=_AT_ZERO,
)

i1e = differentiable(
    special.i1e,
    [lambda g, out, x: g * ((special.i0e(x) + special.ive(2, x)) * 0.5 - np.sign(x) * out)],
    r"e^{-|x|} I_1(x)",
    [r"(e^{-|x|} \frac{I_0(x) + I_2(x)}{2} - \operatorname{sign}(x) \, z) \, \bar{z}"],
    analytic=False,
)


def _ive_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    return g * ((special.ive(v - 1, x) + special.ive(v + 1, x)) * 0.5 - np.sign(x) * out)


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
    [lambda g, out, x: g * (out - special.k1e(x))],
    r"e^x K_0(x)",
    [r"(z - e^x K_1(x)) \, \bar{z}"],
)

k1e = differentiable(
    special.k1e,
    [lambda g, out, x: g * (out - (special.k0e(x) + special.kve(2, x)) * 0.5)],
    r"e^x K_1(x)",
    [r"(z - e^x \frac{K_0(x) + K_2(x)}{2}) \, \bar{z}"],
)


def _kve_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    return g * (out - (special.kve(v - 1, x) + special.kve(v + 1, x)) * 0.5)


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
    return g * ((special.struve(v - 1, x) - special.struve(v + 1, x) + _forcing(v, x)) * 0.5)


def _modstruve_vjp(g: Any, out: Any, v: Any, x: Any) -> Any:
    neighbours = special.modstruve(v - 1, x) + special.modstruve(v + 1, x)
    return g * ((neighbours + _forcing(v, x)) * 0.5)


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
