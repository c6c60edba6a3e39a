from __future__ import annotations

import builtins
import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import MissingExtraError, SpecError
from tinygrad_bp.nn import (
    Dropout,
    Flatten,
    Linear,
    NetworkSpec,
    Parameter,
    Sequential,
    functional,
    registry,
)

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


def wrong(**changes):
    """The message for a declaration that is changed in places."""
    with pytest.raises(SpecError) as caught:
        NetworkSpec.from_dict({**MLP, **changes})
    assert str(caught.value).count("\nFix: ") == 1
    return str(caught.value)


def wrong_layer(*layers, input_shape=(4,)):
    return wrong(layers=list(layers), input_shape=input_shape)


def test_dict_and_toml_come_back_unchanged():
    spec = NetworkSpec.from_dict(MLP)
    assert spec.to_dict() == MLP
    assert NetworkSpec.from_toml(spec.to_toml()).to_dict() == MLP


def test_a_model_tells_its_spec():
    spec = NetworkSpec.from_dict(MLP)
    told = NetworkSpec.from_module(spec.build(0))
    assert told == spec
    assert told.to_dict()["layers"][1] == {
        "type": "Linear",
        "out_features": 16,
        "weight_init": {"name": "normal", "std": 0.01},
        "bias_init": "zeros",
    }
    a, b = spec.build(5).state_dict(), told.build(5).state_dict()
    assert list(a) == list(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)


LINEAR = st.fixed_dictionaries(
    {"type": st.just("Linear"), "out_features": st.integers(1, 5)},
    optional={
        "bias": st.booleans(),
        "weight_init": st.sampled_from(["he_normal", {"name": "uniform", "low": -0.1}]),
    },
)
SIMPLE = st.one_of(
    LINEAR,
    st.just({"type": "Flatten"}),
    st.just({"type": "Identity", "name": "same"}),
    st.fixed_dictionaries({"type": st.just("Dropout"), "p": st.floats(0, 0.9)}),
)
LAYERS = st.recursive(
    st.lists(SIMPLE, min_size=1, max_size=3, unique_by=lambda layer: layer.get("name", id(layer))),
    lambda inner: st.tuples(inner, inner).map(
        lambda pair: [{"type": "Sequential", "layers": layers} for layers in pair]
    ),
    max_leaves=4,
)


DTYPES = st.sampled_from(["float32", "float64"])


@given(LAYERS, st.lists(st.integers(1, 4), min_size=1, max_size=3), DTYPES)
def test_any_network_goes_to_toml_and_to_a_module_and_back(layers, shape, dtype):
    spec = NetworkSpec(shape, layers, dtype)
    assert NetworkSpec.from_toml(spec.to_toml()) == spec
    assert NetworkSpec.from_dict(spec.to_dict()) == spec
    model = spec.build(0)
    assert spec.shapes()[-1].shape == model(np.zeros((2, *shape), dtype)).shape[1:]
    if dtype == "float32" or list(model.parameters()):
        assert NetworkSpec.from_module(model) == spec
        assert NetworkSpec.from_module(copy.deepcopy(model)) == spec


