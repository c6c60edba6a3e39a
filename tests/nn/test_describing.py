"""Networks that nest, branch, join and share, as data: to TOML, to a module, and back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import SpecError
from tinygrad_bp.nn import (
    Add,
    Concat,
    Identity,
    Lambda,
    Linear,
    Module,
    NetworkSpec,
    Parameter,
    Residual,
    Sequential,
    Wired,
    register_layer,
    registry,
)
from tinygrad_bp.testing import check_gradients

TANH = {"type": "Tanh"}


def linear(n, **keys):
    return {"type": "Linear", "out_features": n, **keys}


def comes_back(layers, shape=(4,)):
    """The model of a spec, after all that a spec goes through."""
    spec = NetworkSpec(shape, layers, "float64")
    assert spec.to_dict()["layers"] == layers
    assert NetworkSpec.from_toml(spec.to_toml()) == spec
    model = spec.build(0)
    told = NetworkSpec.from_module(model)
    assert told == spec
    assert NetworkSpec.from_dict(told.to_dict()) == spec
    assert NetworkSpec.from_module(copy.deepcopy(model)) == spec
    a, b = spec.build(5).state_dict(), told.build(5).state_dict()
    assert list(a) == list(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    shapes = shape if isinstance(shape, dict) else {"": shape}
    xs = [np.random.default_rng(0).normal(size=(2, *each)) for each in shapes.values()]
    assert model(*xs).shape == (2, *spec.shapes()[-1].shape)
    check_gradients(model, *xs)
    return model


def wrong(*layers, shape=(4,)):
    with pytest.raises(SpecError) as caught:
        NetworkSpec(shape, layers)
    assert str(caught.value).count("\nFix: ") == 1
    return str(caught.value)


NESTED = [
    {"type": "Residual", "layers": [linear(4), TANH, linear(4, name="last")]},
    {"type": "Residual", "layers": [linear(6)], "shortcut": linear(6, bias=False)},
    {
        "type": "Concat",
        "name": "branches",
        "branches": [linear(2), [linear(3), TANH], {"type": "Identity"}],
        "axis": -1,
    },
    {"type": "Residual", "layers": [linear(5)], "shortcut": [linear(3), linear(5)]},
    {"type": "Unflatten", "axis": 1, "unflattened_size": [5, 1]},
    {"type": "Lambda", "function": "np.mean", "arguments": {"axis": -1}},
    {"type": "Lambda", "function": "F.relu"},
]


def test_containers_nest():
    model = comes_back(NESTED)
    assert [type(layer) for layer in model[:3]] == [Residual, Residual, Concat]
    assert list(model.state_dict())[:7] == [
        "0.0.weight",
        "0.0.bias",
        "0.last.weight",
        "0.last.bias",
        "1.0.weight",
        "1.0.bias",
        "1.shortcut.weight",
    ]
    assert isinstance(model["branches"][1], Sequential)


def test_the_dry_run_tells_of_each_layer_and_of_what_holds_them():
    spec = NetworkSpec(4, NESTED)
    assert [(s.path, s.type, s.shape) for s in spec.shapes()][3:11] == [
        ("0", "Residual", (4,)),
        ("1.0", "Linear", (6,)),
        ("1.shortcut", "Linear", (6,)),
        ("1", "Residual", (6,)),
        ("2.0", "Linear", (2,)),
        ("2.1.0", "Linear", (3,)),
        ("2.1.1", "Tanh", (3,)),
        ("2.2", "Identity", (6,)),
    ]


def test_a_part_that_is_added_leaves_the_streams_of_the_others_as_they_were():
    def last(*layers):
        nested = [{"type": "Residual", "layers": [*layers], "shortcut": linear(4)}]
        return NetworkSpec(4, nested).build(0).state_dict()["0.shortcut.weight"]

    np.testing.assert_array_equal(last(linear(4)), last(linear(4), linear(4)))


def test_layers_name_their_inputs():
    layers = [
        linear(3, name="encoder"),
        linear(4, name="decoder"),
        {"type": "Add", "inputs": ["decoder", "input"]},
        {"type": "Concat", "inputs": ["2", "encoder"]},
        linear(2),
    ]
    model = comes_back(layers)
    assert type(model) is Wired
    assert model[4].in_features == 7
    x = np.ones((1, 4))
    h = model["encoder"](x)
    joined = np.concatenate([(model["decoder"](h) + x).data, h.data], 1)
    np.testing.assert_array_equal(model(x).data, model[4](joined).data)


def test_a_network_with_several_inputs_names_them():
    layers = [
        linear(3, name="a", inputs=["left"]),
        linear(3, name="b", inputs=["right"]),
        {"type": "Add", "inputs": ["a", "b"]},
    ]
    model = comes_back(layers, {"left": (4,), "right": (2,)})
    assert model.given == ("left", "right")
    assert wrong(linear(3), shape={"x": 2, "y": 3}) == (
        'layer 0 (Linear) does not say its inputs.\nFix: "inputs": [...], of x, y.'
    )
    spec = NetworkSpec({"x": [4]}, [linear(2)])
    assert type(spec.build()) is Sequential
    assert spec == NetworkSpec({"x": 4}, [linear(2, inputs=["x"])])
    assert hash(spec) == hash(NetworkSpec({"x": 4}, [linear(2)]))
    assert spec != NetworkSpec({"y": 4}, [linear(2)])


def test_inputs_that_are_the_default_change_nothing():
    spec = NetworkSpec(4, [linear(3, inputs=["input"]), linear(2, inputs=["0"])])
    assert type(spec.build()) is Sequential
    assert spec == NetworkSpec(4, [linear(3), linear(2)])


def test_a_sequential_inside_has_inputs_of_its_own():
    inner = [linear(4), {"type": "Add", "inputs": ["0", "input"]}]
    comes_back([linear(4), {"type": "Sequential", "layers": inner}, TANH])
    comes_back([{"type": "Concat", "branches": [inner, TANH]}])


def test_a_layer_that_is_shared_is_one_module():
    model = comes_back(
        [
            {"type": "Sequential", "name": "encoder", "layers": [linear(4), TANH]},
            {"type": "Shared", "of": "encoder"},
            {"type": "Residual", "layers": [{"type": "Shared", "of": "encoder.0"}]},
        ]
    )
    assert model[1] is model["encoder"]
    assert model[2][0] is model[0][0]
    assert list(model.state_dict()) == ["encoder.0.weight", "encoder.0.bias"]


def test_twins_compare_two_inputs_by_one_encoder():
    layers = [
        linear(3, name="first", inputs=["a"]),
        {"type": "Shared", "of": "first", "name": "second", "inputs": ["b"]},
        {"type": "Concat", "inputs": ["first", "second"]},
    ]
    model = comes_back(layers, {"a": (4,), "b": (4,)})
    assert model["second"] is model["first"]


def test_a_model_made_by_hand_that_shares_tells_so():
    shared, tied = Linear(3, 3), Linear(3, 3)
    tied.weight = shared.weight
    spec = NetworkSpec.from_module(Sequential(shared, Residual(shared), tied))
    assert spec.to_dict()["layers"] == [
        linear(3),
        {"type": "Residual", "layers": [{"type": "Shared", "of": "0"}]},
        linear(3, shares={"weight": "0.weight"}),
    ]
    model = spec.build()
    assert model[2].weight is model[0].weight is model[1][0].weight
    assert model[2].bias is not model[0].bias


def test_single_parameters_are_shared_by_their_names():
    model = comes_back(
        [
            linear(4, name="a"),
            {"type": "Sequential", "layers": [linear(4, shares={"weight": "a.weight"})]},
            linear(4, shares={"weight": "a.weight", "bias": "a.bias"}),
        ]
    )
    assert model[2].weight is model[1][0].weight is model[0].weight
    assert len(list(model.parameters())) == 3


def test_normalised_weights_are_declared():
    model = comes_back(
        [
            linear(4, parametrizations={"weight": "weight_norm"}),
            linear(4, parametrizations={"bias": {"name": "weight_norm", "axis": 0}}),
            linear(4, parametrizations={"weight": {"name": "weight_norm", "axis": 1}}),
        ]
    )
    assert "0.parametrizations.weight.original0" in model.state_dict()
    layers = [linear(3, parametrizations={"weight": "spectral_norm", "bias": "weight_norm"})]
    spec = NetworkSpec(4, layers, "float64")
    assert NetworkSpec.from_module(spec.build(1)) == spec
    a, b = spec.build(1).state_dict(), spec.build(1).state_dict()
    assert all(np.array_equal(a[name], b[name]) for name in a)
    tied = linear(4, parametrizations={"weight": "weight_norm"})
    tied["shares"] = {"parametrizations.weight.original1": "0.parametrizations.weight.original1"}
    comes_back([linear(4, parametrizations={"weight": "weight_norm"}), tied])


@pytest.fixture
def own_layers():
    before = dict(registry.LAYERS)
    yield
    registry.LAYERS.clear()
    registry.LAYERS.update(before)


@pytest.mark.usefixtures("own_layers")
def test_ones_own_layers_have_several_inputs_outputs_and_parts():
    @register_layer(sizes={"left": -1, "right": (1, -1)})
    class Product(Module):
        def __init__(self, left, right, dtype=np.float32):
            self.left, self.right = left, right
            self.weight = Parameter(np.ones((left, right), dtype))

        def forward(self, x, y):
            return (x @ self.weight * y).sum(-1, keepdims=True), (x, y)

    @register_layer(parts={"layer": "layer"})
    class Twice(Module):
        def __init__(self, layer, scale=2.0):
            self.layer, self.scale = layer, scale

        def forward(self, x):
            return self.layer(self.layer(x)) * self.scale

    layers = [
        {"type": "Product", "inputs": ["a", "b"], "name": "p"},
        {"type": "Twice", "layer": [linear(1), TANH], "inputs": ["p.0"], "scale": 3.0},
        {"type": "Concat", "inputs": ["1", "p.1.0"]},
    ]
    model = comes_back(layers, {"a": (4,), "b": (2,)})
    assert model["p"].weight.shape == (4, 2)
    assert wrong({"type": "Product"}).startswith(
        "layer 0 (Product) needs 2 inputs for its right, and has 1.\nFix: name them"
    )
    assert "has the input '0.5', and '0' gives ((1,), ((4,), (4,)))" in wrong(
        {"type": "Product", "inputs": ["input", "input"]}, {**TANH, "inputs": ["0.5"]}
    )
    assert "layer 0.layer.1 (Tnah)" in wrong({"type": "Twice", "layer": [TANH, {"type": "Tnah"}]})


def residual(layers, shortcut):
    inner = {"type": "Sequential", "layers": layers}
    return [{"type": "Residual", "layers": [inner, TANH], "shortcut": shortcut}]


def joined(body, layers):
    inner = [
        {"type": "Sequential", "layers": body, "name": "body"},
        *[layer for layer in layers if "name" not in layer and "inputs" not in layer],
        {"type": "Add", "inputs": ["body", "input"], "name": "sum"},
    ]
    return [{"type": "Sequential", "layers": inner}, TANH]


PART = st.sampled_from([linear(4), TANH, linear(4, bias=False), {"type": "Identity"}])
NETS = st.recursive(
    st.lists(PART, min_size=1, max_size=3),
    lambda nets: st.one_of(
        st.builds(residual, nets, nets),
        st.builds(lambda a, b: [{"type": "Concat", "branches": [a, b]}, linear(4)], nets, PART),
        st.builds(joined, nets, nets),
    ),
    max_leaves=5,
)


@given(NETS)
def test_any_network_of_networks_goes_to_toml_and_to_a_module_and_back(layers):
    layers = [*layers, {"type": "Shared", "of": "0"}, linear(4, shares={})]
    spec = NetworkSpec(4, layers)
    assert NetworkSpec.from_toml(spec.to_toml()).to_dict() == spec.to_dict()
    model = spec.build(0)
    told = NetworkSpec.from_module(model, 4)
    assert told == spec
    assert repr(told.build(0)) == repr(model)
    assert model(np.zeros((2, 4), np.float32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([TANH, {**TANH, "inputs": ["imput"]}], "has the input 'imput'.*did you mean 'input'"),
        ([TANH, {**TANH, "inputs": ["1"]}], "layer 1 (Tanh) has the input '1', which is no"),
        (
            [{**TANH, "name": "input"}, TANH, {"type": "Add", "inputs": ["input", "1"]}],
            "layer input has the name of an input, and layers name their inputs.",
        ),
        ([TANH, {**TANH, "inputs": "0"}], "layer 1 (Tanh): its inputs are '0'"),
        ([TANH, {**TANH, "inputs": []}], "layer 1 (Tanh): its inputs are []"),
        (
            [{**TANH, "inputs": ["input", "input"]}],
            "is called on 2 inputs, and its class computes with (x).",
        ),
        (
            [{"type": "Shared", "of": "1"}, TANH],
            "is of '1', which is no layer before it.\nFix: put it behind that layer.",
        ),
        (
            [{**TANH, "name": "body"}, {"type": "Shared", "of": "bdy"}],
            "layer 1 (Shared) is of 'bdy', which is no layer before it.\nFix: did you mean 'body'?",
        ),
        ([{"type": "Shared", "of": 3}], "'of' is the name of another layer, not 3"),
        ([{"type": "Shared"}], "layer 0 (Shared) lacks the key 'of'."),
        ([{"type": "Shared", "of": "a", "bias": 1}], "layer 0 (Shared) has no key 'bias'"),
        ([linear(4), linear(3, shares={"weight": "0.weight"})], "layer 1 (Linear) shares '0.we"),
        ([linear(4), linear(4, shares={"wieght": "0.weight"})], "has no parameter 'wieght' to sh"),
        ([linear(4), linear(4, shares={"weight": "0.wait"})], "did you mean '0.weight'"),
        (
            [linear(4), linear(4, shares={"bias": "0.bias"}), linear(4, shares={"bias": "1.bias"})],
            "layer 2 (Linear) shares '1.bias', which is no parameter before it of its",
        ),
        ([TANH, {"type": "Shared", "of": "0"}, {"type": "Shared", "of": "1"}], "is of '1', which"),
        ([linear(4), linear(4, shares="0")], "layer 1 (Linear): it shares '0'"),
        ([linear(4, parametrizations={"weight": "weigth_norm"})], "did you mean 'weight_norm'"),
        ([linear(4, parametrizations={"wait": "weight_norm"})], "has no parameter 'wait' to norm"),
        ([linear(4, parametrizations="weight_norm")], "its parametrizations are 'weight_norm'"),
        (
            [linear(4, parametrizations={"weight": {"name": "weight_norm", "axs": 1}})],
            "has no option 'axs'",
        ),
        ([{"type": "Residual", "layers": []}], "layer 0 (Residual) has no layers: 'layers' is []"),
        ([{"type": "Residual"}], "layer 0 (Residual) lacks the key 'layers'."),
        ([{"type": "Residual", "layers": [linear(3)]}], "layer 0 (Residual) after an input of s"),
        ([{"type": "Residual", "layers": [linear("x")]}], "layer 0.0 (Linear) after an input of"),
        (
            [{"type": "Residual", "layers": [TANH, {**TANH, "inputs": ["input"]}]}],
            'put them into one layer {"type": "Sequential", ...}.',
        ),
        ([{"type": "Concat", "branches": TANH}], "layer 0 (Concat): 'branches' is {"),
        ([{"type": "Concat", "branches": [TANH, []]}], "layer 0.1 (Sequential) has no layers"),
        ([{"type": "Concat", "branches": [TANH], "axs": 2}], "did you mean 'axis'"),
        (
            [{"type": "Concat", "branches": [{**TANH, "inputs": ["input"]}]}],
            "layer 0.0 (Tanh) says its inputs, and has those of the layer around it",
        ),
        (
            [{"type": "Concat", "branches": [{**TANH, "name": "1"}, TANH]}],
            "layer 0.1 (Tanh) has the name '1' of another layer.",
        ),
        ([{"type": "Concat", "branches": [TANH], "shares": {}}], "has no key 'shares'"),
        ([{"type": "Lambda", "function": "np.maen"}], "did you mean 'mean'"),
        ([{"type": "Lambda", "function": "os.system"}], "is no name of a function for a Lambda"),
        ([{"type": "Lambda", "function": "np.load"}], "there is no function 'np.load' of tensors"),
    ],
)
def test_what_is_wrong_is_told_with_the_layer_and_the_nearest_name(layers, text):
    import re

    said = wrong(*layers)
    assert re.search(re.escape(text).replace(r"\.\*", ".*"), said, re.DOTALL), said


def test_what_no_spec_can_declare():
    cases = {
        r"a spec cannot declare Lambda\(tanh\)": Sequential(Lambda(np.tanh)),
        r"layer a \(function\)": Wired({"a": lambda x: x, "b": Add()}, {"b": ["a", "input"]}),
        "the first layer does not tell": Wired({"a": Linear(2, 2), "b": Add()}, {"b": ["a", "a"]}),
    }
    for text, model in cases.items():
        with pytest.raises(SpecError, match=text):
            NetworkSpec.from_module(model, None if "first" in text else 2)


def test_a_model_in_a_residual_tells_its_first_size():
    assert NetworkSpec.from_module(Sequential(Residual(Linear(3, 3)))).input_shape == (3,)
    assert NetworkSpec.from_module(Sequential(Concat(Linear(3, 2), Identity()))).input_shape == (3,)
