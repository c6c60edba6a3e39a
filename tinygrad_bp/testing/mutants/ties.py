"""What the rules give where there is no derivative: the conventions, one by one, with numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import PRIMITIVES, Tensor
from tinygrad_bp.testing.setting import Draw, require_close


class Tie(NamedTuple):
    """A call at a tie or a kink, and the gradients that the convention promises there."""

    primitive: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    gradients: tuple[Any, ...]


def _row(name: str, call: Callable[..., Any], *pairs: tuple[Any, Any]) -> Tie:
    """A tie from pairs of an input and its gradient."""
    inputs, gradients = zip(*pairs, strict=True)
    return Tie(name, call, tuple(np.array(x, float) for x in inputs), gradients)


_ONES = [1.0, 1.0]
_SHARED = ([1.0, 1.0], [0.5, 0.5])
_ORIGIN = ([0.0, 0.0], [0.0, 0.0])

TIES = [
    *(_row(n, getattr(np, n), _SHARED, _SHARED) for n in ("maximum", "minimum", "fmax", "fmin")),
    *(_row(n, getattr(np, n), ([1.0, 1.0, 1.0, 1.0], [0.25] * 4)) for n in ("max", "min")),
    *(_row(n, getattr(np, n), ([0.0, 2.0], [0.0, 1.0])) for n in ("absolute", "fabs")),
    _row("hypot", np.hypot, _ORIGIN, _ORIGIN),
    _row("arctan2", np.arctan2, _ORIGIN, _ORIGIN),
    _row("std", np.std, ([1.0, 1.0], [0.0, 0.0])),
    _row("norm", np.linalg.norm, _ORIGIN),
    _row("copysign", np.copysign, ([0.0, 2.0], [0.0, 1.0]), (_ONES, [0.0, 0.0])),
    _row("sort", lambda x: np.sort(x) * np.array([1.0, 5.0]), ([1.0, 1.0], [3.0, 3.0])),
    _row("cummax", np.maximum.accumulate, ([1.0, 1.0], [1.5, 0.5])),
    _row("cummin", np.minimum.accumulate, ([1.0, 1.0], [1.5, 0.5])),
    _row("power", lambda x: x ** np.array([0.0, 1.0, 2.0]), ([0.0] * 3, [0.0, 1.0, 0.0])),
    _row("power", np.power, ([0.0], [0.0]), ([2.0], [0.0])),
    _row("float_power", np.float_power, ([0.0], [0.0]), ([2.0], [0.0])),
    _row("relu", lambda x: PRIMITIVES["relu"](x), ([0.0, 2.0], [0.0, 1.0])),
]


def examples(primitive: str) -> list[Tie]:
    """The rows of a primitive."""
    return [tie for tie in TIES if tie.primitive == primitive]


def ties(case: Any, draw: Draw) -> None:
    """The gradients at ties and kinks are those of the convention."""
    for tie in examples(case.primitive):
        leaves = [Tensor(np.array(x), requires_grad=True) for x in tie.inputs]
        out = tie.call(*leaves)
        out.backward(np.ones(out.shape))
        for leaf, expected in zip(leaves, tie.gradients, strict=True):
            actual = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data
            require_close(actual, expected, 1e-12, f"{case.primitive}: the gradient at a tie")
