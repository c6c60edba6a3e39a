"""What readers, loaders and transforms are called with that makes no sense: refused, with a fix."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import data
from tinygrad_bp.data import transforms
from tinygrad_bp.errors import TgError

X, IMAGE = np.arange(12.0).reshape(6, 2), np.eye(8)
NO_PATH = [3, 7.5, 1j, [1], {}, np.ones(2), object(), b"x", "a\0b"]
NO_DATASET = [3, None, 1j, np.array(1.0), object()]
NO_NUMBER = ["x", None, 1j, [1], {}, True, np.ones(2), object(), 10**400]
NO_FUNCTION = [3, "x", 1j, [1], {}, np.ones(2)]


def generator():
    return np.random.default_rng(0)


def loaded(*source, **options):
    return list(data.DataLoader(*source, **{"batch_size": 2, **options}))


def by_numbers(sampler):
    return list(data.DataLoader(X, batch_sampler=sampler))


CALLS = {
    "load_mnist": (lambda v: data.load_mnist(v, download=False), NO_PATH),
    "load_ex4": (data.load_ex4, NO_PATH),
    "load_ex4_weights": (data.load_ex4_weights, NO_PATH),
    "read_idx": (data.read_idx, [*NO_PATH, None]),
    "axes": (lambda v: data.read_idx("nowhere", v), [0, -1, 256, 7.5, "x", [1]]),
    "read_pickled_arrays": (data.read_pickled_arrays, [*NO_PATH, None]),
    "a dataset": (loaded, NO_DATASET),
    "shuffle": (lambda v: loaded(X, shuffle=v, generator=generator()), [3, "x", np.ones(2)]),
    "drop_last": (lambda v: loaded(X, drop_last=v), [3, "x", np.ones(2)]),
    "collate_fn": (lambda v: loaded(X, collate_fn=v), NO_FUNCTION),
    "transform": (lambda v: loaded(X, transform=v), NO_FUNCTION),
    "worker_kind": (lambda v: loaded(X, worker_kind=v), [3, "x", None, np.ones(2)]),
    "batch_sampler": (by_numbers, [3, 1j, np.array(1), object()]),
    "a batch of it": (lambda v: by_numbers([v]), [3, "x", None, [0.5], np.ones(2), [[0]], [9]]),
    "Subset": (lambda v: data.Subset(v, [0]), NO_DATASET),
    "indices": (lambda v: data.Subset(X, v), [3, "x", None, 1j, [0.5], ["a"], [[0], [1, 2]]]),
    "random_split": (lambda v: data.random_split(v, [0.5, 0.5], generator()), NO_DATASET),
    "lengths": (lambda v: data.random_split(X, v, generator()), [3, "x", None, ["x"], [None], {}]),
    "sequences": (data.pad_sequences, [3, "x", None, 1j, {"a": 1}, [[[1], [1, 2]]]]),
    "padding_value": (lambda v: data.pad_sequences([[1.0]], v), ["x", None, 1j, [1], object()]),
    "parts": (lambda v: data.PadCollate(v), [3, "x", None, ["x"]]),
    "samples of PadCollate": (data.PadCollate(), [3, "x", None, [], {}]),
    "lengths of LengthBatches": (lambda v: data.LengthBatches(v, 2), [3, "x", None, [[1], [1, 2]]]),
    "samples": (data.collate, [3, "x", None, [], {}, [1.0, [1]]]),
    "pixels": (transforms.RandomShift, [*NO_NUMBER, -1]),
    "fill": (lambda v: transforms.RandomShift(1, v), NO_NUMBER),
    "degrees": (transforms.RandomRotation, [*NO_NUMBER, -1]),
    "alpha": (transforms.ElasticDistortion, [*NO_NUMBER, -1]),
    "sigma": (lambda v: transforms.ElasticDistortion(1.0, v), [*NO_NUMBER, -1]),
    "an image": (lambda v: transforms.RandomShift(1)(v, generator()), [3, "x", [[1], [1, 2]]]),
    "mean": (lambda v: transforms.Normalize(v, 1), ["x", None, 1j, {}, [[1], [1, 2]]]),
    "std": (lambda v: transforms.Normalize(0, v), ["x", None, 1j, {}, 0]),
    "an image of Normalize": (transforms.Normalize(0, 1), [3, "x", [1.0], np.array("a")]),
    "Compose": (transforms.Compose, [3, "x", None, [3], np.abs]),
    "fraction": (lambda v: data.load_digits().split(v, generator()), NO_NUMBER),
    "generator of split": (lambda v: data.load_digits().split(0.2, v), [3, None, "x"]),
    "inputs": (lambda v: data.Examples(v, np.arange(6)), [3, "x", None, [[1.0]]]),
    "labels": (lambda v: data.Examples(X, v), [3, "x", None, [1]]),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_that_makes_no_sense_is_refused_with_a_fix(name):
    call, values = CALLS[name]
    for value in values:
        with pytest.raises(TgError, match=r"\nFix: "):
            call(value)


def test_paths_and_numbers_of_any_library_are_taken(tmp_path):
    (tmp_path / "labels").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 2]))
    for path in (tmp_path / "labels", str(tmp_path / "labels")):
        assert data.read_idx(path, 1).tolist() == [7, 2]
    assert by_numbers([[np.int64(1), 0], np.array([2])])[0][0].tolist() == [[2, 3], [0, 1]]
    assert data.Subset(X, range(2, 4))[1].tolist() == [6, 7]
    assert transforms.RandomShift(np.float32(1), np.int64(0))(IMAGE, generator()).shape == (8, 8)
    batches = loaded(X, shuffle=np.True_, generator=generator(), drop_last=np.False_)
    assert sum(len(batch) for (batch,) in batches) == 6
