"""Images of other sizes, by hand; in specs, and what is said of wrong use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(23)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale_factor": 2}, [0, 0, 4, 4, 2, 2]),
        ({"size": 5}, [0, 0, 4, 4, 2]),
        ({"size": 2}, [0, 4]),
        ({"size": 2, "mode": "nearest-exact"}, [0, 2]),
        ({"size": 5, "mode": "linear", "align_corners": True}, [0, 2, 4, 3, 2]),
        ({"size": 6, "mode": "linear"}, [0, 1, 3, 3.5, 2.5, 2]),
        ({"scale_factor": 1.2, "mode": "linear"}, [0, 4, 2]),
        ({"size": 1, "mode": "linear"}, [4]),
        ({"size": 1, "mode": "linear", "align_corners": True}, [0]),
        ({"size": 2, "mode": "area"}, [2, 3]),
        ({"scale_factor": 2.6}, [0, 0, 0, 4, 4, 4, 2]),
        ({"scale_factor": 2.6, "recompute_scale_factor": True}, [0, 0, 0, 4, 4, 2, 2]),
    ],
)
def test_a_line_of_three(options, expected):
    z = F.interpolate(np.array([[[0.0, 4.0, 2.0]]]), **options)
    np.testing.assert_allclose(z.data[0, 0], expected)


@given(st.integers(1, 6), st.integers(1, 9), st.booleans(), st.integers(0, 9))
def test_between_two_elements_lies_what_numpy_interpolates(n, m, align_corners, seed):
    x = np.random.default_rng(seed).normal(size=n)
    z = F.interpolate(x[None, None], m, mode="linear", align_corners=align_corners)
    at = np.linspace(0, n - 1, m) if align_corners else (np.arange(m) + 0.5) * n / m - 0.5
    np.testing.assert_allclose(z.data[0, 0], np.interp(at, np.arange(n), x), atol=1e-12)


def test_along_two_and_three_axes_it_is_one_axis_after_another():
    x = RNG.normal(size=(1, 2, 3, 4, 5))
    z = F.interpolate(x, (5, 3, 7), mode="trilinear").data
    for axis, m in ((2, 5), (3, 3), (4, 7)):
        moved = np.moveaxis(x, axis, -1)
        rows = F.interpolate(moved.reshape(1, -1, moved.shape[-1]), m, mode="linear").data
        x = np.moveaxis(rows.reshape(*moved.shape[:-1], m), -1, axis)
    np.testing.assert_allclose(z, x, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.interpolate(x, scale_factor=2),
        lambda x: F.interpolate(x, (3, 5), mode="bilinear"),
        lambda x: F.interpolate(x, 3, mode="area"),
        lambda x: F.pixel_shuffle(x, 2),
        lambda x: F.pixel_unshuffle(x, 2),
    ],
)
def test_gradients_are_the_derivatives(function):
    check_gradients(lambda t: function(t) ** 2, RNG.normal(size=(1, 4, 2, 2)), order=2)


def test_channels_become_pixels_row_by_row_and_back():
    x = np.arange(16.0).reshape(1, 8, 1, 2)
    z = F.pixel_shuffle(x, 2).data
    np.testing.assert_array_equal(z[0, 0], [[0, 2, 1, 3], [4, 6, 5, 7]])
    np.testing.assert_array_equal(F.pixel_unshuffle(z, 2).data, x)


def test_dtypes_are_kept_and_whole_numbers_become_real_ones():
    assert F.interpolate(np.ones((1, 1, 3), np.float32), 5, mode="linear").dtype == np.float32
    assert F.interpolate(np.ones((1, 1, 3), int), 5, mode="linear").dtype == float


def test_specs_tell_of_resizing():
    layers = [
        {"type": "Upsample", "scale_factor": 2},
        {"type": "Upsample", "size": [6, 9], "mode": "bilinear", "align_corners": True},
        {"type": "PixelUnshuffle", "downscale_factor": 3},
        {"type": "PixelShuffle", "upscale_factor": 3},
        {"type": "Unfold", "kernel_size": 3, "stride": 3},
        {"type": "Fold", "output_size": [6, 9], "kernel_size": 3, "stride": 3},
    ]
    spec = NetworkSpec((1, 4, 4), layers)
    assert [s.shape for s in spec.shapes()] == [
        (1, 8, 8), (1, 6, 9), (9, 2, 3), (1, 6, 9), (9, 6), (1, 6, 9),
    ]  # fmt: skip
    model = spec.build()
    assert NetworkSpec.from_module(model, input_shape=(1, 4, 4)) == spec
    assert repr(model[1]) == "Upsample(size=[6, 9], mode='bilinear', align_corners=True)"
    x = RNG.normal(size=(2, 1, 6, 9))
    for there_and_back in (model[2:4], model[4:]):
        np.testing.assert_array_equal(there_and_back(x).data, x)


X = np.zeros((2, 3, 8, 8))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.interpolate(X), ArgumentError, "size=None and scale_factor=None.\nFix: one of"),
        (lambda: F.interpolate(X, 3, 2.0), ArgumentError, "size=3 and scale_factor=2.0"),
        (
            lambda: F.interpolate(X, 3, mode="cubic"),
            ArgumentError,
            "no mode 'cubic'.\nFix: known: area",
        ),
        (lambda: F.interpolate(X, 3, mode="linear"), ShapeError, "with a batch axis, channels and"),
        (lambda: F.interpolate(X[0, 0], 3), ShapeError, r"Fix: an input \(N, C, H, W\)"),
        (lambda: F.interpolate(X, 3, align_corners=True), ArgumentError, "for the linear modes"),
        (lambda: F.interpolate(X, scale_factor=-1), ArgumentError, "is a positive number, or 2"),
        (lambda: F.interpolate(X, scale_factor=(2, 2, 2)), ArgumentError, "or 2 of them"),
        (lambda: F.interpolate(X, scale_factor=0.1), ShapeError, "leaves nothing"),
        (lambda: tg.nn.PixelShuffle(2)(X), ShapeError, r"in PixelShuffle \(pixel_shuffle\): input"),
        (lambda: tg.nn.PixelUnshuffle(3)(X), ShapeError, "height and width that 3 divides"),
        (lambda: tg.nn.PixelShuffle(0), ArgumentError, "upscale_factor is a positive integer"),
    ],
)
def test_wrong_use(call, error, words):
    with pytest.raises(error, match=words):
        call()
