from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import Linear, Sequential
from tinygrad_bp.nn.utils import parameters_to_vector, vector_to_parameters


def test_parameters_become_a_vector_and_come_back():
    model = Sequential(Linear(3, 2, generator=0), Linear(2, 1, generator=1))
    vector = parameters_to_vector(model.parameters())
    assert vector.shape == (11,)
    np.testing.assert_array_equal(vector.data[:6], model[0].weight.data.ravel())
    (vector * np.arange(11.0, dtype=np.float32)).sum().backward()
    np.testing.assert_array_equal(model[0].weight.grad.data, np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(model[1].bias.grad.data, [10])
    other = Sequential(Linear(3, 2), Linear(2, 1))
    vector_to_parameters(vector, other.parameters())
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value)


@pytest.mark.parametrize("shape", [(8,), (10,), (3, 3), ()])
def test_a_vector_of_another_length_changes_nothing(shape):
    layer = Linear(2, 3)
    before = layer.state_dict()
    with pytest.raises(ShapeError, match="for 9 elements of parameters.*Nothing was changed"):
        vector_to_parameters(np.ones(shape), layer.parameters())
    assert all(np.array_equal(layer.state_dict()[name], a) for name, a in before.items())


def test_without_parameters_there_is_no_vector():
    with pytest.raises(ArgumentError, match="no parameters to make a vector of"):
        parameters_to_vector(Sequential().parameters())


@pytest.mark.parametrize("wrong", [Linear(2, 2), Sequential(Linear(2, 2)), 3, None, [np.ones(2)]])
def test_what_is_no_parameter_is_told(wrong):
    for call in (lambda: parameters_to_vector(wrong), lambda: vector_to_parameters([1.0], wrong)):
        with pytest.raises(
            ArgumentError, match=r" is no parameter \(at .*\nFix: module.parameters"
        ):
            call()
