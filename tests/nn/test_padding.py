"""Padding against slices put together by hand; in specs, and what is said of wrong use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(29)
X = RNG.normal(size=(2, 3, 4, 5))


def place(i, n, mode):
    """Which element stands at place i of a line of n that goes on beyond its ends."""
    if mode == "reflect":
        return -i if i < 0 else 2 * (n - 1) - i if i >= n else i
    if mode == "replicate":
        return min(max(i, 0), n - 1)
    return i % n if mode == "circular" else (i if 0 <= i < n else None)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@given(st.lists(st.integers(-1, 3), min_size=4, max_size=4))
def test_what_stands_at_each_place(mode, widths):
    left, right, top, bottom = widths
    x = X[0, 0]
    cut = x[max(-top, 0) : 4 - max(-bottom, 0), max(-left, 0) : 5 - max(-right, 0)]
    most = {"reflect": 1, "circular": 0}.get(mode, -9)
    if max(top, bottom) > cut.shape[0] - most or max(left, right) > cut.shape[1] - most:
        with pytest.raises(ShapeError, match="elements to repeat along axis"):
            F.pad(x, widths, mode)
        return
    z = F.pad(x, widths, mode).data
    assert z.shape == (4 + top + bottom, 5 + left + right)
    for i, j in np.ndindex(z.shape):
        a = place(i - max(top, 0), cut.shape[0], mode)
        b = place(j - max(left, 0), cut.shape[1], mode)
        assert z[i, j] == (0 if a is None or b is None else cut[a, b])


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_gradients_are_the_derivatives(mode):
    check_gradients(lambda x: F.pad(x, (2, -1, 1, 2), mode) ** 2, X[:1, :2], order=2)


def test_a_constant_is_any_number_and_the_dtype_stays():
    x = np.ones((1, 2), np.float32)
    assert F.pad(x, (1, 0, 0, 1), value=-1.5).data.tolist() == [[-1.5, 1, 1], [-1.5] * 3]
    assert F.pad(x, (1, 0), value=0.1).dtype == np.float32
    assert F.pad(np.array([1, 2]), (0, 1), value=7).data.tolist() == [1, 2, 7]
    assert F.pad(np.array([1, 2]), (0, 1), value=0.5).data.tolist() == [1, 2, 0.5]
    assert F.pad(x, ()).data.tolist() == [[1, 1]]


def test_layers_are_declared_with_one_number_or_each_side():
    layers = [
        {"type": "ZeroPad2d", "padding": 1},
        {"type": "ReflectionPad2d", "padding": [2, 1, 0, 3]},
        {"type": "ConstantPad2d", "padding": [0, -2, 0, 0], "value": 0.5},
        {"type": "ReplicationPad2d", "padding": [0, 0, 1, 0]},
        {"type": "CircularPad2d", "padding": [0, 0, 0, 1]},
    ]
    spec = NetworkSpec((3, 4, 5), layers)
    shapes = [(3, 6, 7), (3, 9, 10), (3, 9, 8), (3, 10, 8), (3, 11, 8)]
    assert [s.shape for s in spec.shapes()] == shapes
    model = spec.build()
    assert NetworkSpec.from_module(model, input_shape=(3, 4, 5)) == spec
    assert NetworkSpec.from_toml(spec.to_toml()) == spec
    assert repr(model[2]) == "ConstantPad2d([0, -2, 0, 0], 0.5)"
    assert model(X).shape == (2, 3, 11, 8)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: F.pad(X, (1, 1), "reflected"),
            ArgumentError,
            "no mode 'reflected'.\nFix: did you",
        ),
        (lambda: F.pad(X, (1, 1), "reflect", 1.0), ArgumentError, "value=1.0, which mode='reflect"),
        (lambda: F.pad(X, (1, 1, 1)), ArgumentError, "pairs of whole numbers.*last axis on, not"),
        (lambda: F.pad(X, (1, 0.5)), ArgumentError, "pairs of whole numbers"),
        (lambda: F.pad(X, (0, 0) * 5), ShapeError, "for 5 axes, and the input .* has 4"),
        (lambda: F.pad(X, (-3, -3)), ShapeError, "cuts off more than the 5 elements along axis 3"),
        (lambda: F.pad(X, (5, 0), "reflect"), ShapeError, "at most 4 elements to repeat"),
        (lambda: F.pad(X, (6, 0), "circular"), ShapeError, "at most 5 elements to repeat"),
        (lambda: F.pad(X[..., :0], (1, 0), "replicate"), ShapeError, "at most 0 elements"),
        (lambda: tg.nn.ReflectionPad1d(5)(X[0]), ShapeError, r"in ReflectionPad1d \(pad\): mode"),
        (
            lambda: tg.nn.ZeroPad2d((1, 2)),
            ArgumentError,
            "ZeroPad2d: padding is a whole number, or 4",
        ),
    ],
)
def test_wrong_use(call, error, words):
    with pytest.raises(error, match=words):
        call()
