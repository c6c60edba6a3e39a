"""Sliding windows over an array, and their transpose: adding overlapping windows up."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view as numpy_windows

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import AxisError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.helpers import apply


def _added(windows: Any, *, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """One slice for each place in a window: few and long ones, where windows are small."""
    total = np.zeros(shape, windows.dtype)
    n = len(shape)
    for place in itertools.product(*map(range, windows.shape[n:])):
        start = [0] * n
        for axis, offset in zip(axes, place, strict=True):
            start[axis] += offset
        hit = tuple(slice(i, i + m) for i, m in zip(start, windows.shape[:n], strict=True))
        total[hit] += windows[(..., *place)]
    return total


_windows = Primitive(
    "sliding_window_view",
    lambda x, *, window, axes: numpy_windows(x, window, axes),
    [lambda g, out, x, *, window, axes: apply(overlap_add, g, shape=x.shape, axes=axes)],
    formula=r"z_{i, j} = x_{i + j}",
    vjp_formulas=[r"\textstyle\sum_{i + j = k} \bar{z}_{i, j}"],
    view=True,
)

overlap_add: Primitive = Primitive(
    "overlap_add",
    _added,
    [lambda g, out, x, *, shape, axes: apply(_windows, g, window=x.shape[len(shape) :], axes=axes)],
    formula=r"\textstyle\sum_{i + j = k} x_{i, j}",
    vjp_formulas=[r"\bar{z}_{i + j}"],
)


@implements(numpy_windows)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """All windows of a shape, as views of the array; see `numpy.lib.stride_tricks`.

    Raises
    ------
    OperationError
        ``writeable=True``: the values of a tensor are not written to.
    ShapeError
        A window is longer than its axis, or there are not as many lengths as axes.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    >>> np.lib.stride_tricks.sliding_window_view(x, 2).sum().backward()
    >>> x.grad
    Tensor([1., 2., 2., 1.])
    """
    if writeable:
        raise OperationError(
            "np.lib.stride_tricks.sliding_window_view with writeable=True would let a tensor be "
            f"written to (at {user_line()}).\nFix: leave writeable= away."
        )
    x = as_tensor(x)
    lengths = window_shape if np.iterable(window_shape) else (window_shape,)
    window = tuple(operator.index(n) for n in lengths)
    try:
        named = range(x.ndim) if axis is None else axis
        axes = normalize_axis_tuple(named, x.ndim, allow_duplicate=True)
    except np.exceptions.AxisError as error:
        raise AxisError(
            f"sliding_window_view: there is no axis {axis} for an array of shape {x.shape} "
            f"(at {user_line()}).\nFix: name an axis that the array has."
        ) from error
    room, fits = list(x.shape), len(window) == len(axes)
    for i, n in zip(axes, window, strict=False):
        fits = fits and 0 <= n <= room[i]
        room[i] -= n - 1
    if not fits:
        raise ShapeError(
            f"sliding_window_view: a window of shape {window} does not fit the axes {axes} of "
            f"an array of shape {x.shape} (at {user_line()}).\n"
            "Fix: one length per axis, none longer than the axis; or name the axes with axis=."
        )
    return _windows(x, window=window, axes=axes)
