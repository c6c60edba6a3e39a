"""Cases of `tinygrad_bp.ops.losses`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops import losses
from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (2, 3)), ((), ()), ((0,), (0,)))
ROWS = (((2, 3), (2, 3)), ((1, 4), (1, 4)), ((0, 3), (0, 3)))
LOGITS = (((2, 3),), ((4, 2),), ((0, 3),), ((3, 1),))
# Far enough apart that x - y meets no kink of |x - y|, and both sides of that of Huber's loss.
APART = ((0.1, 2.0), (-2.0, -0.1))
PROBABILITIES = ((-4.0, 4.0), (0.1, 0.9))


def _log_softmax(x):
    return x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))


def _labels(x):
    return np.arange(len(x)) % x.shape[1]


def _each(x):
    return _log_softmax(x)[np.arange(len(x)), _labels(x)]


CASES = [
    Case(
        "squared_error",
        lambda x, y: losses.squared_error(x, y, scale=0.25),
        PAIRS,
        lambda x, y: 0.25 * ((x - y) ** 2).sum(),
        complex_step=True,
    ),
    Case(
        "squared_error",
        lambda x: losses.squared_error(x, x * x, scale=0.5),
        (((3,),),),
        lambda x: 0.5 * ((x - x * x) ** 2).sum(),
        complex_step=True,
        label="both of one tensor",
    ),
    Case(
        "absolute_error",
        lambda x, y: losses.absolute_error(x, y, scale=0.25),
        PAIRS,
        lambda x, y: 0.25 * np.sqrt((x - y) ** 2).sum(),
        APART,
    ),
    Case(
        "huber",
        lambda x, y: losses.huber(x, y, delta=5.0, scale=0.25),
        PAIRS,
        lambda x, y: 0.125 * ((x - y) ** 2).sum(),
        label="near",
    ),
    Case(
        "huber",
        lambda x, y: losses.huber(x, y, delta=0.1, scale=0.25),
        PAIRS,
        lambda x, y: 0.025 * (np.abs(x - y) - 0.05).sum(),
        APART,
        label="far",
    ),
    Case(
        "cross_entropy",
        lambda x, y: losses.cross_entropy(x, y, scale=0.25),
        ROWS,
        lambda x, y: -0.25 * (y * _log_softmax(x)).sum(),
        PROBABILITIES,
        complex_step=True,
    ),
    Case(
        "cross_entropy_labels",
        lambda x: losses.cross_entropy_labels(x, _labels(x), scale=0.25),
        LOGITS,
        lambda x: -0.25 * _each(x).sum(),
        PROBABILITIES,
        complex_step=True,
    ),
    Case(
        "binary_cross_entropy",
        lambda x, y: losses.binary_cross_entropy(x, y, scale=0.25),
        PAIRS,
        lambda x, y: (
            -0.25 * (y * np.log(1 / (1 + np.exp(-x))) + (1 - y) * np.log(1 / (1 + np.exp(x)))).sum()
        ),
        PROBABILITIES,
        complex_step=True,
    ),
]
