"""Cases of `ops/pooling.py`: the references take one window after another."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case
from tinygrad_bp.testing.catalogue.convolution import outputs, padded, window

LINE = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
OVERLAP = {"kernel": (3,), "stride": (1,), "padding": ((1, 1),), "dilation": (1,)}
PLANE = {"kernel": (2, 2), "stride": (1, 2), "padding": ((1, 0), (0, 1)), "dilation": (2, 1)}
SOLID = {"kernel": (1, 2, 2), "stride": (1, 1, 1), "padding": ((0, 0),) * 3, "dilation": (1,) * 3}
SHAPES = {"line": (2, 1, 4), "overlap": (1, 2, 3), "plane": (1, 1, 3, 3), "solid": (1, 1, 2, 2, 3)}
GEOMETRIES = {"line": LINE, "overlap": OVERLAP, "plane": PLANE, "solid": SOLID}


def _windows(x, kernel, stride, padding, dilation, value=0.0):
    """Each place of the output, with its window of the padded array as rows of elements."""
    wide = padded(x, padding, value)
    for p in outputs(x, kernel, stride, padding, dilation)[0]:
        yield p, wide[(..., *window(p, kernel, stride, dilation))].reshape(*x.shape[:2], -1)


def _out(x, kernel, stride, padding, dilation):
    return (*x.shape[:2], *outputs(x, kernel, stride, padding, dilation)[1])


def _largest(geometry):
    def reference(x):
        z = np.zeros(_out(x, **geometry), x.dtype)
        for p, elements in _windows(x, **geometry, value=-np.inf):
            z[(..., *p)] = elements.max(axis=-1)
        return z

    return reference


def _picked(geometry, which):
    def reference(x):
        z = np.zeros(which.shape, x.dtype)
        for p, elements in _windows(x, **geometry):
            z[(..., *p)] = np.take_along_axis(elements, which[(..., *p)][..., None], -1)[..., 0]
        return z

    return reference


def _averaged(geometry, divisor):
    def reference(x):
        z = np.zeros(_out(x, **geometry), x.dtype)
        divisors = np.broadcast_to(divisor, z.shape[2:])
        for p, elements in _windows(x, **geometry):
            z[(..., *p)] = elements.sum(axis=-1) / divisors[p]
        return z

    return reference


def _adjoint(function, shape):
    """The transpose of a linear function, from its value for each unit vector."""

    def reference(y):
        units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        rows = np.array([function(unit).ravel() for unit in units])
        return (rows.astype(y.real.dtype) @ y.ravel()).reshape(shape)

    return reference


def _case(name, shape, reference, label, *, distinct=False, **params):
    return Case(
        name,
        lambda x: PRIMITIVES[name](x, **params),
        ((shape,),),
        reference=reference,
        distinct=distinct,
        complex_step=not distinct,
        label=label,
    )


def _cases(label):
    geometry, shape = GEOMETRIES[label], SHAPES[label]
    out = _out(np.zeros(shape), **geometry)
    whole = int(np.prod(geometry["kernel"]))
    which = np.arange(np.prod(out)).reshape(out) * 3 % whole  # inside and in the padding
    divisor = whole if label == "line" else 1.0 + np.arange(np.prod(out[2:])).reshape(out[2:])
    picked, averaged = _picked(geometry, which), _averaged(geometry, divisor)
    with_which, with_divisor = {**geometry, "which": which}, {**geometry, "divisor": divisor}
    cases = [
        _case("max_pool", shape, _largest(geometry), label, distinct=True, **geometry),
        _case("avg_pool", shape, averaged, label, **with_divisor),
    ]
    if label in ("overlap", "plane"):  # the others are those, or along another axis, alone
        back = {"size": shape[2:]}
        cases += [
            _case("max_pool_pick", shape, picked, label, **with_which),
            _case("max_pool_spread", out, _adjoint(picked, shape), label, **back, **with_which),
            _case("avg_pool_spread", out, _adjoint(averaged, shape), label, **back, **with_divisor),
        ]
    return cases


CASES = [case for label in SHAPES for case in _cases(label)]
