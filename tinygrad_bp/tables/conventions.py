"""What counts as the derivative where there is none: at kinks, ties, and ends of domains.

Each convention is data: an expression, a point, and the gradient there, which the tests compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinygrad_bp.core.registry import PRIMITIVES

Value = float | tuple[float, ...]


@dataclass(frozen=True)
class Convention:
    """The derivative of an operation at one point.

    Attributes
    ----------
    operation : str
        A Python expression in which ``np`` is NumPy, ``F`` is `tinygrad_bp.nn.functional`, ``sp``
        is `scipy.special`, and ``x`` and ``y`` are the inputs; or the name of the primitive, where
        no point is given.
    primitive : str
        Name of the primitive whose rule takes the value.
    at : tuple of numbers or tuples
        The values of ``x``, and ``y``; empty where the convention stands in words alone.
    derivative : tuple of numbers or tuples
        The gradient of the sum of the result, one for each input.
    why : str
        The reason; for words alone, what the primitive itself says of its kinks.
    """

    operation: str
    primitive: str
    at: tuple[Value, ...]
    derivative: tuple[Value, ...]
    why: str


_INF = float("inf")
_ALIKE = "both arguments count alike, so each has half"
_EVENLY = "elements that tie count alike, and the gradient is shared evenly"
_FIRST = "the first of a window has it all, as in other libraries of networks"
_BELOW = "the limit belongs to what lies below it, where the unit rests"
_ENDS = "a unit at either end rests, as beyond it"
_MIDDLE = "the middle of the slopes -1 and 1 on either side"
_STEEP = "it is the limit, not a convention: the graph is vertical there"
_SHORTEST = "the shortest of all slopes, and no gradient that is not a number"
_OUTSIDE = "an element on a branch that is not taken has none"


def _written() -> list[Convention]:
    """Those with a point, in the order of the page."""
    c = Convention
    return [
        c("F.relu(x)", "relu", (0.0,), (0.0,), "a unit at rest stays at rest, as networks have it"),
        c("np.maximum(x, 0.0)", "maximum", (0.0,), (0.5,), _ALIKE),
        c("np.clip(x, 0.0, None)", "maximum", (0.0,), (0.5,), "it is np.maximum(x, 0.0)"),
        c("np.where(x > 0, x, 0.0)", "where", (0.0,), (0.0,), _OUTSIDE),
        c("F.leaky_relu(x, 0.1)", "leaky_relu", (0.0,), (0.1,), "the slope of the left side"),
        c("F.elu(x, 2.0)", "elu", (0.0,), (2.0,), "the slope of the left side"),
        c("F.prelu(x, y)", "prelu", (0.0, 0.25), (0.25, 0.0), "the slope of the left side"),
        c("F.hardtanh(x)", "hardtanh", (1.0,), (0.0,), _ENDS),
        c("F.relu6(x)", "hardtanh", (6.0,), (0.0,), _ENDS),
        c("F.hardsigmoid(x)", "hardtanh", (3.0,), (0.0,), _ENDS),
        c("F.hardswish(x)", "hardswish", (3.0,), (1.0,), "the slope of the right side"),
        c("F.hardshrink(x, 0.5)", "hardshrink", (0.5,), (0.0,), _BELOW),
        c("F.softshrink(x, 0.5)", "softshrink", (0.5,), (0.0,), _BELOW),
        c("F.threshold(x, 1.0, 0.0)", "threshold", (1.0,), (0.0,), _BELOW),
        c("np.maximum(x, y)", "maximum", (1.0, 1.0), (0.5, 0.5), _ALIKE),
        c("np.minimum(x, y)", "minimum", (1.0, 1.0), (0.5, 0.5), _ALIKE),
        c("np.fmax(x, y)", "fmax", (1.0, 1.0), (0.5, 0.5), _ALIKE),
        c("np.fmin(x, y)", "fmin", (1.0, 1.0), (0.5, 0.5), _ALIKE),
        c("np.clip(x, 0.0, 1.0)", "minimum", (1.0,), (0.5,), "it is np.minimum of np.maximum"),
        c("np.max(x)", "max", ((1.0, 3.0, 3.0),), ((0.0, 0.5, 0.5),), _EVENLY),
        c("np.min(x)", "min", ((1.0, 1.0, 3.0),), ((0.5, 0.5, 0.0),), _EVENLY),
        c("F.max_pool1d(x[None], 2)", "max_pool", ((3.0, 3.0),), ((1.0, 0.0),), _FIRST),
        c("np.sort(x) * (1, 2, 4)", "sort", ((2.0, 2.0, 1.0),), ((3.0, 3.0, 1.0),), _EVENLY),
        c("np.abs(x)", "absolute", (0.0,), (0.0,), _MIDDLE),
        c("np.fabs(x)", "fabs", (0.0,), (0.0,), _MIDDLE),
        c("np.sqrt(x)", "sqrt", (0.0,), (_INF,), _STEEP),
        c("x**0.5", "power", (0.0,), (_INF,), _STEEP),
        c("np.cbrt(x)", "cbrt", (0.0,), (_INF,), _STEEP),
        c("np.arcsin(x)", "arcsin", (1.0,), (_INF,), _STEEP),
        c("np.arccos(x)", "arccos", (1.0,), (-_INF,), _STEEP),
        c("np.arccosh(x)", "arccosh", (1.0,), (_INF,), _STEEP),
        c("np.linalg.norm(x)", "norm", ((0.0, 0.0),), ((0.0, 0.0),), _SHORTEST),
        c("np.linalg.norm(x, 1)", "absolute", ((0.0, 2.0),), ((0.0, 1.0),), _MIDDLE),
        c("np.linalg.norm(x, np.inf)", "max", ((2.0, -2.0),), ((0.5, -0.5),), _EVENLY),
        c("np.hypot(x, y)", "hypot", (0.0, 0.0), (0.0, 0.0), _SHORTEST),
        c("np.std(x)", "std", ((2.0, 2.0),), ((0.0, 0.0),), _SHORTEST),
        c("np.arctan2(y, x)", "arctan2", (0.0, 0.0), (0.0, 0.0), "an angle has no direction there"),
        c("x**0.0", "power", (0.0,), (0.0,), "x**0 is 1 everywhere, and 0**0 is 1 in NumPy"),
        c("x**y", "power", (0.0, 0.0), (0.0, 0.0), "that of x**0; and 0 in the exponent"),
        c("0.0**x", "power", (2.0,), (0.0,), "0**x is 0 all around"),
        c("np.prod(x)", "prod", ((0.0, 2.0, 3.0),), ((6.0, 0.0, 0.0),), "smooth: the others"),
        c("np.prod(x)", "prod", ((0.0, 0.0, 3.0),), ((0.0, 0.0, 0.0),), "smooth: the others"),
        c("np.sinc(x)", "sinc", (0.0,), (0.0,), "smooth: the top of the curve"),
        c("x % y", "remainder", (4.0, 2.0), (1.0, -2.0), "the branch on which the value lies"),
        c("np.fmod(x, y)", "fmod", (4.0, 2.0), (1.0, -2.0), "the branch on which the value lies"),
        c("np.heaviside(x, y)", "heaviside", (0.0, 0.5), (0.0, 1.0), "the value at 0 is y"),
        c("x + np.round(x)", "add", (0.5,), (1.0,), "np.round gives a constant, at its jumps too"),
        c("x + np.floor(x)", "add", (1.0,), (1.0,), "np.floor gives a constant, at its jumps too"),
        c("x + np.sign(x)", "add", (0.0,), (1.0,), "np.sign gives a constant, at its jump too"),
        c("F.softsign(x)", "softsign", (0.0,), (1.0,), "smooth; the second derivative is 0 there"),
        c(
            "sp.xlogy(x, y)",
            "special.xlogy",
            (0.0, 0.0),
            (0.0, 0.0),
            "an empty cell counts for 0",
        ),
        c("sp.i0e(x)", "special.i0e", (0.0,), (0.0,), _MIDDLE),
    ]


def conventions() -> list[Convention]:
    """Every convention: those with a point first, then what other primitives say of their kinks.

    Returns
    -------
    list of Convention

    Examples
    --------
    >>> found = {c.operation: c.derivative for c in conventions()}
    >>> found["F.relu(x)"], found["np.maximum(x, 0.0)"]
    ((0.0,), (0.5,))
    """
    written = _written()
    named = {convention.primitive for convention in written}
    rest = [
        Convention(name, name, (), (), primitive.kinks)
        for name, primitive in sorted(PRIMITIVES.items())
        if primitive.kinks and name not in named
    ]
    return written + rest


def table() -> str:
    """The conventions as two tables in Markdown, for the page that shows them."""
    lines = ["| expression | where | its gradient | why |", "| --- | --- | --- | --- |"]
    others = ["| primitive | its kinks |", "| --- | --- |"]
    for c in conventions():
        if c.at:
            names = ("x", "y")[: len(c.at)]
            where = ", ".join(f"{n} = {_shown(v)}" for n, v in zip(names, c.at, strict=True))
            slopes = ", ".join(_shown(v) for v in c.derivative)
            lines.append(f"| `{c.operation}` | {where} | {slopes} | {c.why} |")
        else:
            others.append(f"| `{c.primitive}` | {c.why} |")
    return "\n".join([*lines, "", "In words, of the other primitives:", "", *others])


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(f'{v:g}' for v in value)})"
    return f"{value:g}".replace("inf", "∞")
