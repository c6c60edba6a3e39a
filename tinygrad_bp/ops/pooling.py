r"""Pooling over any number of axes: the largest element of each window, or its mean.

Each comes with what carries a cotangent back to the elements of the windows; of the linear ones
among them, two are each other's rule.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.ops.geometry import (
    Pads,
    Sizes,
    batch_first,
    batch_last,
    inside,
    out_size,
    places,
)
from tinygrad_bp.ops.helpers import apply


def _lowest(dtype: Any) -> Any:
    """What is smaller than every number, or as small as any."""
    return -np.inf if dtype.kind in "fc" else dtype.kind != "b" and np.iinfo(dtype).min


def _largest(
    x: Any, *, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes
) -> tuple[Any, Any]:
    """The largest elements, and which of the elements of its window each is: the first such."""
    out = out_size(x.shape[2:], kernel, stride, padding, dilation)
    x = batch_last(x, padding, _lowest(x.dtype))
    largest: Any = None
    which = np.zeros((len(x), *out, x.shape[-1]), np.min_scalar_type(math.prod(kernel) - 1))
    for i, (_, index) in enumerate(places(kernel, out, stride, dilation)):
        part = x[index]
        if largest is None:
            largest = part.copy()
            continue
        # Numbers of elements grow, so that the largest is the last that was better. To write where
        # it was better would take 4.4 ms in place of 0.16, on 64 × 6 × 28 × 28.
        better = part > largest
        np.maximum(largest, part, out=largest)
        np.maximum(which, better * which.dtype.type(i), out=which)
    return batch_first(largest), batch_first(which)


def _picked(x: Any, *, which: Any, kernel: Sizes, padding: Pads, **steps: Sizes) -> Any:
    """Of each window the element of the number that `which` has for it."""
    which, x = batch_last(which), batch_last(x, padding)
    z = np.zeros(which.shape, x.dtype)
    for i, (_, index) in enumerate(places(kernel, which.shape[1:-1], **steps)):
        z += x[index] * (which == i)
    return batch_first(z)


def _put(y: Any, *, which: Any, size: Sizes, kernel: Sizes, padding: Pads, **steps: Sizes) -> Any:
    """Zeros, to which each element of y is added at the place of its window that `which` says."""
    which, y = batch_last(which), batch_last(y)
    x = _zeros_around(y, size, padding)
    for i, (_, index) in enumerate(places(kernel, y.shape[1:-1], **steps)):
        part = x[index]
        part += y * (which == i)
    return batch_first(x[inside(size, padding)])


def _zeros_around(y: Any, size: Sizes, padding: Pads) -> Any:
    padded = (n + before + after for n, (before, after) in zip(size, padding, strict=True))
    return np.zeros((len(y), *padded, y.shape[-1]), y.dtype)


def _max_pool_vjp(g: Any, out: Any, x: Any, *, saved: Any, **geometry: Any) -> Any:
    if isinstance(x, Variable):  # `saved` is of arrays alone
        saved = which_is_largest(x, **geometry)
    return apply(max_pool_spread, g, which=saved, size=x.shape[2:], **geometry)


def which_is_largest(x: Any, **geometry: Any) -> Any:
    """The number, within its window, of the element that max pooling picks: an array.

    Examples
    --------
    >>> x = np.array([[[1.0, 3.0, 2.0, 2.0]]])
    >>> which_is_largest(x, kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    array([[[1, 0]]], dtype=uint8)
    """
    return _largest(x._data if isinstance(x, Variable) else x, **geometry)[1]


max_pool = Primitive(
    "max_pool",
    _largest,
    [_max_pool_vjp],
    formula=r"\max_k x_{n,c,sp+dk-q}",
    vjp_formulas=[r"\textstyle\sum_{p,k} [sp+dk-q = i] \, [k = \kappa_{ncp}] \, \bar{z}_{ncp}"],
    saves=True,
    analytic=False,
    kinks="of elements that tie for the largest of a window, the first has the whole gradient",
)

max_pool_spread: Primitive = Primitive(
    "max_pool_spread",
    _put,
    [lambda g, out, y, *, which, size, **p: apply(max_pool_pick, g, which=which, **p)],
    formula=r"\textstyle\sum_{p,k} [sp+dk-q = i] \, [k = \kappa_{ncp}] \, y_{ncp}",
    vjp_formulas=[r"\bar{z}_{n,c,sp+d\kappa-q}"],
)

max_pool_pick: Primitive = Primitive(
    "max_pool_pick",
    _picked,
    [
        lambda g, out, x, *, which, **p: apply(
            max_pool_spread, g, which=which, size=x.shape[2:], **p
        ),
    ],
    formula=r"x_{n,c,sp+d\kappa-q}",
    vjp_formulas=[r"\textstyle\sum_{p,k} [sp+dk-q = i] \, [k = \kappa_{ncp}] \, \bar{z}_{ncp}"],
)


def _each(y: Any, divisor: Any) -> Any:
    """Elements (C, *out, N) divided by a number, or by that of their window (*out)."""
    kind = np.result_type(y, np.float16)  # integers are divided too
    return y / np.asarray(divisor, kind)[..., None]


def _means(
    x: Any, *, kernel: Sizes, stride: Sizes, padding: Pads, dilation: Sizes, divisor: Any
) -> Any:
    out = out_size(x.shape[2:], kernel, stride, padding, dilation)
    x = batch_last(x, padding)
    total: Any = None
    for _, index in places(kernel, out, stride, dilation):
        if total is None:
            total = x[index].copy()
        else:
            total += x[index]
    return batch_first(_each(total, divisor))


def _spread(
    y: Any,
    *,
    size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Pads,
    dilation: Sizes,
    divisor: Any,
) -> Any:
    y = _each(batch_last(y), divisor)
    x = _zeros_around(y, size, padding)
    for _, index in places(kernel, y.shape[1:-1], stride, dilation):
        part = x[index]
        part += y
    return batch_first(x[inside(size, padding)])


_MEAN = r"\tfrac{1}{m_p} \textstyle\sum_k %s_{n,c,sp+dk-q}"
_SPREAD = r"\textstyle\sum_{p,k} [sp+dk-q = i] \, \tfrac{1}{m_p} %s_{ncp}"

avg_pool: Primitive = Primitive(
    "avg_pool",
    _means,
    [lambda g, out, x, **p: apply(avg_pool_spread, g, size=x.shape[2:], **p)],
    formula=_MEAN % "x",
    vjp_formulas=[_SPREAD % r"\bar{z}"],
)

avg_pool_spread: Primitive = Primitive(
    "avg_pool_spread",
    _spread,
    [lambda g, out, y, *, size, **p: apply(avg_pool, g, **p)],
    formula=_SPREAD % "y",
    vjp_formulas=[_MEAN % r"\bar{z}"],
)
