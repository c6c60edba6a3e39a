"""`Dataset`, what a `DataLoader` reads from: samples by their number; and parts of one."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor
from tinygrad_bp.data.arguments import as_array, is_dataset, is_number
from tinygrad_bp.data.collection import Examples
from tinygrad_bp.errors import ArgumentError, IndexingError, a_kind, require_argument

__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]

S = TypeVar("S", covariant=True)


@runtime_checkable
class Dataset(Protocol[S]):
    """Samples that can be counted and fetched by number: anything with these two methods.

    Lists, arrays and `Examples` are datasets as they are; a class may derive from this one, and
    need not.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, index):
    ...         return np.float32(index), index**2
    >>> from tinygrad_bp.data import DataLoader
    >>> for x, y in DataLoader(Squares(), batch_size=3):
    ...     print(x, y)
    [0. 1. 2.] [0 1 4]
    [3.] [9]
    """

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""
        ...

    @abstractmethod
    def __getitem__(self, index: int, /) -> S:
        """The sample of this number, from 0: an array or a number, or a tuple or dict of them."""
        ...


class TensorDataset:
    """Arrays side by side: a sample is one row of each.

    Parameters
    ----------
    *arrays : ndarray or Tensor, of shape (N, ...)
        As inputs and labels; they are not copied.

    Raises
    ------
    ArgumentError
        They are no arrays, or of different lengths.
    ConversionError
        A tensor requires a gradient.

    Examples
    --------
    >>> data = TensorDataset(np.arange(6.0).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(data), data[1]
    (3, (array([2., 3.]), np.int64(1)))
    """

    def __init__(self, *arrays: Any) -> None:
        self.arrays = checked_arrays("TensorDataset", arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        """One row of each array; with a slice or an array of numbers, some rows of each."""
        return tuple(array[index] for array in self.arrays)

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(str(array.shape) for array in self.arrays)})"


class Subset:
    """Some samples of a dataset, in an order of their own.

    Parameters
    ----------
    dataset : Dataset
        Where they are fetched.
    indices : sequence of int
        Their numbers there.

    Raises
    ------
    IndexingError
        The dataset has no sample of such a number.

    Examples
    --------
    >>> Subset("abcdef", [4, 0])[0]
    'e'
    """

    def __init__(self, dataset: Dataset[Any], indices: Sequence[int] | NDArray[Any]) -> None:
        fix = "anything with a length and samples by number"
        require_argument(is_dataset(dataset), "Subset", "dataset", dataset, fix)
        numbers = as_array("Subset", list(indices) if isinstance(indices, range) else indices)
        right = numbers.dtype.kind in "iu" or not numbers.size
        fix = "a list of the numbers of samples"
        require_argument(right and numbers.ndim > 0, "Subset", "indices", indices, fix)
        self.dataset = dataset
        self.indices: NDArray[np.int64] = numbers.astype(np.int64).reshape(-1)
        count = len(dataset)
        wrong = self.indices[(self.indices < 0) | (self.indices >= count)]
        if len(wrong):
            raise IndexingError(
                f"Subset: there is no sample {wrong[0]} in a dataset of {count}.\n"
                f"Fix: numbers from 0 to {count - 1}."
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {len(self.dataset)}, {type(self.dataset).__name__})"


def random_split(
    dataset: Dataset[Any], lengths: Sequence[float], generator: np.random.Generator
) -> list[Subset]:
    """Parts of a dataset that share no sample, drawn at random.

    Parameters
    ----------
    dataset : Dataset
        What is split.
    lengths : sequence of int, or of float
        The size of each part; or its share, all of which sum to 1. Of shares, what is left over by
        rounding down goes to the parts one by one, from the first on.
    generator : numpy.random.Generator
        What decides which.

    Raises
    ------
    ArgumentError
        The lengths are negative, or do not sum to what is there.

    Examples
    --------
    >>> train, test = random_split(range(10), [0.75, 0.25], np.random.default_rng(0))
    >>> list(train), list(test)
    ([4, 6, 2, 7, 3, 5, 9, 0], [8, 1])
    """
    fix = "anything with a length and samples by number"
    require_argument(is_dataset(dataset), "random_split", "dataset", dataset, fix)
    listed = isinstance(lengths, list | tuple) or (is_dataset(lengths) and np.ndim(lengths) == 1)
    right = listed and all(is_number(n) or isinstance(n, float) for n in lengths)
    fix = "the size of each part, or shares that sum to 1"
    require_argument(right, "random_split", "lengths", lengths, fix)
    total, sizes = len(dataset), list(lengths)
    if not all(isinstance(n, (int, np.integer)) for n in sizes) and math.isclose(sum(sizes), 1.0):
        sizes = [math.floor(total * share + 1e-9) for share in lengths]  # 0.29 of 100 is 29
        for i in range(total - int(sum(sizes))):
            sizes[i % len(sizes)] += 1
    if not sizes or min(lengths) < 0 or sum(sizes) != total or any(n != int(n) for n in sizes):
        raise ArgumentError(
            f"random_split: the lengths {list(lengths)} are no parts of {total} samples.\n"
            f"Fix: whole numbers that sum to {total}, or shares that sum to 1."
        )
    check_generator("random_split", generator)
    parts = np.split(generator.permutation(total), np.cumsum(sizes[:-1]).astype(int))
    return [Subset(dataset, part) for part in parts]


def check_generator(who: str, generator: Any) -> None:
    """Refuse what is no generator, as a seed.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> check_generator("random_split", np.random.default_rng(0))
    """
    if not isinstance(generator, np.random.Generator):
        seed = generator if isinstance(generator, int) else "seed"
        raise ArgumentError(
            f"{who}: generator is {a_kind(generator)} ({generator!r}).\n"
            f"Fix: generator=numpy.random.default_rng({seed})."
        )


def gather(dataset: Dataset[Any], indices: Any) -> tuple[NDArray[Any], ...] | None:
    """Rows of the arrays behind a dataset, all at once; None where there are no arrays behind it.

    Examples
    --------
    >>> half = Subset(TensorDataset(np.arange(8) * 10), [6, 4, 2])
    >>> gather(half, np.array([2, 0]))
    (array([20, 60]),)
    """
    if isinstance(dataset, Subset):
        return gather(dataset.dataset, dataset.indices[indices])
    if isinstance(dataset, Examples):
        dataset = TensorDataset(dataset.inputs, dataset.labels)
    if not isinstance(dataset, TensorDataset):
        return None
    if isinstance(indices, slice):
        return dataset[indices]
    return tuple(array.take(indices, axis=0) for array in dataset.arrays)


def checked_arrays(who: str, given: tuple[Any, ...]) -> tuple[NDArray[Any], ...]:
    """Arrays, also of tensors, that have a first axis of one length.

    Raises
    ------
    ArgumentError
        They are none.
    ConversionError
        A tensor requires a gradient.
    """
    arrays = tuple(np.asarray(array) if isinstance(array, Tensor) else array for array in given)
    if not arrays or not all(isinstance(array, np.ndarray) and array.ndim for array in arrays):
        kinds = ", ".join(type(array).__name__ for array in given) or "nothing"
        raise ArgumentError(
            f"{who} got {kinds}, expected arrays with a first axis of examples.\n"
            f"Fix: {who}(inputs, labels)."
        )
    if len({len(array) for array in arrays}) > 1:
        raise ArgumentError(
            f"{who}: arrays of different lengths, of shapes "
            f"{', '.join(str(array.shape) for array in arrays)}.\n"
            "Fix: give each example one row in each array."
        )
    return arrays
