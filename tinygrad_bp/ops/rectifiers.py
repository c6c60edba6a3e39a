"""Activations made of pieces: straight lines between limits, and slopes of one's own below 0.

They are primitives because each takes many times as long as its pieces, chosen by `numpy.where`:
`hardtanh` of (64, 16, 28, 28) float32, forward and back, 0.5 ms in place of 7.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.helpers import on_float_arrays


def _inside(g: Any, out: Any, x: Any, *, low: float, high: float) -> Any:
    return g * ((x > low) & (x < high))


hardtanh = Primitive(
    "hardtanh",
    lambda x, *, low, high: np.clip(x, low, high),
    [_inside],
    formula=r"\min(\max(x, p), q)",
    vjp_formulas=[r"[p < x] \, [x < q] \, \bar{z}"],
    analytic=False,
    kinks="0 at both limits",
)


def _beyond(g: Any, out: Any, x: Any, *, limit: float) -> Any:
    return g * ((x > limit) | (x < -limit))


hardshrink = Primitive(
    "hardshrink",
    lambda x, *, limit: x * (np.abs(x) > limit),
    [_beyond],
    formula=r"[|x| > \lambda] \, x",
    vjp_formulas=[r"[|x| > \lambda] \, \bar{z}"],
    analytic=False,
    kinks="it jumps where |x| is the limit, and the derivative is 0 there",
)

softshrink = Primitive(
    "softshrink",
    lambda x, *, limit: x - np.clip(x, -limit, limit),
    [_beyond],
    formula=r"x - \min(\max(x, -\lambda), \lambda)",
    vjp_formulas=[r"[|x| > \lambda] \, \bar{z}"],
    analytic=False,
    kinks="0 where |x| is the limit",
)

threshold = Primitive(
    "threshold",
    # Not where x > limit, so that what is no number stays.
    lambda x, *, limit, other: np.where(x <= limit, np.asarray(other, x.dtype), x),
    [lambda g, out, x, *, limit, other: np.where(x <= limit, 0, g)],
    formula=r"[x > \lambda] \, x + [x \le \lambda] \, \eta",
    vjp_formulas=[r"[x > \lambda] \, \bar{z}"],
    analytic=False,
    kinks="it jumps at the limit, and the derivative is 0 there",
)


@on_float_arrays
def _hardswish(x: Any) -> Any:
    h = x / 6
    h += 0.5
    np.clip(h, 0, 1, out=h)
    h *= x
    return h


def _hardswish_slope(g: Any, out: Any, x: Any) -> Any:
    # In place, both ways take 1.2 ms, as expressions 2.0, on (64, 16, 28, 28) float32.
    d = x / 3
    d += 0.5
    d *= (x > -3) & (x < 3)
    d += x >= 3
    d *= g
    return d


hardswish = Primitive(
    "hardswish",
    _hardswish,
    [_hardswish_slope],
    formula=r"x \min(\max(\frac{x}{6} + \frac{1}{2}, 0), 1)",
    vjp_formulas=[r"([x > -3] \, [x < 3] \, (\frac{x}{3} + \frac{1}{2}) + [x \ge 3]) \, \bar{z}"],
    analytic=False,
    kinks="0 at x = -3 and 1 at x = 3",
)


def _prelu_slope(g: Any, out: Any, x: Any, w: Any) -> Any:
    positive = (x > 0).astype(x.dtype)
    return g * (positive + w * (1 - positive))


prelu = Primitive(
    "prelu",
    lambda x, w: np.maximum(x, 0) + w * np.minimum(x, 0),
    [_prelu_slope, lambda g, out, x, w: g * (x * (x <= 0))],
    formula=r"\max(x, 0) + w \min(x, 0)",
    vjp_formulas=[r"([x > 0] + w \, [x \le 0]) \, \bar{z}", r"\min(x, 0) \, \bar{z}"],
    analytic=False,
    kinks="w at x = 0",
)
