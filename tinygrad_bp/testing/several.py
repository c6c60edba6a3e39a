"""Derivatives of functions of several arrays, which are taken as one so that f is called less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ShapeError, require_argument
from tinygrad_bp.testing.arguments import reals, require_function
from tinygrad_bp.testing.numerical import numerical_gradient

Array = npt.NDArray[np.float64]

# So small that its square is lost beside any other number, and the derivative is exact to rounding.
_IMAGINARY = 1e-30


def numerical_gradients(
    f: Callable[..., Any], inputs: Sequence[npt.ArrayLike], *, step: float | None = None
) -> tuple[list[Array], list[Array]]:
    """Gradients of a scalar function of several arrays, with their error bars.

    Parameters
    ----------
    f : callable
        Takes float64 arrays, and returns one real number.
    inputs : sequence of array_like
        Where to differentiate.
    step : float, optional
        As for `numerical_gradient`.

    Returns
    -------
    gradients, errors : tuple of lists
        An array of the shape of each input.

    Examples
    --------
    >>> (x, y), _ = numerical_gradients(lambda x, y: np.sum(x * y), [[1.0, 2.0], 3.0])
    >>> np.round(x, 9), np.round(y, 9)
    (array([3., 3.]), np.float64(3.0))
    """
    require_function("numerical_gradients", "f", f)
    flat, parts = _joined("numerical_gradients", inputs)
    gradient, error = numerical_gradient(lambda x: f(*parts(x)), flat, step=step)
    return parts(gradient), parts(error)


def complex_step(f: Callable[..., Any], inputs: Sequence[npt.ArrayLike]) -> list[Array]:
    r"""Gradients of an analytic function that takes complex arrays, exact to rounding.

    .. math:: f'(x) \approx \operatorname{Im} f(x + ih) / h

    Nothing is subtracted, so h may be as small as one likes [1]_.

    References
    ----------
    .. [1] W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real
       functions", SIAM Review 40, 1998.

    Examples
    --------
    >>> (gradient,) = complex_step(lambda x: np.sum(np.exp(x)), [[0.0, 1.0]])
    >>> gradient == np.exp([0.0, 1.0])
    array([ True,  True])
    """
    require_function("complex_step", "f", f)
    flat, parts = _joined("complex_step", inputs)
    steps = 1j * _IMAGINARY * np.eye(flat.size)
    values = [_one_number(f(*parts(flat + step))).imag / _IMAGINARY for step in steps]
    return parts(np.array(values))


def _one_number(value: Any) -> complex:
    found = np.asarray(value)
    if found.size != 1 or found.dtype.kind not in "fiubc":
        raise ShapeError(
            f"complex_step needs a function that returns one number, and it returned "
            f"{found.dtype} of shape {found.shape}.\nFix: reduce it, as with np.sum."
        )
    return complex(found.item())


def _joined(who: str, inputs: Sequence[npt.ArrayLike]) -> tuple[Array, Callable[[Any], list[Any]]]:
    """All elements as one array, and what takes one like it apart."""
    given: Any = inputs
    listed = isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim)
    fix = "a list with an array for each argument of f, as [x] or [x, y]"
    require_argument(bool(listed and len(given)), who, "inputs", given, fix)
    arrays = [reals(who, "an input", x) for x in inputs]
    ends = [int(n) for n in np.cumsum([0, *(a.size for a in arrays)])]
    places = [(slice(i, j), a.shape) for i, j, a in zip(ends, ends[1:], arrays, strict=False)]
    flat = np.concatenate([a.ravel() for a in arrays])
    return flat, lambda x: [x[place].reshape(shape) for place, shape in places]
