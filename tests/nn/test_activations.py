"""Activations as modules: the same values as the functions, repr, and declaration."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import functional
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(7)

X = np.array([[-2.0, 0.0, 3.0, 0.5, -7.0, 8.0]])
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
    (nn.Softmin(), functional.softmin, "Softmin(axis=-1)"),
    (nn.Softmin(0), lambda x: functional.softmin(x, 0), "Softmin(axis=0)"),
    (nn.Softplus(2.0), lambda x: functional.softplus(x, 2.0), "Softplus(beta=2.0)"),
    (nn.ReLU6(), functional.relu6, "ReLU6()"),
    (nn.ClippedReLU(2.0), lambda x: functional.clipped_relu(x, 2.0), "ClippedReLU(z=2.0)"),
    (nn.Hardtanh(), functional.hardtanh, "Hardtanh()"),
    (
        nn.Hardtanh(0.0, 2.0),
        lambda x: np.clip(tg.Tensor(x), 0, 2),
        "Hardtanh(min_val=0.0, max_val=2.0)",
    ),
    (nn.Hardsigmoid(), functional.hardsigmoid, "Hardsigmoid()"),
    (nn.Hardswish(), functional.hardswish, "Hardswish()"),
    (nn.Hardshrink(), functional.hardshrink, "Hardshrink()"),
    (nn.Softshrink(1.0), lambda x: functional.softshrink(x, 1.0), "Softshrink(lambd=1.0)"),
    (nn.Tanhshrink(), functional.tanhshrink, "Tanhshrink()"),
    (nn.Threshold(1.0, -5.0), lambda x: functional.threshold(x, 1.0, -5.0), "Threshold(1.0, -5.0)"),
    (nn.CELU(2.0), lambda x: functional.celu(x, 2.0), "CELU(alpha=2.0)"),
    (nn.SELU(), functional.selu, "SELU()"),
    (nn.Mish(), functional.mish, "Mish()"),
    (nn.GLU(), functional.glu, "GLU(axis=-1)"),
    (nn.GLU(1), lambda x: functional.glu(x, 1), "GLU(axis=1)"),
    (nn.CReLU(), functional.crelu, "CReLU()"),
    (nn.Maxout(3), lambda x: functional.maxout(x, 3), "Maxout(3)"),
    (
        nn.RReLU(0.25, 0.5).eval(),
        lambda x: functional.leaky_relu(x, 0.375),
        "RReLU(lower=0.25, upper=0.5)",
    ),
]

each = pytest.mark.parametrize(
    ("module", "function", "text"), MODULES, ids=lambda part: part if isinstance(part, str) else ""
)


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
    model = nn.Sequential(nn.Linear(6, 6, dtype=np.float64, generator=0), module)
    spec = nn.NetworkSpec.from_module(model)
    again = spec.build(0)
    assert repr(again[1]) == text
    assert nn.NetworkSpec.from_dict(spec.to_dict()) == spec


# Written out anew: of numbers alone, piece by piece.
FORMULAS = {
    "relu6": lambda x: min(max(x, 0), 6),
    "clipped_relu": lambda x: min(max(x, 0), 20),
    "hardtanh": lambda x: min(max(x, -1), 1),
    "hardsigmoid": lambda x: 0 if x < -3 else 1 if x > 3 else (x + 3) / 6,
    "hardswish": lambda x: 0 if x < -3 else x if x > 3 else x * (x + 3) / 6,
    "hardshrink": lambda x: x if x > 0.5 or x < -0.5 else 0,
    "softshrink": lambda x: x - 0.5 if x > 0.5 else x + 0.5 if x < -0.5 else 0,
    "tanhshrink": lambda x: x - math.tanh(x),
    "celu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)),
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "rrelu": lambda x: x if x > 0 else x * (1 / 8 + 1 / 3) / 2,
    "softplus": lambda x: math.log(1 + math.exp(x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula_and_its_gradients_the_derivatives(name):
    function = getattr(functional, name)
    x = np.array([-9.0, -4.0, -1.7, -0.7, -0.2, 0.1, 0.45, 0.9, 2.2, 4.1, 7.7])
    np.testing.assert_allclose(function(x).data, [FORMULAS[name](v) for v in x], rtol=1e-11)
    check_gradients(function, x, order=2)
    for dtype in (np.float32, np.float16):
        assert function(x.astype(dtype)).dtype == dtype
    whole = function(np.array([-4, 0, 2])).data
    np.testing.assert_allclose(whole, [FORMULAS[name](v) for v in (-4, 0, 2)], rtol=1e-13)


def test_softplus_is_sharper_for_a_larger_beta_and_straight_beyond_its_threshold():
    x = np.array([-3.0, 0.2, 0.6, 3.0])
    expected = np.log(1 + np.exp(4 * x)) / 4
    np.testing.assert_allclose(functional.softplus(x, 4.0).data, expected, rtol=1e-10)
    cut = functional.softplus(x, 4.0, 2.0)
    np.testing.assert_allclose(cut.data, np.where(4 * x > 2, x, expected), rtol=1e-10)
    check_gradients(lambda x: functional.softplus(x, 4.0, 2.0), x)


def test_units_that_are_gated_joined_or_compared():
    x = RNG.normal(size=(2, 6, 3))
    a, b = x[:, :3], x[:, 3:]
    np.testing.assert_allclose(functional.glu(x, 1).data, a / (1 + np.exp(-b)), rtol=1e-13)
    joined = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis=1)
    np.testing.assert_array_equal(functional.crelu(x).data, joined)
    largest = np.stack([x[:, 0:2].max(1), x[:, 2:4].max(1), x[:, 4:6].max(1)], axis=1)
    np.testing.assert_array_equal(functional.maxout(x, 2).data, largest)
    assert functional.maxout(np.zeros((0, 4)), 2).shape == (0, 2)
    for function in (functional.glu, functional.crelu, lambda x: functional.maxout(x, 3, -2)):
        check_gradients(function, x if function is not functional.glu else x[:, :, :2], order=2)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_prelu_has_a_slope_for_each_channel_or_one(shape):
    x, slopes = RNG.normal(size=shape), np.array([0.1, 0.5, -0.3])
    spread = slopes.reshape(-1, *[1] * (len(shape) - 2))
    np.testing.assert_array_equal(functional.prelu(x, slopes).data, np.where(x > 0, x, x * spread))
    check_gradients(functional.prelu, x, slopes, order=2)
    check_gradients(functional.prelu, x, np.array([0.3]), order=2)
    layer = nn.PReLU(3, dtype=float)
    layer(x).sum().backward()
    assert layer.weight.grad.shape == (3,)
    assert list(layer.state_dict()) == ["weight"]
    assert layer.weight.data.tolist() == [0.25] * 3
    with pytest.raises(ShapeError, match=r"slopes of shape \(3,\)"):
        layer(np.zeros((2, 2)))


def test_rrelu_draws_a_slope_for_each_element_in_training():
    layer = nn.RReLU(0.25, 0.5, generator=0)
    x = tg.Tensor(np.linspace(-1, 1, 2000), requires_grad=True)
    y = layer(x)
    slopes = (y.data / x.data)[x.data < 0]
    assert 0.25 <= slopes.min() < 0.26
    assert 0.49 < slopes.max() <= 0.5
    np.testing.assert_array_equal(y.data[x.data > 0], x.data[x.data > 0])
    y.sum().backward()
    np.testing.assert_allclose(x.grad.data[x.data < 0], slopes, rtol=1e-12)
    assert not np.array_equal(layer(x).data, y.data)
    np.testing.assert_array_equal(nn.RReLU(0.25, 0.5, generator=0)(x).data, y.data)


def test_softmax_2d_is_over_the_channels_of_a_batch_or_of_one_image():
    x = RNG.normal(size=(2, 3, 4, 5))
    y = nn.Softmax2d()(x)
    np.testing.assert_allclose(y.data.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(nn.Softmax2d()(x[0]).data, y.data[0])
    with pytest.raises(ShapeError, match=r"Softmax2d at .*: input \(2, 3\), expected"):
        nn.Softmax2d()(x[:, :, 0, 0])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Hardtanh(1.0, 1.0), "Hardtanh: the limits are 1.0 and 1.0"),
        (lambda: functional.hardtanh(X, 2.0, 1.0), "the limits are 2.0 and 1.0"),
        (lambda: nn.ClippedReLU(0.0), "ClippedReLU: z is 0.0"),
        (lambda: nn.Softshrink(-1.0), "lambd is -1.0"),
        (lambda: nn.CELU(0.0), "alpha is 0"),
        (lambda: functional.celu(X, 0.0), "alpha is 0"),
        (lambda: nn.Softplus(0.0), "beta is 0.0"),
        (lambda: functional.softplus(X, -1.0), "beta is -1.0"),
        (lambda: nn.RReLU(0.5, 0.25), r"the slopes lie in \[0.5, 0.25\]"),
        (lambda: functional.rrelu(X, 0.5, 0.25), r"the slopes lie in \[0.5, 0.25\]"),
        (lambda: functional.rrelu(X, training=True), "has no generator"),
        (lambda: functional.rrelu(X, training=True, generator=7), "rrelu at .* has no generator"),
        (lambda: nn.PReLU(0), "num_parameters is a positive integer, not 0"),
        (lambda: nn.Maxout(0), "pool_size is a positive integer, not 0"),
        (
            lambda: functional.glu(X[:, 1:]),
            "axis -1 of an input of shape .* does not divide into 2",
        ),
        (lambda: functional.maxout(X, 2, 5), "axis 5 of an input of shape"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, text):
    with pytest.raises((ArgumentError, ShapeError), match=text):
        make()


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin", "GLU"])
def test_an_axis_may_be_called_as_in_pytorch(name):
    module = getattr(nn, name)(dim=0)
    assert repr(module) == f"{name}(axis=0)"
    spec = nn.NetworkSpec((4,), [{"type": name, "dim": 1}])
    told = nn.NetworkSpec.from_module(spec.build(), (4,)).layers[0]
    assert told == {"type": name, "axis": 1}
    function = {"GLU": "glu", "LogSoftmax": "log_softmax"}.get(name, name.lower())
    x = RNG.normal(size=(2, 4))
    by_name = getattr(functional, function)(x, dim=0)
    np.testing.assert_array_equal(by_name.data, getattr(functional, function)(x, 0).data)
    np.testing.assert_array_equal(by_name.data, module(x).data)


def test_gelu_refuses_an_approximation_that_there_is_not():
    with pytest.raises(ArgumentError, match="GELU: there is no approximation 'tahn': did you mean"):
        nn.GELU("tahn")
