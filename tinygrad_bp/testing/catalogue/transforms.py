"""Cases of the primitives that stand for whole functions: recomputed, or with rules by hand."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.transforms import checkpoint, custom_vjp

SHAPES = (((2, 3), (3,)), ((), ()), ((2, 1), (1, 3)), ((0, 2), (2,)))


def _wave(x, y):
    return np.sin(x) * y + x


def _waves(x, y):
    return {"sin": np.sin(x * y), "ends": (np.exp(y), x, "text")}


def _joined(waves, x, y):
    return waves["sin"] * waves["ends"][0] + waves["ends"][1]


def _closed_over(x, y):
    """The second input is no argument of what is computed again."""
    inner = x * 2.0
    return checkpoint(lambda x: _wave(x, y) * inner)(x)


@custom_vjp
def _by_hand(x, y):
    return _wave(x, y)


def _forward(x, y):
    return _by_hand(x, y), (x, y, np.sin(x))


def _backward(residuals, g):
    x, y, sin = residuals
    along_x, along_y = g * (np.cos(x) * y + 1.0), g * sin
    return tuple(_summed(a, v.shape) for a, v in ((along_x, x), (along_y, y)))


def _summed(a, shape):
    """As broadcasting is undone by hand."""
    if a.ndim > len(shape):
        a = np.sum(a, axis=tuple(range(a.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and a.shape[i] != 1)
    return np.sum(a, axis=axes, keepdims=True) if axes else a


_by_hand.defvjp(_forward, _backward)
_by_hand._primitive.name = "custom_vjp"  # under which the catalogue knows it


def _pair(x, y):
    """Two outputs of one application."""
    a, b = _two(x, y)
    return a * b


@custom_vjp
def _two(x, y):
    return np.exp(x), x * y


_two.defvjp(
    lambda x, y: (_two(x, y), (x, y)),
    lambda r, g: (
        g[0] * np.exp(r[0]) + _summed(g[1] * r[1], r[0].shape),
        _summed(g[1] * r[0], r[1].shape),
    ),
)
_two._primitive.name = "custom_vjp"


CASES = [
    Case("checkpoint", checkpoint(_wave), SHAPES, _wave, complex_step=True),
    Case(
        "checkpoint",
        lambda x, y: _joined(checkpoint(_waves)(x, y), x, y),
        SHAPES,
        lambda x, y: _joined(_waves(x, y), x, y),
        complex_step=True,
        label="container",
    ),
    Case(
        "checkpoint",
        lambda x, y: _closed_over(tg.as_tensor(x), y),
        SHAPES,
        lambda x, y: _wave(x, y) * (x * 2.0),
        complex_step=True,
        label="closure",
    ),
    Case(
        "checkpoint",
        checkpoint(lambda x, y: checkpoint(np.tanh)(checkpoint(_wave)(x, y))),
        SHAPES,
        lambda x, y: np.tanh(_wave(x, y)),
        complex_step=True,
        label="nested",
    ),
    Case("custom_vjp", _by_hand, SHAPES, _wave, complex_step=True),
    Case(
        "custom_vjp",
        _pair,
        (((2, 3), (3,)), ((), ()), ((2, 3), (1, 3)), ((0, 2), (2,))),
        lambda x, y: np.exp(x) * (x * y),
        complex_step=True,
        label="two outputs",
    ),
]
