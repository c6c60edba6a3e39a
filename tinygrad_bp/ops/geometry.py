"""Where windows lie along any number of axes: what convolution and pooling have in common.

Inside of both, the batch axis comes last, (C, *size, N): a window's neighbours are then the same
place of the next sample, so that arrays are read and written in long runs whatever the window is.
What they return is a view with the batch axis in front, (N, C, *size), and the operations that
follow keep that order in memory. On 64 images of 6 × 14 × 14, a 5 × 5 convolution to 16 channels
takes 0.6 ms forward in place of 0.85, and 1.4 ms to the input in place of 1.9.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]

#: Bytes of a line of a cache, and of a page of memory.
_LINE, _PAGE = 64, 4096


def out_size(size: Sizes, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes) -> Sizes:
    """How often a window fits along each axis.

    Examples
    --------
    >>> out_size((28, 28), (5, 5), (1, 2), ((2, 2), (0, 0)), (1, 1))
    (28, 12)
    """
    each = zip(size, kernel, stride, padding, dilation, strict=True)
    return tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, pad, d in each)


def batch_last(x: Any, padding: Pads = (), value: float = 0.0) -> Any:
    """An array (N, C, *size) as (C, *size, N), in that order in memory, and padded.

    Examples
    --------
    >>> batch_last(np.ones((2, 1, 3)), ((1, 0),))[0, :, 0]
    array([0., 1., 1., 1.])
    """
    x = x.transpose(*range(1, x.ndim), 0)
    if any(map(any, padding)):
        sizes = (n + a + b for n, (a, b) in zip(x.shape[1:-1], padding, strict=True))
        wide = np.full((x.shape[0], *sizes, x.shape[-1]), value, x.dtype)
        there = wide[inside(x.shape[1:-1], padding)]
    elif x.flags.c_contiguous:
        return x
    else:
        there = wide = np.empty(x.shape, x.dtype)
    # As many samples at a time as fill a line of a cache, where they lie a page or more apart and
    # drive each other out of it: 64 × 32 × 28 × 28 float32 take 2.3 ms, all at once 7.4.
    each = _LINE // x.itemsize if x.strides[-1] >= _PAGE else max(1, x.shape[-1])
    for i in range(0, x.shape[-1], each):
        there[..., i : i + each] = x[..., i : i + each]
    return wide


def batch_first(x: Any) -> Any:
    """An array (C, *size, N) as (N, C, *size): a view.

    Examples
    --------
    >>> batch_first(np.ones((1, 3, 2))).shape
    (2, 1, 3)
    """
    return x.transpose(x.ndim - 1, *range(x.ndim - 1))


def inside(size: Sizes, padding: Pads) -> tuple[slice, ...]:
    """The index of what is not padding, in an array whose first axis has none.

    Examples
    --------
    >>> inside((3,), ((1, 2),))
    (slice(None, None, None), slice(1, 4, None))
    """
    return (slice(None), *(slice(a, a + n) for n, (a, _) in zip(size, padding, strict=True)))


def places(
    kernel: Sizes, out: Sizes, stride: Sizes, dilation: Sizes
) -> Iterator[tuple[Sizes, tuple[slice, ...]]]:
    """For each element of a window, its place there and the index of it in all windows at once.

    Examples
    --------
    >>> for place, index in places((2,), (3,), (2,), (1,)):
    ...     print(place, np.arange(6.0).reshape(1, 6)[index])
    (0,) [[0. 2. 4.]]
    (1,) [[1. 3. 5.]]
    """
    for place in itertools.product(*map(range, kernel)):
        each = zip(place, dilation, stride, out, strict=True)
        yield place, (slice(None), *(slice(i * d, i * d + s * m, s) for i, d, s, m in each))
