"""Arithmetic: sums, products, quotients and powers, element by element with broadcasting."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import OperationError, user_line

# Forward functions are Python's operators where there is one: on numbers and small arrays they
# cost half of what the ufunc called by name costs (0.2 against 0.4 microseconds on arrays of 10).

add = implements(np.add)(
    Primitive(
        "add",
        operator.add,
        [lambda g, out, x, y: g, lambda g, out, x, y: g],
        formula=r"x + y",
        vjp_formulas=[r"\bar{z}", r"\bar{z}"],
    )
)

subtract = implements(np.subtract)(
    Primitive(
        "subtract",
        operator.sub,
        [lambda g, out, x, y: g, lambda g, out, x, y: -g],
        formula=r"x - y",
        vjp_formulas=[r"\bar{z}", r"-\bar{z}"],
    )
)

multiply = implements(np.multiply)(
    Primitive(
        "multiply",
        operator.mul,
        [lambda g, out, x, y: g * y, lambda g, out, x, y: g * x],
        formula=r"x \, y",
        vjp_formulas=[r"\bar{z} \, y", r"\bar{z} \, x"],
    )
)

divide = implements(np.divide)(
    Primitive(
        "divide",
        operator.truediv,
        [lambda g, out, x, y: g / y, lambda g, out, x, y: -g * out / y],
        formula=r"\frac{x}{y}",
        vjp_formulas=[r"\frac{\bar{z}}{y}", r"-\bar{z} \, \frac{z}{y}"],
    )
)

negative = implements(np.negative)(
    Primitive(
        "negative",
        operator.neg,
        [lambda g, out, x: -g],
        formula=r"-x",
        vjp_formulas=[r"-\bar{z}"],
    )
)

positive = implements(np.positive)(
    Primitive(
        "positive",
        operator.pos,
        [lambda g, out, x: g],
        formula=r"x",
        vjp_formulas=[r"\bar{z}"],
    )
)

square = implements(np.square)(
    Primitive(
        "square",
        np.square,
        [lambda g, out, x: g * (2 * x)],
        formula=r"x^2",
        vjp_formulas=[r"2 x \, \bar{z}"],
    )
)

reciprocal = implements(np.reciprocal)(
    Primitive(
        "reciprocal",
        np.reciprocal,
        [lambda g, out, x: -g * out * out],
        formula=r"\frac{1}{x}",
        vjp_formulas=[r"-\bar{z} \, z^2"],
    )
)


def power_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    """The cotangent of the base; ``x**0`` has the derivative 0 at 0 too, where 0 * 0**-1 is not."""
    if isinstance(y, (int, float)):
        return g * (y * x ** (y - 1 if y else 0))
    # Of unsigned integers, 0 - 1 is the largest of their numbers; 0 - 1.0 is -1.
    return g * (y * x ** np.where((x == 0) & (y == 0), 0, y - 1.0))


def power_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """The cotangent of the exponent; 0 at the base 0, which is the limit for exponents above 0."""
    if isinstance(x, (int, float)):
        return g * (out * (math.log(x) if x > 0 else 0.0 if x == 0 else math.nan))
    # With a 1 of the dtype of the output, since np.log of uint8 is float16.
    return g * (out * np.log(np.where(x == 0, out.dtype.type(1), x)))


POWER_KINKS = (
    "0**0 is 1 and has the derivative 0 in x and y; at x = 0 the derivative in y is 0, and that in "
    "x is infinite for exponents between 0 and 1"
)

power = implements(np.power)(
    Primitive(
        "power",
        operator.pow,
        [power_x, power_y],
        formula=r"x^y",
        vjp_formulas=[r"\bar{z} \, y \, x^{y-1}", r"\bar{z} \, z \ln x"],
        kinks=POWER_KINKS,
    )
)

float_power = implements(np.float_power)(
    Primitive(
        "float_power",
        np.float_power,
        [power_x, power_y],
        formula=r"x^y",
        vjp_formulas=[r"\bar{z} \, y \, x^{y-1}", r"\bar{z} \, z \ln x"],
        kinks=POWER_KINKS,
    )
)

remainder = implements(np.remainder)(
    Primitive(
        "remainder",
        operator.mod,
        [lambda g, out, x, y: g, lambda g, out, x, y: -g * np.floor_divide(x, y)],
        formula=r"x - y \lfloor x / y \rfloor",
        vjp_formulas=[r"\bar{z}", r"-\bar{z} \lfloor x / y \rfloor"],
        analytic=False,
        kinks="where x is a multiple of y: the derivative of the branch that the value lies on",
    )
)

fmod = implements(np.fmod)(
    Primitive(
        "fmod",
        np.fmod,
        # x / y may round up to the next whole number; (x - z) / y lies next to the right one.
        [lambda g, out, x, y: g, lambda g, out, x, y: -g * np.rint((x - out) / y)],
        formula=r"x - y \operatorname{trunc}(x / y)",
        vjp_formulas=[r"\bar{z}", r"-\bar{z} \operatorname{trunc}(x / y)"],
        analytic=False,
        kinks="where x is a multiple of y: the derivative of the branch that the value lies on",
    )
)

_copy = Primitive(
    "copy",
    np.array,
    [lambda g, out, x, *, order: g],
    formula=r"x",
    vjp_formulas=[r"\bar{z}"],
)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """The same values in memory of their own, still in the graph; see `numpy.copy`.

    Raises
    ------
    OperationError
        `subok` was asked for: a tensor holds plain arrays.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> (np.copy(x) * 3).sum().backward()
    >>> x.grad
    Tensor([3., 3.])
    """
    if subok:
        raise OperationError(
            f"np.copy with subok=True is not available on tensors (at {user_line()}).\n"
            "Fix: leave subok away."
        )
    return _copy(a, order=order)
