"""Dropout and noise: which elements share a fate, what stays on average, and the streams."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import functional

LAYERS = [
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.DropPath,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.GaussianDropout,
    nn.GaussianNoise,
]
# An input of a batch for each, and the axes along which elements share their fate.
SHAPES = {
    nn.Dropout1d: ((40, 25, 3), (2,)),
    nn.Dropout2d: ((40, 25, 3, 2), (2, 3)),
    nn.Dropout3d: ((40, 25, 3, 2, 2), (2, 3, 4)),
    nn.DropPath: ((1000, 3), (1,)),
    nn.FeatureAlphaDropout: ((40, 25, 3), (2,)),
}
each = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)


def ones(layer, dtype=float):
    return np.ones(SHAPES.get(layer, ((1000, 3), ()))[0], dtype)


@each
def test_what_is_drawn_is_the_layers_own_stream_and_leaves_eval_mode_alone(layer):
    x = ones(layer)
    first, again = layer(0.3, generator=0), layer(0.3, generator=0)
    drawn = first(x).data
    np.testing.assert_array_equal(again(x).data, drawn)
    assert not np.array_equal(first(x).data, drawn)
    tensor = tg.Tensor(x)
    assert first.eval()(tensor) is tensor
    assert layer(0)(tensor) is tensor
    rng = np.random.default_rng(0)
    assert not np.array_equal(layer(0.3, generator=rng)(x).data, layer(0.3, generator=rng)(x).data)
    assert [name for name, _ in again.generators()] == ["generator"]


@each
def test_the_gradient_is_what_each_element_was_multiplied_by(layer):
    x = np.random.default_rng(1).normal(size=SHAPES.get(layer, ((40, 3), ()))[0])
    leaf, other = (tg.Tensor(v, requires_grad=True) for v in (x, x + 1))
    first = layer(0.3, generator=0)
    second = copy.deepcopy(first)
    y = first(leaf)
    y.sum().backward()
    slopes = second(other).data - y.data  # they are straight lines
    np.testing.assert_allclose(leaf.grad.data, slopes, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", SHAPES, ids=lambda layer: layer.__name__)
def test_channels_and_samples_are_dropped_as_a_whole(layer):
    shared = SHAPES[layer][1]
    y = layer(0.3, generator=0)(ones(layer)).data
    first = y[tuple(slice(0, 1) if i in shared else slice(None) for i in range(y.ndim))]
    np.testing.assert_array_equal(y, np.broadcast_to(first, y.shape))
    assert len(np.unique(first)) == 2
    share = (first == first.min()).mean()
    assert share == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("layer", "shape", "shared"),
    [(nn.Dropout1d, (60, 5), 1), (nn.Dropout2d, (60, 50, 4), 2), (nn.Dropout3d, (60, 2, 2, 2), 1)],
)
def test_single_samples_and_shorter_inputs_have_channels_too(layer, shape, shared):
    y = layer(0.5, generator=0)(np.ones(shape)).data
    flat = y.reshape(*shape[:shared], -1)
    assert (flat == flat[..., :1]).all()
    assert set(np.unique(y)) == {0.0, 2.0}


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_and_so_does_the_mean(layer, dtype):
    y = layer(0.2, generator=2)(ones(layer, dtype) * dtype(0.5))
    assert y.dtype == dtype
    if layer not in (nn.AlphaDropout, nn.FeatureAlphaDropout):  # these are for inputs of mean 0
        assert y.data.mean() == pytest.approx(0.5, abs=0.03)
    assert layer(0.2, generator=0)(np.ones(ones(layer).shape, int)).dtype == float


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance_of_normal_inputs(p):
    x = np.random.default_rng(0).normal(size=(200_000,))
    y = functional.alpha_dropout(x, p, generator=np.random.default_rng(1)).data
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)
    scale = ((1.7580993408473766**2 * p + 1) * (1 - p)) ** -0.5
    lowest = -1.7580993408473766 * scale * (1 - p)
    assert (np.abs(y - lowest) < 1e-12).mean() == pytest.approx(p, abs=0.01)


def test_noise_has_the_deviation_that_was_asked_for():
    zeros = np.zeros(100_000)
    assert nn.GaussianNoise(0.3, generator=0)(zeros).data.std() == pytest.approx(0.3, rel=0.02)
    factors = nn.GaussianDropout(0.2, generator=0)(zeros + 1).data
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.var() == pytest.approx(0.25, rel=0.03)


def test_zoneout_keeps_old_values_or_takes_their_mean():
    h, x = (tg.Tensor(np.full(10_000, v), requires_grad=True) for v in (1.0, 2.0))
    y = functional.zoneout(h, x, 0.3, generator=np.random.default_rng(0))
    assert (y.data == 1).mean() == pytest.approx(0.3, abs=0.02)
    assert set(np.unique(y.data)) == {1.0, 2.0}
    y.sum().backward()
    np.testing.assert_array_equal(h.grad.data, y.data == 1)
    np.testing.assert_array_equal(x.grad.data, y.data == 2)
    mean = functional.zoneout(h, x, 0.3, training=False)
    np.testing.assert_allclose(mean.data, 1.7)


def test_gumbel_softmax_draws_classes_as_often_as_their_probability():
    logits = np.log([0.5, 0.3, 0.2])
    rng = np.random.default_rng(0)
    many = np.broadcast_to(logits, (20_000, 3))
    hard = functional.gumbel_softmax(many, hard=True, generator=rng).data
    assert set(np.unique(hard)) == {0.0, 1.0}
    np.testing.assert_allclose(hard.mean(axis=0), [0.5, 0.3, 0.2], atol=0.02)
    soft = functional.gumbel_softmax(many.T, 0.5, dim=0, generator=rng).data
    np.testing.assert_allclose(soft.sum(axis=0), 1)
    assert soft.max(axis=0).mean() > functional.softmax(many / 5).data.max(axis=1).mean()


def test_what_is_drawn_hard_has_the_gradient_of_what_is_soft():
    x, v = np.random.default_rng(0).normal(size=(2, 4, 3))
    gradients = []
    for hard in (False, True):
        leaf = tg.Tensor(x, requires_grad=True)
        drawn = functional.gumbel_softmax(leaf, 0.7, hard, generator=np.random.default_rng(1))
        (drawn * v).sum().backward()
        gradients.append(leaf.grad.data)
    np.testing.assert_allclose(*gradients, rtol=1e-13)
    noise = np.random.default_rng(1).gumbel(size=x.shape)
    soft = np.exp((x + noise) / 0.7)
    soft /= soft.sum(axis=1, keepdims=True)
    expected = soft * (v - (soft * v).sum(axis=1, keepdims=True)) / 0.7
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-10)


@each
def test_a_layer_can_be_declared_and_read_back(layer):
    shape = ones(layer).shape[1:]
    spec = nn.NetworkSpec.from_module(nn.Sequential(layer(0.25)), shape)
    assert spec.layers[0]["std" if layer is nn.GaussianNoise else "p"] == 0.25
    assert repr(spec.build(0)[0]) == f"{layer.__name__}(0.25)"
    assert nn.NetworkSpec.from_module(spec.build(0), shape) == spec


@each
@pytest.mark.parametrize("wrong", [-0.1, True, "0.5", None, float("nan"), float("inf")])
def test_a_probability_lies_in_its_range(layer, wrong):
    text = "std is a number of 0 or more, not"
    if layer is not nn.GaussianNoise:
        text = f"the p of {layer.__name__} lies in "
    with pytest.raises(ArgumentError, match=f"{text}.*\nFix: "):
        layer(wrong)


@pytest.mark.parametrize("layer", LAYERS[:-2], ids=lambda layer: layer.__name__)
@pytest.mark.parametrize("p", [1, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_with_a_probability_of_one_everything_is_zero_and_so_is_the_gradient(layer, p, dtype):
    x = tg.Tensor(ones(layer, dtype), requires_grad=True)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y = layer(p, generator=0)(x)
        y.sum().backward()
    for found in (y, x.grad):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.data, np.zeros(x.shape))
    np.testing.assert_array_equal(layer(p, generator=0).eval()(x).data, x.data)


def test_noise_of_infinite_variance_is_refused():
    with pytest.raises(ArgumentError, match=r"of GaussianDropout lies in \[0, 1\), not 1"):
        nn.GaussianDropout(1)
    with pytest.raises(ArgumentError, match=r"of Dropout lies in \[0, 1\], not 1.5"):
        nn.Dropout(1.5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: functional.dropout1d(x, 1.5), "the probability p is 1.5"),
        (lambda x: functional.alpha_dropout(x, -1), "the probability p is -1"),
        (lambda x: functional.gaussian_dropout(x, 1.0), "the probability p is 1.0, .* infinite"),
        (lambda x: functional.gaussian_noise(x, -1), "std is -1"),
        (lambda x: functional.zoneout(x, x, 2), "p is 2"),
        (lambda x: functional.zoneout(x, x), "zoneout at .* has no generator"),
        (lambda x: functional.zoneout(x, x[0]), r"states of shapes \(2, 3\) and \(3,\)"),
        (lambda x: functional.gumbel_softmax(x, 0), "tau is 0"),
        (lambda x: functional.gumbel_softmax(x), "has no generator"),
        (lambda x: functional.dropout1d(x), "dropout1d at .* has no generator"),
        (lambda x: functional.alpha_dropout(x), "has no generator"),
        (lambda x: functional.dropout(x, generator=7), "has no generator"),
        (lambda x: functional.dropout2d(x), "3 or 4 axes"),
        (lambda x: functional.feature_alpha_dropout(x[0], training=True), r"\(N, C, ...\)"),
    ],
)
def test_wrong_use_is_refused(call, text):
    with pytest.raises((ArgumentError, ShapeError), match=text):
        call(np.zeros((2, 3)))
