from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import Linear, Module, Parameter, Sequential
from tinygrad_bp.nn.parametrizations import spectral_norm, weight_norm
from tinygrad_bp.nn.utils import is_parametrized, remove_parametrizations
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(11)
X = RNG.normal(size=(5, 4))


def linear():
    return Linear(4, 3, dtype=float, generator=0)


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_a_normalised_weight_is_first_what_it_was_then_length_times_direction(axis):
    layer = linear()
    before = layer.weight.data.copy()
    assert weight_norm(layer, axis=axis) is layer
    np.testing.assert_allclose(layer.weight.data, before, rtol=1e-15)
    g, v = layer.parametrizations["weight"].original0, layer.parametrizations["weight"].original1
    g.assign(RNG.normal(size=g.shape))
    v.assign(RNG.normal(size=v.shape))
    rows = {0: (1,), 1: (0,), -1: (0,), None: (0, 1)}[axis]
    length = np.sqrt((v.data**2).sum(axis=rows, keepdims=axis is not None))
    np.testing.assert_allclose(layer.weight.data, v.data * g.data / length, rtol=1e-14)
    check_gradients(layer, X, order=2)


def test_names_are_those_of_pytorch():
    layer = weight_norm(weight_norm(linear()), "bias")
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [
        ("parametrizations.weight.original0", (3, 1)),
        ("parametrizations.weight.original1", (3, 4)),
        ("parametrizations.bias.original0", (3,)),
        ("parametrizations.bias.original1", (3,)),
    ]
    assert list(spectral_norm(linear()).state_dict()) == [
        "bias",
        "parametrizations.weight.original",
        "parametrizations.weight.0._u",
        "parametrizations.weight.0._v",
    ]
    assert repr(weight_norm(linear())) == (
        "Linear(4, 3\n  (parametrizations.weight): WeightNorm(axis=0)\n)"
    )


def test_training_moves_the_length_and_the_direction():
    model = Sequential(weight_norm(linear()))
    optimizer = tg.optim.SGD(model.parameters(), 0.1)
    before = model[0].weight.data.copy()
    loss = ((model(X) - 1) ** 2).mean()
    loss.backward()
    optimizer.step()
    assert not np.array_equal(model[0].weight.data, before)
    assert ((model(X) - 1) ** 2).mean().item() < loss.item()


@pytest.mark.parametrize("normalise", [weight_norm, spectral_norm])
def test_copies_pickles_and_states_hold_it(normalise):
    layer = normalise(linear()).eval()
    y = layer(X).data
    other = normalise(Linear(4, 3, dtype=float, generator=9)).eval()
    other.load_state_dict(layer.state_dict())
    for each in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), other):
        np.testing.assert_array_equal(each(X).data, y)
    each.zero_grad()
    each(X).sum().backward()
    assert layer.unused_parameters().keys() == dict(layer.named_parameters()).keys()


def test_the_largest_singular_value_becomes_one():
    layer = spectral_norm(linear(), n_power_iterations=200, generator=0)
    np.testing.assert_allclose(np.linalg.norm(layer.weight.data, 2), 1, rtol=1e-12)
    check_gradients(layer.eval(), X, order=2)
    kernel = Parameter(RNG.normal(size=(3, 2, 2, 2)), name="weight")

    class Kernel(Module):
        def __init__(self):
            self.weight = kernel

    module = spectral_norm(Kernel(), axis=1, n_power_iterations=200, generator=0)
    matrix = np.moveaxis(module.weight.data, 1, 0).reshape(2, -1)
    np.testing.assert_allclose(np.linalg.norm(matrix, 2), 1, rtol=1e-12)
    bias = spectral_norm(linear(), "bias").bias
    np.testing.assert_allclose(np.linalg.norm(bias.data), 1, rtol=1e-12)


def test_power_iteration_goes_on_in_training_alone_and_leaves_recorded_graphs_alone():
    layer = spectral_norm(linear(), generator=0)
    vectors = getattr(layer.parametrizations["weight"], "0")
    before = vectors._u.data.copy()
    layer.eval()(X)
    np.testing.assert_array_equal(vectors._u.data, before)
    layer.train()
    first = layer(X).sum()
    layer(X)
    assert not np.array_equal(vectors._u.data, before)
    first.backward()
    assert layer.parametrizations["weight"].original.grad is not None


def test_a_weight_becomes_a_parameter_again():
    layer = weight_norm(weight_norm(linear()), "bias")
    y = layer(X).data
    assert remove_parametrizations(layer) is layer
    np.testing.assert_array_equal(layer(X).data, y)
    assert {name for name, _ in layer.named_parameters()} == {
        "weight",
        "parametrizations.bias.original0",
        "parametrizations.bias.original1",
    }
    remove_parametrizations(layer, "bias")
    assert "parametrizations" not in vars(layer)
    layer = linear()
    weight = layer.weight.data.copy()
    remove_parametrizations(spectral_norm(layer, generator=0), leave_parametrized=False)
    np.testing.assert_array_equal(layer.weight.data, weight)


def test_what_was_frozen_stays_frozen():
    layer = linear()
    layer.weight.requires_grad_(False)
    weight_norm(layer)
    assert not any(p.requires_grad for name, p in layer.named_parameters() if name != "bias")
    remove_parametrizations(layer)
    assert not layer.weight.requires_grad


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: weight_norm(linear(), "wieght"), "no parameter 'wieght'.*did you mean 'weight'"),
        (lambda: weight_norm(Linear(2, 2, bias=False), "bias"), "has no parameter 'bias'"),
        (lambda: weight_norm(weight_norm(linear())), "computes its 'weight'"),
        (lambda: weight_norm(linear(), axis=2), r"shape \(3, 4\) has no axis 2"),
        (lambda: spectral_norm(linear(), n_power_iterations=0), "at least one iteration"),
        (lambda: remove_parametrizations(linear()), "does not compute 'weight'"),
        (
            lambda: remove_parametrizations(weight_norm(linear()), leave_parametrized=False),
            "WeightNorm has no original 'weight'",
        ),
        (lambda: weight_norm(None), "computed in a module, not in None"),
        (lambda: spectral_norm(Linear), "computed in a module, not in <class"),
        (lambda: is_parametrized("x"), "computed in a module, not in 'x'"),
        (lambda: remove_parametrizations(3), "computed in a module, not in 3"),
        (lambda: weight_norm(linear(), ["weight"]), "has no parameter"),
        (lambda: weight_norm(linear(), axis="x"), "axis is a whole number, not 'x'"),
        (lambda: weight_norm(linear(), axis=True), "axis is a whole number, not True"),
        (lambda: spectral_norm(linear(), n_power_iterations=7.5), "iterations is a whole number"),
        (lambda: spectral_norm(linear(), n_power_iterations=None), "iterations is a whole number"),
        (lambda: spectral_norm(linear(), eps=-1), "eps is a number of 0 or more, not -1"),
        (lambda: spectral_norm(linear(), eps="x"), "eps is a number of 0 or more, not 'x'"),
    ],
)
def test_wrong_names_and_axes(wrong, text):
    with pytest.raises(ArgumentError, match="(?s)" + text) as caught:
        wrong()
    assert str(caught.value).count("\nFix: ") == 1


def test_an_attribute_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        weight_norm(linear()).wieght  # noqa: B018


def test_an_error_within_a_property_is_told_as_it_is():
    class Broken(Module):
        @property
        def size(self):
            return self.wieght.size

    with pytest.raises(AttributeError, match="no attribute 'wieght'"):
        Broken().size  # noqa: B018
