"""Batches made beside the training by threads or other processes, in their order all the same."""

from __future__ import annotations

import contextlib
import operator
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tinygrad_bp.data.collate import collate
from tinygrad_bp.data.dataset import Dataset, gather
from tinygrad_bp.errors import DataError, TgError

Kind = Literal["thread", "process"]
Part = Any  # a slice, or an array of sample numbers


@dataclass(frozen=True)
class Fetch:
    """Makes one batch: fetches its samples, transforms them, and collates them.

    Attributes
    ----------
    dataset : Dataset
        Where samples come from.
    collate_fn, transform : callable or None
        As `DataLoader` was given them.
    """

    dataset: Dataset[Any]
    collate_fn: Callable[[list[Any]], Any] | None
    transform: Callable[..., Any] | None

    def __call__(self, part: Part, number: int, entropy: list[int] | None) -> Any:
        """The batch of these samples, which is that of this number in its epoch."""
        whole = isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.ndim == 1
        if not whole and not isinstance(part, slice):
            part = _numbers(part, self.dataset)
        try:
            rows = None
            if self.collate_fn is None and self.transform is None:
                rows = gather(self.dataset, part)
            return self._batch(part, number, entropy) if rows is None else rows
        except IndexError as error:
            raise _no_batch(_numbers(part, self.dataset), error) from error

    def _batch(self, part: Part, number: int, entropy: list[int] | None) -> Any:
        indices = _numbers(part, self.dataset)
        samples = [
            self._sample(index, number, place, entropy) for place, index in enumerate(indices)
        ]
        try:
            return (self.collate_fn or collate)(samples)
        except Exception as error:
            raise _no_batch(indices, error) from error

    def _sample(self, index: int, number: int, place: int, entropy: list[int] | None) -> Any:
        try:
            sample = self.dataset[index]
            if self.transform is None:
                return sample
            generator = None
            if entropy is not None:
                seed = np.random.SeedSequence(entropy, spawn_key=(number, place))
                generator = np.random.default_rng(seed)
            if isinstance(sample, (tuple, list)):
                return (self.transform(sample[0], generator), *sample[1:])
            return self.transform(sample, generator)
        except Exception as error:
            raise DataError(
                f"DataLoader: sample {index} of {type(self.dataset).__name__} cannot be had: "
                f"{_told(error)}"
            ) from error


def _told(error: Exception) -> str:
    """What an error says, with its name where it is not one of ours."""
    if isinstance(error, TgError):
        return str(error)
    return f"{_named(error)}\nFix: what raised it; the traceback is above."


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _numbers(part: Part, dataset: Dataset[Any]) -> list[int]:
    if isinstance(part, slice):
        part = range(*part.indices(len(dataset)))
    try:
        return [operator.index(index) for index in part]
    except TypeError as error:
        raise DataError(
            f"DataLoader: {part!r} is no batch: {error}.\n"
            "Fix: let the batch_sampler give a list of the numbers of samples for each batch."
        ) from error


def _no_batch(indices: list[int], error: Exception) -> DataError:
    return DataError(f"DataLoader: the samples {_few(indices)} make no batch: {_told(error)}")


def _few(indices: list[int]) -> str:
    shown = ", ".join(map(str, indices[:8]))
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown


def threads(count: int) -> ThreadPoolExecutor:
    """Workers for sources that wait, or that compute outside of Python's lock as NumPy does."""
    return ThreadPoolExecutor(count, thread_name_prefix="DataLoader")


def processes(count: int, fetch: Fetch) -> ProcessPoolExecutor:
    """Workers for sources written in Python; each has a copy of the dataset.

    They are not forked from this process, whose threads would not be with them.

    Raises
    ------
    DataError
        The dataset cannot be sent to them.
    """
    import multiprocessing

    try:
        packed = pickle.dumps(fetch)
    except Exception as error:
        raise DataError(
            f"DataLoader: {type(fetch.dataset).__name__}, or what is done with its samples, cannot "
            f"be sent to other processes: {_named(error)}\n"
            "Fix: classes and functions of a module, no lambdas and no open files; or "
            "worker_kind='thread'."
        ) from error
    start = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(start)
    return ProcessPoolExecutor(count, context, initializer=_begin, initargs=(packed,))


_packed = b""  # in a worker process: what it was sent
_fetch: Fetch | None = None


def _begin(packed: bytes) -> None:
    """Keep what was sent; it is unpacked by the first batch, whose error the user sees."""
    global _packed
    _packed = packed
    with contextlib.suppress(ValueError):  # Ctrl-C is for the process that waits for us
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(part: Part, number: int, entropy: list[int] | None) -> Any:
    """Make one batch in a worker process."""
    global _fetch
    if _fetch is None:
        try:
            _fetch = pickle.loads(_packed)  # noqa: S301 - of our own process
        except Exception as error:
            raise DataError(
                f"DataLoader: a worker process cannot make its dataset: {_named(error)}\n"
                "Fix: define its class in a module, not in a notebook or a console; or "
                "worker_kind='thread'."
            ) from error
    return _fetch(part, number, entropy)


def died(error: BrokenProcessPool) -> DataError:
    """The error for worker processes of which one is no more."""
    return DataError(
        f"DataLoader: a worker process died: {error}\nFix: put the main part of a program under "
        "`if __name__ == '__main__':`; see whether memory was short; or worker_kind='thread'."
    )


def served(
    pool: Executor,
    fetch: Fetch,
    parts: Iterable[Part],
    entropy: list[int] | None,
    ahead: int,
) -> Iterator[Any]:
    """The batches of an epoch in their order, with as many as `ahead` of them made beforehand.

    Raises
    ------
    BrokenProcessPool
        A worker process died; `died` says it to a user.
    """
    work: Callable[..., Any] = _work if isinstance(pool, ProcessPoolExecutor) else fetch
    waiting: deque[Future[Any]] = deque()
    try:
        for number, part in enumerate(parts):
            waiting.append(pool.submit(work, part, number, entropy))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
