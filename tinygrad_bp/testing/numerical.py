"""Numerical derivatives, each with an error bar. Pure NumPy: they share no code with the engine.

The derivative is the 5-point central difference, whose truncation error falls as the fourth power
of the step [1]_. It is taken at two steps, h and 2h. What they disagree by bounds the truncation
error. To this comes what the rounding errors of the function's values amount to; how large those
are shows in how the values scatter when the input changes in its last bits alone [2]_.

References
----------
.. [1] M. Abramowitz, I. A. Stegun, *Handbook of Mathematical Functions*, table 25.2, 1964.
.. [2] J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33, 2011.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import DTypeError, ShapeError, require_argument, user_line
from tinygrad_bp.testing.arguments import reals, require_function, require_number

Array = npt.NDArray[np.float64]

# How often the input is shaken to see the rounding errors of a function.
_SHAKES = 8


def numerical_gradient(
    f: Callable[[Array], Any],
    x: npt.ArrayLike,
    *,
    step: float | None = None,
    elements: Iterable[int] | None = None,
) -> tuple[Array, Array]:
    r"""Gradient of a scalar function of one array, with an error bar for each element.

    .. math:: f'(x) \approx \frac{8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))}{12 h}

    Parameters
    ----------
    f : callable
        Takes a float64 array, which it may keep, and returns one real number.
    x : array_like
        Where to differentiate, as float64. It is never changed.
    step : float, optional
        The step h. Without it, each element has its own, a power of two between 1 and 2 times
        ``2**-10 * max(1, abs(x_i))``, so that ``x_i + h`` is free of rounding.
    elements : iterable of int, optional
        Positions in the flattened `x` to differentiate at; all of them unless given.

    Returns
    -------
    gradient, error : tuple of ndarray
        Of the shape of `x`. An error is infinite where nothing is known: the element was not asked
        for, or a value of `f` near it is not finite.

    Raises
    ------
    ShapeError
        `f` returned more than one number.

    Examples
    --------
    >>> gradient, error = numerical_gradient(lambda x: np.sum(x**3), [1.0, 2.0])
    >>> np.round(gradient, 9)
    array([ 3., 12.])
    >>> bool(np.all(error < 1e-9))
    True
    """
    require_function("numerical_gradient", "f", f)

    def scalar(values: Array) -> Any:
        value = np.asarray(f(values))
        if value.size != 1:
            raise ShapeError(
                f"numerical_gradient needs a function of one number, not of shape {value.shape}.\n"
                "Fix: reduce it, as with np.sum, or use numerical_vjp or numerical_jacobian."
            )
        return value.reshape(())

    return numerical_jacobian(scalar, x, step=step, elements=elements)


def numerical_vjp(
    f: Callable[[Array], Any],
    x: npt.ArrayLike,
    cotangent: npt.ArrayLike,
    *,
    step: float | None = None,
) -> tuple[Array, Array]:
    r"""The cotangent of `x`, :math:`J^\top \bar{z}`, for the cotangent of ``f(x)``; see above.

    Examples
    --------
    >>> gradient, _ = numerical_vjp(lambda x: 2 * x, [1.0, 5.0], [10.0, 1.0])
    >>> np.round(gradient, 9)
    array([20.,  2.])
    """
    require_function("numerical_vjp", "f", f)
    weights = reals("numerical_vjp", "cotangent", cotangent)

    def weighed(values: Array) -> Any:
        value = np.asarray(f(values))
        if weights.shape not in (value.shape, ()):
            raise ShapeError(
                f"numerical_vjp got a cotangent of shape {weights.shape}, and f returns the shape "
                f"{value.shape}.\nFix: a cotangent of the shape of f(x)."
            )
        return np.sum(weights * value)

    return numerical_gradient(weighed, x, step=step)


def numerical_jacobian(
    f: Callable[[Array], Any],
    x: npt.ArrayLike,
    *,
    step: float | None = None,
    elements: Iterable[int] | None = None,
) -> tuple[Array, Array]:
    """All partial derivatives of an array-valued function, with their error bars.

    Parameters are those of `numerical_gradient`, but that `f` returns an array.

    Returns
    -------
    jacobian, error : tuple of ndarray
        Of the shape of ``f(x)`` followed by that of `x`.

    Examples
    --------
    >>> jacobian, _ = numerical_jacobian(lambda x: x * x, [1.0, 3.0])
    >>> np.round(jacobian, 9) + 0.0
    array([[2., 0.],
           [0., 6.]])
    """
    who = "numerical_jacobian"
    require_function(who, "f", f)
    require_number(who, "step", step, optional=True)
    start = reals(who, "x", x)
    places = _places(elements, start.size)

    def value(i: int, h: float) -> npt.NDArray[Any]:
        moved = start.copy()
        moved.flat[i] += h
        return np.asarray(f(moved))

    # A step may leave the domain of f; what comes of it is in the error bar, not in a warning.
    with np.errstate(all="ignore"):
        noise = _noise(f, start)
        jacobian = np.full((*noise.shape, start.size), np.nan)
        error = np.full((*noise.shape, start.size), np.inf)
        for i in places:
            h = step or 2.0 ** (np.ceil(np.log2(max(1.0, abs(start.flat[i])))) - 10)
            near, middle, far = (value(i, k * h) - value(i, -k * h) for k in (1.0, 2.0, 4.0))
            fine = (8 * near - middle) / (12 * h)
            coarse = (8 * middle - far) / (24 * h)
            # The weights of the values in `fine`, times 12 h, sum up to 18.
            bar = np.abs(fine - coarse) + 18 / 12 * noise / h
            jacobian[..., i] = fine
            error[..., i] = np.where(np.isfinite(bar), bar, np.inf)
    shape = noise.shape + start.shape
    return jacobian.reshape(shape), error.reshape(shape)


def _places(elements: Any, size: int) -> list[int]:
    """Positions in the flattened x."""
    if elements is None:
        return list(range(size))
    try:
        places = [operator.index(i) for i in elements]
    except TypeError:
        places = [size]
    right = all(-size <= i < size for i in places)
    fix = f"positions in the flattened x, from 0 to {size - 1}"
    require_argument(right, "numerical_gradient", "elements", elements, fix)
    return places


def _noise(f: Callable[[Array], Any], x: Array) -> Array:
    """The rounding error of each value of f near x, as the scatter of values shows it."""
    rng = np.random.default_rng(0)
    value = np.asarray(f(x.copy()))
    if value.dtype.kind not in "fiub":
        raise DTypeError(
            f"a numerical derivative is that of a function that returns real numbers, and f "
            f"returned {value.dtype} (at {user_line()}).\n"
            "Fix: return a float or a real array, of complex numbers the real part."
        )
    precision = np.finfo(np.result_type(value, np.float16)).eps
    shaken = [value]
    for _ in range(_SHAKES):
        ulps = rng.integers(-4, 5, x.shape)
        shaken.append(np.asarray(f(x + ulps * np.spacing(x))))
    scatter = np.max(shaken, axis=0) - np.min(shaken, axis=0)
    noise: Array = 2 * float(precision) * np.abs(value) + scatter
    return noise
