from __future__ import annotations

import sys

import numpy as np
import pytest
from draw.plotting import png
from matplotlib import pyplot
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp import draw, errors, nn


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (25, 5), (100, 10), (128, 16), (256, 16)])
def test_images_of_units_fill_their_rows(count, columns, ax):
    sheet = draw.hidden_units(np.ones((count, 6)), (2, 3), ax=ax).images[0].get_array()
    assert sheet.shape == (count // columns * 3 + 1, columns * 4 + 1)


def test_each_image_is_a_row_of_weights_upright_and_there_once(ax):
    weights = np.random.default_rng(0).standard_normal((7, 6))
    sheet = draw.hidden_units(weights, (2, 3), ax=ax).images[0].get_array()
    inside = np.ma.compressed(np.ma.masked_invalid(sheet))
    np.testing.assert_array_equal(np.sort(inside), np.sort(weights.ravel()))
    np.testing.assert_array_equal(sheet[1:3, 1:4], weights[0].reshape(2, 3))
    np.testing.assert_array_equal(sheet[1:3, 5:8], weights[1].reshape(2, 3))


def test_a_module_a_tensor_and_images_are_weights_too(ax):
    layer = nn.Linear(9, 4, generator=0)
    model = nn.Sequential(nn.Flatten(), layer)
    of = [model, layer.weight, layer.weight.data, layer.weight.data.reshape(4, 3, 3)]
    sheets = [draw.hidden_units(w, ax=ax).images[-1].get_array() for w in of]
    for sheet in sheets[1:]:
        np.testing.assert_array_equal(sheet, sheets[0])


def test_white_is_no_weight_and_single_large_weights_do_not_pale_the_rest(ax):
    weights = np.full((10, 100), 0.5)
    weights[0, 0] = 1e6
    image = draw.hidden_units(weights, ax=ax).images[0]
    assert image.get_clim() == (-0.5, 0.5)
    draw.hidden_units(np.zeros((2, 4)), ax=ax)
    assert ax.images[-1].get_clim() == (-1.0, 1.0)
    png(ax)


@pytest.mark.parametrize(
    ("weights", "shape", "fact"),
    [
        (np.ones((3, 8)), None, "square images"),
        (np.ones((3, 8)), (3, 3), r"images of shape (3, 3)"),
        (np.ones((2, 2, 2, 2)), None, "square images"),
        (np.ones((3, 0)), None, "square images"),
        (np.ones((3, 2, 4)), (4, 2), "images of shape (4, 2)"),
    ],
)
def test_what_is_no_image_is_an_error(weights, shape, fact, ax):
    with pytest.raises(errors.ShapeError) as caught:
        draw.hidden_units(weights, shape, ax=ax)
    told(caught, str(weights.shape), fact, here(-1), fix="image_shape=")
    assert not ax.images


def test_a_module_without_weights_is_an_error():
    with pytest.raises(errors.ArgumentError) as caught:
        draw.hidden_units(nn.ReLU())
    told(caught, "ReLU", here(-1), fix="a layer with weights")


def _perceptron():
    return nn.Sequential(
        nn.Linear(9, 8, generator=1, dtype=np.float64),
        nn.Tanh(),
        nn.Linear(8, 3, generator=2, dtype=np.float64),
    )


def test_the_preferred_input_is_the_one_that_excites_the_unit_most(ax):
    model, x = _perceptron(), np.random.default_rng(0).uniform(size=(50, 9))
    draw.preferred_input(model, 2, x, ax=ax)
    response = model(x).data[:, 2]
    np.testing.assert_array_equal(ax.images[0].get_array(), x[response.argmax()].reshape(3, 3))
    assert ax.get_title() == f"unit 2: {response.max():.3g}"
    png(ax)


def test_of_a_linear_unit_the_preferred_input_is_where_its_weights_are_positive(ax):
    layer = nn.Linear(9, 4, generator=0, dtype=np.float64)
    draw.preferred_input(layer, 3, np.full((1, 9), 0.5), steps=4000, rate=0.02, ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), layer.weight.data[3].reshape(3, 3) > 0)


def test_climbing_raises_the_response_within_the_bounds_and_changes_nothing(ax):
    model, x = _perceptron(), np.random.default_rng(0).uniform(size=(50, 9))
    pending = (model(x) ** 2).mean()
    before = model.state_dict()
    with tg.no_grad():
        draw.preferred_input(model[:2], 5, x, steps=25, bounds=(0.0, 0.9), ax=ax)
    image = np.asarray(ax.images[0].get_array())
    low, high = [float(part) for part in ax.get_title().removeprefix("unit 5: ").split(" → ")]
    assert high > low == pytest.approx(model[:2](x).data[:, 5].max(), rel=1e-2)
    assert model[:2](image.reshape(1, 9)).data[0, 5] == pytest.approx(high, rel=1e-2)
    assert 0 <= image.min() <= image.max() <= 0.9
    for name, p in model.named_parameters():
        assert p.grad is None
        assert p.data.tobytes() == before[name].tobytes()
    pending.backward()  # its graph still stands


class _Peak(nn.Module):
    """A hill whose top, at 0.5, is nearer than a step is long."""

    def forward(self, x):
        return -((x - 0.5) ** 2)


def test_of_a_climb_beyond_the_top_the_best_is_drawn(ax):
    start = np.array([[0.45]])
    draw.preferred_input(_Peak(), 0, start, (1, 1), steps=5, rate=0.2, ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), start)
    assert ax.get_title() == "unit 0: -0.0025 → -0.0025"


def test_a_dead_unit_stays_where_it_is_and_counts_of_pixels_are_inputs_too(ax):
    layer = nn.Linear(4, 1, weight_init="zeros", bias_init="zeros")
    draw.preferred_input(layer, 0, np.array([[0, 3, 7, 1]], np.uint8), steps=9, ax=ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 3], [7, 1]])
    assert ax.get_title() == "unit 0: 0 → 0"


@pytest.mark.parametrize("unit", [3, -4, (0, 0), ()])
def test_a_unit_that_is_not_there_is_an_error(unit, ax):
    with pytest.raises(errors.ArgumentError) as caught:
        draw.preferred_input(_perceptron(), unit, np.ones((2, 9)), steps=3, ax=ax)
    told(caught, f"unit {unit}", "(3,)", "Sequential", here(-1), fix="an index")


def test_without_axes_a_figure_is_made_in_the_users_style():
    with pyplot.style.context("dark_background"):
        ax = draw.hidden_units(np.ones((4, 4)))
    try:
        assert ax.figure.get_facecolor()[:3] == (0, 0, 0)
    finally:
        pyplot.close(ax.figure)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(errors.MissingExtraError, match=r"hidden_units(.|\n)*tinygrad-bp\[train\]"):
        draw.hidden_units(np.ones((4, 4)))
