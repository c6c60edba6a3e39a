from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import nn
from tinygrad_bp.data import DataLoader, LengthBatches, PadCollate, pad_sequences
from tinygrad_bp.errors import ArgumentError, DataError, ShapeError

lengths_ = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(lengths=lengths_, tail=st.sampled_from([(), (2,), (2, 3)]), first=st.booleans())
def test_padding_keeps_every_sequence_and_adds_nothing_else(lengths, tail, first) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.random((n, *tail)) for n in lengths]
    padded, given_lengths = pad_sequences(sequences, padding_value=-5, batch_first=first)
    rows = padded if first else padded.swapaxes(0, 1)
    assert given_lengths.tolist() == lengths
    assert rows.shape == (len(lengths), max(lengths), *tail)
    for row, sequence in zip(rows, sequences, strict=True):
        np.testing.assert_array_equal(row[: len(sequence)], sequence)
        assert (row[len(sequence) :] == -5).all()


@pytest.mark.parametrize(
    ("arrays", "dtype"),
    [
        ([np.zeros(1, np.float32), np.zeros(2, np.float32)], np.float32),
        ([np.zeros(1, np.uint8), np.zeros(2, np.int32)], np.int32),
        ([[1, 2], [1.5]], np.float64),
    ],
)
def test_the_dtype_is_that_of_the_sequences(arrays, dtype) -> None:
    assert pad_sequences(arrays)[0].dtype == dtype


@pytest.mark.parametrize(
    ("sequences", "error", "says"),
    [
        ([], ArgumentError, "got no sequences"),
        ([[1, 2], 3], ShapeError, "sequence 1 has the shape (), and the first has (2,)"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], ShapeError, "sequence 1 has the shape (2, 4)"),
    ],
)
def test_what_are_no_sequences_is_refused(sequences, error, says: str) -> None:
    with pytest.raises(error) as caught:
        pad_sequences(sequences)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


@given(
    lengths=lengths_,
    batch_size=st.integers(1, 7),
    pool=st.integers(1, 4),
    drop_last=st.booleans(),
    seed=st.none() | st.integers(0, 9),
)
def test_each_sample_comes_once_beside_others_of_its_length(
    lengths, batch_size, pool, drop_last, seed
) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    batches = LengthBatches(lengths, batch_size, rng, pool=pool, drop_last=drop_last)
    epoch = [batch.tolist() for batch in batches]
    seen = sorted(n for batch in epoch for n in batch)
    kept = len(lengths) - len(lengths) % batch_size if drop_last else len(lengths)
    assert len(epoch) == len(batches)
    assert len(seen) == len(set(seen)) == kept
    assert sum(len(batch) != batch_size for batch in epoch) <= 1
    for batch in epoch:
        own = [lengths[i] for i in batch]
        assert own == sorted(own, reverse=True)
    if seed is None:
        order = [lengths[i] for batch in epoch for i in batch]
        assert order == sorted(lengths, reverse=True)[:kept]


def test_shuffled_epochs_differ_repeat_and_pad_little() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 2000)

    def padding(batches) -> float:
        longest = sum(len(batch) * lengths[batch].max() for batch in batches)
        return 1 - lengths.sum() / longest

    batches = LengthBatches(lengths, 32, np.random.default_rng(1), pool=100)
    first, second = list(batches), list(batches)
    again = list(LengthBatches(lengths, 32, np.random.default_rng(1), pool=100))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert {frozenset(b.tolist()) for b in first} != {frozenset(b.tolist()) for b in second}
    longest = [int(lengths[batch].max()) for batch in first]
    assert longest != sorted(longest, reverse=True)
    mixed = padding(np.array_split(rng.permutation(2000), 63))
    assert padding(first) < 0.05 < 0.4 < mixed
    assert padding(list(LengthBatches(lengths, 32, np.random.default_rng(1), pool=1))) > 0.4


def test_the_order_is_drawn_when_the_epoch_begins() -> None:
    rng = np.random.default_rng(3)
    epoch = iter(LengthBatches([3, 1, 2], 1, rng))
    state = rng.bit_generator.state
    list(epoch)
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_padded_batches_with_their_lengths(workers: int) -> None:
    rng = np.random.default_rng(0)
    samples = [(rng.random((n, 2)), rng.integers(0, 9, n + 1), n) for n in (4, 1, 3, 2, 4)]
    loader = DataLoader(
        samples,
        batch_sampler=LengthBatches([len(x) for x, _, _ in samples], 2),
        collate_fn=PadCollate((0, 1), padding_value=-1, batch_first=False),
        num_workers=workers,
    )
    got = [(x.shape, n.tolist(), y.shape, m.tolist(), z.tolist()) for x, n, y, m, z in loader]
    assert got == [
        ((4, 2, 2), [4, 4], (5, 2), [5, 5], [4, 4]),
        ((3, 2, 2), [3, 2], (4, 2), [4, 3], [3, 2]),
        ((1, 1, 2), [1], (2, 1), [2], [1]),
    ]


def test_packed_batches_give_a_recurrent_layer_each_sequence_to_its_end() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.random((n, 3)) for n in (5, 2, 7, 3, 7)]
    layer = nn.LSTM(3, 4, dtype=np.float64, generator=0)
    order = LengthBatches([len(s) for s in sequences], 2)
    loader = DataLoader(sequences, batch_sampler=order, collate_fn=PadCollate())
    for batch, (x, lengths) in zip(order, loader, strict=True):
        _, (hidden, _) = layer(nn.pack_padded_sequence(x, lengths, batch_first=True))
        for i, index in enumerate(batch):
            _, (alone, _) = layer(sequences[index][:, None])
            np.testing.assert_allclose(hidden.data[0, i], alone.data[0, 0], atol=1e-12)


def test_sequences_of_different_lengths_name_what_pads_them() -> None:
    with pytest.raises(DataError, match=r"the samples 0, 1 make no batch: (.|\n)*PadCollate\(\)"):
        list(DataLoader([np.zeros(2), np.zeros(3)], batch_size=2))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([], 2), "lengths of shape (0,)"),
        (([[1]], 2), "lengths of shape (1, 1)"),
        (([1.5], 2), "dtype float64"),
        (([1], 0), "batch_size is 0"),
        (([1], True), "batch_size is True"),
        (([1], 1, 7), "generator is an int (7)"),
    ],
)
def test_what_makes_no_batches_is_refused(arguments, says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        LengthBatches(*arguments)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)
