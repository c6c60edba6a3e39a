from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError
from tinygrad_bp.nn import functional
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("lead", [(), (4,), (2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_bilinear_layer_is_a_number_for_each_form(lead, bias):
    layer = nn.Bilinear(2, 3, 4, bias, dtype=float, generator=0)
    x1, x2 = RNG.normal(size=(*lead, 2)), RNG.normal(size=(*lead, 3))
    expected = np.zeros((*lead, 4)) + (layer.bias.data if bias else 0)
    for k in range(4):
        for i in range(2):
            for j in range(3):
                expected[..., k] += x1[..., i] * layer.weight.data[k, i, j] * x2[..., j]
    np.testing.assert_allclose(layer(x1, x2).data, expected, rtol=1e-12)
    parameters = [p.data for p in layer.parameters()]
    check_gradients(functional.bilinear, x1, x2, *parameters, order=2)


def test_its_parameters_start_uniform_with_the_names_of_the_field():
    layer = nn.Bilinear(100, 20, 30, generator=0)
    assert {n: p.shape for n, p in layer.named_parameters()} == {
        "weight": (30, 100, 20),
        "bias": (30,),
    }
    assert 0.099 < np.abs(layer.weight.data).max() <= np.float32(0.1)
    assert layer.weight.dtype == np.float32
    assert repr(nn.Bilinear(1, 2, 3, bias=False)) == "Bilinear(1, 2, 3, bias=False)"
    assert (nn.Bilinear(2, 2, 1, bias_init="ones").bias.data == 1).all()


def test_a_spec_names_both_inputs_and_the_sizes_follow():
    spec = nn.NetworkSpec(
        {"user": 3, "item": 4},
        [{"type": "Bilinear", "out_features": 2, "inputs": ["user", "item"]}],
    )
    model = spec.build(0)
    assert repr(model[0]) == "Bilinear(3, 4, 2)"
    assert nn.NetworkSpec.from_module(model) == spec
    with pytest.raises(SpecError, match="needs 2 inputs"):
        nn.NetworkSpec(3, [{"type": "Bilinear", "out_features": 2}])


def test_inputs_that_do_not_fit_are_told():
    layer = nn.Bilinear(2, 3, 4)
    for shapes in (((5, 2), (5, 2)), ((5, 2), (4, 3)), ((2,), (5, 3)), ((), (3,))):
        with pytest.raises(ShapeError, match=r"Bilinear at .*expected \(…, 2\) and \(…, 3\)"):
            layer(*map(np.zeros, shapes))
    with pytest.raises(ShapeError, match=r"bilinear at .* with a weight of shape \(2, 2\)"):
        functional.bilinear([1.0, 2.0], [1.0, 2.0], np.eye(2))
    with pytest.raises(ShapeError, match=r"a bias of shape \(2,\)"):
        functional.bilinear([1.0], [1.0], np.ones((1, 1, 1)), np.ones(2))
    with pytest.raises(ArgumentError, match="in2_features is a positive integer, not 0"):
        nn.Bilinear(2, 0, 4)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("p", [1, 2, 3.5, np.inf])
def test_normalized_vectors_have_length_1(p, axis):
    x = RNG.normal(size=(3, 4, 2))
    found = functional.normalize(x, p, axis)
    np.testing.assert_allclose(np.linalg.norm(found.data, p, axis), 1, rtol=1e-13)
    np.testing.assert_array_equal(functional.normalize(x, p, dim=axis).data, found.data)
    check_gradients(lambda x: functional.normalize(x, p, axis), x, order=2)


def test_short_vectors_are_divided_by_eps_and_arguments_are_checked():
    np.testing.assert_array_equal(
        functional.normalize([[3.0, 4.0], [0.0, 0.0]], eps=10.0).data, [[0.3, 0.4], [0, 0]]
    )
    with pytest.raises(ShapeError, match="there is no axis 1"):
        functional.normalize([1.0])
    with pytest.raises(ArgumentError, match="eps is -1"):
        functional.normalize([[1.0]], eps=-1)
