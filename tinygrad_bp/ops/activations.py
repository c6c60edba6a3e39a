r"""Activation functions, in forms that neither overflow nor lose digits far from zero.

Rules begin from `out` or `g` where they work in place, since these are tensors of their own when
the rule is being recorded; ``d *= g`` then makes a new tensor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, nearest, user_line
from tinygrad_bp.ops.helpers import apply, on_float_arrays

# NumPy takes an array without axes as operand in 0.2 µs, a Python number in 0.5 µs.
_FLOATS = (np.longdouble, np.float64, np.float32, np.float16)
_ZERO, _ONE = ({np.dtype(kind): np.array(n, kind) for kind in _FLOATS} for n in (0, 1))
_LARGEST_EXPONENT = {
    np.dtype(kind): limit for kind, limit in zip(_FLOATS, (709.7, 709.7, 88.7, 11.0), strict=True)
}


def _sigmoid(x: Any) -> Any:
    # 1.4 µs on (1, 128) float32 and 250 µs on (5000, 25) float64, where 1 / (1 + np.exp(-x)),
    # which overflows, takes 2.0 and 1000, and np.errstate would add 0.9 µs to it.
    if type(x) is not np.ndarray or not x.ndim or x.dtype not in _ONE:
        return _sigmoid_of_any(x)
    e = -x
    # Where the largest is, is found in a third of the time in which e.max() tells it; to limit all
    # takes four times as long as that, on (100, 50) float32.
    limit, one, flat = _LARGEST_EXPONENT[x.dtype], _ONE[x.dtype], e.ravel("K")
    if not flat.size or not flat.item(flat.argmax()) < limit:
        np.minimum(e, limit, out=e)
    np.exp(e, out=e)
    e += one
    return np.divide(one, e, out=e)


@on_float_arrays
def _sigmoid_of_any(x: Any) -> Any:
    return _sigmoid(x.astype(x.dtype.newbyteorder("="), copy=False))


def _sigmoid_vjp(g: Any, out: Any, x: Any) -> Any:
    d = _ONE[out.dtype] - out  # in place 95 µs, g * out * (1 - out) 850 µs, on (5000, 25) float64
    d *= out
    d *= g
    return d


sigmoid = Primitive(
    "sigmoid",
    _sigmoid,
    [_sigmoid_vjp],
    formula=r"\frac{1}{1 + e^{-x}}",
    vjp_formulas=[r"z \, (1 - z) \, \bar{z}"],
)


def _relu(x: Any) -> Any:
    return np.maximum(x, _ZERO.get(x.dtype, 0) if isinstance(x, np.ndarray) else 0)


relu = Primitive(
    "relu",
    _relu,
    # A product with np.sign(out) takes 0.7 µs in place of 1.6 µs on (1, 128) float32, but
    # 600 µs in place of 400 µs on (10000, 128).
    [lambda g, out, x: g * (out > 0)],
    formula=r"\max(x, 0)",
    vjp_formulas=[r"[x > 0] \, \bar{z}"],
    analytic=False,
    kinks="0 at x = 0",
)


def _softsign_vjp(g: Any, out: Any, x: Any) -> Any:
    return g / (1 + np.abs(x)) ** 2


softsign = Primitive(
    "softsign",
    lambda x: x / (1 + np.abs(x)),
    [_softsign_vjp],
    formula=r"\frac{x}{1 + |x|}",
    vjp_formulas=[r"\frac{\bar{z}}{(1 + |x|)^2}"],
    analytic=False,
    kinks="smooth at x = 0, where the second derivative jumps: 0 there",
)


@on_float_arrays
def log1p_exp_minus_abs(x: Any) -> Any:
    """The part log(1 + exp(-abs(x))) that softplus adds to max(x, 0).

    Examples
    --------
    >>> log1p_exp_minus_abs(0.0)
    np.float64(0.6931471805599453)
    """
    e = np.abs(x)
    np.negative(e, out=e)
    np.exp(e, out=e)
    return np.log1p(e, out=e)


softplus = Primitive(
    "softplus",
    lambda x: np.maximum(x, 0) + log1p_exp_minus_abs(x),
    [lambda g, out, x: g * apply(sigmoid, x)],
    formula=r"\log(1 + e^x)",
    vjp_formulas=[r"\sigma(x) \, \bar{z}"],
)


def log_sigmoid(x: Any) -> Tensor:
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`, exact for large and small `x`.

    Examples
    --------
    >>> log_sigmoid(np.array([-1e4]))
    Tensor([-10000.])
    """
    return -softplus(-x)


