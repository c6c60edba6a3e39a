"""What the reader of formulas knows: functions, their slopes and inverses, by name or letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special


def softmax(x: Any, axis: Any = -1) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def cofactors(x: Any) -> Any:
    """By minors, since the matrix may be singular."""
    n, out = x.shape[-1], np.empty_like(x)
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(x, i, axis=-2), j, axis=-1)
        out[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return out


def _sinc_slope(x: Any) -> Any:
    t = np.pi * x
    near = -np.pi * t * (1 / 3 - t**2 / 30 + t**4 / 840 - t**6 / 45360)
    far = np.where(np.abs(t) < 0.1, 1.0, t)
    return np.where(np.abs(t) < 0.1, near, np.pi * (np.cos(far) / far - np.sin(far) / far**2))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    rf"\{name}": getattr(np, name)
    for name in [
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "log",
        "exp",
    ]
}
FUNCTIONS |= {
    r"\ln": np.log,
    r"\cot": lambda x: 1 / np.tan(x),
    r"\sigma": sigmoid,
    r"\Phi": special.ndtr,
    r"\Gamma": special.gamma,
    r"\psi": special.psi,
    r"\zeta": special.zeta,
    r"\det": np.linalg.det,
    "softmax": softmax,
    "logsoftmax": lambda x: special.log_softmax(x, axis=-1),
    "ReLU": lambda x: np.where(x > 0, x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "sign": np.sign,
    "trunc": np.trunc,
    "clip": np.clip,
    "fmax": np.fmax,
    "fmin": np.fmin,
    "arctan2": np.arctan2,
    "sinc": np.sinc,
    "arsinh": np.arcsinh,
    "arcosh": np.arccosh,
    "artanh": np.arctanh,
    "Re": np.real,
    "cof": lambda x: cofactors(x),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfi": special.erfi,
    "Ei": special.expi,
    "Si": lambda x: special.sici(x)[0],
    "Ci": lambda x: special.sici(x)[1],
    "Shi": lambda x: special.shichi(x)[0],
    "Chi": lambda x: special.shichi(x)[1],
}
SLOPES: dict[str, Callable[..., Any]] = {
    r"\sigma": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    r"\tanh": lambda z: 1 / np.cosh(z) ** 2,
    "ReLU": lambda z: np.where(z > 0, 1.0, 0.0),
    "softsign": lambda z: 1 / (1 + np.abs(z)) ** 2,
    "softplus": lambda z: 1 / (1 + np.exp(-z)),
    r"\arctan": lambda z: 1 / (1 + z**2),
    r"\sin": np.cos,
    "sinc": _sinc_slope,
    "P": lambda a, x: x ** (a - 1) * np.exp(-x) / special.gamma(a),
    "Ai": lambda x: special.airy(x)[1],
    "Bi": lambda x: special.airy(x)[3],
    r"\Gamma": lambda x: special.gamma(x) * special.psi(x),
}
FUNCTIONS |= {"Ai": lambda x: special.airy(x)[0], "Bi": lambda x: special.airy(x)[2]}
INVERSES = {"erf": special.erfinv, "erfc": special.erfcinv, r"\Phi": special.ndtri}


def special_function(name: str, below: str, above: str, read: Any, operation: str) -> Any:
    """The functions that the tables call by a letter and what stands below and above it."""
    orders = {"J": special.jv, "Y": special.yv, "I": special.iv, "K": special.kv}
    orders |= {r"\mathbf{H}": special.struve, r"\mathbf{L}": special.modstruve}
    orders |= {"E": lambda n, x: special.expn(n, x) if n >= 0 else np.exp(-x) * (x + 1) / x**2}
    polynomials = {"T": "chebyt", "U": "chebyu", "P": "legendre", "H": "hermite", "L": "laguerre"}
    polynomials |= {r"\mathit{He}": "hermitenorm"}
    raised = {"L": "genlaguerre", "C": "gegenbauer", "P": "jacobi"}
    called = {"B": special.beta, "P": special.gammainc, "Q": special.gammaincc, "E": special.ellipe}
    called |= {"K": special.ellipk, "U": special.hyperu, "T": special.owens_t}
    called |= {"S": lambda x: special.fresnel(x)[0], "C": lambda x: special.fresnel(x)[1]}
    if below and above.startswith("("):
        orders_above = [read(part).array for part in above[1:-1].split(",")]
        function = getattr(special, f"eval_{raised[name]}")
        return lambda x: function(read(below).array, *orders_above, x)
    if below and "eval" in operation and name in polynomials:
        function = getattr(special, f"eval_{polynomials[name]}")
        return lambda x: function(np.asarray(read(below).array, np.intp), x)
    if below and operation.startswith(("special.beta", "special.fdtr")) and name == "I":
        return lambda a, b: special.betainc(a, b, read(below).array)
    if below and name in orders:
        return lambda x: orders[name](read(below).array, x)
    return None if below or above else called.get(name)


def others(x: Any, axis: Any) -> Any:
    """For each element, the product of all others along an axis."""
    if not x.ndim:
        return np.ones_like(x)
    if axis is None or isinstance(axis, tuple):
        axes = tuple(range(x.ndim)) if axis is None else axis
        moved = np.moveaxis(x, axes, range(-len(axes), 0))
        flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
        return np.moveaxis(others(flat, -1).reshape(moved.shape), range(-len(axes), 0), axes)
    parts = [np.prod(np.delete(x, i, axis), axis=axis) for i in range(x.shape[axis])]
    return np.stack(parts, axis=axis)
