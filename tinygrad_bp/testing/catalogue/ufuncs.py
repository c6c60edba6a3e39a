"""Cases of `ops/ufuncs.py`: keywords and methods of ufuncs, held against NumPy's own."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

_MASK = np.array([True, False, True])


def _where(ufunc, *shapes, mask=_MASK, domains=(), label="where", complex_step=True):
    """NumPy leaves what is masked undefined; the reference has zeros there, as ours does."""

    def reference(*arrays):
        shape = np.broadcast_shapes(mask.shape, *(a.shape for a in arrays))
        zeros = np.zeros(shape, np.result_type(*arrays))
        return ufunc(*arrays, where=mask, out=zeros)

    def call(*inputs):
        return ufunc(*inputs, where=mask)

    return Case(
        "scatter",
        call,
        shapes,
        reference,
        domains,
        label=f"{ufunc.__name__} {label}",
        complex_step=complex_step,
    )


def _method(ufunc, method, primitive, *shapes, label, **facts):
    keywords = facts.pop("keywords", {})

    def call(*inputs):
        return getattr(ufunc, method)(*inputs, **keywords)

    return Case(primitive, call, shapes, label=f"{ufunc.__name__}.{method} {label}", **facts)


_MATRIX = (((3, 2),), ((3, 1),))

CASES = [
    _where(np.exp, ((3,),), ((2, 3),), ((),), ((0, 3),)),
    _where(np.multiply, ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (3,))),
    _where(np.log, ((3,),), domains=((0.3, 2.0),)),
    _where(np.hypot, ((3,), (2, 3)), domains=((0.5, 2.0),), complex_step=False),
    _where(np.exp, ((2,),), mask=np.array([[True], [False]]), label="mask that broadcasts"),
    _method(np.add, "reduce", "sum", *_MATRIX, label="first axis", complex_step=True),
    _method(np.add, "reduce", "sum", *_MATRIX, label="all", keywords={"axis": None}),
    _method(np.multiply, "reduce", "prod", *_MATRIX, label="keepdims", keywords={"keepdims": True}),
    _method(
        np.maximum, "reduce", "max", *_MATRIX, label="axis", distinct=True, keywords={"axis": 1}
    ),
    _method(np.logaddexp, "reduce", "logsumexp", *_MATRIX, label="axis"),
    _method(np.subtract, "reduce", "subtract", *_MATRIX, label="axis", complex_step=True),
    _method(np.divide, "reduce", "divide", ((3, 2),), label="axis", domains=((0.5, 2.0),)),
    Case(
        "power",
        np.power.reduce,
        (((3, 2),),),
        reference=lambda x: (x[0] ** x[1]) ** x[2],  # NumPy's own errs on arrays in Fortran order
        domains=((0.4, 1.5),),
        label="power.reduce",
    ),
    _method(
        np.hypot,
        "reduce",
        "hypot",
        ((3, 2),),
        label="keepdims, last axis",
        domains=((0.5, 2.0),),
        keywords={"axis": -1, "keepdims": True},
    ),
    _method(
        np.subtract, "reduce", "subtract", ((3, 2),), label="initial", keywords={"initial": 2.0}
    ),
    _method(np.add, "accumulate", "cumsum", *_MATRIX, label="axis", complex_step=True),
    _method(np.multiply, "accumulate", "cumprod", *_MATRIX, label="axis"),
    _method(np.maximum, "accumulate", "cummax", *_MATRIX, label="axis", distinct=True),
    _method(np.logaddexp, "accumulate", "logcumsumexp", *_MATRIX, label="axis"),
    _method(
        np.subtract, "accumulate", "subtract", ((2, 3),), label="last axis", keywords={"axis": -1}
    ),
    _method(np.add, "outer", "add", ((2,), (3,)), ((2, 2), ()), ((), (2,)), label=""),
    _method(np.subtract, "outer", "subtract", ((2,), (3, 1)), ((0,), (2,)), label=""),
    Case("sum", lambda x: np.add.reduceat(x, [0, 2, 1]), (((3,),), ((3, 2),)), label="reduceat"),
    Case(
        "prod",
        lambda x: np.multiply.reduceat(x, [0, 1], axis=1),
        (((2, 3),),),
        label="reduceat along an axis",
    ),
]