def silu(x: Any) -> Any:
    r"""Sigmoid-weighted linear unit, :math:`x \, \sigma(x)`.

    Examples
    --------
    >>> silu(np.array([0.0, 1e4]))
    Tensor([    0., 10000.])
    """
    x = as_tensor(x)
    # Beyond, the sigmoid is the least that its exponential allows, and x times that is not small.
    limit = _LARGEST_EXPONENT.get(x.dtype)
    return (x if limit is None else np.maximum(x, -limit)) * sigmoid(x)


def _leaky_relu_vjp(g: Any, out: Any, x: Any, *, slope: float) -> Any:
    positive = (x > 0).astype(x.dtype)
    return g * (positive + slope * (1 - positive))


leaky_relu = Primitive(
    "leaky_relu",
    lambda x, *, slope: np.maximum(x, 0) + slope * np.minimum(x, 0),
    [_leaky_relu_vjp],
    formula=r"\max(x, 0) + \alpha \min(x, 0)",
    vjp_formulas=[r"([x > 0] + \alpha \, [x \le 0]) \, \bar{z}"],
    analytic=False,
    kinks="the slope at x = 0",
)


def _elu_vjp(g: Any, out: Any, x: Any, *, alpha: float) -> Any:
    positive = (x > 0).astype(x.dtype)
    return g * (positive + (alpha * (1 - positive)) * np.exp(np.minimum(x, 0)))


elu = Primitive(
    "elu",
    lambda x, *, alpha: np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)),
    [_elu_vjp],
    formula=r"\max(x, 0) + \alpha \, (e^{\min(x, 0)} - 1)",
    vjp_formulas=[r"([x > 0] + \alpha \, e^x \, [x \le 0]) \, \bar{z}"],
    analytic=False,
    kinks="alpha at x = 0",
)

# Of (1 + z) exp(z²/2) Φ(-z), z ≥ 0, as a polynomial in t = (z - 4) / (z + 4), from its Chebyshev
# interpolation in 50 digits; cut off where the terms fall below 1e-16. The form is that of M. M.
# Shepherd and J. G. Laframboise, Math. Comp. 36 (1981), 249-253.
_MILLS = (
    0.47205320650984466,
    -0.096703477326526068,
    0.013999634724430469,
    0.02860036405357749,
    -0.032197837428314526,
    0.017936097478868589,
    -0.0050023785870514666,
    -0.00028562308680939413,
    0.00069489706925704951,
    -9.4430339441522229e-5,
    -8.7853004426457919e-5,
    2.1250446856208375e-5,
    1.3626315192600401e-5,
    -3.4333722168532754e-6,
    -2.6118464340168556e-6,
    4.0671730125154448e-7,
    5.5077479653640979e-7,
    -1.237153366992197e-9,
    -1.1022354013739079e-7,
    -1.7932121916642414e-8,
    1.7442583764419793e-8,
    5.4747086320486894e-9,
    -1.5456221598143852e-9,
    -6.7632672105624539e-10,
)
# The same to a relative 9e-8, the best of its degree: a third of the time in single precision.
_MILLS_SINGLE = (
    0.4720532,
    -0.0967029675,
    0.0140000916,
    0.0285882561,
    -0.0322064991,
    0.0180116966,
    -0.00494062812,
    -0.00044740767,
    0.000543458405,
)
#: exp(-z²/2) is 0 from here on.
_FAR = 40


