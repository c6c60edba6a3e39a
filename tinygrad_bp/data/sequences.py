"""Sequences of different lengths in one batch: padded, and beside others of about their length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_bp.data.arguments import as_array, is_dataset, is_number
from tinygrad_bp.data.collate import collate
from tinygrad_bp.data.dataset import check_generator
from tinygrad_bp.errors import ArgumentError, ShapeError, require_argument

__all__ = ["LengthBatches", "PadCollate", "pad_sequences"]


def pad_sequences(
    sequences: Sequence[ArrayLike], padding_value: float = 0, batch_first: bool = True
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sequences as one array, filled up at their ends to the length of the longest.

    Parameters
    ----------
    sequences : sequence of array_like, of shape (length, ...)
        Of any lengths; the axes after the first are the same in all.
    padding_value : float
        What fills up.
    batch_first : bool
        Whether the array is (N, T, ...), or (T, N, ...).

    Returns
    -------
    array : ndarray
        Of the dtype to which NumPy promotes those of the sequences.
    lengths : ndarray of shape (N,), int64
        How much of each is not padding.

    Raises
    ------
    ArgumentError
        There are no sequences.
    ShapeError
        One is no sequence, or has other axes after the first.

    Examples
    --------
    >>> pad_sequences([[1, 2, 3], [4]], padding_value=-1)
    (array([[ 1,  2,  3],
           [ 4, -1, -1]]), array([3, 1]))
    """
    listed = is_dataset(sequences) and not isinstance(sequences, str | bytes | dict)
    fix = "a list of sequences, as [[1, 2], [3]]"
    require_argument(listed, "pad_sequences", "sequences", sequences, fix)
    fix = "one number"
    right = is_number(padding_value) or isinstance(padding_value, bool | float | np.bool_)
    require_argument(right, "pad_sequences", "padding_value", padding_value, fix)
    arrays = [as_array("pad_sequences", sequence) for sequence in sequences]
    if not arrays:
        raise ArgumentError("pad_sequences got no sequences.\nFix: one or more.")
    for i, array in enumerate(arrays):
        if not array.ndim or array.shape[1:] != arrays[0].shape[1:]:
            raise ShapeError(
                f"pad_sequences: sequence {i} has the shape {array.shape}, and the first has "
                f"{arrays[0].shape}.\nFix: arrays (length, ...) that differ in their lengths alone."
            )
    lengths = np.array([len(array) for array in arrays], np.int64)
    shape = (len(arrays), int(lengths.max()), *arrays[0].shape[1:])
    padded = np.full(shape, padding_value, np.result_type(*arrays))
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return (padded if batch_first else padded.swapaxes(0, 1)), lengths


class PadCollate:
    """Makes a batch of samples that hold sequences: the `collate_fn` for them.

    The place of a sequence is taken by two: the padded array, and the lengths.

    Parameters
    ----------
    parts : tuple of int
        Which parts of a sample are sequences; where a sample is no tuple, it is one.
    padding_value : float
        What fills up.
    batch_first : bool
        Whether padded arrays are (N, T, ...), or (T, N, ...).

    Examples
    --------
    >>> x, lengths, labels = PadCollate()([([1, 2], 0), ([3], 1)])
    >>> x, lengths, labels
    (array([[1, 2],
           [3, 0]]), array([2, 1]), array([0, 1]))
    """

    def __init__(
        self, parts: tuple[int, ...] = (0,), padding_value: float = 0, batch_first: bool = True
    ) -> None:
        right = isinstance(parts, tuple | list) and all(type(part) is int for part in parts)
        fix = "the positions of the sequences in a sample, as (0,)"
        require_argument(right, "PadCollate", "parts", parts, fix)
        self.parts, self.padding_value, self.batch_first = parts, padding_value, batch_first

    def __call__(self, samples: list[Any]) -> tuple[Any, ...]:
        """The batch of some samples."""
        right = isinstance(samples, list | tuple) and len(samples) > 0
        require_argument(right, "PadCollate", "samples", samples, "a list of samples")
        if not isinstance(samples[0], tuple):
            return pad_sequences(samples, self.padding_value, self.batch_first)
        batch: list[Any] = []
        for i, part in enumerate(zip(*samples, strict=True)):
            if i in self.parts:
                batch.extend(pad_sequences(part, self.padding_value, self.batch_first))
            else:
                batch.append(collate(part))
        return tuple(batch)


class LengthBatches:
    """Batches of samples of about one length, by number: the `batch_sampler` for sequences.

    Without a generator, the longest come first, so that what does not fit into memory is noticed at
    once. With one, each epoch is another: samples are shuffled, and sorted within pools of
    `pool` batches, so that batches differ from epoch to epoch and padding stays small; and
    the batches are shuffled.

    Parameters
    ----------
    lengths : array_like of int, of shape (N,)
        The length of each sequence.
    batch_size : int
        Samples a batch; the last one of a pool may have fewer, where pools end an epoch.
    generator : numpy.random.Generator, optional
        Where the order comes from.
    pool : int
        Batches that are sorted at once: more of them, less padding.
    drop_last : bool
        Whether a batch that is not full is left out.

    Examples
    --------
    >>> from tinygrad_bp.data import DataLoader
    >>> words = ["a", "network", "that", "learns", "to", "read"]
    >>> codes = [[ord(letter) for letter in word] for word in words]
    >>> batches = LengthBatches([len(word) for word in words], batch_size=2)
    >>> for letters, lengths in DataLoader(codes, batch_sampler=batches, collate_fn=PadCollate()):
    ...     print(letters.shape, lengths)
    (2, 7) [7 6]
    (2, 4) [4 4]
    (2, 2) [2 1]
    """

    def __init__(
        self,
        lengths: ArrayLike,
        batch_size: int,
        generator: np.random.Generator | None = None,
        *,
        pool: int = 50,
        drop_last: bool = False,
    ) -> None:
        self.lengths = as_array("LengthBatches", lengths)
        if self.lengths.ndim != 1 or self.lengths.dtype.kind not in "iu" or not self.lengths.size:
            raise ArgumentError(
                f"LengthBatches: lengths of shape {self.lengths.shape} and dtype "
                f"{self.lengths.dtype}.\nFix: the length of each sequence, as whole numbers."
            )
        for name, value in (("batch_size", batch_size), ("pool", pool)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise ArgumentError(
                    f"LengthBatches: {name} is {value!r}.\nFix: a whole number of 1 or more."
                )
        if generator is not None:
            check_generator("LengthBatches", generator)
        self.batch_size, self.generator, self.pool = int(batch_size), generator, int(pool)
        self.drop_last = drop_last

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        full, rest = divmod(len(self.lengths), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """The batches of one epoch; their order is drawn here."""
        count, rng = len(self.lengths), self.generator
        size = self.batch_size
        order, pool = np.arange(count), count
        if rng is not None:
            order, pool = rng.permutation(count), size * self.pool
        batches: list[NDArray[np.int64]] = []
        for start in range(0, count, pool):
            part = order[start : start + pool]
            part = part[np.argsort(-self.lengths[part].astype(np.int64), kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        if self.drop_last and len(batches[-1]) < size:
            del batches[-1]
        if rng is not None:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return iter(batches)
