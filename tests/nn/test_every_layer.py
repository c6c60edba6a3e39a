"""What holds for each layer that ships: it is declared, described, copied, summarised."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from nn.every_layer import every_layer, names, spec_of

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import NetworkSpec


def outputs(value):
    """The arrays in what a layer gives."""
    if isinstance(value, (tuple, list)):
        return [array for each in value for array in outputs(each)]
    return [np.asarray(getattr(value, "data", value))]


@pytest.mark.parametrize("name", names())
def test_a_layer_goes_to_toml_and_to_a_module_and_back(name):
    spec = spec_of(name, "float64")
    assert NetworkSpec.from_toml(spec.to_toml()) == spec
    model = spec.build(0)
    told = NetworkSpec.from_module(model, spec.input_shape)
    if list(model.parameters()):
        assert told == spec
    assert told.to_dict()["layers"] == NetworkSpec.from_module(told.build(1)).to_dict()["layers"]
    assert {str(p.dtype) for p in model.parameters()} <= {"float64"}
    assert model.summary(spec.input_shape).rows[1].output_shape


def test_copies_and_pickles_give_what_the_layers_give():
    for name, layer, inputs in every_layer():
        expected = outputs(layer(*inputs))
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            for a, b in zip(outputs(other(*inputs)), expected, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)


def test_no_samples_give_no_samples():
    for name, layer, inputs in every_layer():
        none = [x[:0] if x.dtype.kind == "i" else Tensor(x[:0], True) for x in inputs]
        results = layer(*none)
        results = results if isinstance(results, tuple) else (results,)
        for y, of_two in zip(results, outputs(layer(*inputs)), strict=True):
            assert (y.shape, y.dtype) == ((0, *of_two.shape[1:]), of_two.dtype), name
        if results[0].requires_grad:
            results[0].sum().backward()
        for p in layer.parameters():
            assert p.grad is None or not p.grad.data.any(), name


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_whole_numbers_are_to_a_layer_what_real_ones_are(dtype):
    rng = np.random.default_rng(0)
    as_numpy_has_it = {"Add", "Concat", "Fold", "Tanh"}  # sums of uint8, and np.tanh of it
    for name, layer, inputs in every_layer("float64"):
        if layer.takes_indices or name in as_numpy_has_it:
            continue
        whole = [rng.integers(0, 250, x.shape).astype(dtype) for x in inputs]
        found, expected = (outputs(layer(*xs)) for xs in (whole, [x.astype(float) for x in whole]))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)
