r"""Batch and layer normalisation: an array less its mean, divided by its deviation, in one step.

:math:`\hat{x} = (x - \mu) / \sqrt{\sigma^2 + \epsilon}`, then :math:`\gamma \hat{x} + \beta` if a
weight and a bias are given. They are primitives because a step forward and back, composed of
NumPy's functions, takes 120 ms in place of 27 for (64, 64, 28, 28) float32, and 400 µs in place of
225 for (8, 64, 128). On arrays the rules work in place; on tensors they are what one would write.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive


def _as_float(*inputs: Any) -> tuple[Any, np.dtype[Any]]:
    """The inputs in the one dtype in which to compute, float32 or better, and that of the result.

    None stays None.
    """
    given = [x for x in inputs if x is not None]
    dtype = np.result_type(*given)
    dtype = dtype if dtype.kind == "f" else np.result_type(dtype, float)
    wide = np.result_type(dtype, np.float32)
    return [x if x is None else np.asarray(x, wide) for x in inputs], dtype


_BLOCK = 1024


class Columns:
    """A batch (N, C, ...) as a matrix of a row for each sample, to compute channel by channel.

    Channels lie side by side in a row. What belongs to a channel is repeated along them, so that
    NumPy's inner loops are as long as a row: they take a third of the time where a channel is
    4 × 4, and as much where it is 28 × 28.
    """

    __slots__ = ("channels", "count", "length", "samples")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.samples, self.channels = shape[:2]
        self.length = math.prod(shape[2:])
        self.count = max(self.samples * self.length, 1)

    def rows(self, x: Any) -> Any:
        """The batch as a matrix."""
        return x.reshape(self.samples, self.channels * self.length)

    def spread(self, v: Any) -> Any:
        """What belongs to a channel, for each element of a row."""
        return v if self.length == 1 else np.repeat(v, self.length)

    def total(self, v: Any) -> Any:
        """The sum over the elements of a row that belong to one channel."""
        if self.length == 1:
            return v
        return np.add.reduce(v.reshape(self.channels, self.length), axis=1)

    def sums(self, rows: Any) -> Any:
        """The sum of each channel; by BLAS, which adds up more exactly than np.sum does."""
        return self._blocks(lambda part: np.ones(len(part), part.dtype) @ part, rows)

    def products(self, a: Any, b: Any) -> Any:
        """The sum of the products of two matrices, of each channel."""
        return self._blocks(lambda p, q: np.einsum("nk,nk->k", p, q), a, b)

    def _blocks(self, f: Any, *matrices: Any) -> Any:
        """Sums over samples; of many, those of blocks are added in double precision."""
        if self.samples <= _BLOCK:
            return self.total(f(*matrices))
        starts = range(0, self.samples, _BLOCK)
        parts = [f(*(matrix[i : i + _BLOCK] for matrix in matrices)) for i in starts]
        dtype = matrices[0].dtype
        return self.total(np.sum(parts, 0, np.result_type(dtype, float)).astype(dtype))

    def moments(self, rows: Any) -> tuple[Any, Any, Any]:
        """Mean and variance of each channel, and the rows less the mean."""
        mean = self.sums(rows) / self.count
        away = rows - self.spread(mean)
        return mean, self.products(away, away) / self.count, away


def channel_moments(x: Any) -> Any:
    """Mean and variance of each channel of a batch (N, C, ...), an array of shape (2, C).

    Examples
    --------
    >>> channel_moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
    array([[2., 5.],
           [1., 0.]])
    """
    (x,), dtype = _as_float(x)
    columns = Columns(x.shape)
    mean, variance, _ = columns.moments(columns.rows(x))
    return np.stack([mean, variance]).astype(dtype)


def _batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    (x, weight, bias), dtype = _as_float(x, weight, bias)
    columns = Columns(x.shape)
    mean, variance, y = columns.moments(columns.rows(x))
    scale = 1 / np.sqrt(variance + eps)
    y *= columns.spread(scale if weight is None else scale * weight)
    if bias is not None:
        y += columns.spread(bias)
    return y.reshape(x.shape).astype(dtype, copy=False), np.stack([mean, variance])


def _batch_norm_rule(
    g: Any,
    out: Any,
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    eps: float,
    saved: Any,
) -> list[Any]:
    if not isinstance(g, np.ndarray):
        axes = (0, *range(2, x.ndim))
        return _rule_on_tensors(g, x, weight, bias, axes, axes, eps)
    parts = 1 + (weight is not None) + (bias is not None)
    (g, x, weight), _ = _as_float(g, x, weight)
    columns, (mean, variance) = Columns(x.shape), saved
    g, y = columns.rows(g), columns.rows(x) - columns.spread(mean)
    scale = 1 / np.sqrt(variance + eps)
    total, along = columns.sums(g), columns.products(y, g)
    y *= columns.spread(scale**2 * along / -columns.count)
    y += g
    y -= columns.spread(total / columns.count)
    y *= columns.spread(scale if weight is None else scale * weight)
    return [y.reshape(x.shape), along * scale, total][:parts]


def _layer_norm(x: Any, weight: Any = None, bias: Any = None, *, axes: int, eps: float) -> Any:
    (x, weight, bias), dtype = _as_float(x, weight, bias)
    n = math.prod(x.shape[x.ndim - axes :])
    rows = x.reshape(math.prod(x.shape[: x.ndim - axes]), n)
    # What the rule needs in one array, the rows and then the factor of each. Without the rows it
    # would take 120 µs in place of 75, on (8, 64, 128) float32.
    saved = np.empty(rows.size + len(rows), rows.dtype)
    y, scale = saved[: rows.size].reshape(rows.shape), saved[rows.size :]
    mean = rows @ np.full(n, 1 / max(n, 1), rows.dtype)
    np.subtract(rows, mean[:, None], out=y)
    np.divide(np.vecdot(y, y), max(n, 1), out=scale)
    scale += eps
    np.divide(1, np.sqrt(scale, out=scale), out=scale)
    y *= scale[:, None]
    z = y if weight is None else y * weight.reshape(n)
    if bias is not None:
        z += bias.reshape(n)
    return z.reshape(x.shape).astype(dtype, copy=z is y), saved


def _layer_norm_rule(
    g: Any,
    out: Any,
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    axes: int,
    eps: float,
    saved: Any,
) -> list[Any]:
    last = x.ndim - axes
    if not isinstance(g, np.ndarray):
        ours, others = tuple(range(last, x.ndim)), tuple(range(last))
        return _rule_on_tensors(g, x, weight, bias, ours, others, eps)
    (g, w), _ = _as_float(g, weight)
    n = math.prod(x.shape[last:])
    y = saved[: x.size].reshape(math.prod(x.shape[:last]), n)
    scale = saved[x.size :, None]
    g = g.reshape(y.shape)
    ones = np.ones(len(y), y.dtype)
    w = np.ones(n, y.dtype) if weight is None else w.reshape(n)
    along = y * g
    parts = [along]
    if weight is not None:
        parts.append((ones @ along).reshape(weight.shape))
    if bias is not None:
        parts.append((ones @ g).reshape(bias.shape))
    mean, slope = (v @ (w / -max(n, 1)) for v in (g, along))
    np.multiply(y, slope[:, None], out=along)
    along += g if weight is None else g * w
    along += mean[:, None]
    along *= scale
    parts[0] = along.reshape(x.shape)
    return parts


def _rule_on_tensors(
    g: Any, x: Any, weight: Any, bias: Any, ours: Any, others: Any, eps: float
) -> list[Any]:
    """The cotangents: `ours` are the axes of the mean, `others` those that share the weight."""
    count = max(math.prod(x.shape[i] for i in ours), 1)

    def mean(v: Any) -> Any:
        return np.sum(v, axis=ours, keepdims=True) / count

    away = x - mean(x)
    scale = (mean(away * away) + eps) ** -0.5
    y = away * scale
    d = g
    if weight is not None:
        d = g * np.reshape(weight, [1 if i in others else x.shape[i] for i in range(x.ndim)])
    d = d - mean(d) - y * mean(d * y)
    parts = [d * scale]
    if weight is not None:
        parts.append(np.sum(g * y, axis=others))
    if bias is not None:
        parts.append(np.sum(g, axis=others))
    return parts


_SCALE = r"\sqrt{\sigma^2 + \epsilon}"


def _formulas(of_each: str, over: str) -> dict[str, Any]:
    """The formulas of a normalisation: of what is a mean, and over what a weight has its sum."""
    return {
        "formula": rf"\gamma \, \frac{{x - \mu}}{{{_SCALE}}} + \beta, "
        rf"\; \mu, \sigma \text{{ of each {of_each}}}",
        "vjp_formulas": [
            rf"\frac{{1}}{{{_SCALE}}} \left( u - \operatorname{{mean}} u - h \, "
            rf"\operatorname{{mean}}(u \, h) \right), \; u = \gamma \, \bar{{z}}, "
            rf"\; h = \frac{{x - \mu}}{{{_SCALE}}}",
            rf"\textstyle\sum_{{\text{{{over}}}}} \frac{{x - \mu}}{{{_SCALE}}} \, \bar{{z}}",
            rf"\textstyle\sum_{{\text{{{over}}}}} \bar{{z}}",
        ],
    }


batch_norm = Primitive(
    "batch_norm",
    _batch_norm,
    _batch_norm_rule,
    joint=True,
    saves=True,
    analytic=False,
    **_formulas("channel", "channel"),
)

layer_norm = Primitive(
    "layer_norm",
    _layer_norm,
    _layer_norm_rule,
    joint=True,
    saves=True,
    analytic=False,
    **_formulas("sample", "broadcast"),
)
