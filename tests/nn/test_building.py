from __future__ import annotations

import numpy as np
import pytest
from told import here, told

from tinygrad_bp.errors import ArgumentError, SpecError
from tinygrad_bp.nn import (
    Dropout,
    Identity,
    Module,
    NetworkSpec,
    Parameter,
    Sequential,
    register_layer,
    registry,
)


@pytest.fixture
def own_layers():
    before = dict(registry.LAYERS)
    yield
    registry.LAYERS.clear()
    registry.LAYERS.update(before)


MLP = {
    "input_shape": [28, 28],
    "dtype": "float64",
    "layers": [
        {"type": "Flatten"},
        {
            "type": "Linear",
            "out_features": 16,
            "bias": True,
            "weight_init": {"name": "normal", "std": 0.01},
            "bias_init": "zeros",
        },
        {
            "type": "Sequential",
            "name": "middle",
            "layers": [
                {"type": "Dropout", "p": 0.25},
                {"type": "Linear", "in_features": 16, "out_features": 8, "bias": False},
            ],
        },
        {"type": "Linear", "out_features": 10},
    ],
}


def linear(n):
    return {"type": "Linear", "out_features": n}


def weights(model):
    return model.state_dict()


def test_a_spec_builds_the_network_that_it_declares():
    model = NetworkSpec.from_dict(MLP).build(0)
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Flatten()\n"
        "  (1): Linear(784, 16)\n"
        "  (middle): Sequential(\n"
        "    (0): Dropout(0.25)\n"
        "    (1): Linear(16, 8, bias=False)\n"
        "  )\n"
        "  (3): Linear(8, 10)\n"
        ")"
    )
    assert {str(p.dtype) for p in model.parameters()} == {"float64"}
    assert model[1].weight.data.std() == pytest.approx(0.01, rel=0.05)
    assert not model[1].bias.data.any()
    assert all(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert model(np.zeros((3, 28, 28))).shape == (3, 10)


def test_the_dry_run_gives_the_shape_after_each_layer():
    shapes = NetworkSpec.from_dict(MLP).shapes()
    assert [(s.path, s.type, s.shape) for s in shapes] == [
        ("0", "Flatten", (784,)),
        ("1", "Linear", (16,)),
        ("2.0", "Dropout", (16,)),
        ("2.1", "Linear", (8,)),
        ("3", "Linear", (10,)),
    ]


def test_a_seed_gives_one_network_and_another_seed_another():
    spec = NetworkSpec.from_dict(MLP)
    a, b, c = weights(spec.build(3)), weights(spec.build(3)), weights(spec.build(4))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["1.weight"], c["1.weight"])
    assert not np.array_equal(weights(spec.build())["1.weight"], weights(spec.build())["1.weight"])


def test_a_layer_added_at_the_end_or_changed_leaves_the_others_as_they_were():
    short = weights(NetworkSpec(4, [linear(4), linear(4)]).build(0))
    longer = weights(NetworkSpec(4, [linear(4), linear(4), linear(9)]).build(0))
    assert all(np.array_equal(short[name], longer[name]) for name in short)
    changed = [{**linear(4), "weight_init": "he_normal"}, linear(4)]
    other = weights(NetworkSpec(4, changed).build(0))
    assert np.array_equal(short["1.weight"], other["1.weight"])
    assert not np.array_equal(short["0.weight"], short["1.weight"])


def test_a_layer_added_inside_of_a_nested_sequential_leaves_those_after_it_as_they_were():
    def last(*inner):
        nested = {"type": "Sequential", "layers": list(inner)}
        return weights(NetworkSpec(4, [nested, linear(4)]).build(0))["1.weight"]

    np.testing.assert_array_equal(last(linear(4)), last(linear(4), linear(4)))


def test_streams_of_nested_layers_differ_from_those_around_them():
    nested = {"type": "Sequential", "layers": [linear(4), linear(4)]}
    state = weights(NetworkSpec(4, [linear(4), nested, linear(4)]).build(0))
    values = [a.ravel()[0] for name, a in state.items() if name.endswith("weight")]
    assert len(set(values)) == 4


