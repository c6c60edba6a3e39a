"""Parts of numbers: sign, fraction, exponent, remainder, real part, and what is finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, implements, without_derivative
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.tensor import constant
from tinygrad_bp.errors import DTypeError, OperationError, user_line
from tinygrad_bp.ops.helpers import apply

_JUMPS = "the derivative is 0, at the jumps too"

without_derivative(
    {
        np.spacing: "the distance to the next number is no function of a real number",
        np.fix: "piecewise constant: the derivative is zero wherever there is one",
    }
)

heaviside = implements(np.heaviside)(
    Primitive(
        "heaviside",
        np.heaviside,
        [None, lambda g, out, x, y: np.where(x == 0, g, 0)],
        formula=r"[x > 0] + y \, [x = 0]",
        vjp_formulas=["", r"[x = 0] \, \bar{z}"],
        analytic=False,
        kinks=f"in x {_JUMPS}; in y it is 1 where x = 0",
    )
)

copysign = implements(np.copysign)(
    Primitive(
        "copysign",
        np.copysign,
        [lambda g, out, x, y: g * np.sign(x) * np.sign(out), None],
        formula=r"|x| \, (-1)^{[y < 0]}",
        vjp_formulas=[r"\bar{z} \operatorname{sign} x \, (-1)^{[y < 0]}", ""],
        analytic=False,
        kinks=f"at x = 0 the derivative in x is 0; in y {_JUMPS}",
    )
)

ldexp = implements(np.ldexp)(
    Primitive(
        "ldexp",
        np.ldexp,
        [lambda g, out, x, y: np.ldexp(g, y), None],
        formula=r"x \, 2^y",
        vjp_formulas=[r"\bar{z} \, 2^y", ""],
        analytic=False,  # only because NumPy's does not take complex numbers
    )
)

_fraction = Primitive(
    "modf",
    lambda x: np.modf(x)[0],
    [lambda g, out, x: g],
    formula=r"x - \operatorname{trunc} x",
    vjp_formulas=[r"\bar{z}"],
    analytic=False,
    kinks="at whole numbers the derivative is 1",
)

_mantissa = Primitive(
    "frexp",
    lambda x: np.frexp(x)[0],
    [lambda g, out, x: np.ldexp(g, -_exponent(x))],
    formula=r"x \, 2^{-m}, \; \tfrac{1}{2} \le |z| < 1",
    vjp_formulas=[r"\bar{z} \, 2^{-m}"],
    analytic=False,
    kinks="at 0 the derivative is 1; at powers of 2 that of the side of larger numbers",
)


def _exponent(x: Any) -> Any:
    return np.frexp(x._data if isinstance(x, Variable) else x)[1]


def _cut_off(function: Any, x: Any) -> list[Any]:
    """All results of a NumPy function as constants that remember what cut them off."""
    cut = function.__name__ if x.requires_grad else None
    return [constant(result, (x,), cut) for result in function(x._data)]


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """Fraction and whole part, of which the first has a derivative; see `numpy.modf`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.modf(tg.Tensor(-2.5))
    (Tensor(-0.5), Tensor(-2.))
    """
    return _fraction(x), _cut_off(np.modf, x)[1]


@implements(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """Mantissa and exponent of 2, of which the first has a derivative; see `numpy.frexp`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.frexp(tg.Tensor(6.0))
    (Tensor(0.75), Tensor(3, dtype=int32))
    """
    return _mantissa(x), _cut_off(np.frexp, x)[1]


@implements(np.divmod)
def divmod_(x: Any, y: Any) -> tuple[Any, Any]:
    """Whole quotient and remainder, of which the second has derivatives; see `numpy.divmod`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.divmod(tg.Tensor(7.5), 2)
    (Tensor(3.), Tensor(1.5))
    """
    return FUNCTIONS[np.floor_divide](x, y), FUNCTIONS[np.remainder](x, y)


# Of real numbers these two are the numbers themselves. Their cotangents are real: where the numbers
# were complex, the backward pass meets what made them so, and says that it cannot go on.
real = implements(np.real, np.real_if_close)(
    Primitive(
        "real",
        lambda x, tol=100: np.real(x),
        [lambda g, out, x, tol=100: g],
        formula=r"\operatorname{Re} x",
        vjp_formulas=[r"\bar{z}"],
        view=True,
        analytic=False,
    )
)

conjugate = implements(np.conjugate)(
    Primitive(
        "conjugate",
        np.conjugate,
        [lambda g, out, x: g],
        formula=r"x^{*}",
        vjp_formulas=[r"\bar{z}"],
        analytic=False,
    )
)

_nan_to_num = Primitive(
    "nan_to_num",
    lambda x, **options: np.nan_to_num(x, **options),
    [lambda g, out, x, **options: np.where(np.isfinite(x), g, 0)],
    formula=r"[|x| < \infty] \; ? \; x : c",
    vjp_formulas=[r"[|x| < \infty] \; ? \; \bar{z} : 0"],
    analytic=False,
    kinks="where x is NaN or infinite the derivative is 0",
)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Finite numbers in place of NaN and infinities; see `numpy.nan_to_num`.

    Raises
    ------
    OperationError
        ``copy=False``, or a tensor as one of the numbers.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, np.nan], requires_grad=True)
    >>> np.nan_to_num(x, nan=7.0).sum().backward()
    >>> x.grad
    Tensor([1., 0.])
    """
    if not copy:
        raise OperationError(
            f"np.nan_to_num with copy=False would write into a tensor (at {user_line()}).\n"
            "Fix: leave copy= away and use what is returned."
        )
    if any(isinstance(number, Variable) for number in (nan, posinf, neginf)):
        raise OperationError(
            f"np.nan_to_num puts numbers in, not tensors (at {user_line()}).\n"
            "Fix: np.where(np.isnan(x), value, x), through which both gradients flow."
        )
    return _nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _zero_of_reals(function: Any) -> None:
    """Register a function that has the derivative 0 on real numbers, and none of ours on others."""

    def answer(z: Any, *options: Any, **named: Any) -> Any:
        if z.requires_grad and z.dtype.kind == "c":
            raise DTypeError(
                f"np.{function.__name__} of a complex tensor has no rule (at {user_line()}).\n"
                "Fix: compute with real and imaginary parts as two real tensors."
            )
        value = function(z._data, *options, **named)
        return constant(value, (z,), function.__name__ if z.requires_grad else None)

    answer.why = "0 of real numbers, or pi where np.angle meets a negative one"  # type: ignore[attr-defined]
    FUNCTIONS[function] = answer


