"""Other shapes for the same elements: reshape, transpose, broadcast, and what is made of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_bp.core import FUNCTIONS, Primitive, as_tensor, implements
from tinygrad_bp.errors import ArgumentError, AxisError, ShapeError, user_line


def _transposed(g: Any, out: Any, x: Any, *, axes: tuple[int, ...] | None) -> Any:
    if axes is None:
        return g.transpose()
    n = len(axes)
    return g.transpose(tuple(sorted(range(n), key=lambda i: axes[i] % n)))


_reshape = Primitive(
    "reshape",
    lambda x, *, shape: x.reshape(shape),
    [lambda g, out, x, *, shape: g.reshape(x.shape)],
    formula=r"\text{reshape}(x)",
    vjp_formulas=[r"\text{reshape}(\bar{z})"],
    view=True,
)

_transpose = Primitive(
    "transpose",
    lambda x, *, axes: x.transpose(axes),
    [_transposed],
    formula=r"z_{i_{\sigma(1)} \dots i_{\sigma(n)}} = x_{i_1 \dots i_n}",
    vjp_formulas=[r"\bar{z}_{i_{\sigma(1)} \dots i_{\sigma(n)}}"],
    view=True,
)

_broadcast_to = Primitive(
    "broadcast_to",
    lambda x, *, shape: np.broadcast_to(x, shape),
    [lambda g, out, x, *, shape: g],
    formula=r"\text{broadcast}(x)",
    vjp_formulas=[r"\textstyle\sum_{\text{broadcast}} \bar{z}"],
    view=True,
)


@implements(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """The same elements in another shape; see `numpy.reshape`.

    Parameters
    ----------
    a : Tensor
        Any shape.
    shape : int or tuple of int
        The new shape; one length may be -1, which is then inferred. `newshape` is its old name.
    order : {'C', 'F', 'A'}
        Whether the last axis changes fastest, the first, or the first of arrays that lie so in
        memory.
    copy : bool, optional
        True copies, False is an error where memory cannot be shared.

    Raises
    ------
    ArgumentError
        There is no such order.
    ShapeError
        The number of elements differs, or no view has that shape.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1), order="F")
    Tensor([[1., 3.],
            [2., 4.]])
    """
    wanted = newshape if shape is None else shape
    if wanted is None:
        raise ShapeError(f"np.reshape needs a shape (at {user_line()}).\nFix: pass shape=.")
    wanted = _lengths(wanted)
    if copy:
        a = np.copy(a)
    if order in ("C", "c"):
        result = _reshape(a, shape=wanted)
    elif _order("reshape", order, "CFA", a) == "F":
        result = transpose(_reshape(transpose(a), shape=wanted[::-1]))
    else:
        result = _reshape(a, shape=wanted)
    if copy is False and result.size and not np.may_share_memory(result, a):
        raise ShapeError(
            f"np.reshape with copy=False: memory of shape {a.shape} cannot be seen as {wanted} "
            f"(at {user_line()}).\nFix: leave copy= away."
        )
    return result


def _lengths(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple, from a number, or from numbers in a list, tuple or array."""
    if np.ndim(shape):
        return tuple(operator.index(n) for n in shape)
    return () if isinstance(shape, Sequence) else (operator.index(shape),)


def _order(name: str, order: Any, known: str, a: Any) -> str:
    """Which axis changes fastest, 'C' or 'F', for an order that depends on the memory."""
    letter = str(order).upper()
    if letter not in tuple(known):
        raise ArgumentError(
            f"np.{name} has no order {order!r} (at {user_line()}).\n"
            f"Fix: one of {', '.join(map(repr, known))}."
        )
    if letter == "A":
        return "F" if np.asarray(a._data).flags.fnc else "C"
    return letter


