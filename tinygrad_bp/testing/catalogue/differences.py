"""Cases of `tinygrad_bp.ops.differences`, in data, spacings and coordinates."""

from __future__ import annotations

from functools import partial

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp.testing.catalogue.case import Case


def _diff(label, shapes, **params):
    return Case("diff", partial(np.diff, **params), shapes, complex_step=True, label=label)


def _two(name, call, *shapes, label, low=0.5, high=2.0, **more):
    """A case of data and of something positive: steps, or what coordinates are summed of."""
    return Case(name, call, shapes, domains=((-2.0, 2.0), (low, high)), label=label, **more)


def _placed(f, steps, **more):
    """With coordinates that increase, unequally."""
    return np.gradient(f, np.cumsum(steps), **more)


def _unwrapped(x, period):
    jumps = np.array([[0.1], [1.2], [0.3]])
    return np.unwrap(x * jumps, axis=0, period=period, discont=0.6)


CASES = [
    _diff("", (((4,),), ((2, 3),), ((3, 1),), ((0,),), ((1,),))),
    _diff("axis 0", (((4,),), ((3, 2),), ((2, 0),)), axis=0),
    _diff("n=2", (((4,),), ((2, 3),), ((1,),), ((2,),)), n=2),
    _diff("n=3, axis 0", (((5, 2),),), n=3, axis=0),
    _diff("numbers at the ends", (((3,),), ((2, 3),)), prepend=1.0, append=2.0),
    Case(
        "diff",
        lambda x, first, last: np.diff(x, axis=0, prepend=first, append=last),
        (((2, 3), (1, 3), (2, 3)), ((2,), (), (1,))),
        complex_step=True,
        label="ends",
    ),
    Case("diff", np.ediff1d, (((4,),), ((2, 3),), ((1,),), ((),)), label="ediff1d"),
    Case(
        "diff",
        lambda x: np.ediff1d(x, to_begin=np.float32([1, 2]), to_end=3),
        (((4,),), ((2, 2),)),
        label="ediff1d with ends",
    ),
    Case("divide", np.gradient, (((4,),), ((2,),)), label="gradient"),
    Case("divide", lambda x: np.gradient(x)[1], (((3, 2),), ((2, 3),)), label="gradient, 2 axes"),
    Case("concatenate", partial(np.gradient, axis=-2), (((3, 2),), ((2, 2, 2),)), label="gradient"),
    Case(
        "concatenate",
        lambda x: np.gradient(x, [0.0, 1.0, 2.5, 3.0], edge_order=2),
        (((4,),),),
        label="gradient at places",
    ),
    Case(
        "concatenate",
        lambda x: np.gradient(x, 0.5, [0.0, 1.0, 2.0], edge_order=2)[1],
        (((3, 3),),),
        label="gradient of spacings, second order at the edges",
    ),
    _two("concatenate", lambda x, h: np.gradient(x, h), ((4,), ()), label="gradient, step"),
    _two(
        "concatenate",
        lambda x, h: np.gradient(x, h, axis=1, edge_order=2),
        ((2, 4), ()),
        label="gradient, step, second order at the edges",
    ),
    _two("concatenate", _placed, ((4,), (4,)), label="gradient, coordinates"),
    _two(
        "concatenate",
        lambda x, steps: _placed(x, steps, axis=0, edge_order=2),
        ((4, 2), (4,)),
        ((3, 1), (3,)),
        label="gradient, coordinates, second order at the edges",
    ),
    Case("sum", np.trapezoid, (((4,),), ((2, 3),), ((1,),), ((0, 3),)), label="trapezoid"),
    Case("sum", partial(np.trapezoid, axis=0, dx=0.5), (((4, 2),),), label="trapezoid, axis 0"),
    _two("sum", np.trapezoid, ((4,), (4,)), ((2, 3), (3,)), ((2, 3), (2, 3)), label="trapezoid, x"),
    _two(
        "sum",
        lambda y, x: np.trapezoid(y, x, axis=0),
        ((3, 2), (3,)),
        ((3, 2), (3, 1)),
        label="trapezoid, x, axis 0",
    ),
    Case(
        "unwrap",
        lambda x: np.unwrap(x * np.array([0.4, 3.0, 0.3], x.dtype), axis=-1),
        (((3,),), ((2, 3),)),
        domains=((0.7, 1.2),),
    ),
    Case(
        "unwrap",
        lambda x, period: _unwrapped(tg.as_tensor(x), period),
        (((3, 2), ()),),
        reference=_unwrapped,
        domains=((0.9, 1.1), (0.9, 1.1)),
        label="period",
    ),
]
