from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.errors import SpecError
from tinygrad_bp.nn import (
    Identity,
    Linear,
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


def linear(n):
    return {"type": "Linear", "out_features": n}


@pytest.mark.usefixtures("own_layers")
def test_users_register_their_own_layers():
    @register_layer
    class Gated(Module):
        def __init__(self, in_features, power, *, offset=1.0, dtype=np.float32, generator=None):
            self.power, self.offset = power, offset
            self.inner = [Linear(in_features, 2, dtype=dtype, generator=generator)]

        def forward(self, x):
            return self.inner[0](x) ** self.power + self.offset

    spec = NetworkSpec(4, [{"type": "Gated", "power": 2}, linear(3)], "float64")
    assert [s.shape for s in spec.shapes()] == [(2,), (3,)]
    model = spec.build(0)
    assert {str(p.dtype) for p in model.parameters()} == {"float64"}
    assert NetworkSpec.from_module(model) == spec
    with pytest.raises(
        SpecError, match=r"layer 0 \(Gated\) has no key 'powr'.\nFix: did you mean 'power"
    ):
        NetworkSpec(4, [{"type": "Gated", "powr": 2}])
    with pytest.raises(SpecError, match=r"layer 0 \(Gated\) after an input of shape \(4,\)"):
        NetworkSpec(4, [{"type": "Gated", "power": "two"}])


@pytest.mark.usefixtures("own_layers")
def test_a_registered_layer_may_have_another_name_and_be_told_its_input_shape():
    @register_layer(name="Bias")
    class PerElement(Module):
        def __init__(self, input_shape):
            self.values = Parameter(np.ones(input_shape, np.float32))

        def forward(self, x):
            return x + self.values

    spec = NetworkSpec([2, 3], [{"type": "Bias"}])
    assert spec.build(0)[0].values.shape == (2, 3)
    assert NetworkSpec.from_module(spec.build(0)) == spec


@pytest.mark.usefixtures("own_layers")
def test_registering_what_cannot_be_registered():
    class Linear(Module):
        pass

    with pytest.raises(SpecError, match="there is a layer 'Linear' already"):
        register_layer(Linear)
    with pytest.raises(SpecError, match="there is a layer 'Sequential' already"):
        register_layer(name="Sequential")(Linear)

    class Bad(Module):
        def __init__(self, name):
            self.name = name

    with pytest.raises(SpecError, match=r"Bad\.__init__ has an argument 'name'"):
        register_layer(Bad)
    assert register_layer(Identity) is Identity


@pytest.mark.usefixtures("own_layers")
def test_a_layer_that_does_not_keep_its_arguments_says_how():
    @register_layer
    class Forgetful(Module):
        def __init__(self, factor=2.0):
            pass

        def forward(self, x):
            return x

    with pytest.raises(SpecError, match=r"(?s)does not keep its argument 'factor'.*config\(\)"):
        NetworkSpec.from_module(Sequential(Forgetful()), 3)


@pytest.mark.usefixtures("own_layers")
def test_a_size_is_the_length_of_the_axis_that_its_class_names():
    @register_layer(sizes={"in_channels": 0, "width": -1})
    class Sizes(Module):
        def __init__(self, in_channels, width, scale=1.0):
            self.in_channels, self.width, self.scale = in_channels, width, scale

        def forward(self, x):
            return x * self.scale

    spec = NetworkSpec((3, 5, 7), [{"type": "Sizes"}])
    assert vars(spec.build()[0]).items() >= {"in_channels": 3, "width": 7}.items()
    assert NetworkSpec((3, 5, 7), [{"type": "Sizes", "in_channels": 3, "scale": 1.0}]) == spec
    assert NetworkSpec.from_module(spec.build()) == spec
    with pytest.raises(SpecError, match=r"declares in_channels = 4, and its input .* \(3, 5, 7\)"):
        NetworkSpec((3, 5, 7), [{"type": "Sizes", "in_channels": 4}])
    with pytest.raises(SpecError, match=r"needs an input with an axis, and its input .* \(\)"):
        NetworkSpec((), [{"type": "Sizes"}])


@pytest.mark.parametrize("wrong", [3, "Layer", int, lambda x: x, Identity()])
def test_only_classes_of_modules_are_layers(wrong, own_layers):
    before = dict(registry.LAYERS)
    with pytest.raises(SpecError, match=r"takes a class of modules, not .*\nFix: @register_layer"):
        register_layer(wrong)
    with pytest.raises(SpecError, match=r"takes a class of modules, not .*\nFix: @register_layer"):
        register_layer(name="Mine")(wrong)
    with pytest.raises(SpecError, match=r"by argument, and is .*\nFix: as parts="):
        register_layer(parts={"layers": "chains"})(type("Mine", (Module,), {}))
    assert before == registry.LAYERS
