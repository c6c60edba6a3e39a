from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.data import DataLoader
from tinygrad_bp.errors import ArgumentError

INPUTS = np.arange(20.0).reshape(10, 2)
LABELS = np.arange(10)


@given(
    count=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_an_epoch_has_each_example_once_and_its_label_with_it(
    count: int, batch_size: int, shuffle: bool, drop_last: bool, seed: int
) -> None:
    inputs, labels = np.arange(count) * 10, np.arange(count)
    rng = np.random.default_rng(seed)
    if drop_last and batch_size > count:
        batch_size = count
    loader = DataLoader(
        inputs, labels, batch_size=batch_size, shuffle=shuffle, generator=rng, drop_last=drop_last
    )
    batches = list(loader)
    assert len(batches) == len(loader)
    assert all(len(x) == len(y) == batch_size for x, y in batches[:-1])
    seen = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), seen * 10)
    kept = count - count % batch_size if drop_last else count
    assert len(seen) == len(set(seen.tolist())) == kept
    if not shuffle:
        assert seen.tolist() == list(range(kept))


def test_batches_in_order_are_views_of_the_arrays() -> None:
    for x, y in DataLoader(INPUTS, LABELS, batch_size=3):
        assert np.shares_memory(x, INPUTS)
        assert np.shares_memory(y, LABELS)


def test_shuffled_batches_own_their_memory_and_keep_the_dtype() -> None:
    pixels = np.zeros((10, 3), np.uint8)
    rng = np.random.default_rng(0)
    for (x,) in DataLoader(pixels, batch_size=4, shuffle=True, generator=rng):
        assert not np.shares_memory(x, pixels)
        assert x.dtype == np.uint8


def test_epochs_differ_and_the_state_of_the_generator_brings_one_back() -> None:
    rng = np.random.default_rng(3)
    loader = DataLoader(LABELS, batch_size=4, shuffle=True, generator=rng)
    first = [y.tolist() for (y,) in loader]
    state = rng.bit_generator.state
    second = [y.tolist() for (y,) in loader]
    third = [y.tolist() for (y,) in loader]
    assert first != second != third
    rng.bit_generator.state = state
    assert [y.tolist() for (y,) in loader] == second
    assert [y.tolist() for (y,) in loader] == third


def test_the_order_is_drawn_when_the_epoch_begins() -> None:
    rng = np.random.default_rng(3)
    epoch = iter(DataLoader(LABELS, batch_size=4, shuffle=True, generator=rng))
    state = rng.bit_generator.state
    list(epoch)
    assert rng.bit_generator.state == state
    assert state != np.random.default_rng(3).bit_generator.state


def test_without_shuffle_the_generator_is_not_touched() -> None:
    rng = np.random.default_rng(3)
    list(DataLoader(LABELS, batch_size=4, generator=rng))
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state


def test_two_epochs_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader(LABELS, batch_size=4)
    pairs = [(a.tolist(), b.tolist()) for (a,), (b,) in zip(loader, loader, strict=True)]
    assert all(a == b for a, b in pairs)


def test_its_repr_says_what_comes() -> None:
    assert repr(DataLoader(INPUTS, LABELS, batch_size=4)) == (
        "DataLoader((10, 2), (10,): 3 batches of 4, in order)"
    )


@pytest.mark.parametrize(
    ("arrays", "options", "says"),
    [
        ((INPUTS, LABELS[:9]), {"batch_size": 2}, "different lengths, of shapes (10, 2), (9,)"),
        ((INPUTS,), {"batch_size": 0}, "batch_size is 0"),
        ((INPUTS,), {"batch_size": -1}, "batch_size is -1"),
        ((INPUTS,), {"batch_size": 2.5}, "batch_size is 2.5"),
        ((INPUTS,), {"batch_size": True}, "batch_size is True"),
        ((INPUTS,), {"batch_size": "8"}, "batch_size is '8'"),
        ((INPUTS,), {"batch_size": 2, "shuffle": True}, "shuffle=True without a generator"),
        (
            (INPUTS,),
            {"batch_size": 2, "generator": 7},
            "generator is an int (7).\nFix: generator=numpy.random.default_rng(7).",
        ),
        ((INPUTS,), {"batch_size": 11, "drop_last": True}, "10 examples make no batch of 11 with"),
        ((INPUTS[:0],), {"batch_size": 2}, "0 examples make no batch of 2"),
        ((INPUTS, 32), {"batch_size": 2}, "got ndarray, int, expected arrays"),
        ((LABELS, [1, 2]), {"batch_size": 2}, "got ndarray, list, expected arrays"),
        ((7,), {"batch_size": 2}, "got int, expected arrays"),
        ((LABELS,), {}, "batch_size is None"),
        ((LABELS,), {"batch_size": 2, "batch_sampler": [[0]]}, "batch_sampler beside batch_size"),
        ((LABELS,), {"batch_size": 2, "num_workers": -1}, "num_workers is -1"),
        ((LABELS,), {"batch_size": 2, "num_workers": 1.0}, "num_workers is 1.0"),
        ((LABELS,), {"batch_size": 2, "prefetch_factor": 0}, "prefetch_factor is 0"),
        ((LABELS,), {"batch_size": 2, "worker_kind": "fork"}, "worker_kind is 'fork'"),
        ((np.array(1.0),), {"batch_size": 2}, "expected arrays with a first axis"),
        ((), {"batch_size": 2}, "got nothing, expected arrays"),
    ],
)
def test_what_makes_no_batches_is_an_error_at_once(arrays, options, says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        DataLoader(*arrays, **options)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)
