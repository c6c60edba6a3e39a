r"""Losses as single primitives: elements, sum and scale in one pass, with few temporary arrays.

Each is ``scale`` times a sum over all elements, so that a mean is ``scale=1/n``. Each is a
primitive of its own because the derivative of the composed form would lose digits or take several
times as long: that of the cross-entropy is softmax(x) − y.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.activations import log1p_exp_minus_abs, sigmoid
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.softmax import centred, log_softmax, softmax


def _squared_error(x: Any, y: Any, *, scale: float) -> Any:
    d = np.subtract(x, y)
    return np.vdot(d, d) * scale


def _squared_error_vjp(g: Any, out: Any, x: Any, y: Any, *, scale: float) -> Any:
    d = x - y
    d *= g * (2 * scale)
    return d


squared_error = Primitive(
    "squared_error",
    _squared_error,
    [
        _squared_error_vjp,
        lambda g, out, x, y, *, scale: _squared_error_vjp(-g, out, x, y, scale=scale),
    ],
    formula=r"s \textstyle\sum (x - y)^2",
    vjp_formulas=[r"2 s \, (x - y) \, \bar{z}", r"2 s \, (y - x) \, \bar{z}"],
)

absolute_error = Primitive(
    "absolute_error",
    lambda x, y, *, scale: np.abs(np.subtract(x, y)).sum() * scale,
    [
        lambda g, out, x, y, *, scale: np.sign(x - y) * (g * scale),
        lambda g, out, x, y, *, scale: np.sign(y - x) * (g * scale),
    ],
    formula=r"s \textstyle\sum |x - y|",
    vjp_formulas=[
        r"s \, \operatorname{sign}(x - y) \, \bar{z}",
        r"s \, \operatorname{sign}(y - x) \, \bar{z}",
    ],
    analytic=False,
    kinks="0 at x = y",
)


def _huber(x: Any, y: Any, *, delta: float, scale: float) -> Any:
    d = np.abs(np.subtract(x, y))
    near = np.minimum(d, delta)
    d -= near * 0.5
    return np.vdot(near, d) * scale


huber = Primitive(
    "huber",
    _huber,
    [
        lambda g, out, x, y, *, delta, scale: np.clip(x - y, -delta, delta) * (g * scale),
        lambda g, out, x, y, *, delta, scale: np.clip(y - x, -delta, delta) * (g * scale),
    ],
    formula=r"s \textstyle\sum h_\delta(x - y), \; h_\delta(d) = \frac{d^2}{2} \text{ for } "
    r"|d| \le \delta \text{, else } \delta \, (|d| - \frac{\delta}{2})",
    vjp_formulas=[
        r"s \, \operatorname{clip}(x - y, -\delta, \delta) \, \bar{z}",
        r"s \, \operatorname{clip}(y - x, -\delta, \delta) \, \bar{z}",
    ],
    analytic=False,
    kinks="smooth; the second derivative jumps at |x - y| = delta",
)


def _cross_entropy(x: Any, y: Any, *, scale: float) -> Any:
    return np.vdot(log_softmax.forward(x, axis=-1), y) * -scale


def _cross_entropy_vjp(g: Any, out: Any, x: Any, y: Any, *, scale: float) -> Any:
    d = apply(softmax, x, axis=-1) * np.sum(y, axis=-1, keepdims=True) - y
    return d * (g * scale)


cross_entropy = Primitive(
    "cross_entropy",
    _cross_entropy,
    [
        _cross_entropy_vjp,
        lambda g, out, x, y, *, scale: apply(log_softmax, x, axis=-1) * (g * -scale),
    ],
    formula=r"-s \textstyle\sum y \log \operatorname{softmax}(x)",
    vjp_formulas=[
        r"s \, (\operatorname{softmax}(x) \textstyle\sum_j y_j - y) \, \bar{z}",
        r"-s \log \operatorname{softmax}(x) \, \bar{z}",
    ],
)


def _cross_entropy_labels(x: Any, labels: Any, *, scale: float) -> Any:
    if x.dtype.kind != "f":
        x = x.astype(float)
    s, moved = centred(x, 1)
    # Where the labels' logits lie in memory: one flat index takes a third of the time of two. That
    # each label is a class is what `nn.targets` has seen to.
    samples, classes = np.arange(len(x)), labels.astype(np.intp, copy=False)
    at = samples * s.shape[1] + classes if moved else classes * s.shape[1] + samples
    flat = s.reshape(-1)
    picked = flat[at]
    np.exp(s, out=s)
    total = np.add.reduce(s, axis=moved)  # as s.sum, which costs a call
    s /= total if not moved else total[:, None]
    flat[at] -= 1
    logs = np.log(total)
    logs -= picked
    return np.add.reduce(logs) * scale, s.swapaxes(1, moved)


def _cross_entropy_labels_vjp(
    g: Any, out: Any, x: Any, labels: Any, *, scale: float, saved: Any
) -> Any:
    if isinstance(x, np.ndarray):  # the difference saved takes 1 µs in place of 13, on (100, 10)
        return saved * (g * scale)
    return (apply(softmax, x, axis=1) - one_hot(labels, x.shape[1], x.dtype)) * (g * scale)


cross_entropy_labels = Primitive(
    "cross_entropy_labels",
    _cross_entropy_labels,
    [_cross_entropy_labels_vjp, None],
    formula=r"-s \textstyle\sum_i \log \operatorname{softmax}(x_i)_{y_i}",
    vjp_formulas=[r"s \, (\operatorname{softmax}(x) - \operatorname{onehot}(y)) \, \bar{z}", "0"],
    saves=True,
)


def one_hot(labels: Any, classes: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Rows of zeros with a one at the label, the samples of each class side by side in memory.

    So does `softmax` arrange what it returns, and the difference of the two takes 70 µs less for
    (10000, 10) float32 than in the usual order.

    Examples
    --------
    >>> one_hot([2, 0], 3, float)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    rows = np.zeros((classes, len(labels)), dtype)
    rows[np.asarray(labels), np.arange(len(labels))] = 1
    return rows.T


def _binary_cross_entropy(x: Any, y: Any, *, scale: float) -> Any:
    # The large parts come first, and cancel exactly where y is 0 or 1.
    total = np.multiply(x, y)
    total -= np.maximum(x, 0)
    total -= log1p_exp_minus_abs(x)
    return total.sum() * -scale


def _binary_cross_entropy_vjp(g: Any, out: Any, x: Any, y: Any, *, scale: float) -> Any:
    d = apply(sigmoid, x) - y
    d *= g * scale
    return d


def _binary_cross_entropy_target_vjp(g: Any, out: Any, x: Any, y: Any, *, scale: float) -> Any:
    return np.broadcast_to(x * (g * -scale), np.broadcast_shapes(x.shape, y.shape))


binary_cross_entropy = Primitive(
    "binary_cross_entropy",
    _binary_cross_entropy,
    [_binary_cross_entropy_vjp, _binary_cross_entropy_target_vjp],
    formula=r"s \textstyle\sum (\log(1 + e^x) - x y)",
    vjp_formulas=[r"s \, (\sigma(x) - y) \, \bar{z}", r"-s \, x \, \bar{z}"],
)
