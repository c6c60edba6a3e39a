"""Batches (N, C, ...) laid out to compute channel by channel, or a group of channels at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_bp.ops.geometry import batch_first, batch_last

_BLOCK = 1024


class Columns:
    """A batch (N, C, ...) as a matrix of a row for each sample, to compute channel by channel.

    Channels lie side by side in a row. What belongs to a channel is repeated along them, so that
    NumPy's inner loops are as long as a row: they take a third of the time where a channel is
    4 × 4, and as much where it is 28 × 28.
    """

    __slots__ = ("channels", "count", "length", "samples")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.samples, self.channels = shape[:2]
        self.length = math.prod(shape[2:])
        self.count = max(self.samples * self.length, 1)

    def rows(self, x: Any) -> Any:
        """The batch as a matrix."""
        return x.reshape(self.samples, self.channels * self.length)

    def spread(self, v: Any) -> Any:
        """What belongs to a channel, for each element of a row."""
        return v if self.length == 1 else np.repeat(v, self.length)

    def total(self, v: Any) -> Any:
        """The sum over the elements of a row that belong to one channel."""
        if self.length == 1:
            return v
        return np.add.reduce(v.reshape(self.channels, self.length), axis=1)

    def sums(self, rows: Any) -> Any:
        """The sum of each channel; by BLAS, which adds up more exactly than np.sum does."""
        return self._blocks(lambda part: np.ones(len(part), part.dtype) @ part, rows)

    def products(self, a: Any, b: Any) -> Any:
        """The sum of the products of two matrices, of each channel."""
        return self._blocks(lambda p, q: np.einsum("nk,nk->k", p, q), a, b)

    def _blocks(self, f: Any, *matrices: Any) -> Any:
        """Sums over samples; of many, those of blocks are added in double precision."""
        if self.samples <= _BLOCK:
            return self.total(f(*matrices))
        starts = range(0, self.samples, _BLOCK)
        parts = [f(*(matrix[i : i + _BLOCK] for matrix in matrices)) for i in starts]
        dtype = matrices[0].dtype
        return self.total(np.sum(parts, 0, np.result_type(dtype, float)).astype(dtype))

    def moments(self, rows: Any) -> tuple[Any, Any, Any]:
        """Mean and variance of each channel, and the rows less the mean."""
        mean = self.sums(rows) / self.count
        away = rows - self.spread(mean)
        return mean, self.products(away, away) / self.count, away


_ELEMENTS = 1 << 18


def blocks(count: int, size: int) -> list[slice]:
    """Parts of an axis of `count`, where one is of `size` elements, that each stay in a cache.

    Examples
    --------
    >>> blocks(5, 1 << 17)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 6, None)]
    """
    step = max(1, _ELEMENTS // max(size, 1))
    return [slice(i, i + step) for i in range(0, count, step)]


class Groups:
    """A batch (N, C, ...), of which the channels of a sample are in groups, each with its mean.

    The batch axis lies first in memory, or last, as a convolution leaves it, and so does that of
    all that is computed: where two orders meet, NumPy's loops are short. It is taken in blocks, of
    samples or of groups, so that what a block of a large batch needs stays in a cache.
    """

    __slots__ = ("channels", "count", "each", "groups", "last", "length", "samples")

    def __init__(self, x: Any, groups: int) -> None:
        self.samples, self.channels = x.shape[:2]
        self.groups, self.each = groups, self.channels // groups
        self.length, self.last = math.prod(x.shape[2:]), x.strides[0] == x.itemsize
        self.count = max(self.each * self.length, 1)

    def laid(self, x: Any) -> Any:
        """An array in the one order in memory."""
        return batch_first(batch_last(x)) if self.last else np.ascontiguousarray(x)

    def by_group(self, x: Any) -> Any:
        """An array as (N, groups, elements of one)."""
        return x.reshape(self.samples, self.groups, self.each * self.length)

    def by_channel(self, x: Any) -> Any:
        """An array as (N, C, elements of one)."""
        return x.reshape(self.samples, self.channels, self.length)

    def blocks(self) -> Iterator[tuple[slice, slice, slice]]:
        """Which samples, groups and channels."""
        units, whole = self.groups if self.last else self.samples, slice(None)
        size = self.samples * self.channels * self.length // max(units, 1)
        for some in blocks(units, size):
            if self.last:
                yield whole, some, slice(some.start * self.each, some.stop * self.each)
            else:
                yield some, whole, whole

    def sums(self, x: Any) -> Any:
        """The sum of each channel of each sample."""
        ones = np.ones(self.length, x.dtype)
        return (x.swapaxes(0, 1) @ ones).T if self.last else x @ ones

    def products(self, a: Any, b: Any) -> Any:
        """The sum of the products of two arrays, of each channel of each sample."""
        return self.sums(a * b) if self.last else np.vecdot(a.conj(), b)

    def total(self, v: Any) -> Any:
        """Of what belongs to channels, (N, C), the sum of each group."""
        if self.last:
            return np.add.reduce(v.T.reshape(-1, self.each, len(v)), axis=1).T
        return np.add.reduce(v.reshape(len(v), -1, self.each), axis=2)

    def spread(self, v: Any) -> Any:
        """What belongs to groups, (N, groups), for each channel."""
        return np.repeat(v.T, self.each, axis=0).T if self.last else np.repeat(v, self.each, axis=1)

    def room(self, dtype: Any) -> Any:
        """Room for two numbers of each group, (2, N, groups), in the order of the batch."""
        if self.last:
            return np.empty((2, self.groups, self.samples), dtype).swapaxes(1, 2)
        return np.empty((2, self.samples, self.groups), dtype)


def in_short_buffers(f: Any) -> Any:
    """Let a function broadcast numbers along rows of 512 elements or more without copies of them.

    NumPy repeats such a number into a buffer of 8192 elements, unless rows are half as long. With
    a shorter one, each channel of (16, 64, 28, 28) float32 is normalised by itself and back in 1.2
    ms, not 1.7, and of (8, 64, 56, 56) in 2.4, not 3.8; 768 features of (32, 128) in 15 and not 18.
    `np.errstate` brings the old one back; both take 4 µs, which is much for a small batch.
    """

    @functools.wraps(f)
    def wrapper(first: Any, *others: Any, **params: Any) -> Any:
        if first.size < _ELEMENTS >> 1:
            return f(first, *others, **params)
        with np.errstate():
            np.setbufsize(1024)
            return f(first, *others, **params)

    return wrapper
