"""Softmax, its logarithm, and the logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_bp.core import Primitive
from tinygrad_bp.ops.helpers import on_float_arrays

# NumPy reduces a short last axis a row at a time. With that axis copied to the front, softmax of
# (10000, 10) float32 takes 100 µs in place of 700, of (10000, 100) 1400 in place of 2300; of
# (128, 1000) it would take 230 in place of 160.
_SHORT = 128


def centred(x: Any, axis: int) -> tuple[Any, int]:
    """A copy of `x` less its maximum along `axis`, with that axis moved, and where it is now.

    ``result.swapaxes(axis, moved)`` moves it back.

    Examples
    --------
    >>> centred(np.array([[1.0, 3.0], [5.0, 5.0]]), 1)
    (array([[-2.,  0.],
           [ 0.,  0.]]), 0)
    """
    axis = normalize_axis_index(axis, x.ndim)
    moved = 0 if x.shape[axis] <= _SHORT else axis
    s = x.swapaxes(axis, moved).copy()
    if s.size:
        s -= np.maximum.reduce(s, axis=moved, keepdims=True)
    return s, moved


@on_float_arrays
def _softmax(x: Any, *, axis: int) -> Any:
    s, moved = centred(x, axis)
    np.exp(s, out=s)
    s /= s.sum(axis=moved, keepdims=True)
    return s.swapaxes(axis, moved)


def _softmax_vjp(g: Any, out: Any, x: Any, *, axis: int) -> Any:
    d = g * out
    return d - out * np.sum(d, axis=axis, keepdims=True)


softmax = Primitive(
    "softmax",
    _softmax,
    [_softmax_vjp],
    formula=r"\frac{e^x}{\sum_j e^{x_j}}",
    vjp_formulas=[r"z \, (\bar{z} - \textstyle\sum_j \bar{z}_j z_j)"],
)


@on_float_arrays
def _log_softmax(x: Any, *, axis: int) -> Any:
    s, moved = centred(x, axis)
    if s.size:
        s -= np.log(np.exp(s).sum(axis=moved, keepdims=True))
    return s.swapaxes(axis, moved)


log_softmax = Primitive(
    "log_softmax",
    _log_softmax,
    [lambda g, out, x, *, axis: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True)],
    formula=r"x - \log \textstyle\sum_j e^{x_j}",
    vjp_formulas=[r"\bar{z} - e^z \textstyle\sum_j \bar{z}_j"],
)


@on_float_arrays
def _logsumexp(x: Any, *, axis: Any, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isinf(top), x.dtype.type(0), top)  # inf - inf has no value
    # The logarithm of 0, where all elements are -inf; large elements beside one that is infinite.
    with np.errstate(divide="ignore", over="ignore"):
        out = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return out if keepdims else out.squeeze(axis)[()]


def _logsumexp_vjp(g: Any, out: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    if not keepdims:
        shape = np.empty(x.shape, np.bool).any(axis=axis, keepdims=True).shape
        g, out = np.reshape(g, shape), np.reshape(out, shape)
    infinite = np.isposinf(out)
    if np.any(infinite):  # all that counts there is which elements are infinite
        x = np.where(infinite, np.where(np.isposinf(x), 0, -np.inf), x)
    share = np.exp(x - np.where(np.isinf(out), 0, out))
    # Far from 0, out is rounded by more than the shares may be, but by the same for all of them.
    return g * share / np.where(np.isinf(out), 1, np.sum(share, axis=axis, keepdims=True))


logsumexp = Primitive(
    "logsumexp",
    _logsumexp,
    [_logsumexp_vjp],
    formula=r"\log \textstyle\sum_j e^{x_j}",
    vjp_formulas=[r"\bar{z} \, e^{x - z}"],
    kinks="where z is infinite, the derivative is 1 for the infinite elements and 0 for the others",
)
