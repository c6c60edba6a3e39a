"""Cases of `ops/norms.py`, each over none, one and two axes."""

from __future__ import annotations

from functools import partial

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.decompositions import apart

POSITIVE = ((0.5, 2.0),)
ANY = (((3,),), ((2, 3),), ((2, 2, 2),), ((),))
MATRICES = (((2, 3),), ((3, 2),), ((2, 3, 2),))
ORDERS = {None: "norm", 2: "norm", 3: "power_norm", 4: "power_norm", 1.5: "power_norm",
          0.5: "power_norm", -1: "power_norm", -2: "power_norm", 1: "sum",
          np.inf: "max", -np.inf: "min"}  # fmt: skip
MATRIX_ORDERS = {"fro": "norm", 1: "max", -1: "min", np.inf: "max", -np.inf: "min"}
SPECTRAL = {2: "svdvals", -2: "svdvals", "nuc": "nuclear_norm"}


def _case(primitive, call, shapes, label, **more):
    return Case(primitive, call, shapes, domains=POSITIVE, distinct=True, label=label, **more)


CASES = [
    _case("norm", np.linalg.norm, ANY, "all"),
    _case("norm", partial(np.linalg.norm, keepdims=True), ANY, "all kept"),
    Case("norm", lambda x: np.linalg.norm(x - 5.0, axis=1), (((2, 3),), ((0, 3),)), label="signs"),
    Case(
        "norm",
        partial(np.linalg.norm, axis=-1),
        (((2, 3),), ((0, 2),)),
        reference=lambda x: np.sqrt(np.sum(x * x, axis=-1)),
        domains=POSITIVE,
        complex_step=True,
        label="analytic",
    ),
    *(
        _case(name, partial(np.linalg.norm, ord=p, axis=axis, keepdims=keepdims), MATRICES,
              f"ord {p}, axis {axis}, {keepdims}")
        for p, name in ORDERS.items()
        for axis, keepdims in ((0, False), (-1, True))
    ),
    *(
        _case(name, lambda x, p=p: np.linalg.norm(x - 3.0, ord=p), (((3,),),), f"ord {p}, negative")
        for p, name in ORDERS.items()
    ),
    *(
        _case(name, partial(np.linalg.vector_norm, ord=p, axis=axis, keepdims=keepdims),
              (((2, 3, 2),), ((2, 2, 3),)), f"vector_norm {p}, axis {axis}, {keepdims}")
        for p, name in {2: "norm", 3: "power_norm", np.inf: "max"}.items()
        for axis, keepdims in (((0, 2), False), ((-1, 0), True), (None, True), (None, False))
    ),
    *(
        _case(name, lambda x, p=p, axis=axis, kept=keepdims: np.linalg.norm(
                  x + _steps(x), p, axis, kept),
              (((2, 3, 2),), ((2, 2, 3),)), f"ord {p}, axes {axis}, {keepdims}")
        for p, name in MATRIX_ORDERS.items()
        for axis, keepdims in (((0, 1), False), ((2, 0), True), ((-1, -2), False))
    ),
    *(
        Case(name, lambda x, p=p: np.linalg.norm(apart(x), ord=p),
             (((2, 2),), ((3, 2),), ((2, 3),)), label=f"ord {p}")
        for p, name in SPECTRAL.items()
    ),
    *(
        Case(name, lambda x, p=p: np.linalg.matrix_norm(apart(x), ord=p, keepdims=True),
             (((2, 2),), ((2, 3, 2),), ((2, 2, 3),)), label=f"matrix_norm {p}")
        for p, name in SPECTRAL.items()
    ),
    *(
        Case(name, lambda x, p=p: np.linalg.norm(np.moveaxis(apart(x), 0, -1), p, (0, 1)),
             (((3, 2, 2),),), label=f"ord {p}, moved axes")
        for p, name in SPECTRAL.items()
    ),
    *(
        Case("svdvals", lambda x, p=p: np.linalg.cond(apart(x), p),
             (((2, 2),), ((3, 2),), ((2, 3, 3),)), label=f"cond {p}")
        for p in (None, 2, -2)
    ),
    *(
        Case("inv", lambda x, p=p: np.linalg.cond(_skewed(x), p), (((2, 2),), ((2, 3, 3),)),
             domains=POSITIVE, distinct=True, label=f"cond {p}")
        for p in ("fro", "nuc", 1, -1, np.inf, -np.inf)
    ),
]  # fmt: skip


def _skewed(x):
    """Sums of rows and columns that do not tie, nor elements that are zero."""
    n = x.shape[-1]
    return x / 8 + np.diag(np.arange(2.0, n + 2) ** 2).astype(x.dtype)


def _steps(x):
    """Added to elements in (0.5, 2), it keeps sums over any axis apart."""
    return np.array(sum(np.ix_(*(9 * np.arange(n) for n in x.shape))), x.dtype)
