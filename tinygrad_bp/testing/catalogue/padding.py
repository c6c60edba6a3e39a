"""Cases of `ops/padding.py`, a row per mode, and of what it makes of other primitives."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.testing.catalogue.case import Case

WIDE = ((2, 3), (9, 7), (0, 4))


def _case(primitive, call, *shapes, label="", complex_step=True, **more):
    rows = tuple((s,) for s in shapes)
    return Case(primitive, call, rows, label=label, complex_step=complex_step, **more)


def _repeating(mode, *shapes):
    return _case("gather", lambda x: np.pad(x, (2, 3), mode), *shapes, label=f"pad {mode}")


def _odd(mode, width):
    return _case(
        "concatenate",
        lambda x: np.pad(x, width, mode, reflect_type="odd"),
        (3,),
        (4,),
        label=f"pad {mode}, odd, {width}",
    )


def _statistic(mode, primitive, length, *shapes):
    def call(x):
        return np.pad(x, (2, 1), mode, stat_length=length)

    label = f"pad {mode}, {length}"
    return _case(primitive, call, *shapes, label=label, complex_step=False, distinct=True)


CASES = [
    _case("pad", lambda x: np.pad(x, (2, 3)), (3,), (2, 3), (), (0,)),
    _case(
        "pad",
        lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=((0, 5), (6, 0))),
        (2, 3),
        label="own values",
    ),
    *(
        _case(
            "concatenate",
            lambda x, part=part: np.pad(x, 2, constant_values=x[part]),
            (2, 3),
            reference=lambda x, part=part: _filled(x, x[part]),
            label=f"pad with {what} of a tensor",
        )
        for part, what in [
            ((0, 0), "a number"),
            ((0, slice(2)), "a pair"),
            ((slice(2), slice(2)), "pairs"),
            ((slice(2), slice(1)), "a number per axis"),
        ]
    ),
    _repeating("edge", (3,), (2, 1)),
    _repeating("reflect", (3,), (2, 1)),
    _repeating("symmetric", (3,), (1, 2)),
    _repeating("wrap", (3,), (1, 2)),
    *(_odd(mode, width) for mode in ("reflect", "symmetric") for width in WIDE),
    _case(
        "gather",
        lambda x: np.pad(x, 2, "reflect", reflect_type="odd"),
        (1,),
        (1, 1),
        label="pad a single element",
    ),
    _case("linspace", lambda x: np.pad(x, 2, "linear_ramp"), (3,), (2, 1), label="pad ramp"),
    _case(
        "linspace",
        lambda x: np.pad(x, ((1, 2), (3, 0)), "linear_ramp", end_values=((1, 2), (3, 4))),
        (2, 2),
        label="pad ramp to values",
    ),
    _statistic("maximum", "max", None, (3,), (2, 2)),
    _statistic("maximum", "max", 2, (4,), (3, 2)),
    _statistic("minimum", "min", ((1, 2),), (4,), (2, 3)),
    _statistic("mean", "mean", None, (3,), (2, 2)),
    _statistic("mean", "mean", (2, 9), (4,), (2, 3)),
    _statistic("median", "concatenate", None, (3,), (2, 2)),
    _statistic("median", "concatenate", (3, 2), (4,), (3, 3)),
]


def _filled(x, values):
    """What padding by 2 with `values` gives, written into an array axis by axis."""
    dtype, values = x.dtype, np.asarray(values)
    out = np.zeros([n + 4 for n in x.shape], dtype)
    out[tuple(slice(2, -2) for _ in x.shape)] = x
    flat = values if values.shape == (2, 1) else np.ravel(values) if values.size < 3 else values
    for axis, (before, after) in enumerate(np.broadcast_to(flat, (x.ndim, 2))):
        inner = (slice(None),) * axis, tuple(slice(2, -2) for _ in x.shape[axis + 1 :])
        out[(*inner[0], slice(0, 2), *inner[1])] = before
        out[(*inner[0], slice(-2, None), *inner[1])] = after
    return out
