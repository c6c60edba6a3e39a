"""Arguments of another kind than their annotation says, of every layer that ships."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from nn.every_layer import DECLARED, names, spec_of
from told import here, told

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, DTypeError, SpecError
from tinygrad_bp.nn.checked import KINDS
from tinygrad_bp.nn.registry import LAYERS

WRONG = {
    "bool": ["x", 2, 0.5, [True]],
    "int": ["x", 7.5, True, [1]],
    "float": ["x", True, float("nan"), [0.5]],
    "str": [3, True, ["mean"]],
    "Module": [],  # those a spec declares as layers
}
CASES = [
    (name, argument.name, kind)
    for name in names()
    for argument in inspect.signature(LAYERS[name].cls).parameters.values()
    for kind in [str(argument.annotation).removesuffix(" | None")]
    if kind in KINDS and argument.name in LAYERS[name].keys
]


@pytest.mark.parametrize(("name", "argument", "kind"), CASES)
def test_what_is_not_of_the_annotated_kind_is_refused(name, argument, kind, monkeypatch):
    shape, arguments = DECLARED.get(name, ((4, 6), {}))
    for wrong in WRONG[kind]:
        if argument == "value" and wrong != wrong:
            continue  # NaN may mark what was padded
        monkeypatch.setitem(DECLARED, name, (shape, {**arguments, argument: wrong}))
        with pytest.raises(SpecError) as caught:
            spec_of(name)
        told(caught, f"layer 0 ({name}) after an input of shape ", fix="")


def test_the_cases_are_many():
    assert len(CASES) > 150
    assert {kind for *_, kind in CASES} == set(KINDS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(np.int64(3), np.uint8(2), np.True_),
        lambda: nn.LeakyReLU(np.float32(0.5)),
        lambda: nn.ELU(np.int64(1)),
        lambda: nn.Flatten(np.int8(1), np.int64(-1)),
        lambda: nn.Hardtanh(0, float("inf")),
        lambda: nn.Softmax(dim=np.int64(-1)),
        lambda: nn.Embedding(3, 2, max_norm=np.float64(1.0), padding_idx=np.int64(0)),
    ],
)
def test_scalars_of_numpy_are_as_good_as_numbers_of_python(make):
    make()


@pytest.mark.parametrize(
    ("make", "said", "fix"),
    [
        (lambda: nn.Linear(2, 3, bias="no"), "Linear: bias is True or False, not 'no'", "True"),
        (lambda: nn.Linear(2, 3, biass=True), "Linear has no argument 'biass'", "mean 'bias'"),
        (lambda: nn.Dropout(p=0.5, inplace=True), "Dropout has no argument 'inplace'", "known: g"),
        (lambda: nn.Flatten("a"), "Flatten: start_axis is a whole number, not 'a'", "start_axis=1"),
        (lambda: nn.Flatten(1.0), "Flatten: start_axis is a whole number, not 1.0", "start_axis=1"),
        (lambda: nn.Softmax(axis=True), "Softmax: axis is a whole number, not True", "axis=1"),
        (lambda: nn.ELU(float("nan")), "ELU: alpha is a number, not nan", "alpha=0.5"),
        (lambda: nn.Softplus(None), "Softplus: beta is a number, not None", "beta=0.5"),
        (lambda: nn.TransformerEncoder(None, 2), "encoder_layer is a module, not None", "=nn.Lin"),
        (lambda: nn.LayerNorm(7.5), "normalized_shape is a positive integer, not 7.5", "a whole"),
        (
            lambda: nn.Unflatten(1, 4),
            "unflattened_size is a tuple of lengths, not 4",
            "(1, 28, -1)",
        ),
        (lambda: nn.Unflatten(1, (2, -2)), "is a tuple of lengths, not (2, -2)", "(1, 28, -1)"),
        (lambda: nn.Lambda("np.mean", 3), "the arguments of a Lambda are a dict, not 3", "axis"),
        (
            lambda: nn.Conv2d(1, 1, 3, padding_mode=[]),
            "padding_mode is a text, not []",
            "padding_mo",
        ),
    ],
)
def test_what_is_wrong_is_told(make, said, fix):
    with pytest.raises(ArgumentError) as caught:
        make()
    told(caught, said, fix=fix)


@pytest.mark.parametrize("kind", ["BatchNorm1d", "GroupNorm", "LayerNorm", "PReLU", "Linear"])
@pytest.mark.parametrize("dtype", ["float31", int, complex, 3])
def test_the_dtype_of_parameters_is_one_of_real_numbers(kind, dtype):
    sizes = {"GroupNorm": (2, 4), "Linear": (2, 3)}.get(kind, (4,))
    with pytest.raises(DTypeError) as caught:
        getattr(nn, kind)(*sizes, dtype=dtype)
    told(caught, here(-1), fix="")
    with pytest.raises(DTypeError, match="float32 or float64"):
        nn.Parameter([1.0], dtype=dtype)


def test_layers_of_users_mean_by_annotations_what_they_like(monkeypatch):
    monkeypatch.setattr("tinygrad_bp.nn.registry.LAYERS", dict(LAYERS))

    @nn.register_layer
    class Scale(nn.Module):
        def __init__(self, factor: float) -> None:
            self.factor = factor

    assert Scale("x").factor == "x"
    with pytest.raises(TypeError, match="factr"):
        Scale(factr=2)