def _normal(x: Any) -> tuple[Any, Any]:
    """Φ(x) and exp(-x²/2) of floats, an array with axes."""
    z = np.abs(x)
    flat = z.ravel("K")
    if flat.size and not flat.item(flat.argmax()) < _FAR:  # as in the sigmoid
        np.minimum(z, _FAR, out=z)
    t = z - 4
    t /= z + 4
    first, *coefficients, last = _MILLS if x.dtype.itemsize > 4 else _MILLS_SINGLE
    tail = t * last
    for coefficient in reversed(coefficients):
        tail += coefficient
        tail *= t
    tail += first
    np.add(z, 1, out=t)
    tail /= t
    z *= z
    z *= -0.5
    bell = np.exp(z, out=z)
    tail *= bell
    # Φ(x) is the tail below 0 and 1 - tail above, without the branches of np.where.
    tail -= x > 0
    return np.abs(tail, out=tail), bell


_DENSITY = math.sqrt(0.5 / math.pi)

normal_cdf = Primitive(
    "normal_cdf",
    on_float_arrays(lambda x: _normal(x)[0]),
    [lambda g, out, x: g * np.exp(x * x * -0.5) * _DENSITY],
    formula=r"\Phi(x)",
    vjp_formulas=[r"\frac{e^{-x^2/2}}{\sqrt{2\pi}} \, \bar{z}"],
)

#: How many elements are computed at once: what they need stays in a cache.
_BLOCK = 1 << 15


def _gelu(x: Any) -> tuple[Any, Any]:
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(float)
    flat = x.reshape(-1).astype(dtype, casting="same_kind", copy=False)
    out, slope = np.empty_like(flat), np.empty_like(flat)
    for i in range(0, flat.size, _BLOCK):
        part = slice(i, i + _BLOCK)
        cdf, bell = _normal(flat[part])
        np.multiply(flat[part], cdf, out=out[part])
        bell *= flat[part]
        bell *= _DENSITY
        np.add(cdf, bell, out=slope[part])
    return out.reshape(x.shape)[()], slope.reshape(x.shape)


def _gelu_vjp(g: Any, out: Any, x: Any, *, saved: Any) -> Any:
    if isinstance(g, np.ndarray):
        return g * saved
    return g * (apply(normal_cdf, x) + x * np.exp(x * x * -0.5) * _DENSITY)


_exact_gelu = Primitive(
    "gelu",
    _gelu,
    # Forward and back 1.2 ms, where x * normal_cdf(x) takes 2.3, on (8, 64, 512) float32.
    [_gelu_vjp],
    saves=True,
    formula=r"x \, \Phi(x)",
    vjp_formulas=[r"\left( \Phi(x) + \frac{x \, e^{-x^2/2}}{\sqrt{2\pi}} \right) \bar{z}"],
)


def gelu(x: Any, approximate: str = "none") -> Any:
    r"""Gaussian error linear unit, :math:`x \, \Phi(x)`, or its approximation by tanh.

    The approximation :math:`\tfrac{x}{2} (1 + \tanh u)` is :math:`x \, \sigma(2u)`, which keeps
    its digits for very negative x.

    Examples
    --------
    >>> gelu(np.array([0.0, 1e4]))
    Tensor([    0., 10000.])
    """
    if approximate == "none":
        return _exact_gelu.apply(x)
    if approximate != "tanh":
        raise ArgumentError(
            f"gelu at {user_line()}: there is no approximation {approximate!r}: "
            f"{nearest(approximate, ('none', 'tanh'))}\nFix: 'none' or 'tanh'."
        )
    return x * sigmoid(x * (x * x * 0.044715 + 1) * math.sqrt(8 / math.pi))
