"""Batches of arrays, in order or shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.errors import ArgumentError

__all__ = ["DataLoader"]


class DataLoader:
    """Arrays cut into batches along their first axis, as tuples.

    In order, a batch is a slice, which copies nothing; shuffled, it is gathered by one permutation,
    which is drawn when an epoch begins. The generator is the only state: with its state set
    back to the beginning of an epoch, the same epoch comes again.

    Parameters
    ----------
    *arrays : ndarray of shape (N, ...)
        As inputs, or inputs and labels.
    batch_size : int
        Examples a batch; the last batch has what is left.
    shuffle : bool
        Whether each epoch has an order of its own.
    generator : numpy.random.Generator, optional
        Where that order comes from.
    drop_last : bool
        Whether a last batch that is not full is left out.

    Raises
    ------
    ArgumentError
        The arrays have different lengths, there is not one batch, the batch size is not a positive
        integer, or `shuffle` has no generator.

    Examples
    --------
    >>> inputs, labels = np.arange(5) * 10, np.arange(5)
    >>> for x, y in DataLoader(inputs, labels, batch_size=2):
    ...     print(x, y)
    [ 0 10] [0 1]
    [20 30] [2 3]
    [40] [4]
    >>> loader = DataLoader(labels, batch_size=3, shuffle=True, generator=np.random.default_rng(0))
    >>> [batch.tolist() for (batch,) in loader]
    [[2, 4, 3], [0, 1]]
    """

    def __init__(
        self,
        *arrays: NDArray[Any],
        batch_size: int,
        shuffle: bool = False,
        generator: np.random.Generator | None = None,
        drop_last: bool = False,
    ) -> None:
        _check(arrays, batch_size, shuffle, generator)
        self.arrays = arrays
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.generator = generator
        self.drop_last = drop_last
        if not len(self):
            raise ArgumentError(
                f"DataLoader: {len(arrays[0])} examples make no batch of {batch_size}"
                f"{' with drop_last=True' if drop_last else ''}.\n"
                "Fix: give more examples, a smaller batch_size, or drop_last=False."
            )

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        full, rest = divmod(len(self.arrays[0]), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """One epoch; its order is drawn here, before the first batch is asked for."""
        order = None
        if self.generator is not None and self.shuffle:
            order = self.generator.permutation(len(self.arrays[0]))
        return self._batches(order)

    def _batches(self, order: NDArray[np.int64] | None) -> Iterator[tuple[NDArray[Any], ...]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            part = slice(start, start + self.batch_size)
            if order is None:
                yield tuple(array[part] for array in self.arrays)
            else:
                yield tuple(array.take(order[part], axis=0) for array in self.arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(str(array.shape) for array in self.arrays)
        order = "shuffled" if self.shuffle else "in order"
        return f"DataLoader({shapes}: {len(self)} batches of {self.batch_size}, {order})"


def _check(arrays: tuple[Any, ...], batch_size: Any, shuffle: bool, generator: Any) -> None:
    if not arrays or not all(isinstance(array, np.ndarray) and array.ndim for array in arrays):
        kinds = ", ".join(type(array).__name__ for array in arrays) or "nothing"
        raise ArgumentError(
            f"DataLoader got {kinds}, expected arrays with a first axis of examples.\n"
            "Fix: DataLoader(inputs, labels, batch_size=128)."
        )
    if len({len(array) for array in arrays}) > 1:
        raise ArgumentError(
            f"DataLoader: arrays of different lengths, of shapes "
            f"{', '.join(str(array.shape) for array in arrays)}.\n"
            "Fix: give each example one row in each array."
        )
    whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    if not whole or batch_size < 1:
        raise ArgumentError(
            f"DataLoader: batch_size is {batch_size!r}.\nFix: give a whole number of 1 or more."
        )
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise ArgumentError(
            f"DataLoader: generator is a {type(generator).__name__} ({generator!r}).\n"
            "Fix: generator=np.random.default_rng(seed)."
        )
    if shuffle and generator is None:
        raise ArgumentError(
            "DataLoader: shuffle=True without a generator.\n"
            "Fix: generator=np.random.default_rng(seed), so that runs can be repeated."
        )
