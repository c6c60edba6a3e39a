from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
from data.sources import Squares
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.data import (
    DataLoader,
    Dataset,
    Examples,
    Subset,
    TensorDataset,
    collate,
    random_split,
)
from tinygrad_bp.errors import (
    ArgumentError,
    ConversionError,
    DataError,
    IndexingError,
    ShapeError,
)

X, Y = np.arange(24.0).reshape(8, 3), np.arange(8)
RNG = np.random.default_rng(0)


def numbers(loader: DataLoader) -> list[int]:
    return [int(n) for batch in loader for n in batch[-1]]


def test_whatever_can_be_counted_and_indexed_is_a_dataset() -> None:
    examples = Examples(X, Y)
    for dataset in ([1, 2], X, "text", range(3), examples, TensorDataset(X), Squares(3)):
        assert isinstance(dataset, Dataset)
    assert not isinstance({1, 2}, Dataset)
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (Dataset,), {"__len__": lambda self: 1})()


@pytest.mark.parametrize(
    "dataset",
    [
        TensorDataset(X, Y),
        Examples(X, Y),
        Subset(Examples(X, Y), range(8)),
        [(x, y) for x, y in zip(X, Y, strict=True)],
    ],
    ids=lambda d: type(d).__name__,
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_those_of_the_arrays_whatever_holds_them(dataset, shuffle) -> None:
    options = {"batch_size": 3, "shuffle": shuffle}
    plain = DataLoader(X, Y, **options, generator=np.random.default_rng(2))
    loader = DataLoader(dataset, **options, generator=np.random.default_rng(2))
    for (x, y), (x2, y2) in zip(plain, loader, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)
        assert (x.dtype, y.dtype) == (x2.dtype, y2.dtype)


def test_tensors_are_taken_as_arrays_unless_they_need_a_gradient() -> None:
    dataset = TensorDataset(tg.Tensor(X), Y)
    assert type(dataset[0][0]) is np.ndarray
    assert [x.shape for (x,) in DataLoader(tg.Tensor(X), batch_size=5)] == [(5, 3), (3, 3)]
    with pytest.raises(ConversionError):
        TensorDataset(tg.Tensor(X, requires_grad=True))


def test_the_reprs_say_what_comes() -> None:
    subset = Subset(TensorDataset(X, Y), [1, 2])
    assert repr(TensorDataset(X, Y)) == "TensorDataset((8, 3), (8,))"
    assert repr(subset) == "Subset(2 of 8, TensorDataset)"
    assert repr(DataLoader(subset, batch_size=1)) == (
        "DataLoader(2 of Subset: 2 batches of 1, in order)"
    )
    assert repr(DataLoader(Y, batch_sampler=[[0]])) == "DataLoader((8,): batches by list)"


@given(indices=st.lists(st.integers(0, 7), min_size=1, max_size=12), data=st.data())
def test_a_subset_of_a_subset_has_the_samples_it_names(indices, data) -> None:
    inner = Subset(TensorDataset(X, Y), indices)
    places = data.draw(st.lists(st.integers(0, len(indices) - 1), min_size=1, max_size=6))
    outer = Subset(inner, places)
    wanted = [indices[place] for place in places]
    assert [int(sample[1]) for sample in outer] == wanted
    assert numbers(DataLoader(outer, batch_size=4)) == wanted


@pytest.mark.parametrize("indices", [[8], [0, -1]])
def test_a_subset_of_samples_that_are_not_there_is_refused(indices) -> None:
    with pytest.raises(IndexingError, match=r"no sample (8|-1) in a dataset of 8\.\nFix: numbers"):
        Subset(Squares(8), indices)


# ------------------------------------------------------------------ random_split


@given(
    count=st.integers(0, 50),
    cuts=st.lists(st.integers(0, 50), max_size=4),
    seed=st.integers(0, 9),
)
def test_parts_share_no_sample_and_leave_none_out(count: int, cuts: list[int], seed: int) -> None:
    lengths = np.diff([0, *sorted(min(cut, count) for cut in cuts), count]).tolist()
    parts = random_split(range(count), lengths, np.random.default_rng(seed))
    assert [len(part) for part in parts] == lengths
    assert sorted(n for part in parts for n in part) == list(range(count))
    again = random_split(range(count), lengths, np.random.default_rng(seed))
    assert [list(part) for part in parts] == [list(part) for part in again]


@pytest.mark.parametrize(
    ("count", "shares", "sizes"),
    [
        (100, [0.71, 0.29], [71, 29]),  # 100 * 0.29 is 28.999...
        (10, [0.5, 0.25, 0.25], [6, 2, 2]),
        (11, [1 / 3, 1 / 3, 1 / 3], [4, 4, 3]),
        (5, [1.0], [5]),
        (1, [1], [1]),
        (2, [0.0, 1.0], [0, 2]),
        (3, [1.0, 2.0], [1, 2]),
    ],
)
def test_shares_are_rounded_down_and_the_rest_goes_round(count, shares, sizes) -> None:
    parts = random_split(range(count), shares, np.random.default_rng(0))
    assert [len(part) for part in parts] == sizes


@pytest.mark.parametrize(
    "lengths", [[], [3, 4], [9], [-1, 9], [0.5, 0.4], [-0.5, 1.5], [3.5, 4.5], [float("nan")]]
)
def test_lengths_that_are_no_parts_are_refused(lengths) -> None:
    with pytest.raises(ArgumentError, match=r"are no parts of 8 samples\.\nFix: whole numbers"):
        random_split(Squares(8), lengths, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=r"generator is an int \(0\)"):
        random_split(Squares(8), [8], 0)


# ------------------------------------------------------------------ collate

Point = namedtuple("Point", "x y")


def test_a_batch_has_the_form_of_its_samples() -> None:
    sample = {"p": Point(np.zeros(2, np.float32), 1), "more": [True, "a"], "t": tg.Tensor([1.0])}
    batch = collate([sample, sample, sample])
    assert isinstance(batch["p"], Point)
    assert batch["p"].x.shape == (3, 2)
    assert batch["p"].x.dtype == np.float32
    assert batch["p"].y.tolist() == [1, 1, 1]
    assert batch["more"][0].dtype == bool
    assert batch["more"][1] == ["a", "a", "a"]
    assert isinstance(batch["t"], tg.Tensor)
    assert batch["t"].shape == (3, 1)


@pytest.mark.parametrize("number", [1, 1.5, True, 2j, np.float32(1), np.uint8(3), np.int64(-1)])
def test_numbers_keep_their_dtype(number) -> None:
    batch = collate([number, number])
    assert batch.dtype == np.asarray(number).dtype
    assert batch.tolist() == [number, number]


@pytest.mark.parametrize(
    ("samples", "error", "says"),
    [
        ([np.zeros(2), np.zeros(3)], ShapeError, "arrays of the shapes (2,), (3,) make no batch"),
        ([np.zeros(2), 1.0], ShapeError, "arrays of the shapes (2,), () make no batch"),
        ([(1, 2), (1,), (1, 3)], DataError, "samples of 2, 1 parts make no batch"),
        ([{"a": 1}, {"b": 1}], DataError, "dicts of the keys ['a'], ['b'] make no batch"),
    ],
)
def test_samples_of_other_forms_make_no_batch(samples, error, says: str) -> None:
    with pytest.raises(error) as caught:
        collate(samples)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


# ------------------------------------------------------------------ the loader's other arguments


def test_a_transform_changes_the_first_part_and_has_numbers_of_its_own() -> None:
    def noisy(x, generator):
        return x + generator.random()

    x = np.zeros((6, 1))
    both = DataLoader(x, Y[:6], batch_size=4, transform=noisy, generator=np.random.default_rng(1))
    first, second = (np.concatenate([x for x, _ in both]).ravel() for _ in range(2))
    assert len(set(first) | set(second)) == 12
    assert [y.tolist() for _, y in both] == [[0, 1, 2, 3], [4, 5]]
    alone = DataLoader(list(x), batch_size=6, transform=noisy, generator=np.random.default_rng(1))
    repeated = DataLoader(
        x, batch_sampler=[[0, 0, 0], [0]], transform=noisy, generator=np.random.default_rng(1)
    )
    assert len({float(v) for x in alone for v in x.ravel()}) == 6
    assert len({float(v) for (x,) in repeated for v in x.ravel()}) == 4


def test_a_transform_without_a_generator_gets_none() -> None:
    got = []
    list(DataLoader(X, batch_size=8, transform=lambda x, generator: got.append(generator) or x))
    assert got == [None] * 8


def test_a_batch_sampler_names_the_samples_of_each_batch() -> None:
    loader = DataLoader(X, Y, batch_sampler=[[3, 1], [0], np.array([7, 7])])
    assert len(loader) == 3
    assert [y.tolist() for _, y in loader] == [[3, 1], [0], [7, 7]]
    with pytest.raises(TypeError, match="generator does not tell how many"):
        len(DataLoader(X, batch_sampler=([i] for i in range(2))))


def test_a_collate_function_gets_the_samples() -> None:
    loader = DataLoader(X, Y, batch_size=4, collate_fn=lambda samples: [y for _, y in samples])
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
