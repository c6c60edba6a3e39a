"""Batches of arrays or of any dataset, in order or shuffled, made ahead by workers if wished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, get_args

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.data import workers
from tinygrad_bp.data.dataset import Dataset, TensorDataset, check_generator, checked_arrays
from tinygrad_bp.data.workers import Fetch, Kind, Part
from tinygrad_bp.errors import ArgumentError, require_argument

__all__ = ["DataLoader"]


class DataLoader:
    """Samples in batches: of arrays, cut along their first axis as tuples, or of a `Dataset`.

    Of arrays in order, a batch is a slice, which copies nothing; shuffled, it is gathered by one
    permutation. All that is random in an epoch is drawn from the generator when the epoch begins,
    so with its state set back the same epoch comes again, however many workers there are.

    Parameters
    ----------
    *source : ndarray or Tensor of shape (N, ...), or one Dataset
        As inputs, or inputs and labels; or anything with ``len`` and samples by number.
    batch_size : int
        Samples a batch; the last batch has what is left.
    shuffle : bool
        Whether each epoch has an order of its own.
    generator : numpy.random.Generator, optional
        Where that order comes from, and the random numbers of `transform`.
    drop_last : bool
        Whether a last batch that is not full is left out.
    batch_sampler : iterable of sequences of int, optional
        The numbers of the samples of each batch, in place of the four above but for the generator's
        use in `transform`; as `LengthBatches`. It is iterated anew for each epoch.
    collate_fn : callable, optional
        Makes a batch of a list of samples; `collate` by default.
    transform : callable, optional
        ``transform(x, rng)`` of each sample, or of the first part of each that is a tuple, as a
        transform of `tinygrad_bp.data.transforms`. Each sample of an epoch has a generator of its
        own; None where the loader has none.
    num_workers : int
        How many workers make batches ahead; with 0 each is made when it is asked for.
    worker_kind : {"thread", "process"}
        Threads help where samples are waited for, as from a disk or a network, or computed outside
        of Python's lock, as by NumPy, zlib and Pillow. Processes help where they are computed in
        Python; they are started by the first epoch, with a copy of the dataset, and stay.
    prefetch_factor : int
        Batches that are ready or being made, for each worker.

    Raises
    ------
    ArgumentError
        The arrays have different lengths, there is not one batch, the batch size is not a positive
        integer, or `shuffle` has no generator.
    DataError
        When iterated: a sample cannot be had, which it names, or samples make no batch.

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
    >>> [batch.tolist() for batch in DataLoader(range(5), batch_size=3, num_workers=2)]
    [[0, 1, 2], [3, 4]]
    """

    def __init__(
        self,
        *source: Any,
        batch_size: int | None = None,
        shuffle: bool = False,
        generator: np.random.Generator | None = None,
        drop_last: bool = False,
        batch_sampler: Iterable[Any] | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        transform: Callable[..., Any] | None = None,
        num_workers: int = 0,
        worker_kind: Kind = "thread",
        prefetch_factor: int = 2,
    ) -> None:
        self.dataset = _dataset(source)
        _check_order(batch_size, shuffle, generator, drop_last, batch_sampler)
        _check_workers(num_workers, worker_kind, prefetch_factor)
        for name, function in (("collate_fn", collate_fn), ("transform", transform)):
            right = function is None or callable(function)
            require_argument(right, "DataLoader", name, function, "a function")
        self.batch_size = None if batch_size is None else int(batch_size)
        self.shuffle, self.generator, self.drop_last = shuffle, generator, drop_last
        self.batch_sampler: Any = batch_sampler
        self.collate_fn, self.transform = collate_fn, transform
        self.num_workers, self.worker_kind = num_workers, worker_kind
        self.prefetch_factor = prefetch_factor
        self._pool: ProcessPoolExecutor | None = None
        if batch_sampler is None and not len(self):
            raise ArgumentError(
                f"DataLoader: {len(self.dataset)} examples make no batch of {batch_size}"
                f"{' with drop_last=True' if drop_last else ''}.\n"
                "Fix: give more examples, a smaller batch_size, or drop_last=False."
            )

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        if self.batch_size is None:
            if isinstance(self.batch_sampler, Sized):
                return len(self.batch_sampler)
            raise TypeError(f"{type(self.batch_sampler).__name__} does not tell how many batches.")
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        """One epoch; what is random in it is drawn here, before the first batch is asked for."""
        parts = self._parts()
        entropy = None
        if self.transform is not None and self.generator is not None:
            entropy = self.generator.integers(0, 2**32, 4).tolist()
        return self._epoch(parts, entropy)

    def _parts(self) -> Iterable[Part]:
        """The samples of each batch of an epoch."""
        if self.batch_size is None:
            numbers: Iterator[Part] = iter(self.batch_sampler)
            return numbers
        starts = range(0, len(self) * self.batch_size, self.batch_size)
        slices = [slice(start, start + self.batch_size) for start in starts]
        if self.generator is None or not self.shuffle:
            return slices
        order = self.generator.permutation(len(self.dataset))
        return (order[part] for part in slices)

    def _epoch(self, parts: Iterable[Part], entropy: list[int] | None) -> Iterator[Any]:
        fetch = Fetch(self.dataset, self.collate_fn, self.transform)
        if not self.num_workers:
            for number, part in enumerate(parts):
                yield fetch(part, number, entropy)
            return
        ahead = self.num_workers * self.prefetch_factor
        if self.worker_kind == "thread":
            with workers.threads(self.num_workers) as pool:
                yield from workers.served(pool, fetch, parts, entropy, ahead)
            return
        if self._pool is None:
            self._pool = workers.processes(self.num_workers, fetch)
        try:
            yield from workers.served(self._pool, fetch, parts, entropy, ahead)
        except BrokenProcessPool as error:
            self._pool = None
            raise workers.died(error) from error

    def __getstate__(self) -> dict[str, Any]:
        """All but the worker processes, which a copy starts for itself."""
        return {**vars(self), "_pool": None}

    def __repr__(self) -> str:
        data = self.dataset
        if isinstance(data, TensorDataset):
            shapes = ", ".join(str(array.shape) for array in data.arrays)
        else:
            shapes = f"{len(data)} of {type(data).__name__}"
        if self.batch_size is None:
            return f"DataLoader({shapes}: batches by {type(self.batch_sampler).__name__})"
        order = "shuffled" if self.shuffle else "in order"
        return f"DataLoader({shapes}: {len(self)} batches of {self.batch_size}, {order})"


def _dataset(source: tuple[Any, ...]) -> Dataset[Any]:
    """Arrays side by side, or the one dataset that there is."""
    alone = source[0] if len(source) == 1 else None
    if isinstance(alone, Dataset) and not isinstance(alone, (np.ndarray, Tensor)):
        return alone
    return TensorDataset(*checked_arrays("DataLoader", source))


def _check_order(
    batch_size: Any, shuffle: bool, generator: Any, drop_last: bool, batch_sampler: Any
) -> None:
    whole = isinstance(batch_size, int | np.integer) and not isinstance(batch_size, bool)
    for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
        right = isinstance(flag, bool | np.bool_)
        require_argument(right, "DataLoader", name, flag, "True or False")
    right = batch_sampler is None or (
        isinstance(batch_sampler, Iterable) and getattr(batch_sampler, "ndim", 1) != 0
    )
    fix = "what gives the numbers of the samples of each batch, as data.LengthBatches"
    require_argument(right, "DataLoader", "batch_sampler", batch_sampler, fix)
    if batch_sampler is not None:
        if batch_size is not None or shuffle or drop_last:
            raise ArgumentError(
                "DataLoader: batch_sampler beside batch_size, shuffle or drop_last.\n"
                "Fix: leave them out; what makes the batches decides on them."
            )
    elif not whole or batch_size < 1:
        raise ArgumentError(
            f"DataLoader: batch_size is {batch_size!r}.\nFix: give a whole number of 1 or more."
        )
    if generator is not None:
        check_generator("DataLoader", generator)
    if shuffle and generator is None:
        raise ArgumentError(
            "DataLoader: shuffle=True without a generator.\n"
            "Fix: generator=np.random.default_rng(seed), so that runs can be repeated."
        )


def _check_workers(num_workers: Any, worker_kind: Any, prefetch_factor: Any) -> None:
    if not isinstance(worker_kind, str) or worker_kind not in get_args(Kind):
        raise ArgumentError(
            f"DataLoader: worker_kind is {worker_kind!r}.\nFix: one of 'thread' and 'process'."
        )
    for name, value, least in (
        ("num_workers", num_workers, 0),
        ("prefetch_factor", prefetch_factor, 1),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ArgumentError(
                f"DataLoader: {name} is {value!r}.\nFix: give a whole number of {least} or more."
            )
