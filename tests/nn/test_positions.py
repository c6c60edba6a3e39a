"""Positions against sines, cosines and complex numbers one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import NetworkSpec, RotaryPositions, SinusoidalPositions
from tinygrad_bp.nn.functional import rotary
from tinygrad_bp.nn.positions import sinusoidal_positions
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("features", [1, 4, 5])
def test_sinusoidal_positions_are_their_formula(features):
    table = sinusoidal_positions(6, features, base=50.0, dtype=float)
    assert table.shape == (6, features)
    for t, k in np.ndindex(table.shape):
        angle = t / 50.0 ** ((k - k % 2) / features)
        assert table[t, k] == pytest.approx((math.cos if k % 2 else math.sin)(angle), abs=1e-12)


def test_the_layer_adds_them_in_the_dtype_and_the_order_of_its_input():
    x = RNG.normal(size=(2, 6, 4))
    y = SinusoidalPositions(4, batch_first=True)(x).data
    np.testing.assert_array_equal(y, x + sinusoidal_positions(6, 4, dtype=float))
    turned = SinusoidalPositions(4)(x.swapaxes(0, 1)).data
    np.testing.assert_array_equal(turned.swapaxes(0, 1), y)
    np.testing.assert_array_equal(SinusoidalPositions(4)(x[0]).data, y[0])
    assert SinusoidalPositions(4)(x.astype(np.float32)).dtype == np.float32


def test_rotary_positions_turn_complex_numbers():
    x = RNG.normal(size=(2, 3, 5, 6))
    numbers = x[..., 0::2] + 1j * x[..., 1::2]
    angles = np.arange(7, 12)[:, None] * 100.0 ** (-2 * np.arange(3) / 6)
    turned = numbers * np.exp(1j * angles)
    y = RotaryPositions(6, base=100.0)(x, start=7).data
    np.testing.assert_allclose(y[..., 0::2], turned.real, rtol=1e-12)
    np.testing.assert_allclose(y[..., 1::2], turned.imag, rtol=1e-12)
    assert rotary(x.astype(np.float32)).dtype == np.float32


def test_the_gradient_of_rotary_positions_is_the_numerical_one():
    assert check_gradients(lambda x: np.sum(np.sin(rotary(x))), RNG.normal(size=(3, 4))).passed


def test_specs_know_the_features():
    for layer in (
        {"type": "SinusoidalPositions", "batch_first": True},
        {"type": "RotaryPositions"},
    ):
        spec = NetworkSpec((5, 4), [layer])
        model = spec.build(0)
        assert model(np.zeros((3, 7, 4), np.float32)).shape == (3, 7, 4)
        assert NetworkSpec.from_module(model, (5, 4)) == spec


def test_wrong_sizes_are_told():
    with pytest.raises(ArgumentError, match="dim is even, as features are turned in pairs, not 3"):
        RotaryPositions(3)
    with pytest.raises(ShapeError, match=r"input \(5, 3\), expected .* in pairs"):
        rotary(np.zeros((5, 3)))
    with pytest.raises(ShapeError, match=r"input \(5, 2\), expected \(…, steps, 4\)"):
        RotaryPositions(4)(np.zeros((5, 2)))
    with pytest.raises(ShapeError, match=r"input \(5, 2\), expected \(steps, samples, 4\)"):
        SinusoidalPositions(4)(np.zeros((5, 2)))


def test_no_steps_and_no_samples_stay_none():
    layer = SinusoidalPositions(6, batch_first=True)
    assert layer(np.ones((2, 0, 6))).shape == (2, 0, 6)
    assert layer(np.ones((0, 2, 6))).shape == (0, 2, 6)
    assert RotaryPositions(6)(np.ones((2, 0, 6))).shape == (2, 0, 6)
