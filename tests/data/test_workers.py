from __future__ import annotations

import os
import pickle
import threading
import time

import numpy as np
import pytest
from data.sources import (
    Broken,
    DeadlyOnce,
    Meeting,
    Ragged,
    Squares,
    Uneven,
    Unmakeable,
    Workers,
    jitter,
)
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.data import DataLoader
from tinygrad_bp.errors import ArgumentError, DataError

KINDS = [(0, "thread"), (2, "thread"), (2, "process")]
each_kind = pytest.mark.parametrize(("workers", "kind"), KINDS, ids=["none", "threads", "process"])


def epoch(loader: DataLoader) -> list[tuple[list, list]]:
    return [(x.tolist(), y.tolist()) for x, y in loader]


@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 8),
    workers=st.integers(1, 5),
    prefetch=st.integers(1, 3),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_threads_change_nothing_but_the_time(count, batch_size, workers, prefetch, shuffle, seed):
    options = {"batch_size": batch_size, "shuffle": shuffle, "transform": jitter}
    alone, helped = (
        DataLoader(
            Uneven(count), **options, **more, generator=np.random.default_rng(seed)
        )
        for more in ({}, {"num_workers": workers, "prefetch_factor": prefetch})
    )  # fmt: skip
    assert epoch(alone) == epoch(helped)
    assert epoch(alone) == epoch(helped)


@each_kind
def test_epochs_differ_and_repeat_by_the_generator(workers: int, kind) -> None:
    rng = np.random.default_rng(4)
    options = {"batch_size": 4, "shuffle": True, "transform": jitter}
    loader = DataLoader(
        Uneven(21), **options, generator=rng, num_workers=workers, worker_kind=kind
    )  # fmt: skip
    plain = DataLoader(Squares(21), **options, generator=np.random.default_rng(4))
    first = epoch(loader)
    state = rng.bit_generator.state
    second = epoch(loader)
    assert first != second
    assert [first, second] == [epoch(plain), epoch(plain)]
    rng.bit_generator.state = state
    assert epoch(loader) == second


def test_threads_fetch_at_the_same_time() -> None:
    loader = DataLoader(Meeting(12, together=4), batch_size=1, num_workers=4)
    assert [int(y[0]) for _, y in loader] == [i * i for i in range(12)]


def test_processes_fetch_at_the_same_time_and_stay_for_the_next_epoch() -> None:
    loader = DataLoader(Workers(12), batch_size=1, num_workers=2, worker_kind="process")
    first, second = ({int(x[0]) for x in loader} for _ in range(2))
    assert first == second
    assert len(first) == 2
    assert os.getpid() not in first


def test_batches_are_made_while_the_one_before_is_used_but_not_too_many() -> None:
    fetched: list[int] = []

    class Watched(Squares):
        def __getitem__(self, index: int):
            fetched.append(index)
            return super().__getitem__(index)

    batches = iter(DataLoader(Watched(50), batch_size=2, num_workers=2, prefetch_factor=3))
    assert fetched == []
    next(batches)
    deadline = time.monotonic() + 20
    while len(fetched) < 14 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(fetched) == 14  # the one that is used, and 2 × 3 beside it
    batches.close()


def test_an_epoch_that_is_left_leaves_nothing_behind() -> None:
    loader = DataLoader(Uneven(1000), batch_size=2, num_workers=3)
    for _ in loader:
        break
    del loader
    assert not [t for t in threading.enumerate() if t.name.startswith("DataLoader")]


def test_what_was_asked_for_ahead_is_not_made_once_an_epoch_is_left() -> None:
    fetched: list[int] = []

    class Watched(Squares):
        def __getitem__(self, index: int):
            fetched.append(index)
            time.sleep(0.01)
            return super().__getitem__(index)

    batches = iter(DataLoader(Watched(40), batch_size=1, num_workers=1, prefetch_factor=40))
    next(batches)
    batches.close()
    assert len(fetched) <= 3


@each_kind
def test_a_sample_that_cannot_be_had_is_named(workers: int, kind) -> None:
    loader = DataLoader(Broken(9), batch_size=2, num_workers=workers, worker_kind=kind)
    got = []
    with pytest.raises(DataError) as caught:
        got.extend(epoch_part for epoch_part in loader)
    assert len(got) == 2
    assert str(caught.value).startswith(
        "DataLoader: sample 5 of Broken cannot be had: OSError: the disk is gone\nFix: "
    )
    assert "OSError" in str(caught.value.__cause__) or isinstance(caught.value.__cause__, OSError)


@each_kind
def test_samples_that_make_no_batch_are_named(workers: int, kind) -> None:
    loader = DataLoader(Ragged(20), batch_size=10, num_workers=workers, worker_kind=kind)
    with pytest.raises(DataError) as caught:
        list(loader)
    assert str(caught.value).startswith(
        "DataLoader: the samples 0, 1, 2, 3, 4, 5, 6, 7 and 2 more make no batch: arrays of the "
        "shapes (2,), (3,) make no batch.\nFix: "
    )


@each_kind
def test_numbers_of_samples_that_are_not_there_are_named(workers: int, kind) -> None:
    for source in (np.arange(8), list(range(8))):
        loader = DataLoader(
            source, batch_sampler=[[0, 99]], num_workers=workers, worker_kind=kind
        )  # fmt: skip
        with pytest.raises(DataError, match=r"samples? (0, )?99 (make no batch|of list cannot be)"):
            list(loader)


def test_a_transform_that_fails_is_named_with_the_sample() -> None:
    loader = DataLoader(
        Squares(3), batch_size=2, transform=lambda x, generator: x.reshape(3), num_workers=1
    )
    with pytest.raises(DataError, match=r"sample 0 of Squares cannot be had: ValueError: cannot"):
        list(loader)


def test_a_process_that_died_is_an_error_and_the_next_epoch_has_new_ones(tmp_path) -> None:
    source = DeadlyOnce(8, tmp_path / "mark")
    loader = DataLoader(source, batch_size=2, num_workers=1, worker_kind="process")
    with pytest.raises(DataError, match=r"a worker process died: (.|\n)*Fix: put the main part"):
        list(loader)
    assert epoch(loader) == epoch(DataLoader(Squares(8), batch_size=2))


def test_what_cannot_be_sent_to_a_process_is_an_error_that_says_so() -> None:
    loader = DataLoader(
        Squares(8), batch_size=2, collate_fn=lambda samples: samples, num_workers=1,
        worker_kind="process",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"Squares, or what is done with its samples, cannot be s"):
        list(loader)
    loader = DataLoader(Unmakeable(8), batch_size=2, num_workers=1, worker_kind="process")
    with pytest.raises(
        DataError, match=r"cannot make its dataset: ImportError: no such module"
    ) as caught:
        list(loader)
    assert str(caught.value).count("Fix: ") == 1


def test_a_loader_with_processes_is_pickled_without_them() -> None:
    loader = DataLoader(Squares(4), batch_size=2, num_workers=1, worker_kind="process")
    expected = epoch(loader)
    copy = pickle.loads(pickle.dumps(loader))
    assert copy._pool is None
    copy.worker_kind = "thread"
    assert epoch(copy) == expected


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_arrays_go_through_workers_too(kind) -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    plain = DataLoader(x, y, batch_size=3)
    helped = DataLoader(x, y, batch_size=3, num_workers=1, worker_kind=kind)
    assert epoch(plain) == epoch(helped)


def test_a_generator_that_is_none_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="shuffle=True without a generator"):
        DataLoader(Squares(3), batch_size=2, shuffle=True, num_workers=1)
