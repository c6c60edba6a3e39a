from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp import data
from tinygrad_bp.data import DataLoader
from tinygrad_bp.data.transforms import (
    Compose,
    ElasticDistortion,
    Normalize,
    RandomRotation,
    RandomShift,
)
from tinygrad_bp.errors import ArgumentError, MissingExtraError, ShapeError

RANDOM = [
    RandomShift(2),
    RandomShift(2.5, subpixel=True),
    RandomRotation(30),
    ElasticDistortion(20, 3),
    Compose([ElasticDistortion(), RandomRotation(10), RandomShift(1)]),
]
each = pytest.mark.parametrize("transform", RANDOM, ids=repr)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@each
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 12), (3, 9, 12), (2, 3, 9, 12)])
def test_shape_dtype_and_range_stay_and_the_input_too(transform, dtype, shape) -> None:
    image = rng(1).integers(0, 256, shape).astype(dtype)
    before = image.copy()
    changed = transform(image, rng())
    assert (changed.shape, changed.dtype) == (shape, dtype)
    assert changed.min() >= 0
    assert changed.max() <= image.max()
    assert (changed != image).any()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(changed, transform(image, rng()))
    np.testing.assert_array_equal(changed, pickle.loads(pickle.dumps(transform))(image, rng()))
    assert (changed != transform(image, rng(5))).any()


@each
def test_channels_move_together(transform) -> None:
    image = rng(1).random((9, 12))
    channels = transform(np.stack([image, 2 * image]), rng())
    np.testing.assert_array_equal(channels[0], transform(image, rng()))
    np.testing.assert_allclose(channels[1], 2 * channels[0])


@given(
    pixels=st.integers(0, 6),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seed=st.integers(0, 99),
)
def test_a_shift_is_a_slice_of_the_image_with_a_border(pixels, shape, seed) -> None:
    image = rng(seed).random(shape)
    padded = np.pad(image, pixels, constant_values=7.0)
    windows = np.lib.stride_tricks.sliding_window_view(padded, shape)
    changed = RandomShift(pixels, fill=7.0)(image, rng(seed))
    assert (windows == changed).all(axis=(-1, -2)).any()


def test_all_shifts_are_drawn_alike() -> None:
    image = np.zeros((5, 5))
    image[2, 2] = 1.0
    generator = rng()
    mean = sum(RandomShift(2)(image, generator) for _ in range(5000)) / 5000
    np.testing.assert_allclose(mean, 1 / 25, atol=0.012)  # four standard deviations


def test_between_pixels_a_shift_is_linear() -> None:
    ramp = np.add.outer(10.0 * np.arange(9), np.arange(9))
    changed = RandomShift(1.5, subpixel=True)(ramp, rng(3))
    move = rng(3).uniform(-1.5, 1.5, 2)
    np.testing.assert_allclose(changed[2:-2, 2:-2], (ramp - 10 * move[0] - move[1])[2:-2, 2:-2])


class Fixed:
    """A generator that draws what it is told."""

    def __new__(cls, value: float):
        generator = np.random.Generator.__new__(type("Fixed", (np.random.Generator,), {
            "uniform": lambda self, low, high, size=None: value,
        }), np.random.PCG64(0))  # fmt: skip
        generator.__init__(np.random.PCG64(0))
        return generator


def test_a_right_angle_turns_the_image_exactly() -> None:
    image = rng(0).random((7, 7))
    turned = RandomRotation(90)(image, Fixed(90.0))
    np.testing.assert_allclose(turned, np.rot90(image), atol=1e-12)
    np.testing.assert_array_equal(RandomRotation(0)(image, rng()), image)


def test_angles_are_drawn_from_either_side() -> None:
    image = np.zeros((21, 21))
    image[10] = 1.0
    generator = rng()
    heights = []
    for _ in range(200):
        column = RandomRotation(20)(image, generator)[:, 15]
        heights.append((column @ np.arange(21)) / column.sum() - 10)
    angles = np.degrees(np.arctan2(-np.array(heights), 5))
    assert -21 < angles.min() < -17
    assert 17 < angles.max() < 21
    assert abs(angles.mean()) < 3


