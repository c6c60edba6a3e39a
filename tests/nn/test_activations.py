"""Activations as modules: the same values as the functions, repr, and declaration."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import functional

X = np.array([[-2.0, 0.0, 3.0]])
MODULES = [
    (nn.ReLU(), functional.relu, "ReLU()"),
    (nn.Sigmoid(), functional.sigmoid, "Sigmoid()"),
    (nn.Tanh(), functional.tanh, "Tanh()"),
    (nn.Softsign(), functional.softsign, "Softsign()"),
    (nn.Softplus(), functional.softplus, "Softplus()"),
    (nn.LogSigmoid(), functional.log_sigmoid, "LogSigmoid()"),
    (nn.SiLU(), functional.silu, "SiLU()"),
    (nn.GELU(), functional.gelu, "GELU()"),
    (nn.GELU("tanh"), lambda x: functional.gelu(x, "tanh"), "GELU(approximate='tanh')"),
    (nn.LeakyReLU(), functional.leaky_relu, "LeakyReLU()"),
    (
        nn.LeakyReLU(0.2),
        lambda x: functional.leaky_relu(x, 0.2),
        "LeakyReLU(negative_slope=0.2)",
    ),
    (nn.ELU(), functional.elu, "ELU()"),
    (nn.ELU(2.0), lambda x: functional.elu(x, 2.0), "ELU(alpha=2.0)"),
    (nn.Softmax(), functional.softmax, "Softmax(axis=-1)"),
    (nn.Softmax(0), lambda x: functional.softmax(x, 0), "Softmax(axis=0)"),
    (nn.LogSoftmax(1), functional.log_softmax, "LogSoftmax(axis=1)"),
]

each = pytest.mark.parametrize(("module", "function", "text"), MODULES, ids=lambda m: str(m)[:40])


@each
def test_a_module_computes_what_its_function_does_and_shows_its_arguments(module, function, text):
    x = tg.Tensor(X, requires_grad=True)
    y = module(x)
    np.testing.assert_array_equal(y.data, function(X).data)
    assert y.requires_grad
    assert repr(module) == text
    assert list(module.parameters()) == []


@each
def test_every_activation_can_be_declared_and_read_back(module, function, text):
    model = nn.Sequential(nn.Linear(3, 3, dtype=np.float64, generator=0), module)
    spec = nn.NetworkSpec.from_module(model)
    again = spec.build(0)
    assert repr(again[1]) == text
    assert nn.NetworkSpec.from_dict(spec.to_dict()) == spec


def test_gelu_refuses_an_approximation_that_there_is_not():
    with pytest.raises(ArgumentError, match="GELU: there is no approximation 'tahn': did you mean"):
        nn.GELU("tahn")
