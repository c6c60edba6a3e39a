"""Sequences of different lengths in one batch: padded to the longest, or packed without padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, a_kind, user_line

Integers = npt.NDArray[np.intp]


class PackedSequence(NamedTuple):
    """Sequences of different lengths, step by step: what `pack_padded_sequence` makes.

    Attributes
    ----------
    data : Tensor
        Of shape (all steps of all sequences, ...): the first step of every sequence, the longest
        sequence first, then the second step of those that have one, and so on.
    batch_sizes : ndarray of int
        How many sequences have a first step, how many a second, and so on.
    sorted_indices, unsorted_indices : ndarray of int or None
        Which sequence is the longest, the second longest, and so on; and the places of the
        sequences in that order. None where they came in that order.
    """

    data: Any
    batch_sizes: Integers
    sorted_indices: Integers | None = None
    unsorted_indices: Integers | None = None

    @property
    def lengths(self) -> Integers:
        """The lengths, the longest first."""
        present = np.arange(self.batch_sizes[0]) < self.batch_sizes[:, None]
        return np.asarray(present.sum(axis=0), np.intp)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Leave the padding out of a batch of padded sequences.

    Parameters
    ----------
    input : array_like
        (steps, samples, ...), or with `batch_first` (samples, steps, ...).
    lengths : sequence of int
        How many steps of each sample count.
    batch_first : bool, default False
        Which of the first two axes is that of the samples.
    enforce_sorted : bool, default True
        Whether the lengths have to fall; otherwise the samples are sorted, and come back in their
        order from `pad_packed_sequence` and from recurrent layers.

    Raises
    ------
    ShapeError
        The lengths do not go with the input.
    ArgumentError
        The lengths rise, though `enforce_sorted` is true.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])
    >>> pack_padded_sequence(x, [3, 1], batch_first=True).data
    Tensor([1., 4., 2., 3.])
    """
    x: Any = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(
            f"pack_padded_sequence at {user_line()}: an input of shape {x.shape} has no axes for "
            "steps and samples.\nFix: pass (steps, samples, ...)."
        )
    if batch_first:
        x = np.swapaxes(x, 0, 1)
    counts = _checked_lengths(lengths, x.shape[1], x.shape[0])
    order = unsorted = None
    if not enforce_sorted:
        order = np.argsort(-counts, kind="stable")
        unsorted = np.argsort(order)
    elif np.any(np.diff(counts) > 0):
        raise ArgumentError(
            f"pack_padded_sequence at {user_line()}: the lengths {counts.tolist()} rise.\n"
            "Fix: enforce_sorted=False, or sort the samples, the longest first."
        )
    ordered = counts if order is None else counts[order]
    present = np.arange(ordered[0])[:, None] < ordered
    steps, samples = np.nonzero(present)
    which = samples if order is None else order[samples]
    return PackedSequence(x[steps, which], present.sum(axis=1), order, unsorted)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Integers]:
    """Fill packed sequences up to the longest: the inverse of `pack_padded_sequence`.

    Parameters
    ----------
    sequence : PackedSequence
        The sequences.
    batch_first : bool, default False
        Whether the samples are the first axis of the result, and not the second.
    padding_value : float, default 0
        What to fill with.
    total_length : int, optional
        How many steps the result has, where not as many as the longest sequence.

    Returns
    -------
    Tensor
        (steps, samples, ...), or with `batch_first` (samples, steps, ...).
    ndarray of int
        The lengths.

    Raises
    ------
    ArgumentError
        `total_length` is less than the longest sequence has.

    Examples
    --------
    >>> packed = pack_sequence([np.array([1.0, 2.0, 3.0]), np.array([4.0])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (Tensor([[1., 2., 3.],
            [4., 0., 0.]]), array([3, 1]))
    """
    if not isinstance(sequence, PackedSequence):
        raise ArgumentError(
            f"pad_packed_sequence at {user_line()}: {a_kind(sequence)} is no PackedSequence.\n"
            "Fix: what pack_padded_sequence gave, or a recurrent layer of it."
        )
    lengths, steps = sequence.lengths, len(sequence.batch_sizes)
    if total_length is not None and total_length < steps:
        raise ArgumentError(
            f"pad_packed_sequence at {user_line()}: the longest sequence has {steps} steps, and "
            f"total_length is {total_length}.\nFix: total_length={steps}, or leave it out."
        )
    data = as_tensor(sequence.data)
    present = np.arange(steps if total_length is None else total_length)[:, None] < lengths
    places = np.cumsum(present).reshape(present.shape) - 1
    mask = present.reshape(present.shape + (1,) * (data.ndim - 1))
    padding = data.dtype.type(padding_value)
    padded: Any = np.where(mask, data[places], padding)
    if sequence.unsorted_indices is not None:
        padded, lengths = padded[:, sequence.unsorted_indices], lengths[sequence.unsorted_indices]
    return (np.swapaxes(padded, 0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0
) -> Tensor:
    """Put sequences of different lengths into one batch, filled up to the longest.

    Parameters
    ----------
    sequences : sequence of array_like
        Each of shape (steps, ...).
    batch_first : bool, default False
        Whether the samples are the first axis of the result, and not the second.
    padding_value : float, default 0
        What to fill with.

    Raises
    ------
    ShapeError
        There are none, or they differ in more than the number of steps.

    Examples
    --------
    >>> pad_sequence([np.array([1.0]), np.array([2.0, 3.0])], batch_first=True)
    Tensor([[1., 0.],
            [2., 3.]])
    """
    tensors = [as_tensor(each) for each in sequences] if isinstance(sequences, Iterable) else []
    if len({each.shape[1:] for each in tensors}) != 1 or any(not each.ndim for each in tensors):
        raise ShapeError(
            f"pad_sequence at {user_line()}: sequences of the shapes "
            f"{[each.shape for each in tensors]} are no batch.\n"
            "Fix: one sequence or more, of shapes that differ in their first axis alone."
        )
    steps = max(len(each) for each in tensors)
    padded: Any = np.stack(
        [
            np.pad(
                each,
                [(0, steps - len(each))] + [(0, 0)] * (each.ndim - 1),
                constant_values=padding_value,
            )
            for each in tensors
        ],
        axis=0 if batch_first else 1,
    )
    result: Tensor = padded
    return result


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths: see `pack_padded_sequence`.

    Parameters
    ----------
    sequences : sequence of array_like
        Each of shape (steps, ...).
    enforce_sorted : bool, default True
        Whether the lengths have to fall.

    Examples
    --------
    >>> packed = pack_sequence([np.array([1.0]), np.array([2.0, 3.0])], enforce_sorted=False)
    >>> packed.data, packed.batch_sizes, packed.sorted_indices
    (Tensor([2., 1., 3.]), array([2, 1]), array([1, 0]))
    """
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(each) for each in sequences], False, enforce_sorted)


def _checked_lengths(lengths: Any, samples: int, steps: int) -> Integers:
    counts = np.asarray(lengths.data if isinstance(lengths, Tensor) else lengths)
    if counts.dtype.kind not in "iu" or counts.shape != (samples,) or not samples:
        raise ShapeError(
            f"pack_padded_sequence at {user_line()}: the lengths are {counts.tolist()}, and the "
            f"input has {samples} samples.\nFix: one integer for each sample."
        )
    if counts.min() < 1 or counts.max() > steps:
        raise ShapeError(
            f"pack_padded_sequence at {user_line()}: lengths from {counts.min()} to "
            f"{counts.max()}, and the input has {steps} steps.\nFix: lengths from 1 to {steps}."
        )
    return counts.astype(np.intp)
