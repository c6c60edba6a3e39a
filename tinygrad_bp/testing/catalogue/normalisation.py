"""Cases of `tinygrad_bp.ops.normalisation`; the references are the formulas of the papers."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops import normalisation
from tinygrad_bp.testing.catalogue.case import Case

# So large that the variance of few elements beside it makes no steep places.
EPS = 0.5
BATCHES = ((4, 3), (3, 2, 2), (2, 3, 1, 2), (1, 2), (0, 2))


def _standardised(x, axes):
    n = max(int(np.prod([x.shape[i] for i in axes])), 1)
    away = x - np.sum(x, axes, keepdims=True) / n
    return away / np.sqrt(np.sum(away * away, axes, keepdims=True) / n + EPS)


def _over_the_batch(x, *vectors):
    weight, bias = (np.reshape(v, (-1,) + (1,) * (x.ndim - 2)) for v in _padded(x, vectors))
    return _standardised(x, (0, *range(2, x.ndim))) * weight + bias


def _over_the_last(axes):
    def reference(x, *vectors):
        weight, bias = _padded(x, vectors)
        return _standardised(x, tuple(range(x.ndim - axes, x.ndim))) * weight + bias

    return reference


def _over_groups(groups):
    def reference(x, *vectors):
        parts = _standardised(
            x.reshape(len(x), groups, -1) if x.size else x, (2,) if x.size else ()
        )
        weight, bias = (np.reshape(v, (-1,) + (1,) * (x.ndim - 2)) for v in _padded(x, vectors))
        return parts.reshape(x.shape) * weight + bias

    return reference


def _padded(x, vectors):
    return (*vectors, *(np.array([n], x.dtype) for n in (1, 0)[len(vectors) :]))


def _cases(primitive, label, reference, with_vectors, **params):
    """Alone, with a weight, and with a weight and a bias."""
    words = ("alone", "weight", "weight and bias")
    for k, what in enumerate(words):
        yield Case(
            primitive.name,
            lambda *xs: primitive(*xs, eps=EPS, **params),
            tuple((x, *[v] * k) for x, v in with_vectors),
            reference,
            complex_step=True,
            label=f"{label}, {what}" if label else what,
        )


def _last(axes, shapes):
    return tuple((shape, shape[len(shape) - axes :]) for shape in shapes)


CASES = [
    *_cases(
        normalisation.batch_norm,
        "",
        _over_the_batch,
        tuple((shape, shape[1:2]) for shape in BATCHES),
    ),
    *_cases(
        normalisation.layer_norm,
        "last axis",
        _over_the_last(1),
        _last(1, ((4, 3), (2, 2, 3), (3,), (0, 2), (2, 1))),
        axes=1,
    ),
    *_cases(
        normalisation.layer_norm,
        "two axes",
        _over_the_last(2),
        _last(2, ((2, 2, 3), (2, 1, 2, 2))),
        axes=2,
    ),
    *_cases(
        normalisation.group_norm,
        "two groups",
        _over_groups(2),
        tuple((shape, shape[1:2]) for shape in ((2, 4), (3, 4, 2), (2, 2, 1, 2), (1, 4), (0, 2))),
        groups=2,
    ),
    *_cases(
        normalisation.group_norm,
        "each channel",
        _over_groups(3),
        tuple((shape, shape[1:2]) for shape in ((2, 3), (2, 3, 2), (1, 3, 2, 2))),
        groups=3,
    ),
]
