"""Choosing among values: maximum, minimum, clip, where, absolute values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import OperationError, user_line

_MISSING = np._NoValue


def _winner(g: Any, out: Any, x: Any, y: Any) -> Any:
    """What x receives where it is the value that was chosen over y: all of g, or half in a tie."""
    return 0.5 * (g * (x == out) + g * (y != out))


def _loser(g: Any, out: Any, x: Any, y: Any) -> Any:
    return 0.5 * (g * (y == out) + g * (x != out))


def _choice(ufunc: Any, formula: str, wins: str, loses: str) -> Any:
    """A primitive that picks one of two values."""
    return implements(ufunc)(
        Primitive(
            ufunc.__name__,
            ufunc,
            [_winner, _loser],
            formula=formula,
            vjp_formulas=[rf"\bar{{z}} \, [{wins}]", rf"\bar{{z}} \, [{loses}]"],
            analytic=False,
            kinks="where x = y both receive half of the gradient",
        )
    )


maximum = _choice(np.maximum, r"\max(x, y)", "x > y", "y > x")
minimum = _choice(np.minimum, r"\min(x, y)", "x < y", "y < x")
fmax = _choice(np.fmax, r"\operatorname{fmax}(x, y)", "x > y", "y > x")
fmin = _choice(np.fmin, r"\operatorname{fmin}(x, y)", "x < y", "y < x")


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = _MISSING,
    a_max: Any = _MISSING,
    out: None = None,
    *,
    min: Any = _MISSING,
    max: Any = _MISSING,
    **kwargs: Any,
) -> Any:
    """Limit `a` to ``[min, max]``, as ``minimum(maximum(a, min), max)``; see `numpy.clip`.

    Bounds may be None, numbers, arrays, or tensors that require gradients. An element beyond a
    bound sends its gradient to the bound; one that equals a bound shares it with the bound,
    half to each, as `numpy.maximum` does. Where ``where=`` is false the result is 0.

    Raises
    ------
    OperationError
        A bound was given twice, or only one of `a_min` and `a_max` was, or ``out=``.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([-1.0, 0.0, 0.5, 2.0], requires_grad=True)
    >>> np.clip(x, 0, 1).sum().backward()
    >>> x.grad
    Tensor([0. , 0.5, 1. , 0. ])
    """
    if out is not None:
        raise OperationError(
            f"np.clip with out= cannot write into an array or tensor (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
    named = min is not _MISSING or max is not _MISSING
    if named and (a_min is not _MISSING or a_max is not _MISSING):
        raise OperationError(
            f"np.clip got a_min or a_max together with min= or max= (at {user_line()}).\n"
            "Fix: name each bound once, as in np.clip(t, min=0, max=1)."
        )
    if not named and (a_min is _MISSING) != (a_max is _MISSING):
        raise OperationError(
            f"np.clip got one of a_min and a_max (at {user_line()}).\n"
            "Fix: pass None for the bound that is not meant: np.clip(t, 0, None)."
        )
    low, high = (min, max) if named else (a_min, a_max)
    low = None if low is _MISSING else low
    high = None if high is _MISSING else high
    if kwargs:  # which only the ufuncs themselves know
        return _clip_by_ufuncs(a, low, high, kwargs)
    if low is None and high is None:
        return np.positive(a)
    result = a if low is None else maximum(a, low)
    return result if high is None else minimum(result, high)


def _clip_by_ufuncs(a: Any, low: Any, high: Any, options: dict[str, Any]) -> Any:
    a = as_tensor(a)
    if low is None and high is None:
        return np.positive(a, **options)
    result = a if low is None else np.maximum(a, low, **options)
    return result if high is None else np.minimum(result, high, **options)


_where = Primitive(
    "where",
    np.where,
    [
        None,
        lambda g, out, c, x, y: np.where(c, g, 0),
        lambda g, out, c, x, y: np.where(c, 0, g),
    ],
    formula=r"c \; ? \; x : y",
    vjp_formulas=["", r"c \; ? \; \bar{z} : 0", r"c \; ? \; 0 : \bar{z}"],
)


@implements(np.where)
def where(condition: Any, x: Any = _MISSING, y: Any = _MISSING) -> Any:
    """Elements of `x` where the condition holds and of `y` elsewhere; see `numpy.where`.

    With the condition alone, the indices at which it holds, as a tuple of arrays.

    Raises
    ------
    OperationError
        One of `x` and `y` was given without the other.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, -2.0], requires_grad=True)
    >>> np.where(x > 0, x, 10 * x).sum().backward()
    >>> x.grad
    Tensor([ 1., 10.])
    """
    if (x is _MISSING) != (y is _MISSING):
        raise OperationError(
            f"np.where got one of x and y (at {user_line()}).\n"
            "Fix: np.where(condition, x, y), or np.where(condition) for the indices."
        )
    if x is _MISSING:
        return np.nonzero(condition)
    return _where.apply(condition, x, y)


absolute = implements(np.absolute)(
    Primitive(
        "absolute",
        abs,
        [lambda g, out, x: g * np.sign(x)],
        formula=r"|x|",
        vjp_formulas=[r"\bar{z} \operatorname{sign} x"],
        analytic=False,
        kinks="at 0 the derivative is 0",
    )
)

fabs = implements(np.fabs)(
    Primitive(
        "fabs",
        np.fabs,
        [lambda g, out, x: g * np.sign(x)],
        formula=r"|x|",
        vjp_formulas=[r"\bar{z} \operatorname{sign} x"],
        analytic=False,
        kinks="at 0 the derivative is 0",
    )
)