def test_the_streams_are_the_spawned_children_of_the_seed():
    model = NetworkSpec(4, [linear(4), {"type": "Dropout"}]).build(11)
    child = np.random.SeedSequence(11).spawn(2)[1]
    expected = Dropout(generator=np.random.default_rng(child)).generator
    assert model[1].generator.random() == expected.random()


def test_a_generator_in_place_of_a_seed_hands_out_a_new_child_each_time():
    spec = NetworkSpec(4, [linear(4)])
    rng = np.random.default_rng(0)
    first, second = weights(spec.build(rng)), weights(spec.build(rng))
    assert not np.array_equal(first["0.weight"], second["0.weight"])
    again = weights(spec.build(np.random.default_rng(0)))
    assert np.array_equal(first["0.weight"], again["0.weight"])


def test_a_layer_that_takes_indices_is_given_integers_in_the_dry_run(own_layers):
    @register_layer
    class Lookup(Module):
        takes_indices = True

        def __init__(self, width):
            self.width = width
            self.table = Parameter(np.zeros((5, width), np.float32))

        def forward(self, x):
            return self.table[x]

    model = NetworkSpec(7, [{"type": "Lookup", "width": 3}, linear(2)]).build(0)
    assert model(np.array([[4] * 7])).shape == (1, 7, 2)
    assert model[0].summary(7).rows[0].output_shape == (1, 7, 3)
    assert Sequential(Identity(), model[0]).summary(7, dtype=np.int8).rows[0].output_shape[1:] == (
        7,
        3,
    )


def test_a_decoder_goes_on_from_the_state_in_which_the_encoder_ended():
    lstm = {"type": "LSTM", "hidden_size": 5, "batch_first": True}
    spec = NetworkSpec(
        {"source": (7, 4), "target": (6, 3)},
        [
            {**lstm, "name": "encoder", "inputs": ["source"]},
            {**lstm, "name": "decoder", "inputs": ["target", "encoder.1"]},
            {**linear(3), "inputs": ["decoder.0"]},
        ],
    )
    model = spec.build(0)
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(2, *shape)).astype("f") for shape in ((7, 4), (6, 3)))
    out, _ = model["decoder"](b, model["encoder"](a)[1])
    np.testing.assert_array_equal(model(a, b).data, model["2"](out).data)
    assert NetworkSpec.from_module(model) == spec


def test_a_layer_that_is_given_several_arrays_says_how_to_take_one():
    lstm = {"type": "LSTM", "hidden_size": 5, "batch_first": True}
    with pytest.raises(SpecError) as caught:
        NetworkSpec((7, 4), [lstm, linear(2)])
    assert str(caught.value) == (
        "layer 1 (Linear) is given ((7, 5), ((1, 5), (1, 5))), which is several arrays.\n"
        'Fix: name the one that is meant, "inputs": ["name.0"], or have the layer before it return '
        "one."
    )
    assert NetworkSpec((7, 4), [lstm, {**linear(2), "inputs": ["0.0"]}]).shapes()[1].shape == (7, 2)


@pytest.mark.parametrize("seed", [-1, np.int64(-1), 1.5, True, "0", [1], np.random.RandomState(0)])
def test_what_is_no_seed(seed):
    spec = NetworkSpec(2, [linear(3)])
    with pytest.raises(ArgumentError) as caught:
        spec.build(seed)
    told(caught, "an integer seed of 0 or more", here(-1), fix="np.random.default_rng(0)")


def test_the_name_of_a_layer_that_stands_under_a_key_does_not_count():
    tanh = {"type": "Tanh"}
    named = {"type": "Residual", "layers": [tanh], "shortcut": {**tanh, "name": "around"}}
    spec = NetworkSpec(4, [named])
    assert spec == NetworkSpec(4, [{**named, "shortcut": tanh}])
    assert NetworkSpec.from_module(spec.build(0), 4) == spec


@pytest.mark.parametrize(
    "shape",
    [{}, {"a.b": 3}, {"": 3}, {"a": 0}, {"a": {"b": 1}, "c": None}, {"a": 3, "b": {"c": 1}}],
)
def test_wrong_shapes_of_several_inputs(shape):
    with pytest.raises(SpecError, match=r"(input_shape|name of an input)[^$]*\nFix: "):
        NetworkSpec(shape, [{"type": "Tanh"}])
