"""Thumbnails show the pixels of the arrays, in every format that can hold an image."""

from __future__ import annotations

import base64
import io
import re

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw, save
from tinygrad_bp.draw.thumbnails import png, size_of

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def pixels_of(image):
    return np.round(matplotlib.image.imread(io.BytesIO(image))[..., :3] * 255).astype(int)


def network(n=16):
    x = np.random.default_rng(0).random((n, 6)).astype(np.float32)
    model = nn.Sequential(nn.Linear(6, 4, generator=0), nn.Tanh(), nn.Linear(4, 2, generator=0))
    return x, model, model(tg.Tensor(x, name="x"))


def boxes_of(picture):
    return {box.title: box for box in picture.scene.boxes.values()}


@given(PIXELS)
def test_others_read_the_pixels_that_were_written(pixels):
    image = png(pixels)
    np.testing.assert_array_equal(pixels_of(image), pixels)
    assert size_of(image) == pixels.shape[1::-1]


def test_the_first_eight_inputs_and_rows_are_shown():
    x, _, out = network()
    boxes = boxes_of(draw(out, image_shape=(2, 3)))
    assert {title for title, box in boxes.items() if box.image} == {"x", "0.weight"}
    assert "8 of 16 shown" in boxes["x"].lines
    shown = pixels_of(boxes["x"].image)
    side = 14  # 42 pixels for three columns
    for k, image in enumerate(x[:8].reshape(8, 2, 3)):
        top, left = (k // 4) * (2 * side + 2), (k % 4) * (3 * side + 2)
        tile = shown[top : top + 2 * side : side, left : left + 3 * side : side]
        low, high = x[:8].min(), x[:8].max()
        np.testing.assert_allclose(
            tile, np.repeat(((image - low) / (high - low) * 255)[..., None], 3, -1), atol=1
        )
    assert shown.shape == (2 * 2 * side + 2, 4 * 3 * side + 3 * 2, 3)


def test_weights_are_blue_below_zero_and_red_above():
    model = nn.Sequential(nn.Linear(2, 1, generator=0))
    model[0].weight.assign([[-1.0, 1.0]])
    out = model(tg.Tensor(np.ones((1, 2), np.float32)))
    shown = pixels_of(boxes_of(draw(out, image_shape=(1, 2)))["0.weight"].image)
    left, right = shown[0, 0], shown[0, -1]
    assert left[2] > left[0] + 50
    assert right[0] > right[2] + 50


def test_of_the_backward_pass_alone_gradients_are_shown():
    x = tg.Tensor(np.array([[1.0, -1.0]]), requires_grad=True, name="x")
    w = np.array([[-3.0, 3.0]])
    boxes = boxes_of(draw((x * w).sum(), backward="alone", image_shape=(1, 2)))
    shown = pixels_of(boxes["∂L/∂x"].image)
    assert shown[0, 0, 2] > shown[0, 0, 0] + 50  # -3
    assert shown[0, -1, 0] > shown[0, -1, 2] + 50
    assert [title for title, box in boxes.items() if box.image] == ["∂L/∂x"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_green_and_the_rest_is_shown_as_ever(bad):
    x = tg.Tensor(np.array([[0.0, bad, 1.0, 0.5]]), requires_grad=True, name="x")
    shown = pixels_of(boxes_of(draw(x.sum(), image_shape=(1, 4)))["x"].image)[0, 5::11]
    assert [tuple(p) for p in shown[[0, 2]]] == [(0, 0, 0), (255, 255, 255)]
    assert tuple(shown[1]) == (0, 200, 0)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_any_numbers_make_an_image(a, b):
    x = tg.Tensor(np.array([[a, b]]), requires_grad=True, name="x")
    assert boxes_of(draw(x * 1.0, image_shape=(1, 2)))["x"].image


def test_svg_holds_the_images_and_dot_text_asks_for_no_file(tmp_path):
    _, _, out = network()
    picture = draw(out, image_shape=(2, 3))
    text = save(picture, tmp_path / "p.svg").read_text()
    held = [base64.b64decode(x) for x in re.findall(r'"data:image/png;base64,([^"]*)"', text)]
    assert sorted(held) == sorted(picture.scene.images().values())
    assert len(held) == 2
    assert "/tmp" not in text
    assert str(tmp_path) not in text
    assert "<IMG" not in picture.source
    assert picture.svg() == text


def test_png_and_pdf_hold_the_images(tmp_path):
    _, _, out = network()
    picture, plain = draw(out, image_shape=(2, 3)), draw(out)
    shown = matplotlib.image.imread(save(picture, tmp_path / "p.png"))[..., :3]
    (blue,) = {tuple(p) for p in pixels_of(picture.scene.images()["v2"])[5, 5][None]}
    assert (np.abs(np.round(shown * 255) - blue).max(axis=-1) <= 1).any()
    assert b"/Subtype /Image" in save(picture, tmp_path / "p.pdf").read_bytes()
    assert b"/Subtype /Image" not in save(plain, tmp_path / "q.pdf").read_bytes()


def test_a_shape_of_which_there_are_no_images_is_an_error():
    _, _, out = network()
    with pytest.raises(errors.ArgumentError, match=r"images of shape \(28, 28\).*\n.*Fix: "):
        draw(out, image_shape=(28, 28))


@pytest.mark.parametrize("shape", [28, (28,), (0, 5), (2, 3, 4), "ab", (-1, 2)])
def test_what_is_no_shape_of_an_image_is_an_error(shape):
    _, _, out = network()
    with pytest.raises(errors.ArgumentError, match="is not the shape of an image"):
        draw(out, image_shape=shape)


def test_images_with_two_axes_of_their_own_are_found():
    x = tg.Tensor(np.random.default_rng(0).random((3, 5, 7)), requires_grad=True, name="x")
    box = boxes_of(draw(x.sum(), image_shape=(5, 7)))["x"]
    assert "3 of 3 shown" in box.lines
