"""Cases of `ops/grids.py`."""

from __future__ import annotations

import operator

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

PAIRS = (((), ()), ((3,), (3,)), ((2, 1), (3,)), ((), (2,)), ((0,), ()))
UP = ((0.3, 2.0), (0.3, 2.0))
DOWN = ((-2.0, -0.3), (-2.0, -0.3))

CASES = [
    Case("linspace", lambda x, y: np.linspace(x, y, 4), PAIRS, complex_step=True),
    Case("linspace", lambda x, y: np.linspace(x, y, 3, axis=-1), PAIRS, label="last axis"),
    Case(
        "linspace",
        lambda x, y: np.linspace(x, y, 3, endpoint=False, axis=1),
        (((3,), (3,)), ((2, 1), (3,))),
        label="without the end",
    ),
    Case("linspace", lambda x, y: np.linspace(x, y, 1), PAIRS, label="of one"),
    Case("linspace", lambda x, y: np.linspace(x, y, 0), PAIRS, label="of none"),
    Case("linspace", lambda x: np.linspace(x, 1, 3), (((),), ((2,),)), label="to a number"),
    Case(
        "divide", lambda x, y: np.linspace(x, y, 5, retstep=True)[1], PAIRS, label="linspace step"
    ),
    Case("geomspace", lambda x, y: np.geomspace(x, y, 4), PAIRS, domains=UP),
    Case("geomspace", lambda x, y: np.geomspace(x, y, 3), PAIRS, domains=DOWN, label="negative"),
    Case(
        "geomspace",
        lambda x, y: np.geomspace(x, y, 3, endpoint=False, axis=-1),
        PAIRS,
        domains=UP,
        label="without the end",
    ),
    Case("power", lambda x, y: np.logspace(x, y, 4), PAIRS[:4], label="logspace"),
    Case(
        "power",
        lambda x, y, b: np.logspace(x, y, 3, base=b, axis=-1),
        (((), (), ()), ((), (2,), (2,)), ((2, 1), (3,), (1, 3))),
        domains=((-1.0, 1.0), (-1.0, 1.0), (0.5, 2.0)),
        label="logspace to a base",
    ),
    Case(
        "broadcast_to",
        lambda x, y: operator.mul(*np.meshgrid(x, y)),
        (((2,), (3,)), ((), (3,)), ((0,), (2,))),
        complex_step=True,
        label="meshgrid",
    ),
    Case(
        "broadcast_to",
        lambda x, y, z: np.stack(np.meshgrid(x, y, z, indexing="ij")),
        (((2,), (3,), (1,)),),
        complex_step=True,
        label="meshgrid, matrix order",
    ),
    Case(
        "reshape",
        lambda x, y: operator.sub(*np.meshgrid(x, y, sparse=True)),
        (((2,), (3,)),),
        complex_step=True,
        label="meshgrid, sparse",
    ),
]
