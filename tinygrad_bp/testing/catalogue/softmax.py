"""Cases of `tinygrad_bp.ops.softmax`."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.ops import softmax
from tinygrad_bp.testing.catalogue.case import Case

SHAPES = (((3,),), ((2, 3),), ((2, 3, 2),), ((0, 2),), ((2, 0),))
LONG = (((1, 130),),)


def _softmax(axis):
    return lambda x: np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def _log_softmax(axis):
    return lambda x: x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True)) if x.size else x


def _logsumexp(axis, keepdims=False):
    return lambda x: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def _sum_case(shapes, label, axis=None, keepdims=False):
    return Case(
        "logsumexp",
        lambda x: softmax.logsumexp(x, axis=axis, keepdims=keepdims),
        shapes,
        _logsumexp(axis, keepdims),
        complex_step=True,
        label=label,
    )


CASES = [
    Case(
        name,
        lambda x, ours=ours, axis=axis: ours(x, axis=axis),
        shapes,
        reference(axis),
        complex_step=True,
        label=label,
    )
    for name, ours, reference in (
        ("softmax", softmax.softmax, _softmax),
        ("log_softmax", softmax.log_softmax, _log_softmax),
    )
    for axis, shapes, label in (
        (-1, SHAPES, ""),
        (0, SHAPES, "first axis"),
        (-2, SHAPES[1:3], "last axis but one"),
        (1, LONG, "long axis"),
    )
] + [
    _sum_case((((3,),), ((2, 3),), ((),)), "all"),
    _sum_case((((2, 3),), ((0, 3),), ((2, 3, 2),)), "axis", axis=1),
    _sum_case((((2, 3, 2),),), "axes kept", axis=(0, -1), keepdims=True),
    _sum_case((((2, 3, 2),),), "axes", axis=(0, 1)),
    _sum_case((((2, 3),), ((),)), "all kept", keepdims=True),
]
