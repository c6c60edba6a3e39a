"""Modules in modules, deeper than Python's own limit of calls, and in themselves."""

from __future__ import annotations

import numpy as np
import pytest
from told import here, told

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import GraphError
from tinygrad_bp.nn import Identity, Linear, Sequential


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
