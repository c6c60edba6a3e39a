from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.data import Collection, Examples, load_digits
from tinygrad_bp.errors import ArgumentError, DataError, ShapeError

PICTURE = np.arange(6).reshape(2, 3)


def tiny(count: int = 8, labels: list[int] | None = None, **options: object) -> Collection:
    inputs = np.arange(count * 6, dtype=np.uint8).reshape(count, 6)
    numbers = np.array(labels if labels is not None else [0] * count, np.int64)
    return Collection("tiny", Examples(inputs, numbers), image_shape=(2, 3), **options)


def test_examples_are_taken_by_slice_or_by_index() -> None:
    examples = tiny(4, [3, 2, 1, 0]).train
    assert examples[1:3].labels.tolist() == [2, 1]
    assert np.shares_memory(examples[1:3].inputs, examples.inputs)
    assert examples[np.array([3, 0])].labels.tolist() == [0, 3]
    assert len(examples) == 4


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        (
            np.zeros((3, 2)),
            np.zeros(2, np.int64),
            "inputs of shape (3, 2) and labels of shape (2,)",
        ),
        (np.zeros((3, 2, 2)), np.zeros(3, np.int64), "inputs of shape (3, 2, 2)"),
        (np.zeros((3, 2)), np.zeros((3, 1), np.int64), "labels of shape (3, 1)"),
        (np.zeros((3, 2)), np.zeros(3), "labels of dtype float64"),
        (np.zeros((3, 2), object), np.zeros(3, np.int64), "inputs of dtype object"),
    ],
)
def test_examples_that_do_not_fit_are_refused(inputs, labels, says: str) -> None:
    with pytest.raises(DataError) as caught:
        Examples(inputs, labels)
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_pictures_come_upright_in_either_order(order: str) -> None:
    data = tiny(image_order=order)
    row = PICTURE.reshape(-1, order=order)
    np.testing.assert_array_equal(data.images(row), PICTURE)
    np.testing.assert_array_equal(data.images(np.stack([row, row + 1])), [PICTURE, PICTURE + 1])
    with pytest.raises(ShapeError, match=r"rows of shape \(2, 5\) are not images of 2x3"):
        data.images(np.zeros((2, 5)))


def test_splits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"train has labels 0\.\.10, expected 0\.\.9 \(here\)"):
        tiny(2, [0, 10], source="here")
    with pytest.raises(DataError, match=r"train has labels -1\.\.0"):
        tiny(2, [0, -1])
    with pytest.raises(DataError, match="train is empty"):
        tiny(0, [])
    other = Examples(np.zeros((2, 5)), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="test has 5 features, but images of"):
        tiny(test=other)


def test_a_split_is_random_complete_and_repeatable() -> None:
    data = load_digits()
    parts = data.split(0.25, np.random.default_rng(5))
    assert parts.test is not None
    assert (len(parts.train), len(parts.test)) == (1347, 450)
    both = np.concatenate([parts.train.inputs, parts.test.inputs])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(data.train.inputs, axis=0))
    again = data.split(0.25, np.random.default_rng(5))
    np.testing.assert_array_equal(again.train.labels, parts.train.labels)
    other = data.split(0.25, np.random.default_rng(6))
    assert (other.train.labels != parts.train.labels).any()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 2.0, 0.99, float("nan")])
def test_a_split_that_leaves_one_side_empty_is_refused(fraction: float) -> None:
    with pytest.raises(ArgumentError, match="of 8 training examples apart as a test split"):
        tiny().split(fraction, np.random.default_rng(0))


def test_a_second_split_is_refused() -> None:
    data = tiny().split(0.5, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="it has one already"):
        data.split(0.5, np.random.default_rng(0))


def test_the_digits_are_there_without_any_file() -> None:
    digits = load_digits()
    assert digits.test is None
    assert (digits.name, digits.features, digits.classes) == ("digits", 64, 10)
    assert digits.train.inputs.dtype == np.float64
    assert (digits.train.inputs.min(), digits.train.inputs.max()) == digits.value_range
    assert np.bincount(digits.train.labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert digits.images(digits.train.inputs).shape == (1797, 8, 8)
