"""Functions that apply the caller's function along axes, and the one that changes the dtype."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import as_tensor, implements
from tinygrad_bp.errors import ArgumentError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.shaping import normalized_axes


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Apply a function to each slice along an axis; see `numpy.apply_along_axis`.

    The function gets tensors, and what it does with NumPy is differentiated.

    Raises
    ------
    ArgumentError
        There is no slice, so that nothing tells the shape of a result.
    AxisError
        There is no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> np.apply_along_axis(lambda row: row[0] * row[1], 1, x).sum().backward()
    >>> x.grad
    Tensor([[2., 1.],
            [4., 3.]])
    """
    arr = as_tensor(arr)
    (k,) = normalized_axes("apply_along_axis", axis, arr)
    moved = np.moveaxis(arr, k, -1)
    others = moved.shape[:-1]
    if 0 in others:
        raise ArgumentError(
            f"np.apply_along_axis found no slice along axis {axis} of shape {arr.shape} (at "
            f"{user_line()}).\nFix: pass an array whose other axes are not empty."
        )
    parts = [as_tensor(func1d(moved[place], *args, **kwargs)) for place in np.ndindex(others)]
    inner = parts[0].shape
    whole = np.reshape(np.stack(parts), (*others, *inner))
    source = range(len(others), len(others) + len(inner))
    return np.moveaxis(whole, tuple(source), tuple(range(k, k + len(inner))))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: Any) -> Any:
    """Apply a function of an array and an axis for each axis; see `numpy.apply_over_axes`.

    Raises
    ------
    ShapeError
        The function returned another number of axes than the array has, or one less.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.apply_over_axes(np.sum, tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [0, 1])
    Tensor([[10.]])
    """
    value = as_tensor(a)
    for axis in np.atleast_1d(axes).tolist():
        (k,) = normalized_axes("apply_over_axes", operator.index(axis), value)
        result = func(value, k)
        if result.ndim == value.ndim - 1:
            result = np.expand_dims(result, k)
        if result.ndim != value.ndim:
            raise ShapeError(
                f"np.apply_over_axes: the function made shape {result.shape} of shape "
                f"{value.shape} along axis {k} (at {user_line()}).\n"
                "Fix: let it reduce that axis, or keep all of them."
            )
        value = result
    return value


@implements(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Any:
    """The values in another dtype; differentiable between real ones; see `numpy.astype`.

    Raises
    ------
    OperationError
        A device other than the CPU was named.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.astype(tg.Tensor([1.0, 2.0]), np.float32)
    Tensor([1., 2.], dtype=float32)
    """
    if device not in (None, "cpu"):
        raise OperationError(
            f"np.astype: there is no device {device!r} (at {user_line()}).\nFix: leave it away."
        )
    return x if not copy and np.dtype(dtype) == x.dtype else x.astype(dtype)
