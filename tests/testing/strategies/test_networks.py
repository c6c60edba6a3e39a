from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given

from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.nn.registry import LAYERS
from tinygrad_bp.testing import check_gradients
from tinygrad_bp.testing.strategies import layers, networks
from tinygrad_bp.testing.strategies.networks import _OTHERS, ACTIVATIONS, LOSSES
from tinygrad_bp.testing.strategies.shaped import SEVERAL, SHAPED


@given(networks())
def test_data_and_loss_fit_and_gradients_are_right(example):
    assert example.objective(example.model).shape == ()
    check_gradients(example.objective, example.model, example.x, order=1)


@given(networks(max_layers=2, max_width=2, dtype="float32"))
def test_networks_keep_within_their_limits(example):
    assert NetworkSpec.from_module(example.model, example.x.shape[1:]) == example.spec
    assert {p.dtype for p in example.model.parameters()} == {np.dtype("float32")}
    assert not example.model.training
    assert max(p.size for p in example.model.parameters()) <= 8
    assert example.loss.__name__ in repr(example)


def test_every_layer_that_ships_may_come():
    shipped = {k for k, kind in LAYERS.items() if kind.cls.__module__.startswith("tinygrad_bp.")}
    known = {layer["type"] for layer in (*ACTIVATIONS, *_OTHERS, *(kind for _, kind in SHAPED))}
    assert shipped == known | SEVERAL | {"Linear", "Flatten", "Sequential"}


def test_layers_for_inputs_of_a_shape_of_their_own_fit_it():
    for shape, kind in SHAPED:
        model = NetworkSpec(shape, [kind]).build(0)
        assert type(model[0]).__name__ == kind["type"]
        assert sum(p.size for p in model.parameters()) + np.prod(shape) <= 100


@given(layers())
def test_each_layer_takes_the_data_that_comes_with_it(pair):
    layer, x = pair
    check_gradients(lambda layer, x: layer(x), layer, x, order=1)


@pytest.mark.parametrize("name", ["Linear", "Dropout", "Conv2d"])
def test_any_layer_comes_by_itself(name):
    layer, _ = find(layers(), lambda pair: type(pair[0]).__name__ == name)
    assert type(layer).__name__ == name


def test_networks_shrink_to_one_layer():
    example = find(networks(), lambda example: True)
    assert example.spec.layers[0]["type"] == "Linear"
    assert len(example.model) == 1
    assert example.x.shape == (1, 1)
    assert example.loss.__name__ == LOSSES[0]
