"""Convolution and its relatives as functions, along one, two or three axes.

An input is (N, C, H, W), with one, two or three axes in place of H and W, or one sample without the
batch axis. Arguments that count along axes are one number for all of them, or a tuple.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.geometry import SMALLER, Counts, batched, fits, sizes, where
from tinygrad_bp.ops.convolution import convolution, transposed_convolution
from tinygrad_bp.ops.geometry import Pads, Sizes, out_size


def pads(function: str, padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Pads:
    """The padding before and after, along each axis."""
    if not isinstance(padding, str):
        return tuple((n, n) for n in sizes("padding", padding, len(kernel), 0))
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same" or any(s != 1 for s in stride):
        raise ArgumentError(
            f"{where(function)}: padding={padding!r}"
            + (
                f" with stride {stride}, but 'same' needs a stride of 1"
                if padding == "same"
                else ""
            )
            + ".\nFix: a number, or one for each axis; or 'valid' or, with stride 1, 'same'."
        )
    whole = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((n // 2, n - n // 2) for n in whole)


def _check_channels(
    function: str, x: Any, has_batch: bool, expected: int, weight: Any, groups: int
) -> None:
    if x.shape[1] == expected:
        return
    shape, sample = tuple(x.shape if has_batch else x.shape[1:]), "" if has_batch else ", a sample,"
    fix = (
        f"make the layer for {x.shape[1]} channels, or move the axis of the {expected} channels to "
        "place 1, as with np.moveaxis."
        if has_batch
        else "a batch of images is (N, C, H, W): x[:, None] puts in an axis of one channel; a spec "
        "has it in its input_shape, as [1, 28, 28]."
    )
    raise ShapeError(
        f"{where(function)}: the input {shape}{sample} has {x.shape[1]} channels, and the weights "
        f"{tuple(weight.shape)} with groups={groups} are for {expected}.\nFix: {fix}"
    )


def _check_weight(
    function: str, axes: int, weight: Any, bias: Any, groups: Any, transposed: bool = False
) -> None:
    sizes("groups", groups, 1)
    if weight.ndim != axes + 2 or min(weight.shape) < 1 or len(weight) % groups:
        raise ShapeError(
            f"{where(function)}: weights of shape {tuple(weight.shape)} with groups={groups}; they "
            f"have {axes + 2} axes, the first of them a multiple of groups.\n"
            "Fix: another shape, or other groups."
        )
    channels = weight.shape[1] * groups if transposed else len(weight)
    if bias is not None and np.shape(bias) != (channels,):
        raise ShapeError(
            f"{where(function)}: a bias of shape {np.shape(bias)} for {channels} channels of the "
            f"output.\nFix: one of shape ({channels},)."
        )


def conv_nd(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Tensor:
    """Convolution along so many axes; see `conv2d`."""
    name = f"conv{axes}d"
    weight = as_tensor(weight)
    _check_weight(name, axes, weight, bias, groups)
    x, has_batch = batched(name, x, axes)
    _check_channels(name, x, has_batch, weight.shape[1] * groups, weight, groups)
    kernel = weight.shape[2:]
    steps = {
        "stride": sizes("stride", stride, axes),
        "dilation": sizes("dilation", dilation, axes),
    }
    geometry: dict[str, Any] = {"padding": pads(name, padding, kernel, **steps), **steps}
    fits(name, x, out_size(x.shape[2:], kernel, **geometry), f"a kernel of {kernel}", SMALLER)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    z = convolution.apply(*inputs, groups=groups, **geometry)
    return z if has_batch else z[0]


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts | str = 0,
    dilation: Counts = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution along one axis; see `conv2d`.

    Examples
    --------
    >>> conv1d(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]]))
    Tensor([[[1., 2.]]])
    """
    return conv_nd(1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts | str = 0,
    dilation: Counts = 1,
    groups: int = 1,
) -> Tensor:
    r"""Convolution along two axes, as networks have it: the kernel is not turned around.

    .. math:: z_{nop} = b_o + \sum_{c,k} w_{ock} \, x_{n,c,sp+dk-q}

    Parameters
    ----------
    x : array_like
        Shape (N, C, H, W), or (C, H, W).
    weight : array_like
        Shape (O, C/groups, \*kernel).
    bias : array_like, optional
        Shape (O,).
    stride : int or tuple, default 1
        How far apart windows begin, s.
    padding : int, tuple, 'valid' or 'same', default 0
        How many zeros stand before and after, q. 'same' keeps the size, and is for a stride of 1.
    dilation : int or tuple, default 1
        How far apart the elements of a window lie, d.
    groups : int, default 1
        Into how many parts the channels are divided, each of which is convolved by itself.

    Raises
    ------
    ArgumentError
        A number is too small, or there is no such padding.
    ShapeError
        Channels do not fit the weights, or a window does not fit the input.

    Examples
    --------
    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d(image, np.ones((1, 1, 2, 2)))
    Tensor([[[[ 8., 12.],
              [20., 24.]]]])
    >>> conv2d(image, np.ones((4, 1, 3, 3)), padding="same").shape
    (1, 4, 3, 3)
    """
    return conv_nd(2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts | str = 0,
    dilation: Counts = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution along three axes; see `conv2d`.

    Examples
    --------
    >>> conv3d(np.ones((1, 2, 4, 4, 4)), np.ones((3, 2, 2, 2, 2)), stride=2).shape
    (1, 3, 2, 2, 2)
    """
    return conv_nd(3, x, weight, bias, stride, padding, dilation, groups)


def conv_transpose_nd(
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Tensor:
    """Transposed convolution along so many axes; see `conv_transpose2d`."""
    name = f"conv_transpose{axes}d"
    weight = as_tensor(weight)
    _check_weight(name, axes, weight, bias, groups, transposed=True)
    x, has_batch = batched(name, x, axes)
    _check_channels(name, x, has_batch, len(weight), weight, groups)
    strides, dilations = sizes("stride", stride, axes), sizes("dilation", dilation, axes)
    cut = sizes("padding", padding, axes, 0)
    more = sizes("output_padding", output_padding, axes, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, strides, dilations, strict=True)):
        raise ArgumentError(
            f"{where(name)}: output_padding {more} is not smaller than the stride {strides} or the "
            f"dilation {dilations}.\nFix: a smaller one; it tells apart sizes of the output that "
            "the stride makes one."
        )
    steps = zip(x.shape[2:], weight.shape[2:], strides, dilations, strict=True)
    whole = [(n - 1) * s + d * (k - 1) + 1 for n, k, s, d in steps]
    out = tuple(n - 2 * q + m for n, q, m in zip(whole, cut, more, strict=True))
    fits(name, x, out, f"a padding of {cut}", "less padding, or a larger kernel.")
    # What is longer at the end is cut off less there, and is zeros beyond.
    each = zip(whole, cut, more, strict=True)
    padding = tuple((min(q, n), max(q - m, 0)) for n, q, m in each)
    size = tuple(n - sum(pair) for n, pair in zip(whole, padding, strict=True))
    geometry = {"stride": strides, "padding": padding, "dilation": dilations}
    inputs = (x, weight) if bias is None or size != out else (x, weight, bias)
    z: Any = transposed_convolution.apply(*inputs, size=size, groups=groups, **geometry)
    if size != out:
        beyond = [(0, n - m) for n, m in zip(out, size, strict=True)]
        z = np.pad(z, ((0, 0), (0, 0), *beyond))
        z = z if bias is None else z + as_tensor(bias).reshape(-1, *(1,) * axes)
    return z if has_batch else z[0]  # type: ignore[no-any-return] # NumPy's protocol


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts = 0,
    output_padding: Counts = 0,
    groups: int = 1,
    dilation: Counts = 1,
) -> Tensor:
    """Transposed convolution along one axis; see `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose1d(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0]]]), stride=2)
    Tensor([[[ 1.,  2., 10., 20.]]])
    """
    return conv_transpose_nd(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts = 0,
    output_padding: Counts = 0,
    groups: int = 1,
    dilation: Counts = 1,
) -> Tensor:
    r"""Transposed convolution along two axes: what `conv2d` sends back to its input.

    Each element of the input adds a kernel, times itself, to the output.

    Parameters
    ----------
    x : array_like
        Shape (N, C, H, W), or (C, H, W).
    weight : array_like
        Shape (C, O/groups, \*kernel): that of the convolution from O channels to C.
    bias : array_like, optional
        Shape (O,).
    stride, padding, groups, dilation
        Those of the convolution; `padding` is how much of the output is cut off at each end.
    output_padding : int or tuple, default 0
        How much longer the output is at the end. The sizes of which a convolution with a stride
        makes the same one differ in it.

    Raises
    ------
    ArgumentError
        A number is too small, or `output_padding` is as large as stride and dilation.
    ShapeError
        Channels do not fit the weights, or the padding leaves nothing.

    Examples
    --------
    >>> x = np.ones((1, 8, 7, 7))
    >>> conv_transpose2d(x, np.ones((8, 1, 3, 3)), None, 2, 1, output_padding=1).shape
    (1, 1, 14, 14)
    """
    return conv_transpose_nd(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Counts = 1,
    padding: Counts = 0,
    output_padding: Counts = 0,
    groups: int = 1,
    dilation: Counts = 1,
) -> Tensor:
    """Transposed convolution along three axes; see `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose3d(np.ones((1, 2, 2, 2, 2)), np.ones((2, 3, 2, 2, 2)), stride=2).shape
    (1, 3, 4, 4, 4)
    """
    return conv_transpose_nd(3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def unfold(
    x: Any,
    kernel_size: Counts,
    dilation: Counts = 1,
    padding: Counts = 0,
    stride: Counts = 1,
) -> Tensor:
    """The windows of images as columns: of (N, C, H, W), an array (N, C · K, L).

    Raises
    ------
    ShapeError
        A window does not fit.

    Examples
    --------
    >>> unfold(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0]
    Tensor([0., 1., 3., 4.])
    """
    x, has_batch = batched("unfold", x, 2)
    kernel, steps = sizes("kernel_size", kernel_size, 2), sizes("stride", stride, 2)
    apart = sizes("dilation", dilation, 2)
    around = pads("unfold", padding, kernel, steps, apart)
    out = out_size(x.shape[2:], kernel, stride=steps, padding=around, dilation=apart)
    fits("unfold", x, out, f"a window of {kernel}", SMALLER)
    z: Any = np.pad(x, ((0, 0), (0, 0), *around)) if any(map(any, around)) else x
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, apart, strict=True))
    z = np.lib.stride_tricks.sliding_window_view(z, spans, axis=(2, 3))
    if {*steps, *apart} != {1}:
        z = z[(slice(None), slice(None), *(slice(None, None, n) for n in (*steps, *apart)))]
    columns = (*x.shape[:1], x.shape[1] * math.prod(kernel), math.prod(out))
    z = np.transpose(z, (0, 1, 4, 5, 2, 3)).reshape(columns)
    y: Tensor = z if has_batch else z[0]
    return y


def fold(
    x: Any,
    output_size: Counts,
    kernel_size: Counts,
    dilation: Counts = 1,
    padding: Counts = 0,
    stride: Counts = 1,
) -> Tensor:
    """Columns (N, C · K, L) added up as the windows of images (N, C, H, W).

    Raises
    ------
    ShapeError
        There are not as many columns as windows, or the columns are not as long as windows.

    Examples
    --------
    >>> fold(np.ones((1, 4, 4)), 3, 2)
    Tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    x, has_batch = batched("fold", x, 1)
    kernel, size = sizes("kernel_size", kernel_size, 2), sizes("output_size", output_size, 2)
    geometry: dict[str, Any] = {
        "stride": sizes("stride", stride, 2),
        "padding": tuple((n, n) for n in sizes("padding", padding, 2, 0)),
        "dilation": sizes("dilation", dilation, 2),
    }
    out = out_size(size, kernel, **geometry)
    channels, rest = divmod(x.shape[1], math.prod(kernel))
    if rest or x.shape[2] != math.prod(out) or min(out) < 1:
        raise ShapeError(
            f"{where('fold')}: input {x.shape}, expected (N, C · {math.prod(kernel)}, "
            f"{math.prod(out)}): images of {size} have {out} windows of {kernel}.\n"
            "Fix: the arguments of the unfold that made the columns."
        )
    units = np.eye(math.prod(kernel), dtype=x.dtype).reshape(-1, 1, *kernel)
    weights = np.tile(units, (channels, *(1,) * (units.ndim - 1)))  # each takes one element
    y = x.reshape(*x.shape[:2], *out)
    geometry.update(groups=channels, used=weights != 0)
    z = transposed_convolution.apply(y, weights, size=size, **geometry)
    return z if has_batch else z[0]
