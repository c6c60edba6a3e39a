"""Inserting, deleting, repeating and blocking: what NumPy makes of joins and of reads at places."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    ShapeError,
    user_line,
)
from tinygrad_bp.ops.joining import concatenate
from tinygrad_bp.ops.shaping import (
    broadcast_to,
    flip,
    moveaxis,
    normalized_axes,
    ravel,
    reshape,
    transpose,
)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Values after the end of an axis, or of all elements; see `numpy.append`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.append(tg.Tensor([1.0, 2.0]), [[3.0], [4.0]])
    Tensor([1., 2., 3., 4.])
    """
    if axis is None:
        return concatenate((ravel(as_tensor(arr)), ravel(as_tensor(values))))
    return concatenate((as_tensor(arr), as_tensor(values)), axis)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """The array without the slices at some places of an axis; see `numpy.delete`.

    Raises
    ------
    IndexingError
        A place is outside of the axis, or is no integer, slice or mask.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.delete(tg.Tensor([1.0, 2.0, 3.0]), [0, -1])
    Tensor([2.])
    """
    arr, place = _along("delete", arr, axis)
    kept = _planned("delete", np.delete, arr, place, obj)
    return _read(arr, place, kept)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Values before some places of an axis, cast to the dtype of the array; see `numpy.insert`.

    Raises
    ------
    IndexingError
        A place is outside of the axis, or is no integer, slice or mask.
    ShapeError
        The values do not broadcast to what is inserted.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.insert(tg.Tensor([1.0, 2.0]), [0, 2], tg.Tensor([8.0, 9.0]))
    Tensor([8., 1., 2., 9.])
    """
    arr, place = _along("insert", arr, axis)
    values = as_tensor(values).astype(arr.dtype)
    places = (
        np.arange(arr.shape[place])[obj] if isinstance(obj, slice) else np.asarray(_values(obj))
    )
    count = np.count_nonzero(places) if places.dtype == bool else places.size
    if count == 1:
        values = reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        if places.ndim == 0:  # a single place takes the first axis of the values as the many
            values = moveaxis(values, 0, place)
        count = values.shape[place]
    wanted = (*arr.shape[:place], count, *arr.shape[place + 1 :])
    n = arr.shape[place]
    order = _planned("insert", np.insert, arr, place, obj, n + np.arange(count))
    return _read(concatenate((arr, broadcast_to(values, wanted)), place), place, order)


def _along(name: str, a: Any, axis: int | None) -> tuple[Any, int]:
    """The array, flattened if no axis is given, and the axis from 0 on."""
    a = as_tensor(a)
    if axis is None:
        return ravel(a), 0
    return a, normalized_axes(name, operator.index(axis), a)[0]


def _planned(name: str, plan: Callable[..., Any], a: Any, axis: int, obj: Any, *rest: Any) -> Any:
    """What NumPy makes of the places along an axis, or its objection in our words."""
    obj = _values(obj)
    try:
        return plan(np.arange(a.shape[axis]), obj, *rest)
    except (IndexError, ValueError, TypeError) as error:
        raise IndexingError(
            f"np.{name}: {obj} does not name places on axis {axis} of an array of shape {a.shape} "
            f"(at {user_line()}): {error}.\nFix: pass integers within the axis, a slice or a mask."
        ) from error


def _read(a: Any, axis: int, places: Any) -> Any:
    return FUNCTIONS[operator.getitem](a, (slice(None),) * axis + (places,))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """Another shape, for which the elements are repeated or cut off; see `numpy.resize`.

    Raises
    ------
    ShapeError
        A length is negative.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.resize(tg.Tensor([1.0, 2.0]), 5)
    Tensor([1., 2., 1., 2., 1.])
    """
    a = ravel(as_tensor(a))
    lengths = new_shape if np.iterable(new_shape) else (new_shape,)
    shape = tuple(operator.index(n) for n in lengths)
    if min(shape, default=0) < 0:
        raise ShapeError(
            f"np.resize to {shape} (at {user_line()}).\nFix: lengths from 0 on; -1 is for reshape."
        )
    size = int(np.prod(shape))
    if a.size == 0 and size:
        return as_tensor(np.zeros(shape, a.dtype))
    return reshape(_read(a, 0, np.arange(size) % max(a.size, 1)), shape)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """The part between the zeros at the ends of the axes; see `numpy.trim_zeros`.

    Raises
    ------
    ArgumentError
        `trim` is neither 'f', 'b' nor 'fb'.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.trim_zeros(tg.Tensor([0.0, 1.0, 0.0, 2.0, 0.0]))
    Tensor([1., 0., 2.])
    """
    filt, ends = as_tensor(filt), trim.lower()
    if ends not in ("f", "b", "fb", "bf"):
        raise ArgumentError(
            f"np.trim_zeros cannot trim {trim!r} (at {user_line()}).\n"
            "Fix: 'f' for the front, 'b' for the back, 'fb' for both."
        )
    axes = range(filt.ndim) if axis is None else normalized_axes("trim_zeros", axis, filt)
    places = np.argwhere(_values(filt))
    index = [slice(None)] * filt.ndim
    for i in axes:
        low = places[:, i].min() if len(places) and "f" in ends else 0
        high = places[:, i].max() + 1 if len(places) and "b" in ends else None
        index[i] = slice(low, high if len(places) else 0)
    return FUNCTIONS[operator.getitem](filt, tuple(index))


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turn the plane of two axes by k right angles; see `numpy.rot90`.

    Raises
    ------
    AxisError
        There are not two axes, or they are the same, or not there.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.rot90(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[2., 4.],
            [1., 3.]])
    """
    m = as_tensor(m)
    turned = normalized_axes("rot90", tuple(axes), m)
    if len(turned) != 2:
        raise ShapeError(
            f"np.rot90 turns the plane of two axes, not of {len(turned)} (at {user_line()}).\n"
            "Fix: axes=(0, 1), or another two."
        )
    first, second = turned
    order = list(range(m.ndim))
    order[first], order[second] = second, first
    match operator.index(k) % 4:
        case 0:
            return FUNCTIONS[operator.getitem](m, Ellipsis)
        case 1:
            return transpose(flip(m, second), order)
        case 2:
            return flip(m, turned)
        case _:
            return flip(transpose(m, order), second)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, as a tuple; see `numpy.unstack`.

    Raises
    ------
    AxisError
        The array has no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> unstack(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    (Tensor([1., 3.]), Tensor([2., 4.]))
    """
    x = as_tensor(x)
    (axis,) = normalized_axes("unstack", axis, x)
    lead = (slice(None),) * axis
    return tuple(FUNCTIONS[operator.getitem](x, (*lead, i)) for i in range(x.shape[axis]))


if hasattr(np, "unstack"):  # since NumPy 2.1
    implements(np.unstack)(unstack)


@implements(np.block)
def block(arrays: Any) -> Any:
    """Arrays in nested lists, the innermost joined along the last axis; see `numpy.block`.

    Raises
    ------
    DTypeError
        A tuple is among the lists.
    ShapeError
        A list is empty, or the lists are not nested to one depth.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.block([[tg.Tensor([1.0, 2.0]), 3.0], [np.zeros(3)]])
    Tensor([[1., 2., 3.],
            [0., 0., 0.]])
    """
    depths, ndims = zip(*_leaves(arrays, 0), strict=True)
    if len(set(depths)) > 1:
        raise ShapeError(
            f"np.block: lists of depths {sorted(set(depths))} side by side (at {user_line()}).\n"
            "Fix: nest all arrays equally deep."
        )
    return _joined(arrays, depths[0], max(depths[0], *ndims))


def _leaves(arrays: Any, depth: int) -> Iterable[tuple[int, int]]:
    """How deep each array lies in the lists, and how many axes it has."""
    if isinstance(arrays, tuple):
        raise DTypeError(
            f"np.block takes lists; there is a tuple among them (at {user_line()}).\n"
            "Fix: square brackets in place of round ones."
        )
    if not isinstance(arrays, list):
        yield depth, np.ndim(_values(arrays))
    elif not arrays:
        raise ShapeError(
            f"np.block: a list is empty (at {user_line()}).\nFix: leave it away, or fill it."
        )
    else:
        for part in arrays:
            yield from _leaves(part, depth + 1)


def _joined(arrays: Any, depth: int, ndim: int) -> Any:
    if not isinstance(arrays, list):
        a = as_tensor(arrays)
        return reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    return concatenate([_joined(part, depth - 1, ndim) for part in arrays], ndim - depth)


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x
