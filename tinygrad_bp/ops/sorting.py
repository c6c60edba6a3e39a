"""Sorting and partitioning along an axis, and reading along an axis at the places found."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import IndexingError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.indexing import scatter
from tinygrad_bp.ops.shaping import normalized_axes, reshape

_TIES = "elements that tie share the gradients of their places evenly"


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x


def _permuted(g: Any, out: Any, x: Any, *, axis: int, **how: Any) -> Any:
    """Send the cotangents back to where the elements were, whatever order they are in now.

    Sorted, `out` and `x` are the same: the places of both in that order tell which element went
    where.
    """
    x, out = _values(x), _values(out)
    came_from = np.argsort(x, axis=axis, kind="stable")
    if "kth" in how:
        g = np.take_along_axis(g, np.argsort(out, axis=axis, kind="stable"), axis)
        out = np.take_along_axis(x, came_from, axis)
    return np.take_along_axis(_shared(g, out, axis), _inverse(came_from, axis), axis)


def _inverse(permutation: Any, axis: int) -> Any:
    """Where each place went: on 1,000,000 elements in a quarter of the time of another argsort."""
    n = permutation.shape[axis]
    inverse = np.empty_like(permutation)
    places = np.arange(n).reshape((n,) + (1,) * (permutation.ndim - axis - 1))
    np.put_along_axis(inverse, permutation, places, axis)
    return inverse


def _shared(g: Any, ordered: Any, axis: int) -> Any:
    """The cotangents of elements in order, those of equal elements replaced by their mean."""
    ordered = np.moveaxis(ordered, axis, -1)
    new = np.ones(ordered.shape, bool)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    if new.all():
        return g
    groups = np.cumsum(new.ravel()) - 1
    sizes = np.bincount(groups)
    moved = np.moveaxis(g, axis, -1)
    sums = apply(scatter, np.reshape(moved, -1), index=groups, shape=sizes.shape)
    means = (sums / sizes.astype(g.dtype))[groups]
    return np.moveaxis(np.reshape(means, ordered.shape), -1, axis)


_sort = Primitive(
    "sort",
    lambda x, *, axis, kind: np.sort(x, axis=axis, kind=kind),
    [_permuted],
    formula=r"x_{\sigma}, \; z_1 \le \dots \le z_n",
    vjp_formulas=[r"\bar{z}_{\sigma^{-1}}"],
    analytic=False,
    kinks=_TIES,
)

_partition = Primitive(
    "partition",
    lambda x, *, axis, kth, kind: np.partition(x, kth, axis=axis, kind=kind),
    [_permuted],
    formula=r"x_{\sigma}, \; z_{i < k} \le z_k \le z_{i > k}",
    vjp_formulas=[r"\bar{z}_{\sigma^{-1}}"],
    analytic=False,
    kinks=_TIES,
)


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """The elements in ascending order along an axis; see `numpy.sort`.

    Elements that tie share the gradients of their places evenly, as they do in `numpy.max`.

    Raises
    ------
    OperationError
        `order`, which is about fields, or `kind` together with `stable`.
    AxisError
        The array has no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True)
    >>> np.sort(x).backward(np.array([10.0, 20.0, 30.0]))
    >>> x.grad
    Tensor([30., 10., 20.])
    """
    if kind is not None and stable is not None:
        raise OperationError(
            f"np.sort got kind= and stable= (at {user_line()}).\nFix: name one of them."
        )
    a, place = _along("sort", a, axis, order)
    return _sort.apply(a, axis=place, kind="stable" if stable else kind)


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """The elements with the kth in its sorted place, smaller before it; see `numpy.partition`.

    Raises
    ------
    OperationError
        `order`, which is about fields.
    IndexingError
        An element of `kth` is outside of the axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.partition(tg.Tensor([3.0, 1.0, 2.0]), 0)[0]
    Tensor(1.)
    """
    a, place = _along("partition", a, axis, order)
    places, n = np.asarray(_values(kth)), a.shape[place]
    if places.dtype.kind not in "iu" or (n and ((places < -n) | (places >= n)).any()):
        raise IndexingError(
            f"np.partition: kth={kth} is no place on an axis of length {n} (at {user_line()}).\n"
            f"Fix: whole numbers from {-n} to {n - 1}."
        )
    return _partition.apply(a, axis=place, kth=places if places.ndim else int(places), kind=kind)


def _along(name: str, a: Any, axis: int | None, order: Any) -> tuple[Any, int]:
    """The array, flattened if no axis is given, and the axis from 0 on."""
    if order is not None:
        raise OperationError(
            f"np.{name} with order= is about fields, and a tensor has none (at {user_line()}).\n"
            "Fix: leave order= away."
        )
    a = as_tensor(a)
    if axis is None:
        return reshape(a, -1), 0
    return a, normalized_axes(name, operator.index(axis), a)[0]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Elements along an axis at places that differ from line to line; see `numpy.take_along_axis`.

    Raises
    ------
    IndexingError
        The indices are no integers, or outside of the axis.
    ShapeError
        They have another number of axes, or lengths that do not broadcast.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[3.0, 1.0], [2.0, 4.0]])
    >>> np.take_along_axis(x, np.argsort(x), axis=1)
    Tensor([[1., 3.],
            [2., 4.]])
    """
    arr, places = as_tensor(arr), np.asarray(_values(indices))
    if axis is None:
        arr, axis = reshape(arr, -1), 0
    (axis,) = normalized_axes("take_along_axis", axis, arr)
    if places.dtype.kind not in "iu":
        raise IndexingError(
            f"np.take_along_axis: indices of dtype {places.dtype} (at {user_line()}).\n"
            "Fix: pass integers, as np.argsort returns them."
        )
    pairs = list(zip(arr.shape, places.shape, strict=False))
    pairs[axis : axis + 1] = []
    fits = places.ndim == arr.ndim and all(n == m or 1 in (n, m) for n, m in pairs)
    if not fits:
        raise ShapeError(
            f"np.take_along_axis: indices of shape {places.shape} do not fit an array of shape "
            f"{arr.shape} on axis {axis} (at {user_line()}).\n"
            "Fix: as many axes as the array has, which broadcast with it but for the axis itself."
        )
    grid = np.ogrid[tuple(slice(n) for n in arr.shape)]
    index = tuple(places if i == axis else part for i, part in enumerate(grid))
    return FUNCTIONS[operator.getitem](arr, index)
