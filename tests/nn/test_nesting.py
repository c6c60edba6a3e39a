"""Modules in modules, deeper than Python's own limit of calls, and in themselves."""

from __future__ import annotations

import numpy as np
import pytest
from told import here, told

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import GraphError, SpecError
from tinygrad_bp.nn import Identity, Linear, NetworkSpec, Sequential


def nested(depth):
    model = Sequential(Linear(2, 2))
    for _ in range(depth):
        model = Sequential(model)
    return model


def test_containers_nested_by_the_thousand_are_walked_and_shown():
    model = nested(3000)
    ((name, weight), _) = model.named_parameters()
    assert name == "0." * 3001 + "weight"
    assert len(list(model.modules())) == 3002
    state = model.state_dict()
    model.load_state_dict(state)
    with pytest.raises(ValueError, match="Nothing was changed"):
        model.load_state_dict({**state, name + "s": weight})
    assert not model.eval()[0].training
    assert weight.requires_grad
    assert model.astype(np.float64).state_dict()[name].dtype == np.float64
    assert "...)" in repr(model)


@pytest.mark.parametrize("itself", [False, True])
def test_a_call_that_goes_too_deep_is_told_as_such_and_leaves_nothing_behind(itself):
    model = Sequential(Identity()) if itself else nested(3000)
    if itself:
        model.append(Sequential(model))
    before = MODE.get()
    with pytest.raises(RuntimeError) as caught:
        model(np.ones((1, 2), np.float32))
    told(caught, "the call of this Sequential goes deeper", here(-1), fix="out of itself")
    assert isinstance(caught.value, GraphError)
    assert isinstance(caught.value.__cause__, RecursionError)
    assert MODE.get() is before


def test_what_nests_too_deep_or_in_itself_is_no_spec():
    layers = [{"type": "Identity"}]
    for _ in range(3000):
        layers = [{"type": "Sequential", "layers": layers}]
    cycle = {"type": "Sequential"}
    cycle["layers"] = [cycle]
    own = Sequential(Identity())
    own.append(own)
    for make in (
        lambda: NetworkSpec(2, layers),
        lambda: NetworkSpec(2, [cycle]),
        lambda: NetworkSpec.from_module(own, 2),
        lambda: NetworkSpec.from_module(nested(3000)),
        lambda: NetworkSpec.from_toml("input_shape = " + "[" * 5000),
    ):
        with pytest.raises(SpecError) as caught:
            make()
        told(caught, "nested deeper than Python allows, or in themselves", fix="in one list")


@pytest.mark.parametrize("itself", [False, True])
def test_a_summary_of_what_is_too_deep_is_told_too(itself):
    model = Sequential() if itself else nested(3000)
    if itself:
        model.append(model)
    with pytest.raises(GraphError, match="goes deeper than Python allows"):
        model.summary(2)
