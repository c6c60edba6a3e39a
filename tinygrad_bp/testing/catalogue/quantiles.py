"""Cases of `tinygrad_bp.ops.quantiles`: elements keep apart, so that their order stays."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.nan_reductions import holes

SHAPES = (((5,),), ((2, 3),), ((3, 4),))
METHODS = (
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
)
CONTINUOUS = ("linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased")


def _row(call, label, shapes=SHAPES, name="sort", **more):
    return Case(name, call, shapes, distinct=True, label=label, **more)


def _of_q(function, method, middle, shape=()):
    """Quantiles differentiated in q, alone and with the data, where no place is an element's."""
    whole = 100 if "percentile" in function.__name__ else 1
    label = f"{function.__name__} in q, {method}, {len(shape)} axes"
    data = np.array([[0.3, -1.0, 0.8, 0.1], [0.5, 0.2, 1.5, -0.7]])

    def both(q, x):
        return function(x, whole * (middle + q / 200), axis=-1, method=method)

    return [
        Case("quantile_place", lambda q: both(q, data), ((shape,),), label=label),
        _row(both, label, ((shape, (4,)), (shape, (2, 4))), "add"),
    ]


def _by_axis(function, *args):
    some = {
        "axis 0": {"axis": 0},
        "last axis kept": {"axis": -1, "keepdims": True},
        "two axes": {"axis": (-1, 0)},
        "axes kept": {"axis": (0, 2), "keepdims": True},
    }
    shapes = {"axes kept": (((2, 3, 2),),)}
    return [
        _row(
            lambda x, more=axes: function(x, *args, **more),
            f"{function.__name__} {words}",
            shapes.get(words, (((2, 3),), ((3, 4),), ((2, 2, 3),))),
        )
        for words, axes in some.items()
    ]


def _nan_aware(function, *args):
    return [
        _row(
            lambda x, more=axes: function(holes(x), *args, **more),
            f"{function.__name__} with NaN {words}",
            (((4, 5),), ((3, 4),)),
        )
        for words, axes in {"": {}, "axis 0": {"axis": 0}, "last axis": {"axis": -1}}.items()
    ]


CASES = [
    _row(np.median, "median", (*SHAPES, ((1,),), ((),))),
    _row(np.nanmedian, "nanmedian", (*SHAPES, ((),))),
    *_by_axis(np.median),
    *_by_axis(np.nanmedian),
    *_by_axis(np.quantile, 0.3),
    *_by_axis(np.percentile, [10.0, 65.0]),
    *_nan_aware(np.nanmedian),
    *_nan_aware(np.nanquantile, [0.2, 0.7]),
    *_nan_aware(np.nanpercentile, 35.0),
    _row(lambda x: np.quantile(x, 0.3), "quantile", (*SHAPES, ((),))),
    _row(lambda x: np.quantile(x, np.array([[0.1, 0.3], [0.0, 1.0]]), axis=0), "q of two axes"),
    _row(lambda x: np.quantile(x, []), "no q"),
    *(_row(partial(np.quantile, q=[0.15, 0.55, 0.9], method=m), m, SHAPES[:2]) for m in METHODS),
    _row(partial(np.percentile, q=37, method="hazen"), "percentile, hazen"),
    *itertools.chain.from_iterable(
        [
            *(_of_q(np.quantile, m, 0.31) for m in (*CONTINUOUS, "lower")),
            _of_q(np.quantile, "linear", 0.31, (2,)),
            _of_q(np.percentile, "linear", 0.39, (2, 1)),
            _of_q(np.nanquantile, "linear", 0.39),
        ]
    ),
]
