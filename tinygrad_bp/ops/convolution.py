r"""Convolution over any number of axes: one trilinear form, and the three maps that it gives.

For x of shape (N, C, \*size), w of shape (O, C/groups, \*kernel) and y of shape (N, O, \*out),

.. math:: \Phi(x, w, y) = \sum_{n,o,p} y_{nop} \sum_{c,k} w_{ock} \, x_{n,c,sp+dk-q}

with the stride s, the dilation d and the padding q. It is linear in each of the three. Its
derivative by y is the convolution; that by x carries a cotangent back to the input, and is known as
the transposed convolution; that by w carries it to the weights. The rules of each of the three are
the other two, so that there is nothing more to write for derivatives of any order.

Windows become the columns of matrices, and the rest is a product of matrices, for a block of them
at a time: all columns at once would take the memory of x as often as the kernel has elements.

Weights that only move elements, or weigh a few of many, are 0 elsewhere, and 0 · NaN is NaN. With
`used`, which tells the weights that count, what is not finite reaches no further than these do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.geometry import (
    Pads,
    Sizes,
    batch_first,
    batch_last,
    inside,
    out_size,
    places,
)
from tinygrad_bp.ops.helpers import apply

#: How many elements a block of columns has, about: those of float32 stay in a cache of 1 MB. The
#: weights of a 3 × 3 convolution of 64 images of 16 × 28 × 28, to 32 channels, get their gradient
#: in 9.8 ms, with all columns at once in 26.
BLOCK = 1 << 17

#: How long rows are of which each has a matrix of its own: many small products take more time.
_LONG = 64


def _rows_at_once(kernel: Sizes, channels: int, out: Sizes, n: int) -> int:
    """How many rows of the first axis of the output make a block."""
    return max(1, BLOCK // max(1, channels * math.prod(kernel) * math.prod(out[1:]) * n))


def _windows(
    x: Any, kernel: Sizes, groups: int, stride: Sizes, padding: Pads, dilation: Sizes
) -> Iterator[tuple[tuple[slice, slice], Any]]:
    """Windows as columns, in matrices (groups, rows, kernel and C/groups, P).

    With each block comes of which groups it is, and of which rows of the output. Where windows
    overlap, each row has a matrix of its own, a view of strips: these hold windows along the other
    axes alone, of which a window takes as many rows as the kernel has. Depthwise, 3 × 3 of
    (16, 32, 28, 28) float32, that takes 0.7 ms in place of 1.3. Elsewhere, all rows share one.
    """
    out = out_size(x.shape[2:], kernel, stride, padding, dilation)
    x = batch_last(x, padding)
    channels, n = len(x) // groups, x.shape[-1]
    x = x.reshape(groups, channels, *x.shape[1:])
    of_group, of_channel, row, *along, of_sample = x.strides
    steps = [a * d for a, d in zip(along, dilation[1:], strict=True)]
    starts = [a * s for a, s in zip(along, stride[1:], strict=True)]
    depth, length = channels * math.prod(kernel[1:]), math.prod(out[1:]) * n
    strip = x.shape[2] * depth * length
    if dilation[0] == 1 and kernel[0] > stride[0] and length >= _LONG and strip <= 4 * BLOCK:
        shape = (groups, x.shape[2], channels, *kernel[1:], *out[1:], n)
        strides = (of_group, row, of_channel, *steps, *starts, of_sample)
        strips = as_strided(x, shape, strides, writeable=False)
        each = max(1, BLOCK // strip)
        for i in range(0, groups, each):
            some = slice(i, i + each)
            held = strips[some].copy()
            shape = (len(held), out[0], kernel[0] * depth, length)
            strides = (
                held.strides[0],
                held.strides[1] * stride[0],
                length * x.itemsize,
                x.itemsize,
            )
            yield (some, slice(None)), as_strided(held, shape, strides, writeable=False)
        return
    shape = (groups, kernel[0], channels, *kernel[1:], *out, n)
    strides = (of_group, row * dilation[0], of_channel, *steps, row * stride[0], *starts, of_sample)
    windows = as_strided(x, shape, strides, writeable=False)
    each = _rows_at_once(kernel, groups * channels, out, n)
    for i in range(0, out[0], each):
        rows = slice(i, i + each)
        block = windows[(*(slice(None),) * (2 + len(kernel)), rows)]
        yield (slice(None), rows), block.reshape(groups, 1, kernel[0] * depth, -1)


def _matrix(w: Any, groups: int) -> Any:
    """The weights of each group as a matrix (groups, O/groups, C/groups · K), as BLAS takes it."""
    return np.ascontiguousarray(w).reshape(groups, len(w) // groups, -1)


def _by_rows(y: Any, groups: int) -> Any:
    """An array (N, O, *out) as (groups, O/groups, rows, P): a block is a slice of rows."""
    y = batch_last(y)
    return y.reshape(groups, len(y) // groups, y.shape[1], -1)


def _block(y: Any, rows: slice) -> Any:
    """Some rows as matrices (groups, O/groups, P): a view."""
    return y[:, :, rows].reshape(*y.shape[:2], -1)


def _result(*arrays: Any) -> Any:
    """The dtype of the result."""
    return np.result_type(*(a for a in arrays if a is not None))


def _with_bias(z: Any, b: Any) -> Any:
    """An array (C, *size, N) with a number added to each channel, in place."""
    if b is not None:
        z += b.reshape(-1, *(1,) * (z.ndim - 1))
    return z


def _bias_vjp(g: Any, out: Any, x: Any, w: Any, b: Any, **params: Any) -> Any:
    return g.sum(axis=(0, *range(2, g.ndim)))


def _apart(product: Any, x: Any, w: Any, used: Any) -> Any:
    """A product of x and w, linear in both, to which only the weights `used` bring anything.

    It is computed as it is, and once more where there is a NaN: of what is finite, and, of what is
    not, how many bring something to an element, and with which signs.
    """
    with np.errstate(invalid="ignore"):
        z = product(x, w)
    if z.dtype.kind != "f" or not np.isnan(z).any():
        return z
    finite = np.isfinite(x)
    count = product((~finite).astype(z.dtype), used.astype(z.dtype))
    net = product(np.where(np.isinf(x), np.sign(x), 0).astype(z.dtype), np.sign(w))
    beyond = np.where(np.abs(net) == count, np.copysign(np.inf, net), np.nan)
    return np.where(count == 0, product(np.where(finite, x, 0), w), beyond).astype(z.dtype)


def _mixes(w: Any, stride: Sizes, padding: Pads) -> bool:
    """Whether each element comes from the channels of its own place, along one axis."""
    return w.shape[2:] == (1,) == stride and not any(padding[0])


def _mixed(x: Any, w: Any) -> Any:
    """Channels mixed by a matrix, as x lies: 16 × 8 × 32 × 32 to 48 × 48 in 0.5 ms, not 1.4."""
    return (x[..., 0] @ w.T)[..., None] if x.shape[2] == 1 else w @ x


def _convolution(x: Any, w: Any, b: Any = None, *, used: Any = None, **p: Any) -> Any:
    if used is None:
        return _convolved(x, w, b, **p)
    if p["groups"] == 1 and _mixes(w, p["stride"], p["padding"]):
        return _apart(_mixed, x, w[..., 0], used[..., 0])
    return _apart(lambda x, w: _convolved(x, w, **p), x, w, used)


def _convolved(x: Any, w: Any, b: Any = None, *, groups: int, **geometry: Any) -> Any:
    kernel, n = w.shape[2:], len(x)
    out = out_size(x.shape[2:], kernel, **geometry)
    z = np.empty((groups, len(w) // groups, out[0], math.prod(out[1:]) * n), _result(x, w, b))
    weights = _matrix(w.swapaxes(1, 2), groups)[:, None]
    for (some, rows), windows in _windows(x, kernel, groups, **geometry):
        part = z[some, :, rows].reshape(len(windows), z.shape[1], windows.shape[1], -1)
        np.matmul(weights[some], windows, out=part.swapaxes(1, 2))
    return batch_first(_with_bias(z.reshape(len(w), *out, n), b))


def _beyond(size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes) -> Pads:
    """How far windows reach beyond the ends of the output, going back, one step at a time."""
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    reach = [(d * (k - 1), a, b, (n + a + b - d * (k - 1) - 1) % s) for n, k, s, (a, b), d in each]
    return tuple((n - a, n - b + rest) for n, a, b, rest in reach)


def _apart_by(y: Any, stride: Sizes) -> Any:
    """An array (N, O, *out) with zeros between its elements, so that they are a stride apart."""
    if set(stride) == {1}:
        return y
    y = batch_last(y)
    sizes = ((n - 1) * s + 1 for n, s in zip(y.shape[1:-1], stride, strict=True))
    z = np.zeros((len(y), *sizes, y.shape[-1]), y.dtype)
    z[(slice(None), *(slice(None, None, s) for s in stride))] = y
    return batch_first(z)


def _transposed(y: Any, w: Any, b: Any = None, *, used: Any = None, **p: Any) -> Any:
    if used is None:
        return _carried_back(y, w, b, **p)
    if p["groups"] == 1 and _mixes(w, p["stride"], p["padding"]):
        return _apart(_mixed, y, w[..., 0].T, used[..., 0].T)
    return _apart(lambda y, w: _carried_back(y, w, **p), y, w, used)


def _carried_back(
    y: Any,
    w: Any,
    b: Any = None,
    *,
    size: Sizes,
    groups: int,
    stride: Sizes,
    padding: Pads,
    dilation: Sizes,
) -> Any:
    n, out, kernel = len(y), y.shape[2:], w.shape[2:]
    channels = w.shape[1] * groups
    ends = _beyond(size, kernel, stride, padding, dilation)
    alone = len(w) == groups and max(stride) <= 2  # a kernel for each channel of y
    if (alone or (len(w) <= channels and max(stride) == 1)) and min(map(min, ends)) >= 0:
        # That is a convolution, with the kernels turned round, and with zeros between the elements
        # of y where the stride is 2. It is quicker unless y has more channels than come out. 3 × 3
        # of float32: 0.9 ms in place of 9 for (16, 32, 28, 28) depthwise, 1.9 in place of 5.8 for
        # (16, 64, 28, 28) in 16 groups, 12 in place of 16 for (32, 32, 32, 32) in one.
        turned = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, -1, *w.shape[1:])
        turned = turned.swapaxes(1, 2).reshape(channels, len(w) // groups, *kernel)
        geometry = {"stride": (1,) * len(out), "padding": ends, "dilation": dilation}
        return _convolved(_apart_by(y, stride), turned, b, groups=groups, **geometry)
    y, weights = _by_rows(y, groups), _matrix(w, groups).swapaxes(1, 2)
    padded = (m + before + after for m, (before, after) in zip(size, padding, strict=True))
    x = np.zeros((channels, *padded, n), _result(y, w, b))
    each = min(_rows_at_once(kernel, channels, out, n), out[0])
    steps = list(places(kernel, (each, *out[1:]), stride, dilation))
    # A product of columns by rows is one of elements.
    spread = np.multiply if weights.shape[-1] == 1 else np.matmul
    for i in range(0, out[0], each):
        rows = min(each, out[0] - i)
        if rows < each:  # the last block
            steps = list(places(kernel, (rows, *out[1:]), stride, dilation))
        parts = spread(weights, _block(y, slice(i, i + each)))
        parts = parts.reshape(channels, *kernel, rows, *out[1:], n)
        there = x[:, i * stride[0] :]
        for k, index in steps:
            part = there[index]  # by itself, for `there[index] += ...` writes it once more
            part += parts[(slice(None), *k)]
    return batch_first(_with_bias(x[inside(size, padding)], b))


def _weights(x: Any, y: Any, *, kernel: Sizes, groups: int, **geometry: Any) -> Any:
    y_ = _by_rows(y, groups)
    inner = x.shape[1] // groups * math.prod(kernel)
    # Turned, for which BLAS takes less in float32, and as much in float64: 1.2 ms in place of 1.9
    # for 64 × 6 × 14 × 14 with 5 × 5 to 16, 4.1 in place of 4.9 for 16 × 64 × 16 × 16, 3 × 3 to 64.
    w = np.zeros((groups, inner, y_.shape[1]), np.result_type(x, y))
    for (some, rows), windows in _windows(x, kernel, groups, **geometry):
        part = y_[some, :, rows].reshape(len(windows), y_.shape[1], windows.shape[1], -1)
        w[some] += np.matmul(windows, part.transpose(0, 2, 3, 1)).sum(axis=1)
    w = w.swapaxes(1, 2).reshape(y.shape[1], kernel[0], -1, *kernel[1:])
    return w.swapaxes(1, 2)


_FORWARD = r"\textstyle\sum_{c,k} %s_{ock} \, %s_{n,c,sp+dk-q}"
_TO_INPUT = r"\textstyle\sum_{o,p,k} [sp+dk-q = i] \, %s_{ock} \, %s_{nop}"
_TO_WEIGHTS = r"\textstyle\sum_{n,p} %s_{n,c,sp+dk-q} \, %s_{nop}"

convolution: Primitive = Primitive(
    "convolution",
    _convolution,
    [
        lambda g, out, x, w, b=None, **p: apply(
            transposed_convolution, g, w, size=x.shape[2:], **p
        ),
        lambda g, out, x, w, b=None, **p: apply(convolution_weights, x, g, kernel=w.shape[2:], **p),
        _bias_vjp,
    ],
    formula=_FORWARD % ("w", "x") + " + b_o",
    vjp_formulas=[
        _TO_INPUT % ("w", r"\bar{z}"),
        _TO_WEIGHTS % ("x", r"\bar{z}"),
        r"\textstyle\sum_{n,p} \bar{z}_{nop}",
    ],
)

transposed_convolution: Primitive = Primitive(
    "transposed_convolution",
    _transposed,
    [
        lambda g, out, y, w, b=None, *, size, **p: apply(convolution, g, w, **p),
        lambda g, out, y, w, b=None, *, size, **p: apply(
            convolution_weights, g, y, kernel=w.shape[2:], **p
        ),
        _bias_vjp,
    ],
    formula=_TO_INPUT % ("w", "y") + " + b_c",
    vjp_formulas=[
        _FORWARD % ("w", r"\bar{z}"),
        _TO_WEIGHTS % (r"\bar{z}", "y"),
        r"\textstyle\sum_{n,i} \bar{z}_{nci}",
    ],
)

convolution_weights: Primitive = Primitive(
    "convolution_weights",
    _weights,
    [
        lambda g, out, x, y, *, kernel, **p: apply(
            transposed_convolution, y, g, size=x.shape[2:], **p
        ),
        lambda g, out, x, y, *, kernel, **p: apply(convolution, x, g, **p),
    ],
    formula=_TO_WEIGHTS % ("x", "y"),
    vjp_formulas=[_TO_INPUT % (r"\bar{z}", "y"), _FORWARD % (r"\bar{z}", "x")],
)