@implements(np.ravel)
def ravel(a: Any, order: Any = "C") -> Any:
    """All elements along one axis; see `numpy.ravel`.

    Raises
    ------
    ArgumentError
        There is no such order; there are 'C', 'F', 'A' and 'K'.
    """
    if order in ("C", "c"):
        return _reshape.apply(a, shape=(-1,))
    letter = _order("ravel", order, "CFAK", a)
    if letter == "K":  # the axes as they lie in memory, the one with the longest steps first
        steps = np.asarray(a._data).strides
        a = transpose(a, sorted(range(a.ndim), key=lambda i: -abs(steps[i])))
    return _reshape.apply(transpose(a) if letter == "F" else a, shape=(-1,))


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """Permute the axes, or reverse them; see `numpy.transpose`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.transpose(tg.Tensor(np.zeros((2, 3, 4))), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return _transpose.apply(
        a, axes=None if axes is None else tuple(operator.index(i) for i in axes)
    )


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Exchange two axes; see `numpy.swapaxes`."""
    order = list(range(a.ndim))
    i, j = normalized_axes("swapaxes", (axis1,), a)[0], normalized_axes("swapaxes", (axis2,), a)[0]
    order[i], order[j] = j, i
    return _transpose.apply(a, axes=tuple(order))


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Exchange the last two axes; see `numpy.matrix_transpose`."""
    return swapaxes(x, -1, -2)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Move axes to other places, the rest in order; see `numpy.moveaxis`."""
    origin = normalized_axes("moveaxis", source, a)
    target = normalized_axes("moveaxis", destination, a)
    if len(origin) != len(target):
        raise ShapeError(
            f"np.moveaxis has {len(origin)} source axes and {len(target)} destinations "
            f"(at {user_line()}).\nFix: name as many of the one as of the other."
        )
    order = [i for i in range(a.ndim) if i not in origin]
    for place, axis in sorted(zip(target, origin, strict=True)):
        order.insert(place, axis)
    return _transpose.apply(a, axes=tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Move an axis before another one; see `numpy.rollaxis`."""
    axis = normalized_axes("rollaxis", (axis,), a)[0]
    if not -a.ndim <= start <= a.ndim:
        raise _no_axis("rollaxis", start, a)
    start += a.ndim if start < 0 else 0
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """Insert axes of length 1; see `numpy.expand_dims`."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    places = normalized_axes("expand_dims", axes, a, a.ndim + len(axes))
    lengths = iter(a.shape)
    n = a.ndim + len(places)
    return _reshape.apply(a, shape=tuple(1 if i in places else next(lengths) for i in range(n)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Drop axes of length 1, all or the given ones; see `numpy.squeeze`.

    Raises
    ------
    ShapeError
        A given axis is longer than 1.
    """
    if axis is None:
        return _reshape.apply(a, shape=tuple(n for n in a.shape if n != 1))
    drop = normalized_axes("squeeze", axis, a)
    for i in drop:
        if a.shape[i] != 1:
            raise ShapeError(
                f"np.squeeze cannot drop axis {i} of length {a.shape[i]} of shape {a.shape} "
                f"(at {user_line()}).\nFix: name axes of length 1."
            )
    return _reshape.apply(a, shape=tuple(n for i, n in enumerate(a.shape) if i not in drop))


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """Repeat along new axes and axes of length 1, in read-only memory; see `numpy.broadcast_to`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> np.broadcast_to(x, (3, 2)).sum().backward()
    >>> x.grad
    Tensor([3., 3.])
    """
    return _broadcast_to.apply(array, shape=_lengths(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """Every argument in the shape that they have together; see `numpy.broadcast_arrays`."""
    arrays = [as_tensor(a) for a in args]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError as error:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise ShapeError(
            f"np.broadcast_arrays: the shapes {shapes} do not broadcast (at {user_line()}).\n"
            "Fix: lengths must agree, counted from the last axis, or be 1."
        ) from error
    return tuple(_broadcast_to(a, shape=shape) for a in arrays)


def _at_least(name: str, arrays: tuple[Any, ...], grown: dict[int, Any]) -> Any:
    """Each array with the axes that `grown` gives for its number of axes."""
    results = []
    for a in arrays:
        t = as_tensor(a)
        shape = grown.get(t.ndim)
        results.append(t if shape is None else _reshape(t, shape=shape(*t.shape)))
    return results[0] if len(results) == 1 else tuple(results)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """Each argument with one axis or more; see `numpy.atleast_1d`."""
    return _at_least("atleast_1d", arys, {0: lambda: (1,)})


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """Each argument with two axes or more, new ones first; see `numpy.atleast_2d`."""
    return _at_least("atleast_2d", arys, {0: lambda: (1, 1), 1: lambda n: (1, n)})


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """Each argument with three axes or more, at NumPy's places; see `numpy.atleast_3d`."""
    return _at_least(
        "atleast_3d",
        arys,
        {0: lambda: (1, 1, 1), 1: lambda n: (1, n, 1), 2: lambda m, n: (m, n, 1)},
    )


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """Reverse the order along all axes or the given ones; see `numpy.flip`."""
    turned = range(m.ndim) if axis is None else normalized_axes("flip", axis, m)
    return m[tuple(slice(None, None, -1) if i in turned else slice(None) for i in range(m.ndim))]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Reverse the order along axis 1; see `numpy.fliplr`."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Reverse the order along axis 0; see `numpy.flipud`."""
    return flip(m, 0)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Shift along axes, what falls off coming back at the other end; see `numpy.roll`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.roll(tg.Tensor([1.0, 2.0, 3.0]), 1)
    Tensor([3., 1., 2.])
    """
    if axis is None:
        return _reshape.apply(roll(_reshape(a, shape=(-1,)), shift, 0), shape=a.shape)
    shifts, places = np.broadcast_arrays(shift, axis)
    for n, i in zip(shifts.ravel().tolist(), places.ravel().tolist(), strict=True):
        k = normalized_axes("roll", (i,), a)[0]
        order = np.roll(np.arange(a.shape[k]), n)
        a = FUNCTIONS[operator.getitem](a, (slice(None),) * k + (order,))
    return a


def normalized_axes(name: str, axis: Any, a: Any, ndim: int | None = None) -> tuple[int, ...]:
    """The axes as a tuple of places from 0 on, or an error that says what there is."""
    n = a.ndim if ndim is None else ndim
    try:
        return normalize_axis_tuple(axis, n)
    except np.exceptions.AxisError as error:
        raise _no_axis(name, axis, a) from error
    except ValueError as error:
        raise AxisError(
            f"np.{name} was given the axes {axis}, one of them twice (at {user_line()}).\n"
            "Fix: name each axis once."
        ) from error


def _no_axis(name: str, axis: Any, a: Any) -> AxisError:
    return AxisError(
        f"np.{name}: there is no axis {axis} for an array of shape {a.shape} "
        f"(at {user_line()}).\nFix: name an axis that the array has."
    )