ACTIVATIONS = sorted(
    name
    for name, kind in registry.LAYERS.items()
    if kind.cls.__module__ == "tinygrad_bp.nn.activations"
)
ARGUMENTS = {
    "LeakyReLU": {"negative_slope": 0.2},
    "ELU": {"alpha": 0.5},
    "GELU": {"approximate": "tanh"},
    "Softmax": {"axis": 1},
    "LogSoftmax": {"axis": 1},
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_be_declared(name):
    for arguments in ({}, ARGUMENTS.get(name, {})):
        spec = NetworkSpec(4, [{"type": name, **arguments}])
        assert spec.shapes()[0].shape == (4,)
        told = NetworkSpec.from_module(spec.build(0), 4)
        assert told.to_dict() == spec.to_dict()


def test_specs_are_equal_if_they_declare_the_same():
    spec = NetworkSpec(4, [linear(2)])
    assert spec == NetworkSpec((4,), [{**linear(2), "bias": True, "in_features": 4, "name": "0"}])
    assert hash(spec) == hash(NetworkSpec((4,), [{**linear(2), "bias": True}]))
    assert spec != NetworkSpec(4, [linear(3)])
    assert spec != NetworkSpec(5, [linear(2)])
    assert spec != NetworkSpec(4, [linear(2)], "float64")
    assert spec != "spec"


def test_a_model_made_by_hand_tells_its_spec():
    spec = NetworkSpec.from_module(Sequential(Linear(4, 3), Dropout(0.1), Linear(3, 2, bias=False)))
    assert spec.to_dict() == {
        "input_shape": [4],
        "dtype": "float32",
        "layers": [
            {"type": "Linear", "out_features": 3},
            {"type": "Dropout", "p": 0.1},
            {"type": "Linear", "out_features": 2, "bias": False},
        ],
    }
    assert NetworkSpec.from_module(Sequential(Sequential(Linear(4, 3)))).input_shape == (4,)
    flat = NetworkSpec.from_module(Sequential(Flatten(), Linear(4, 3)), input_shape=(2, 2))
    assert flat.input_shape == (2, 2)


def test_changing_what_went_in_or_came_out_does_not_change_the_spec():
    data = copy.deepcopy(MLP)
    spec = NetworkSpec.from_dict(data)
    data["layers"][1]["weight_init"]["std"] = 5
    spec.to_dict()["layers"][1]["weight_init"]["std"] = 5
    spec.build(0)[1].weight_init["std"] = 5
    assert spec.to_dict() == MLP


def test_numpy_numbers_and_tuples_become_plain():
    spec = NetworkSpec((np.int64(4),), ({"type": "Linear", "out_features": np.int32(2)},))
    assert spec.to_dict()["layers"] == [{"type": "Linear", "out_features": 2}]
    assert type(spec.to_dict()["layers"][0]["out_features"]) is int
    assert type(spec.to_dict()["input_shape"][0]) is int


def test_files(tmp_path):
    spec = NetworkSpec.from_dict(MLP)
    path = tmp_path / "net.toml"
    spec.to_file(path)
    assert NetworkSpec.from_file(path) == spec
    assert [p.name for p in tmp_path.iterdir()] == ["net.toml"]
    path.write_text("layers = [", "utf-8")
    with pytest.raises(SpecError, match=r"net\.toml: the declaration of the network is not TOML"):
        NetworkSpec.from_file(path)
    with pytest.raises(
        SpecError, match=r"not TOML: [^\0]*Fix: NetworkSpec.from_file\(path\), which reads"
    ):
        NetworkSpec.from_toml("net.toml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"net\.toml: "):
        NetworkSpec.from_file(path)
    with pytest.raises(FileNotFoundError):
        NetworkSpec.from_file(tmp_path / "none.toml")


def test_toml_is_written_by_an_extra_that_may_be_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "tomli_w":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    spec = NetworkSpec.from_dict(MLP)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"(?s)tomli_w.*tinygrad-bp\[train\]"):
        spec.to_toml()


def test_the_network_itself():
    assert wrong(layer=[]) == "a network has no key 'layer'.\nFix: did you mean 'layers'?"
    for lacking in ("input_shape", "layers"):
        data = {key: value for key, value in MLP.items() if key != lacking}
        with pytest.raises(SpecError, match=rf"lacks the key '{lacking}'.\nFix: .*{lacking} = \["):
            NetworkSpec.from_dict(data)
    with pytest.raises(SpecError, match=r"declared by a dict, not by \[1\].\nFix: {"):
        NetworkSpec.from_dict([1])
    assert wrong(layers=[]).startswith("the network has no layers: 'layers' is []")
    assert wrong(layers={"type": "Linear"}).startswith("the network has no layers")


@pytest.mark.parametrize("shape", [0, -1, [0], [2.5], "784", None, [True], [[3]]])
def test_the_input_shape(shape):
    assert wrong(input_shape=shape).startswith("input_shape holds positive integers, not ")


@pytest.mark.parametrize(
    "dtype", ["int64", "float31", "complex128", None, 3, "", "longdouble", {"a": 1}, [("a", "f4")]]
)
def test_the_dtype(dtype):
    assert wrong(dtype=dtype) == (
        f"the dtype of a network is 'float32' or 'float64', not {dtype!r}.\nFix: dtype='float32'."
    )


@pytest.mark.parametrize("dtype", ["float16", "e", np.float16])
def test_no_network_is_trained_in_half_precision(dtype):
    said = wrong(dtype=dtype)
    assert said.startswith("the dtype of a network is 'float32' or 'float64', not ")
    assert said.endswith("\nFix: train in 'float32', then model.astype(np.float16).")
    half = Sequential(Linear(2, 3)).astype(np.float16)
    assert half(np.ones((1, 2), np.float16)).dtype == np.float16
    with pytest.raises(SpecError, match="not 'float16'"):
        NetworkSpec.from_module(half)


@pytest.mark.parametrize("layer", ["Linear", {}, {"type": 3}, None, {"out_features": 3}])
def test_a_layer_without_a_type(layer):
    assert wrong_layer({"type": "Identity"}, layer).startswith(f"layer 1 is {layer!r}.")


def test_an_unknown_type():
    text = wrong_layer({"type": "Identity"}, {"type": "Liner"})
    assert text.startswith("layer 1 (Liner): there is no such type of layer: did you mean 'Linear'")
    assert "@register_layer" in text
    nested = {"type": "Sequential", "layers": [{"type": "Identity"}, {"type": "Dropuot"}]}
    assert wrong_layer(nested).startswith(
        "layer 0.1 (Dropuot): there is no such type of layer: did you mean 'Dropout'?"
    )


def test_unknown_and_missing_keys():
    assert wrong_layer({"type": "Linear", "out_feature": 3}) == (
        "layer 0 (Linear) has no key 'out_feature'.\nFix: did you mean 'out_features'?"
    )
    assert wrong_layer({"type": "Linear", "bias": True}) == (
        "layer 0 (Linear) lacks the key 'out_features'.\n"
        'Fix: {"type": "Linear", "out_features": ...}'
    )
    assert wrong_layer({"type": "Dropout", "generator": 3}).startswith(
        "layer 0 (Dropout) has no key 'generator'"
    )
    assert wrong_layer({"type": "Sequential"}) == (
        'layer 0 (Sequential) lacks the key \'layers\'.\nFix: {"type": "Sequential", "layers": ...}'
    )
    assert wrong_layer({"type": "Sequential", "layers": []}).startswith(
        "layer 0 (Sequential) has no layers"
    )


def test_wrong_values_name_the_layer():
    assert wrong_layer(linear(2), {"type": "Linear", "out_features": "ten"}).startswith(
        "layer 1 (Linear) after an input of shape (2,): out_features is a positive integer, not 't"
    )
    assert "layer 0 (Dropout)" in wrong_layer({"type": "Dropout", "p": 1.5})
    assert "did you mean 'he_normal'?" in wrong_layer({**linear(2), "weight_init": "he_norml"})
    assert "'normal' has no parameter 'sdt'" in wrong_layer(
        {**linear(2), "weight_init": {"name": "normal", "sdt": 1}}
    )
    assert wrong_layer({**linear(2), "weight_init": np.zeros(3)}).startswith(
        "layer 0 (Linear), weight_init is array([0., 0., 0.]), which is no plain data."
    )


def test_names_are_texts_without_dots_and_differ():
    assert "its name is a text without dots, not 'a.b'" in wrong_layer({**linear(1), "name": "a.b"})
    assert wrong_layer({**linear(1), "name": "a"}, {**linear(1), "name": "a"}) == (
        "layer 1 (Linear) has the name 'a' of another layer.\n"
        "Fix: another name, which is no number, or none."
    )


def test_wrong_shapes_name_the_layer():
    text = wrong_layer(linear(8), {"type": "Linear", "in_features": 9, "out_features": 2})
    assert text == (
        "layer 1 (Linear) declares in_features = 9, and its input has the shape (8,).\n"
        "Fix: leave in_features out."
    )
    text = wrong_layer({**linear(2), "in_features": 784}, input_shape=[28, 28])
    assert "put a Flatten before it" in text
    assert wrong_layer(linear(1), input_shape=[]) == (
        "layer 0 (Linear) needs an input with an axis, and its input has the shape ().\n"
        "Fix: an input_shape with more axes, or an Unflatten before the layer."
    )
    assert wrong_layer({"type": "Flatten", "start_axis": 3}).startswith(
        "layer 0 (Flatten) after an input of shape (4,): in Flatten (Flatten): an input of shape "
    )
    assert wrong_layer({"type": "Flatten", "start_axis": 0}) == (
        "layer 0 (Flatten) turned a batch of one sample, (1, 4), into (4,): a layer keeps the "
        "batch axis, which comes first.\n"
        "Fix: have it work on the axes from 1 on, and leave axis 0 as it is."
    )


def test_functions_with_a_name_are_told_as_layers_that_call_them():
    model = Sequential(Linear(3, 2), np.tanh, functional.softplus)
    spec = NetworkSpec.from_module(model)
    assert spec.to_dict()["layers"][1:] == [
        {"type": "Lambda", "function": "np.tanh"},
        {"type": "Lambda", "function": "F.softplus"},
    ]
    built = spec.build()
    built.load_state_dict(model.state_dict())
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(built(x).data, model(x).data)
    assert NetworkSpec.from_module(built) == spec


def test_models_that_no_spec_can_declare():
    shared = Linear(3, 3)
    scaled = Sequential(Linear(3, 3))
    scaled.temperature = Parameter([1.0])
    cases = {
        "a spec declares a Sequential, not a Linear": shared,
        r"(?s)layer 0.0 \(function\): .*@register_layer": Sequential(Sequential(lambda x: x)),
        r"the network has 'temperature' beside its layers": scaled,
        "the first layer does not tell the shape": Sequential(Flatten(), shared),
        "has one dtype, and the parameters have float32 and float64": Sequential(
            shared, Linear(3, 3, dtype=np.float64)
        ),
    }
    for text, model in cases.items():
        with pytest.raises(SpecError, match=text):
            NetworkSpec.from_module(model, None if "first" in text else 3)


@pytest.mark.parametrize("text", [None, 3, b"layers = []", ["x"], {"layers": []}])
def test_toml_is_a_text(text):
    with pytest.raises(SpecError, match=r"TOML is a text, not .*\nFix: NetworkSpec.from_file"):
        NetworkSpec.from_toml(text)


def test_a_sample_larger_than_any_array():
    assert wrong(input_shape=[10**30]).startswith("no array has the shape of a sample (1000")
    assert wrong(input_shape=[1] * 70).startswith("no array has the shape of a sample (1, 1")


@pytest.mark.parametrize("text", ["false", "No", "off", ""])
def test_a_text_in_place_of_a_truth_value_is_refused(text):
    linear = {"type": "Linear", "out_features": 3, "bias": text}
    for layer in (linear, {"type": "Residual", "layers": [linear]}):
        assert wrong_layer(layer).endswith(
            f"(Linear): 'bias' is the text {text!r}.\nFix: true or false."
        )


def test_a_branch_that_holds_layers_is_a_list_only_if_it_is_a_chain():
    linear = {"type": "Linear", "out_features": 2}
    around = {"type": "Residual", "layers": [linear]}
    for branches in ([[linear], around], [around, {"type": "Concat", "branches": [linear]}]):
        spec = NetworkSpec(2, [{"type": "Concat", "branches": branches}])
        assert NetworkSpec.from_module(spec.build(0), 2) == spec