def test_an_elastic_distortion_reads_the_image_where_its_field_points() -> None:
    ramp = np.broadcast_to(np.arange(40.0), (40, 40))
    changed = ElasticDistortion(34, 4)(ramp, rng(2))
    inner = np.s_[8:-8, 8:-8]
    moved = (changed - ramp)[inner]
    fields = rng(2).uniform(-1, 1, (2, 40, 40))
    offsets = np.arange(-16, 17)
    kernel = np.exp(-(offsets**2) / 32)
    kernel /= kernel.sum()
    smooth = np.pad(fields[1], 16)
    for axis in (0, 1):
        smooth = np.apply_along_axis(np.convolve, axis, smooth, kernel, "same")
    np.testing.assert_allclose(moved, 34 * smooth[16:-16, 16:-16][inner], atol=1e-9)
    assert moved.std() == pytest.approx(1.38, rel=0.35)  # 34 √(1/3) / (2 σ √π)


def test_normalising_is_by_image_or_by_channel() -> None:
    image = rng(0).random((3, 4, 5))
    np.testing.assert_allclose(Normalize(0.5, 2.0)(image), (image - 0.5) / 2)
    by_channel = Normalize([0.1, 0.2, 0.3], [1, 2, 3])(image)
    for i in range(3):
        np.testing.assert_allclose(by_channel[i], (image[i] - 0.1 * (i + 1)) / (i + 1))
    assert Normalize(0, 1)(image.astype(np.float32)).dtype == np.float32
    assert repr(Normalize([0.5], 2)) == "Normalize([0.5], 2.0)"


def test_a_composition_goes_in_order_with_one_generator() -> None:
    image = rng(0).random((8, 8))
    generator = rng(4)
    by_hand = RandomRotation(9)(RandomShift(2)(image, generator), generator)
    together = Compose([RandomShift(2), RandomRotation(9)])
    np.testing.assert_array_equal(together(image, rng(4)), by_hand)
    assert repr(together) == (
        "Compose([RandomShift(pixels=2, fill=0.0, subpixel=False), "
        "RandomRotation(degrees=9, fill=0.0)])"
    )


def test_digits_in_a_loader_are_distorted_anew_in_each_epoch_and_by_workers_alike() -> None:
    digits = data.load_digits()
    images = digits.images(digits.train.inputs[:12])
    transform = Compose([ElasticDistortion(8, 2), Normalize(0, 16)])
    epochs = [
        [x for _ in range(2) for (x,) in DataLoader(
            images, batch_size=5, transform=transform, generator=rng(0), num_workers=workers
        )]
        for workers in (0, 3)
    ]  # fmt: skip
    for plain, helped in zip(*epochs, strict=True):
        np.testing.assert_array_equal(plain, helped)
    assert epochs[0][0].max() <= 1


@pytest.mark.parametrize("transform", RANDOM[:4], ids=repr)
def test_without_a_generator_or_an_image_there_is_an_error(transform) -> None:
    with pytest.raises(ArgumentError, match=r"generator is None\.\nFix: call it with an image and"):
        transform(np.zeros((3, 3)))
    with pytest.raises(ShapeError, match=r"an array of shape \(64,\) is no image\.\nFix: an array"):
        transform(np.zeros(64), rng())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RandomShift(-1), "RandomShift got pixels=-1"),
        (lambda: RandomRotation(float("nan")), "RandomRotation got degrees=nan"),
        (lambda: ElasticDistortion(float("inf")), "ElasticDistortion got alpha=inf"),
        (lambda: ElasticDistortion(1, -2), "ElasticDistortion got sigma=-2"),
        (lambda: Normalize(0, 0), "std is"),
        (lambda: Normalize([0, np.nan], 1), "mean is"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert says in str(caught.value)
    assert "\nFix: " in str(caught.value)


def test_without_scipy_the_error_names_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"RandomShift needs scipy.*\nFix: pip install"):
        RandomShift(1)(np.zeros((3, 3)), rng())
