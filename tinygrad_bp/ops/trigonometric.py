"""Trigonometric and hyperbolic functions, their inverses, and angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.ops.helpers import apply

sin = implements(np.sin)(
    Primitive(
        "sin",
        np.sin,
        [lambda g, out, x: g * np.cos(x)],
        formula=r"\sin x",
        vjp_formulas=[r"\bar{z} \cos x"],
    )
)

cos = implements(np.cos)(
    Primitive(
        "cos",
        np.cos,
        [lambda g, out, x: -g * np.sin(x)],
        formula=r"\cos x",
        vjp_formulas=[r"-\bar{z} \sin x"],
    )
)

tan = implements(np.tan)(
    Primitive(
        "tan",
        np.tan,
        [lambda g, out, x: g * (1 + out * out)],
        formula=r"\tan x",
        vjp_formulas=[r"\bar{z} \, (1 + z^2)"],
    )
)

arcsin = implements(np.arcsin)(
    Primitive(
        "arcsin",
        np.arcsin,
        [lambda g, out, x: g / np.sqrt((1 - x) * (1 + x))],
        formula=r"\arcsin x",
        vjp_formulas=[r"\frac{\bar{z}}{\sqrt{1 - x^2}}"],
        kinks="at -1 and 1 the derivative is infinite",
    )
)

arccos = implements(np.arccos)(
    Primitive(
        "arccos",
        np.arccos,
        [lambda g, out, x: -g / np.sqrt((1 - x) * (1 + x))],
        formula=r"\arccos x",
        vjp_formulas=[r"-\frac{\bar{z}}{\sqrt{1 - x^2}}"],
        kinks="at -1 and 1 the derivative is infinite",
    )
)


def _arctan_vjp(g: Any, out: Any, x: Any) -> Any:
    h = np.hypot(x, 1)  # whose square would overflow where x * x does
    return g / h / h


arctan = implements(np.arctan)(
    Primitive(
        "arctan",
        np.arctan,
        [_arctan_vjp],
        formula=r"\arctan x",
        vjp_formulas=[r"\frac{\bar{z}}{1 + x^2}"],
    )
)


def _around(g: Any, leg: Any, x: Any, y: Any) -> Any:
    """How fast the angle grows along one leg: ``leg / r**2``, and 0 at the origin."""
    r = np.hypot(x, y)  # its square is 0 or infinite for numbers that are not
    zero = r == 0
    r = np.where(zero, 1, r)
    return g * np.where(zero, 0, leg / r / r)


arctan2 = implements(np.arctan2)(
    Primitive(
        "arctan2",
        np.arctan2,
        [lambda g, out, x, y: _around(g, y, x, y), lambda g, out, x, y: -_around(g, x, x, y)],
        formula=r"\operatorname{arctan2}(x, y)",
        vjp_formulas=[r"\bar{z} \, \frac{y}{x^2 + y^2}", r"-\bar{z} \, \frac{x}{x^2 + y^2}"],
        analytic=False,
        kinks="at x = y = 0 both derivatives are 0; on the cut they are those beside it",
    )
)


def _sinc(x: Any, *, order: int) -> Any:
    """The derivative of that order of ``sin(pi x) / (pi x)``.

    With f_n for it, n-fold differentiation of ``x f_0 = sin(pi x) / pi`` gives
    ``x f_n + n f_(n-1) = pi**(n-1) sin(pi x + n pi / 2)``, from which f_n follows away from 0.
    Near 0, where that cancels, the Taylor series of f_n is summed; its terms are
    ``(-1)**k pi**(2k) x**(2k-n) / ((2k-n)! (2k+1))`` for all 2k >= n.
    """
    if order == 0:
        return np.sinc(x)
    near = np.abs(x) < 1
    far = np.where(near, 1, x)
    f = np.sinc(far)
    for n in range(1, order + 1):
        f = (math.pi ** (n - 1) * np.sin(math.pi * far + n * math.pi / 2) - n * f) / far
    small = np.where(near, x, 0)
    first = (order + 1) // 2
    series = 0 * small
    for k in reversed(range(first, first + 14)):
        factor = (-1) ** k * math.pi ** (2 * k) / (math.factorial(2 * k - order) * (2 * k + 1))
        series = series * (small * small) + factor
    return np.where(near, series * small if order % 2 else series, f)


def _sinc_rule(g: Any, out: Any, x: Any, *, order: int) -> Any:
    return g * apply(_sinc_primitive, x, order=order + 1)


_sinc_primitive = Primitive(
    "sinc",
    _sinc,
    [_sinc_rule],
    formula=r"\operatorname{sinc} x = \frac{\sin \pi x}{\pi x}",
    vjp_formulas=[r"\bar{z} \, \operatorname{sinc}' x"],
)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, and 1 at 0; right at and near 0 to any order; see `numpy.sinc`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([0.5, 1.0], requires_grad=True)
    >>> np.sinc(x).sum().backward()
    >>> x.grad
    Tensor([-1.27323954, -1.        ])
    """
    return _sinc_primitive(x, order=0)


deg2rad = implements(np.deg2rad, np.radians)(
    Primitive(
        "deg2rad",
        np.deg2rad,
        [lambda g, out, x: g * (math.pi / 180)],
        formula=r"\frac{\pi}{180} \, x",
        vjp_formulas=[r"\frac{\pi}{180} \, \bar{z}"],
        analytic=False,
    )
)

rad2deg = implements(np.rad2deg, np.degrees)(
    Primitive(
        "rad2deg",
        np.rad2deg,
        [lambda g, out, x: g * (180 / math.pi)],
        formula=r"\frac{180}{\pi} \, x",
        vjp_formulas=[r"\frac{180}{\pi} \, \bar{z}"],
        analytic=False,
    )
)

sinh = implements(np.sinh)(
    Primitive(
        "sinh",
        np.sinh,
        [lambda g, out, x: g * np.cosh(x)],
        formula=r"\sinh x",
        vjp_formulas=[r"\bar{z} \cosh x"],
    )
)

cosh = implements(np.cosh)(
    Primitive(
        "cosh",
        np.cosh,
        [lambda g, out, x: g * np.sinh(x)],
        formula=r"\cosh x",
        vjp_formulas=[r"\bar{z} \sinh x"],
    )
)

tanh = implements(np.tanh)(
    Primitive(
        "tanh",
        np.tanh,
        [lambda g, out, x: g - g * out * out],  # no Python number: 0.8 in place of 1.2 µs
        formula=r"\tanh x",
        vjp_formulas=[r"\bar{z} \, (1 - z^2)"],
    )
)

arcsinh = implements(np.arcsinh)(
    Primitive(
        "arcsinh",
        np.arcsinh,
        [lambda g, out, x: g / np.hypot(x, 1)],
        formula=r"\operatorname{arsinh} x",
        vjp_formulas=[r"\frac{\bar{z}}{\sqrt{x^2 + 1}}"],
    )
)

arccosh = implements(np.arccosh)(
    Primitive(
        "arccosh",
        np.arccosh,
        [lambda g, out, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1))],
        formula=r"\operatorname{arcosh} x",
        vjp_formulas=[r"\frac{\bar{z}}{\sqrt{x^2 - 1}}"],
        kinks="at 1 the derivative is infinite",
    )
)

arctanh = implements(np.arctanh)(
    Primitive(
        "arctanh",
        np.arctanh,
        [lambda g, out, x: g / ((1 - x) * (1 + x))],
        formula=r"\operatorname{artanh} x",
        vjp_formulas=[r"\frac{\bar{z}}{1 - x^2}"],
    )
)
