"""Cases of `tinygrad_bp.ops.statistics`, in data and in weights."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

_POSITIVE = ((-2.0, 2.0), (0.5, 2.0))


def _weighed(label, shapes, **params):
    def call(x, w):
        return np.average(x, weights=w, **params)

    return Case("divide", call, shapes, domains=_POSITIVE, label=label)


def _cov(label, shapes, **params):
    return Case("reshape", partial(np.cov, **params), shapes, label=f"cov {label}".strip())


CASES = [
    Case("mean", np.average, (((3,),), ((2, 3),), ((),)), label="average"),
    Case("mean", partial(np.average, axis=0, keepdims=True), (((2, 3),),), label="average, axis"),
    _weighed("average", (((3,), (3,)), ((2, 3), (2, 3)), ((), ()))),
    _weighed("average, axis", (((2, 3), (2,)), ((2, 3), (2, 3))), axis=0),
    _weighed("average, axes", (((2, 3, 2), (2, 2)),), axis=(2, 0), keepdims=True),
    _weighed("average, axes in order", (((2, 3, 4), (3, 4)),), axis=(1, 2)),
    Case(
        "add",
        lambda x, w: np.average(x, axis=1, weights=w, returned=True)[1] + 0 * x[:, 0],
        (((2, 3), (3,)),),
        domains=_POSITIVE,
        label="average, sum of the weights",
    ),
    _cov("", (((2, 3),), ((3, 2),), ((4,),))),
    _cov("in columns", (((3, 2),), ((4,),)), rowvar=False),
    _cov("bias", (((2, 3),),), bias=True),
    _cov("dtype", (((2, 3),),), dtype=np.float64, ddof=2),
    _cov("repeated", (((2, 3),),), fweights=[1, 2, 3]),
    Case("reshape", lambda x, y: np.cov(x, y), (((3,), (3,)), ((2, 3), (3,))), label="cov, two"),
    Case(
        "reshape",
        lambda x, y: np.cov(x, y, rowvar=False),
        (((3, 2), (3, 2)), ((4,), (4,))),
        label="cov, two in columns",
    ),
    Case(
        "reshape",
        lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 3]),
        (((2, 3), (3,)),),
        domains=_POSITIVE,
        label="cov, weights",
    ),
    Case(
        "reshape",
        lambda x, w: np.cov(x, aweights=w, ddof=0),
        (((2, 3), (3,)), ((3,), (3,))),
        domains=_POSITIVE,
        label="cov, weights, ddof 0",
    ),
    Case("divide", np.corrcoef, (((3, 4),), ((2, 3),)), distinct=True, label="corrcoef"),
    Case(
        "divide",
        lambda x, y: np.corrcoef(x, y, rowvar=False),
        (((4,), (4,)), ((5, 2), (5, 1))),
        distinct=True,
        label="corrcoef, two in columns",
    ),
]
