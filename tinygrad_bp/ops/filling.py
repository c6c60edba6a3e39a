"""Functions that are constant in one argument and not in another: what is filled in, and weights.

Also the shifts of `numpy.fft`, which move elements and need no complex numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, PRIMITIVES, as_tensor, implements, without_derivative
from tinygrad_bp.errors import OperationError, ShapeError, user_line
from tinygrad_bp.ops.refused import needs_gradient


def _array(value: Any) -> Any:
    """The values of what only shapes, or says where."""
    return as_tensor(value).detach().data


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: str | None = None,
) -> Any:
    """An array of the shape of `a` filled with a value; see `numpy.full_like`.

    The gradient flows to the value, not to `a`. Where `a` is an array, NumPy does not ask tensors,
    and a `fill_value` that requires a gradient is an error.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> np.full_like(tg.Tensor([0.0, 0.0, 0.0]), x).sum().backward()
    >>> x.grad
    Tensor(3.)
    """
    like = np.empty_like(_array(a), dtype=dtype, shape=shape, subok=False)
    if not needs_gradient(fill_value) or like.dtype.kind != "f":
        return as_tensor(np.full_like(like, _array(fill_value)))
    return np.copy(np.broadcast_to(fill_value.astype(like.dtype), like.shape))


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """How often each number occurs, a constant; with weights their sums; see `numpy.bincount`.

    Raises
    ------
    ShapeError
        The weights are not as many as the numbers.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> np.bincount([0, 2, 2], weights=w)
    Tensor([1., 0., 5.], made by scatter)
    """
    places = np.asarray(_array(x))
    if weights is None:
        return _counts(places, minlength=minlength)
    weights = as_tensor(weights)
    if not weights.requires_grad:
        return _counts(places, _array(weights), minlength)
    if weights.shape != places.shape:
        raise ShapeError(
            f"np.bincount: the weights have shape {weights.shape} and the numbers {places.shape} "
            f"(at {user_line()}).\nFix: pass one weight for each number."
        )
    length = len(_counts(places, minlength=minlength))
    return PRIMITIVES["scatter"](weights.astype(float), index=places, shape=(length,))


without_derivative({np.bincount: "counts"})
_counts = FUNCTIONS[np.bincount]
implements(np.bincount)(bincount)


def _counted(function: Any) -> None:
    """A histogram: its counts are constants; weights would not be, and are refused."""
    without_derivative(
        {function: "counts are constant; edges are where the elements are, taken so"}
    )
    counts = FUNCTIONS[function]

    @implements(function)
    def histogram(*args: Any, weights: Any = None, **kwargs: Any) -> Any:
        if needs_gradient(weights):
            raise OperationError(
                f"np.{function.__name__} with weights that require a gradient has no rule (at "
                f"{user_line()}).\n"
                "Fix: np.bincount(np.digitize(x, edges[1:-1]), weights=w) on the edges of the bins."
            )
        return counts(*args, weights=weights, **kwargs)

    histogram.why = counts.why  # type: ignore[attr-defined]


for _function in (np.histogram, np.histogram2d, np.histogramdd):
    _counted(_function)


def _shifted(function: Any, towards: int) -> None:
    @implements(function)
    def shift(x: Any, axes: Any = None) -> Any:
        if axes is None:
            axes = tuple(range(x.ndim))
        elif not isinstance(axes, (tuple, list)):
            axes = (axes,)
        half = [(n + (towards < 0)) // 2 for n in (x.shape[i] for i in axes)]
        return np.roll(x, half, axes)

    shift.__name__ = function.__name__
    shift.__doc__ = f"""See `numpy.fft.{function.__name__}`."""


_shifted(np.fft.fftshift, 1)
_shifted(np.fft.ifftshift, -1)
