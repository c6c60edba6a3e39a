"""Activations far from zero, at their kinks, and against SciPy's special functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError
from tinygrad_bp.ops import activations, softmax

EXTREMES = np.array([-1e4, -800.0, -100.0, -1.0, 0.0, 1.0, 100.0, 800.0, 1e4])
FUNCTIONS = {
    "relu": activations.relu,
    "sigmoid": activations.sigmoid,
    "softsign": activations.softsign,
    "softplus": activations.softplus,
    "log_sigmoid": activations.log_sigmoid,
    "silu": activations.silu,
    "gelu": activations.gelu,
    "gelu by tanh": lambda x: activations.gelu(x, "tanh"),
    "normal_cdf": activations.normal_cdf,
    "leaky_relu": lambda x: activations.leaky_relu(x, slope=0.1),
    "elu": lambda x: activations.elu(x, alpha=1.0),
    "softmax": lambda x: softmax.softmax(x, axis=0),
    "log_softmax": lambda x: softmax.log_softmax(x, axis=0),
    "logsumexp": lambda x: softmax.logsumexp(x, axis=0, keepdims=False),
}


def derivatives(function, values):
    """Value, first and second derivative of a function of single elements."""
    x = tg.Tensor(values, requires_grad=True)
    y = function(x)
    y.sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    if first.requires_grad:
        first.sum().backward()
    second = np.zeros_like(values) if x.grad is None else x.grad.data
    return y.data, first.data, second


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_both_derivatives_are_finite_far_from_zero(name, dtype):
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for part in derivatives(FUNCTIONS[name], EXTREMES.astype(dtype)):
            assert part.dtype == dtype
            assert np.isfinite(part).all()


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("sigmoid", (0, 0), (1, 0)),
        ("softsign", (-1e4 / 10001, 1 / 10001**2), (1e4 / 10001, 1 / 10001**2)),
        ("softplus", (0, 0), (1e4, 1)),
        ("log_sigmoid", (-1e4, 1), (0, 0)),
        ("silu", (0, 0), (1e4, 1)),
        ("gelu", (0, 0), (1e4, 1)),
        ("gelu by tanh", (0, 0), (1e4, 1)),
        ("leaky_relu", (-1e3, 0.1), (1e4, 1)),
        ("elu", (-1, 0), (1e4, 1)),
    ],
)
def test_limits_far_from_zero(name, left, right):
    value, slope, _ = derivatives(FUNCTIONS[name], np.array([-1e4, 1e4]))
    np.testing.assert_allclose(value, [left[0], right[0]], rtol=1e-14, atol=1e-290)
    np.testing.assert_allclose(slope, [left[1], right[1]], rtol=1e-14, atol=1e-290)


def test_sigmoid_keeps_its_digits_where_it_is_small():
    x = np.linspace(-700, 30, 2001)
    np.testing.assert_allclose(activations.sigmoid(x).data, special.expit(x), rtol=1e-15)
    x = np.linspace(-87, 30, 2001, dtype=np.float32)
    expected = special.expit(x.astype(float))
    np.testing.assert_allclose(activations.sigmoid(x).data, expected, rtol=1e-6)


def test_sigmoid_of_integers_and_numbers_is_a_float():
    assert activations.sigmoid(np.array([0, 0])).dtype == np.float64
    assert activations.sigmoid(0).item() == 0.5
    assert isinstance(activations.sigmoid(np.float32(0)).data, np.float32)


def test_complex_numbers_are_refused():
    with pytest.raises(DTypeError, match=r"sigmoid.*\n?Fix"):
        activations.sigmoid(np.array([1j]))


def test_log_sigmoid_keeps_its_digits_on_both_sides():
    x = np.array([-750.0, -30.0, 0.0, 30.0, 700.0])
    np.testing.assert_allclose(activations.log_sigmoid(x).data, special.log_expit(x), rtol=1e-15)


def test_softplus_keeps_its_digits_where_it_is_small():
    assert activations.softplus(-50.0).item() == pytest.approx(math.exp(-50), rel=1e-15, abs=0)


def test_normal_distribution_agrees_with_erfc():
    x = np.linspace(-37, 37, 3001)
    expected = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    ours = activations.normal_cdf(x).data
    np.testing.assert_allclose(ours, expected, rtol=0, atol=5e-16)
    np.testing.assert_allclose(ours, expected, rtol=5e-13)
    near = np.abs(x) < 1
    np.testing.assert_allclose(ours[near], expected[near], rtol=2e-15)


def test_gelu_agrees_with_its_definition():
    x = np.linspace(-6, 6, 601)
    expected = x * special.ndtr(x)
    np.testing.assert_allclose(activations.gelu(x).data, expected, rtol=1e-13, atol=1e-300)


def test_gelu_in_single_precision_and_its_slope_lose_no_digits():
    x = np.linspace(-5, 5, 40001, dtype=np.float32)  # more than are computed at once
    wide = x.astype(float)
    slope = special.ndtr(wide) + wide * np.exp(-(wide**2) / 2) / math.sqrt(2 * math.pi)
    value, first, _ = derivatives(activations.gelu, x)
    np.testing.assert_allclose(value, wide * special.ndtr(wide), rtol=2e-6)
    np.testing.assert_allclose(first, slope, rtol=2e-6, atol=1e-7)


def test_gelu_of_any_layout_and_of_numbers_is_the_same():
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    expected = activations.gelu(x).data
    assert np.array_equal(activations.gelu(np.asfortranarray(x)).data, expected)
    assert np.array_equal(activations.gelu(x[::-1, :, ::2]).data, expected[::-1, :, ::2])
    number = activations.gelu(x[1, 2, 3]).data
    assert number == expected[1, 2, 3]
    assert isinstance(number, np.float64)


def test_gelu_by_tanh_is_close_to_the_exact_one():
    x = np.linspace(-6, 6, 601)
    exact, near = activations.gelu(x).data, activations.gelu(x, "tanh").data
    assert 1e-5 < np.abs(exact - near).max() < 1e-3


def test_gelu_names_the_nearest_approximation():
    with pytest.raises(ArgumentError, match="no approximation 'tan': did you mean 'tanh'"):
        activations.gelu(1.0, "tan")


@pytest.mark.parametrize(
    ("name", "slope"),
    [("relu", 0.0), ("leaky_relu", 0.1), ("elu", 1.0), ("softsign", 1.0)],
)
def test_derivative_at_the_kink_is_the_documented_one(name, slope):
    _, first, _ = derivatives(FUNCTIONS[name], np.zeros(2))
    assert first.tolist() == [slope] * 2


def test_second_derivative_of_softsign_at_zero_is_zero():
    assert derivatives(FUNCTIONS["softsign"], np.zeros(1))[2].tolist() == [0.0]


def test_infinite_inputs_have_the_values_of_the_limits():
    x = np.array([-np.inf, np.inf])
    assert activations.relu(x).data.tolist() == [0, np.inf]
    assert activations.softplus(x).data.tolist() == [0, np.inf]
    assert activations.normal_cdf(x).data.tolist() == [0, 1]
    np.testing.assert_allclose(activations.sigmoid(x).data, [0, 1], atol=1e-300)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_stays_nan(name):
    assert np.isnan(FUNCTIONS[name](np.array([np.nan, 1.0])).data).any()


def test_results_never_share_memory_with_the_input():
    for name, function in FUNCTIONS.items():
        x = np.array([[1.0, 2.0]])
        assert not np.shares_memory(function(x).data, x), name


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sigmoid_of_many_numbers_neither_overflows_nor_hides_nan(kind):
    few = np.append(EXTREMES, np.nan).astype(kind)
    many = activations.sigmoid(tg.Tensor(np.tile(few, 200))).data
    np.testing.assert_allclose(many, np.tile(special.expit(few), 200), rtol=1e-6, atol=1e-37)
    fine = activations.sigmoid(tg.Tensor(np.tile(few[2:-3], 200))).data  # none is too large
    np.testing.assert_allclose(fine, np.tile(special.expit(few[2:-3]), 200), rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("kind", [">f4", ">f8", "<f8"])
def test_sigmoid_of_numbers_in_the_byte_order_of_a_file(kind):
    x = tg.Tensor(np.array([0.0, 2.0], kind), requires_grad=True)
    z = activations.sigmoid(x)
    z.sum().backward()
    np.testing.assert_allclose(z.data, special.expit([0.0, 2.0]), rtol=1e-6)
    np.testing.assert_allclose(x.grad.data, z.data * (1 - z.data), rtol=1e-6)
    assert activations.sigmoid(x[1]).item() == pytest.approx(special.expit(2.0), rel=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_silu_vanishes_far_below_zero(kind):
    x = tg.Tensor([-np.inf, np.finfo(kind).min, -1e4], requires_grad=True, dtype=kind)
    z = activations.silu(x)
    z.sum().backward()
    np.testing.assert_allclose(z.data, 0, atol=1e-36)
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-36)
