"""Cases of `ops/updating.py`: ``x.at[index]``, held against NumPy's writes into a copy."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case

_MASK = np.array([[True, False, True], [False, False, True]])


def _case(how, index, *shapes, label, primitive="set", **facts):
    def call(x, v):
        return getattr(_tensor(x, v).at[index], how)(v)

    def reference(x, v):
        out = x.copy()
        v = np.asarray(v).astype(x.dtype, copy=False) if v.dtype.kind != "c" else v
        if v.dtype.kind == "c":
            out = out.astype(complex)
        if how == "set":
            out[index] = v
        else:
            ufunc = {"min": np.minimum, "max": np.maximum}.get(how) or getattr(np, how)
            ufunc.at(out, index, v)
        return out

    return Case(primitive, call, shapes, reference=reference, label=f"{how}, {label}", **facts)


def _tensor(x, v):
    return x if isinstance(x, tg.Tensor) else tg.as_tensor(x)


_APART = {"domains": ((-2.0, 2.0), (0.5, 2.0))}
_DISTINCT = {"distinct": True}

CASES = [
    _case("set", 1, ((3,), ()), ((2, 3), (3,)), ((2, 3), ()), label="integer"),
    _case("set", slice(None, None, -2), ((3,), (2,)), ((3, 2), (2,)), label="slice"),
    _case("set", (Ellipsis, 0), ((2, 3), (2,)), ((2, 3), (1,)), label="ellipsis"),
    _case("set", _MASK, ((2, 3), (3,)), ((2, 3), ()), label="mask"),
    _case("set", [0, 2], ((3,), (2,)), ((3, 2), (2, 1)), label="integers"),
    _case("set", [0, 2, 0], ((3,), (3,)), ((3, 2), (3, 2)), label="repeated"),
    _case("set", slice(0, 0), ((3,), ()), ((3, 0), ()), label="nothing"),
    _case("set", (), ((), ()), ((2,), (2,)), label="all"),
    _case("add", [0, 2, 0], ((3,), (3,)), ((3, 2), ()), label="repeated", primitive="add"),
    _case("subtract", _MASK, ((2, 3), (3,)), label="mask", primitive="add"),
    _case("multiply", [0, 2, 0], ((3,), (3,)), ((3, 2), ()), label="repeated"),
    _case("divide", ([0, 1, 0], [1, 1, 1]), ((2, 3), (3,)), label="repeated", **_APART),
    _case("power", 1, ((3,), ()), domains=((0.5, 2.0), (-2.0, 2.0)), label="integer"),
    _case("min", [0, 2, 0], ((3,), (3,)), label="repeated", **_DISTINCT),
    _case("max", slice(1, None), ((3,), (2,)), ((3, 2), ()), label="slice", **_DISTINCT),
]
