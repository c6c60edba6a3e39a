"""Cases of `tinygrad_bp.ops.recurrent` and `ops.lstm`: the steps one by one are the reference."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops.lstm import lstm
from tinygrad_bp.ops.recurrent import gru, rnn_relu, rnn_tanh
from tinygrad_bp.testing.catalogue.case import Case

SIZES = ((3, 2, 2), (1, 1, 1), (4, 1, 3), (2, 3, 1), (2, 0, 2))


def _sizes(gates, states, bias=False):
    """Shapes of what comes from inputs, of W, of a bias and of first states."""
    return tuple(
        (
            (steps, samples, gates * units),
            (gates * units, units),
            *[(gates * units,)] * bias,
            *[(samples, units)] * states,
        )
        for steps, samples, units in SIZES[: None if states else 2]
    )


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _rnn(z, w, h=0):
    h, found = h + np.zeros((z.shape[1], w.shape[1]), z.dtype), []
    for each in z:
        h = np.tanh(each + h @ w.T)
        found.append(h)
    return np.stack(found)


def _positive(z, w, h=0):
    h, found = h + np.zeros((z.shape[1], w.shape[1]), z.dtype), []
    for each in z:
        h = each + h @ w.T  # all of it positive
        found.append(h)
    return np.stack(found)


def _gru(z, w, b, h=0):
    units, found = w.shape[1], []
    h = h + np.zeros((z.shape[1], units), z.dtype)
    for each in z:
        p = h @ w.T + b
        r, u = (_sigmoid((each + p)[:, k * units : (k + 1) * units]) for k in (0, 1))
        h = u * h + (1 - u) * np.tanh(each[:, 2 * units :] + r * p[:, 2 * units :])
        found.append(h)
    return np.stack(found)


def _lstm(z, w, h=0, c=0):
    h, found = h + np.zeros((z.shape[1], w.shape[1]), z.dtype), []
    for each in z:
        i, f, g, o = np.split(each + h @ w.T, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        found.append((h, c))
    return np.stack([np.stack(part) for part in zip(*found, strict=True)])


CASES = [
    Case("rnn_tanh", rnn_tanh, _sizes(1, 1), _rnn, complex_step=True),
    Case("rnn_tanh", rnn_tanh, _sizes(1, 0), _rnn, complex_step=True, label="from zeros"),
    Case("rnn_relu", rnn_relu, _sizes(1, 1), _positive, ((0.1, 2.0),) * 3, within=True),
    Case("gru", gru, _sizes(3, 1, True), _gru, complex_step=True),
    Case("gru", gru, _sizes(3, 0, True), _gru, complex_step=True, label="from zeros"),
    Case("lstm", lstm, _sizes(4, 2), _lstm, complex_step=True),
    Case("lstm", lstm, _sizes(4, 0), _lstm, complex_step=True, label="from zeros"),
]
