"""Orthogonal polynomials: the derivative of one is another of the degree below."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from tinygrad_bp.ops.special.register import differentiable

_DEGREE = {0: "n"}


def _below(n: Any) -> tuple[Any, Any]:
    """The degree below, and whether there is one: of degree 0 SciPy's -1 is not always 0."""
    there = np.not_equal(n, 0)
    return n - np.asarray(there, np.asarray(n).dtype), there


def _in_x(ufunc: Any, slope: Any, formula: str, vjp_formula: str) -> Any:
    """A polynomial of degree and argument; `slope` takes the degree, the one below, and x."""

    def vjp(g: Any, out: Any, n: Any, x: Any) -> Any:
        below, there = _below(n)
        return g * (slope(n, below, x) * there)

    formulas = ["", vjp_formula + r" \, \bar{z}"]
    return differentiable(ufunc, [None, vjp], formula, formulas, parameters=_DEGREE)


chebyt = _in_x(
    special.eval_chebyt,
    lambda n, below, x: n * special.eval_chebyu(below, x),
    "T_n(x)",
    "n \\, U_{n-1}(x)",
)
chebyu = _in_x(
    special.eval_chebyu,
    lambda n, below, x: 2 * special.eval_gegenbauer(below, 2.0, x),
    "U_n(x)",
    "2 \\, C^{(2)}_{n-1}(x)",
)
chebyc = _in_x(
    special.eval_chebyc,
    lambda n, below, x: n * special.eval_chebys(below, x),
    r"2 \, T_n(\tfrac x2)",
    r"n \, U_{n-1}(\tfrac x2)",
)
chebys = _in_x(
    special.eval_chebys,
    lambda n, below, x: special.eval_gegenbauer(below, 2.0, x / 2),
    r"U_n(\tfrac x2)",
    r"C^{(2)}_{n-1}(\tfrac x2)",
)
legendre = _in_x(
    special.eval_legendre,
    lambda n, below, x: (n + 1) / 2 * special.eval_jacobi(below, 1.0, 1.0, x),
    "P_n(x)",
    r"\frac{n + 1}{2} \, P^{(1,1)}_{n-1}(x)",
)
sh_legendre = _in_x(
    special.eval_sh_legendre,
    lambda n, below, x: (n + 1) * special.eval_jacobi(below, 1.0, 1.0, 2 * x - 1),
    "P_n(2 x - 1)",
    r"(n + 1) \, P^{(1,1)}_{n-1}(2 x - 1)",
)
sh_chebyt = _in_x(
    special.eval_sh_chebyt,
    lambda n, below, x: 2 * n * special.eval_chebyu(below, 2 * x - 1),
    "T_n(2 x - 1)",
    r"2 n \, U_{n-1}(2 x - 1)",
)
sh_chebyu = _in_x(
    special.eval_sh_chebyu,
    lambda n, below, x: 4 * special.eval_gegenbauer(below, 2.0, 2 * x - 1),
    "U_n(2 x - 1)",
    r"4 \, C^{(2)}_{n-1}(2 x - 1)",
)
hermite = _in_x(
    special.eval_hermite,
    lambda n, below, x: 2 * n * special.eval_hermite(below, x),
    "H_n(x)",
    r"2 n \, H_{n-1}(x)",
)
hermitenorm = _in_x(
    special.eval_hermitenorm,
    lambda n, below, x: n * special.eval_hermitenorm(below, x),
    r"\mathit{He}_n(x)",
    r"n \, \mathit{He}_{n-1}(x)",
)
laguerre = _in_x(
    special.eval_laguerre,
    lambda n, below, x: -special.eval_genlaguerre(below, 1.0, x),
    "L_n(x)",
    "-L^{(1)}_{n-1}(x)",
)


def _genlaguerre_vjp(g: Any, out: Any, n: Any, a: Any, x: Any) -> Any:
    below, there = _below(n)
    return -g * (special.eval_genlaguerre(below, a + 1, x) * there)


genlaguerre = differentiable(
    special.eval_genlaguerre,
    [None, None, _genlaguerre_vjp],
    r"L^{(\alpha)}_n(x)",
    ["", "", r"-L^{(\alpha+1)}_{n-1}(x) \, \bar{z}"],
    parameters={0: "n", 1: "alpha"},
)


def _gegenbauer_vjp(g: Any, out: Any, n: Any, a: Any, x: Any) -> Any:
    below, there = _below(n)
    return g * (2 * a * special.eval_gegenbauer(below, a + 1, x) * there)


gegenbauer = differentiable(
    special.eval_gegenbauer,
    [None, None, _gegenbauer_vjp],
    r"C^{(\alpha)}_n(x)",
    ["", "", r"2 \alpha \, C^{(\alpha+1)}_{n-1}(x) \, \bar{z}"],
    parameters={0: "n", 1: "alpha"},
)


def _jacobi_vjp(g: Any, out: Any, n: Any, a: Any, b: Any, x: Any) -> Any:
    below, there = _below(n)
    return g * ((n + a + b + 1) / 2 * special.eval_jacobi(below, a + 1, b + 1, x) * there)


jacobi = differentiable(
    special.eval_jacobi,
    [None, None, None, _jacobi_vjp],
    r"P^{(\alpha,\beta)}_n(x)",
    ["", "", "", r"\frac{n + \alpha + \beta + 1}{2} \, P^{(\alpha+1,\beta+1)}_{n-1}(x) \, \bar{z}"],
    parameters={0: "n", 1: "alpha", 2: "beta"},
)
