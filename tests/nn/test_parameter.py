from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, DTypeError
from tinygrad_bp.nn import Buffer, Parameter


def test_a_parameter_is_a_leaf_tensor_that_requires_a_gradient():
    p = Parameter([1.0, 2.0], name="w")
    assert isinstance(p, tg.Tensor)
    assert p.requires_grad
    assert p.is_leaf
    assert p.name == "w"
    (p * p).sum().backward()
    np.testing.assert_array_equal(p.grad.data, [2.0, 4.0])


def test_a_parameter_copies_its_data_and_keeps_or_takes_a_dtype():
    source = np.zeros(2, np.float32)
    p = Parameter(source)
    p.assign(1)
    assert p.dtype == np.float32
    assert not source.any()
    assert Parameter([1, 2], dtype=np.float64).dtype == np.float64


def test_integers_cannot_be_trained():
    with pytest.raises(DTypeError, match="dtype int64 cannot require a gradient"):
        Parameter([1, 2])


def test_computing_with_a_parameter_gives_a_plain_tensor():
    assert type(Parameter([1.0]) * 2) is tg.Tensor


def test_a_buffer_is_a_constant():
    assert not Buffer([1.0]).requires_grad


@pytest.mark.parametrize("kind", [Parameter, Buffer])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_keep_the_class(kind, duplicate):
    original = kind([1.0, 2.0], name="n")
    twin = duplicate(original)
    assert type(twin) is kind
    assert twin.name == "n"
    assert twin.requires_grad == original.requires_grad
    assert not np.shares_memory(twin.data, original.data)


def halved_without_recording(layer):
    with tg.no_grad():
        layer.weight *= 0.5


def halved(layer):
    layer.weight -= 0.5 * layer.weight


@pytest.mark.parametrize(
    "change",
    [
        halved,
        halved_without_recording,
        lambda layer: setattr(layer, "weight", np.zeros((2, 3))),
        lambda layer: setattr(layer, "weight", [[1.0] * 3] * 2),
        lambda layer: setattr(layer, "weight", 0.5),
        lambda layer: setattr(layer, "weight", np.float32(0.5)),
        lambda layer: setattr(layer, "weight", tg.Tensor(np.zeros((2, 3)))),
    ],
)
@pytest.mark.parametrize("prepare", [lambda layer: layer, nn.parametrizations.weight_norm])
def test_values_do_not_take_the_place_of_a_parameter_in_silence(change, prepare):
    layer = prepare(nn.Linear(3, 2, generator=0))
    before, kept = layer.state_dict(), layer.weight.data.copy()
    with pytest.raises(
        ArgumentError, match=r"Linear\.weight is a Parameter(.|\n)*\.assign\(values\)"
    ):
        change(layer)
    np.testing.assert_array_equal(layer.weight.data, kept)
    assert list(layer.state_dict()) == list(before)


def test_a_parameter_gives_way_to_another_and_to_none():
    layer = nn.Linear(3, 2, generator=0)
    layer.weight = nn.Parameter(np.ones((2, 3)))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.weight = tg.Tensor(np.zeros((2, 3)), requires_grad=True)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.last = layer(np.ones((1, 3)))  # what is no parameter takes anything
    layer.last = 0.5


def test_a_buffer_does_not_give_way_to_plain_values():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ArgumentError, match=r"running_mean is a Buffer(.|\n)*nn\.Buffer\(values\)"):
        layer.running_mean = np.zeros(3)
    layer.running_mean = nn.Buffer(np.ones(3))
    np.testing.assert_array_equal(layer.state_dict()["running_mean"], np.ones(3))
