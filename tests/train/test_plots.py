from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tinygrad_bp.train import load_recipe, load_samples, plots
from tinygrad_bp.train.progress import Row


def colours(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    assert min(image.size) > 300
    return {colour for _, colour in image.getcolors(maxcolors=1 << 24)}, image


def rows(count, test=True):
    return [
        Row(i, 10 * i, 1 / i, 1 - 0.5 / i, 1.1 / i if test else None, 0.4 if test else None, 1, 1)
        for i in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 3, 60])
def test_curves_show_training_and_test(count):
    found, _ = colours(plots.curves(rows(count), "a title", 10))
    assert (0x3B, 0x6F, 0xB6) in found
    assert (0xD1, 0x60, 0x3D) in found


@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_curves_have_no_ticks_between_epochs(count, monkeypatch):
    monkeypatch.setattr(plots, "_png", lambda figure: figure)
    for axes in plots.curves(rows(count), "a title", 10).axes:
        ticks = [
            tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]
        ]
        assert ticks
        assert all(tick == round(tick) for tick in ticks)


def test_curves_without_a_test_set_show_training_alone():
    found, _ = colours(plots.curves(rows(5, test=False), "a title", 1))
    assert (0x3B, 0x6F, 0xB6) in found
    assert (0xD1, 0x60, 0x3D) not in found


def test_the_confusion_matrix_marks_what_is_confused():
    labels = np.repeat(np.arange(10), 5)
    perfect = plots.confusion(labels, labels, "0123456789", "t")
    wrong = plots.confusion(labels, (labels + 1) % 10, "0123456789", "t")
    assert perfect != wrong
    colours(perfect)


def test_hidden_units_have_one_picture_each_upright():
    dataset = load_samples(load_recipe("digits")).dataset
    weights = np.zeros((6, 64))
    weights[2, :8] = 1.0  # the top row of the third unit
    found, _ = colours(plots.hidden_units(weights, dataset, "t"))
    assert (103, 0, 31) in found  # the reddest red of the map


def test_the_same_numbers_make_the_same_picture():
    assert plots.curves(rows(3), "a", 2) == plots.curves(rows(3), "a", 2)


def test_a_digit_stands_beside_its_probabilities():
    probabilities = np.full(10, 0.02)
    probabilities[3] = 0.82
    png = plots.digit(np.eye(8), probabilities, "0123456789", "t")
    found, picture = colours(png)
    assert (0xD1, 0x60, 0x3D) in found
    assert (0, 0, 0) in found
    frame = np.all(np.asarray(picture) == 0xCC, axis=2)  # where the image ends on white paper
    assert frame.sum() > 1000
