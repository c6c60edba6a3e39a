"""Pooling as functions, along one, two or three axes; see `functional.images` for the arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.functional.activations import as_real
from tinygrad_bp.nn.geometry import SMALLER, Counts, batched, fits, sizes, where
from tinygrad_bp.ops.geometry import Pads, Sizes
from tinygrad_bp.ops.indexing import scatter
from tinygrad_bp.ops.pooling import avg_pool, max_pool, which_is_largest


def _windows(
    name: str,
    x: Any,
    kernel: Sizes,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[dict[str, Any], Sizes]:
    """The geometry of the windows, and how many there are along each axis.

    With `ceil_mode`, a window may reach over the end, unless it would begin there: there is then
    more padding at the end.
    """
    axes = len(kernel)
    strides = kernel if stride is None else sizes("stride", stride, axes)
    dilations, pads = sizes("dilation", dilation, axes), sizes("padding", padding, axes, 0)
    if any(2 * q > d * (k - 1) + 1 for q, k, d in zip(pads, kernel, dilations, strict=True)):
        raise ArgumentError(
            f"{where(name)}: a padding of {pads} is more than half of the kernel {kernel}, so that "
            "windows would hold nothing but padding.\nFix: less padding."
        )
    out: list[int] = []
    padding_: list[tuple[int, int]] = []
    for n, k, s, q, d in zip(x.shape[2:], kernel, strides, pads, dilations, strict=True):
        span = d * (k - 1) + 1
        count = (n + 2 * q - span + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= n + q:
            count -= 1
        out.append(count)
        padding_.append((q, max(q, (count - 1) * s + span - n - q)))
    fits(name, x, tuple(out), f"a window of {kernel}", SMALLER)
    geometry = {"stride": strides, "padding": tuple(padding_), "dilation": dilations}
    return {"kernel": kernel, **geometry}, tuple(out)


def max_pool_nd(
    axes: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    """The largest of each window along so many axes; see `max_pool2d`."""
    name = f"max_pool{axes}d"
    x, has_batch = batched(name, x, axes)
    kernel = sizes("kernel_size", kernel_size, axes)
    geometry, _ = _windows(name, x, kernel, stride, padding, dilation, ceil_mode)
    z = max_pool.apply(x, **geometry)
    z = z if has_batch else z[0]
    if not return_indices:
        return z
    indices = _in_plane(x, **geometry)
    return z, as_tensor(indices if has_batch else indices[0])


def _in_plane(x: Any, *, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes) -> Any:
    """Where the largest elements of windows lie, counted through the axes of one channel."""
    which = which_is_largest(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    places = np.unravel_index(which.astype(np.intp), kernel)
    index: Any = 0
    for i, (k, n, m) in enumerate(zip(places, x.shape[2:], which.shape[2:], strict=True)):
        first = np.arange(m).reshape(-1, *(1,) * (len(kernel) - 1 - i)) * stride[i] - padding[i][0]
        index = index * n + first + k * dilation[i]
    return index


def max_pool1d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    dilation: Counts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window along one axis; see `max_pool2d`.

    Examples
    --------
    >>> max_pool1d(np.array([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    Tensor([[[3., 2.]]])
    """
    return max_pool_nd(1, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    dilation: Counts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window; of several such, the first has the whole gradient.

    Parameters
    ----------
    x : array_like
        Shape (N, C, H, W), or (C, H, W).
    kernel_size : int or tuple
        Of a window.
    stride : int or tuple, optional
        How far apart windows begin; by default as far as they are long.
    padding : int or tuple, default 0
        How many elements that are never the largest stand before and after.
    dilation : int or tuple, default 1
        How far apart the elements of a window lie.
    ceil_mode : bool, default False
        Whether a window may reach over the end.
    return_indices : bool, default False
        Whether to return as well where the elements lie in H · W, for `max_unpool2d`.

    Raises
    ------
    ArgumentError
        A number is too small, or the padding more than half of a window.
    ShapeError
        A window does not fit the input.

    Examples
    --------
    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    Tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    return max_pool_nd(2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    dilation: Counts = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest element of each window along three axes; see `max_pool2d`.

    Examples
    --------
    >>> max_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    Tensor([[[[[7.]]]]])
    """
    return max_pool_nd(3, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_unpool_nd(
    axes: int,
    x: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Any,
) -> Tensor:
    """What max pooling took, put back to where it was; see `max_unpool2d`."""
    name = f"max_unpool{axes}d"
    x, has_batch = batched(name, x, axes)
    at = np.asarray(indices)
    kernel = sizes("kernel_size", kernel_size, axes)
    strides = kernel if stride is None else sizes("stride", stride, axes)
    pads = sizes("padding", padding, axes, 0)
    each = zip(x.shape[2:], kernel, strides, pads, strict=True)
    size = tuple((n - 1) * s - 2 * q + k for n, k, s, q in each)
    if output_size is not None:
        size = sizes("output_size", tuple(output_size)[-axes:], axes)
    planes = math.prod(x.shape[:2])
    there = at.size == x.size and at.dtype.kind in "iu"
    if not there or np.any((at < 0) | (at >= math.prod(size))):
        raise ShapeError(
            f"{where(name)}: indices of shape {np.shape(indices)}, for an input {x.shape}, do not "
            f"lie in an output of {size}.\nFix: those that max_pool{axes}d returned with "
            "return_indices=True, and the output_size that it was called on."
        )
    planes_at = np.arange(planes)[:, None] * math.prod(size)
    flat = (at.reshape(planes, -1) + planes_at).reshape(-1)
    flat, first = np.unique(flat, return_index=True)  # windows may share their largest element
    z = scatter(x.reshape(-1)[first], index=flat, shape=(planes * math.prod(size),))
    return z.reshape(*(x.shape[:2] if has_batch else x.shape[1:2]), *size)


def max_unpool1d(
    x: Any,
    indices: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    output_size: Any = None,
) -> Tensor:
    """What `max_pool1d` took, put back to where it was, among zeros; see `max_unpool2d`.

    Examples
    --------
    >>> max_unpool1d(np.array([[[3.0, 2.0]]]), np.array([[[1, 2]]]), 2)
    Tensor([[[0., 3., 2., 0.]]])
    """
    return max_unpool_nd(1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    x: Any,
    indices: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    output_size: Any = None,
) -> Tensor:
    """What `max_pool2d` took, put back to where it was, among zeros.

    Parameters
    ----------
    x, indices : array_like
        What ``max_pool2d(..., return_indices=True)`` returned.
    kernel_size, stride, padding
        Its arguments, which give the size of the output unless `output_size` does.
    output_size : tuple, optional
        The shape, or the last axes of it, of what `max_pool2d` was called on.

    Raises
    ------
    ShapeError
        An index does not lie in the output.

    Examples
    --------
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> max_unpool2d(*max_pool2d(x, 2, return_indices=True), 2)
    Tensor([[[[0., 0.],
              [0., 3.]]]])
    """
    return max_unpool_nd(2, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: Any,
    indices: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    output_size: Any = None,
) -> Tensor:
    """What `max_pool3d` took, put back to where it was, among zeros; see `max_unpool2d`.

    Examples
    --------
    >>> x = np.arange(8.0).reshape(1, 1, 2, 2, 2)
    >>> max_unpool3d(*max_pool3d(x, 2, return_indices=True), 2).sum()
    Tensor(7.)
    """
    return max_unpool_nd(3, x, indices, kernel_size, stride, padding, output_size)


def avg_pool_nd(
    axes: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window along so many axes; see `avg_pool2d`."""
    name = f"avg_pool{axes}d"
    x, has_batch = batched(name, as_real(x), axes)
    kernel = sizes("kernel_size", kernel_size, axes)
    geometry, out = _windows(name, x, kernel, stride, padding, ceil_mode=ceil_mode)
    pads = geometry["padding"]
    divisor: Any = math.prod(kernel)
    if divisor_override is not None:
        (divisor,) = sizes("divisor_override", divisor_override, 1)
    elif any(map(any, pads)):
        divisor = _counts(x.shape[2:], out, kernel, geometry["stride"], pads, count_include_pad)
    z = avg_pool.apply(x, divisor=divisor, **geometry)
    return z if has_batch else z[0]


def _counts(
    size: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, with_padding: bool
) -> Any:
    """How many elements of each window count: none beyond the padding, nor in it unless asked."""
    counts: Any = 1
    for n, m, k, s, (q, _) in zip(size, out, kernel, stride, padding, strict=True):
        first = np.arange(m) * s - q
        around = q if with_padding else 0
        inside = np.minimum(first + k, n + around) - np.maximum(first, -around)
        counts = np.multiply.outer(counts, inside)
    return counts


def avg_pool1d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along one axis; see `avg_pool2d`.

    Examples
    --------
    >>> avg_pool1d(np.array([[[1.0, 3.0, 2.0, 0.0]]]), 2)
    Tensor([[[2., 1.]]])
    """
    return avg_pool_nd(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Parameters
    ----------
    x : array_like
        Shape (N, C, H, W), or (C, H, W).
    kernel_size, stride, padding, ceil_mode
        As for `max_pool2d`; the padding is zeros.
    count_include_pad : bool, default True
        Whether the zeros of the padding count as elements.
    divisor_override : int, optional
        What the sum is divided by, in place of the number of elements.

    Raises
    ------
    ArgumentError
        A number is too small, or the padding more than half of a window.
    ShapeError
        A window does not fit the input.

    Examples
    --------
    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    Tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
    return avg_pool_nd(
        2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    x: Any,
    kernel_size: Counts,
    stride: Counts | None = None,
    padding: Counts = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window along three axes; see `avg_pool2d`.

    Examples
    --------
    >>> avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    Tensor([[[[[3.5]]]]])
    """
    return avg_pool_nd(
        3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
