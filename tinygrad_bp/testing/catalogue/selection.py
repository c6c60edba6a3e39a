"""Cases of `tinygrad_bp.ops.selection`; ties are in tests/ops/test_selection.py."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((3,), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((), ()), ((0,), (1,)))
SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
TRIPLES = (((3,), (3,), (3,)), ((2, 3), (), (3,)), ((), (2, 1), (1, 3)), ((), (), ()))


def _choose(x, y):
    """Chooses by position, so that the result is smooth."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return np.where(np.indices(shape).sum(axis=0) % 2 == 0, x, y)


CASES = [
    *(
        Case(ufunc.__name__, ufunc, PAIRS, distinct=True)
        for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin)
    ),
    Case("maximum", lambda x: np.maximum(x, 0), SINGLES, kinks=((0.0,),), label="with 0"),
    Case("minimum", lambda x: np.minimum(0.5, x), SINGLES, kinks=((0.5,),), label="with a number"),
    Case("maximum", lambda x: np.clip(x, -0.7, 0.5), SINGLES, kinks=((-0.7, 0.5),), label="clip"),
    Case("minimum", lambda x: np.clip(x, None, 0), SINGLES, kinks=((0.0,),), label="clip above"),
    Case("minimum", np.clip, TRIPLES, distinct=True, label="clip with array bounds"),
    Case(
        "maximum",
        lambda x: x.clip(np.array([[-0.5], [0.0]]), max=None),
        (((3,),), ((2, 3),)),
        kinks=((-0.5, 0.0),),
        label="clip by the method",
    ),
    Case("where", _choose, (((3,), (3,)), ((2, 3), (2, 3)), ((), ()))),
    Case(
        "where",
        lambda x: np.where(x > 0, x * x, 0),
        SINGLES,
        kinks=((0.0,),),
        label="by its own sign, with a number",
    ),
    Case(
        "where",
        lambda x, y: np.where(np.array([[True], [False]]), x, y),
        (((3,), ()), ((2, 3), (3,)), ((), (2, 1))),
        label="broadcast",
    ),
    Case("absolute", np.abs, SINGLES, kinks=((0.0,),)),
    Case("absolute", abs, SINGLES, kinks=((0.0,),), label="operator"),
    Case("fabs", np.fabs, SINGLES, kinks=((0.0,),)),
]