_zero_of_reals(np.imag)
_zero_of_reals(np.angle)


# I0(x) is the mean of exp(x cos t) over the circle, and its derivatives are the means of
# cos(t)^n exp(x cos t). The trapezoidal rule with m points is off by exp(-m^2 / 2x) of it: with 256
# it is exact to rounding up to x = 700, where the function overflows. Four points that mirror each
# other make one node (the first node: two), so that no two terms cancel.
_COSINES = np.cos(np.arange(64) * (np.pi / 128))
_WEIGHTS = np.where(_COSINES == 1, 2, 4) / 256


def _bessel(x: Any, *, order: int) -> Any:
    """The derivative of that order of the modified Bessel function of order 0."""
    if order == 0:
        return np.i0(x)
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(float)
    size = np.abs(x.astype(np.float64))[..., None]
    y = size * _COSINES
    pairs = -np.expm1(-2 * y) if order % 2 else 1 + np.exp(-2 * y)
    mean = np.sum(_WEIGHTS * _COSINES**order * pairs / 2 * np.exp(y - size), axis=-1)
    growth = np.exp(size[..., 0] / 2)  # twice half of it, which overflows later
    mean = mean * growth * growth
    return (mean * np.sign(x) if order % 2 else mean).astype(x.dtype)[()]


_i0: Primitive = Primitive(
    "i0",
    _bessel,
    [lambda g, out, x, *, order: g * apply(_i0, x, order=order + 1)],
    formula=r"I_0(x)",
    vjp_formulas=[r"I_1(x) \, \bar{z}"],
    analytic=False,  # only because NumPy's does not take complex numbers
)


@implements(np.i0)
def i0(x: Any) -> Any:
    """Modified Bessel function of the first kind, of order 0; see `numpy.i0`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.i0(tg.Tensor(0.0))
    Tensor(1.)
    """
    return _i0(x, order=0)
