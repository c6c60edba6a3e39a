"""Joining and splitting: concatenate, stack and their kin, split, tile and repeat."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, implements
from tinygrad_bp.errors import DTypeError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.shaping import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_to,
    normalized_axes,
    reshape,
)


def _pieces(g: Any, out: Any, *arrays: Any, axis: int) -> list[Any]:
    before = (slice(None),) * axis
    bounds = accumulate((a.shape[axis] for a in arrays), initial=0)
    return [g[(*before, slice(*pair))] for pair in pairwise(bounds)]


def _layers(g: Any, out: Any, *arrays: Any, axis: int) -> list[Any]:
    before = (slice(None),) * axis
    return [g[(*before, i)] for i in range(len(arrays))]


_concatenate = Primitive(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis),
    _pieces,
    formula=r"(x_1, \dots, x_n)",
    vjp_formulas=[r"\bar{z}_{[x_i]}"],
    joint=True,
)

_stack = Primitive(
    "stack",
    lambda *arrays, axis: np.stack(arrays, axis),
    _layers,
    formula=r"(x_1, \dots, x_n)",
    vjp_formulas=[r"\bar{z}_i"],
    joint=True,
)


@implements(np.concatenate)
def concatenate(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:
    """Join arrays along an axis that they have; see `numpy.concatenate`.

    Parameters
    ----------
    arrays : sequence of tensors and arrays
        Of equal shapes but for `axis`.
    axis : int or None, default 0
        None flattens them first.
    dtype : dtype, optional
        Of the result; the arrays are cast to it as `casting` allows.

    Raises
    ------
    OperationError
        ``out=`` was given.
    ShapeError
        The shapes differ elsewhere than along the axis.
    DTypeError
        `casting` does not allow one of the casts.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.concatenate([tg.Tensor([1.0, 2.0]), np.zeros(1)])
    Tensor([1., 2., 0.])
    """
    parts = _cast("concatenate", _arrays(arrays), out, dtype, casting)
    if axis is None:
        parts, axis = [reshape(a, (-1,)) for a in parts], 0
    if parts and parts[0].ndim and all(a.ndim == parts[0].ndim for a in parts):
        (axis,) = normalized_axes("concatenate", axis, parts[0])
    return _concatenate.apply(*parts, axis=axis)


@implements(np.stack)
def stack(
    arrays: Any,
    axis: int = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: Any = "same_kind",
) -> Any:
    """Join arrays of one shape along a new axis; see `numpy.stack`.

    Raises
    ------
    OperationError
        ``out=`` was given.
    ShapeError
        The shapes differ.
    DTypeError
        `casting` does not allow a cast to `dtype`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.stack([tg.Tensor([1.0, 2.0]), np.zeros(2)], axis=1)
    Tensor([[1., 0.],
            [2., 0.]])
    """
    parts = _cast("stack", _arrays(arrays), out, dtype, casting)
    if parts:
        (axis,) = normalized_axes("stack", axis, parts[0], parts[0].ndim + 1)
    return _stack.apply(*parts, axis=axis)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Join along the first axis, vectors as rows; see `numpy.vstack`."""
    return concatenate([atleast_2d(a) for a in _arrays(tup)], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Join along the second axis, vectors along their only one; see `numpy.hstack`."""
    parts = [atleast_1d(a) for a in _arrays(tup)]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Join along the third axis; see `numpy.dstack`."""
    return concatenate([atleast_3d(a) for a in _arrays(tup)], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Join along the second axis, vectors as columns; see `numpy.column_stack`."""
    parts = _arrays(tup)
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in parts], 1)


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut along an axis, at places or into parts as equal as can be; see `numpy.array_split`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> [part.tolist() for part in np.array_split(tg.Tensor([1.0, 2.0, 3.0]), 2)]
    [[1.0, 2.0], [3.0]]
    """
    (axis,) = normalized_axes("split", axis, ary)
    n = ary.shape[axis]
    if hasattr(indices_or_sections, "__len__"):
        cuts = [0, *(operator.index(i) for i in indices_or_sections), n]
    else:
        parts = operator.index(indices_or_sections)
        if parts < 1:
            raise ShapeError(
                f"np.split cannot make {parts} parts (at {user_line()}).\nFix: ask for one or more."
            )
        size, longer = divmod(n, parts)
        cuts = [i * size + min(i, longer) for i in range(parts + 1)]
    lead = (slice(None),) * axis
    return [
        FUNCTIONS[operator.getitem](ary, (*lead, slice(low, high))) for low, high in pairwise(cuts)
    ]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut along an axis, at places or into equal parts; see `numpy.split`.

    Raises
    ------
    ShapeError
        The axis does not divide into that many equal parts.
    """
    (axis,) = normalized_axes("split", axis, ary)
    if not hasattr(indices_or_sections, "__len__"):
        parts = operator.index(indices_or_sections)
        if parts > 0 and ary.shape[axis] % parts:
            raise ShapeError(
                f"np.split cannot cut axis {axis} of length {ary.shape[axis]} of shape {ary.shape} "
                f"into {parts} equal parts (at {user_line()}).\nFix: use np.array_split."
            )
    return array_split(ary, indices_or_sections, axis)


def _splitter(function: Any, least: int, axis: Callable[[int], int]) -> None:
    """Register a relative of `split` that needs so many axes and cuts along one of its own."""
    name = function.__name__

    def cut(ary: Any, indices_or_sections: Any) -> list[Any]:
        if ary.ndim < least:
            raise ShapeError(
                f"np.{name} of shape {ary.shape} (at {user_line()}): it needs {least} axes or more."
                "\nFix: use np.split with an axis."
            )
        return split(ary, indices_or_sections, axis(ary.ndim))

    FUNCTIONS[function] = cut


_splitter(np.vsplit, 2, lambda ndim: 0)
_splitter(np.hsplit, 1, lambda ndim: min(ndim - 1, 1))
_splitter(np.dsplit, 3, lambda ndim: 2)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:  # noqa: N803 - NumPy's name
    """Repeat the whole array along each axis; see `numpy.tile`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.tile(tg.Tensor([1.0, 2.0]), 2)
    Tensor([1., 2., 1., 2.])
    """
    times = tuple(reps) if isinstance(reps, Iterable) else (reps,)
    n = max(len(times), A.ndim)
    times = (1,) * (n - len(times)) + times
    shape = (1,) * (n - A.ndim) + A.shape
    x = reshape(A, tuple(length for m in shape for length in (1, m)))
    x = broadcast_to(x, tuple(k for pair in zip(times, shape, strict=True) for k in pair))
    return reshape(x, tuple(k * m for k, m in zip(times, shape, strict=True)))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Repeat each element, all as often or each as given; see `numpy.repeat`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.repeat(tg.Tensor([1.0, 2.0]), [1, 2])
    Tensor([1., 2., 2.])
    """
    if axis is None or a.ndim == 0:  # NumPy takes a number for an axis of length 1
        a, axis = reshape(a, (-1,)), axis or 0
    (axis,) = normalized_axes("repeat", axis, a)
    try:
        places = np.repeat(np.arange(a.shape[axis]), repeats)
    except ValueError as error:
        raise ShapeError(
            f"np.repeat: repeats={repeats} does not fit axis {axis} of shape {a.shape} "
            f"(at {user_line()}).\nFix: pass one number, or one for each element of the axis."
        ) from error
    return FUNCTIONS[operator.getitem](a, (slice(None),) * axis + (places,))


def _arrays(arrays: Iterable[Any]) -> list[Any]:
    return [a if hasattr(a, "ndim") else np.asarray(a) for a in arrays]


def _cast(name: str, arrays: list[Any], out: Any, dtype: Any, casting: Any) -> list[Any]:
    """The arrays in the dtype that was asked for, if one was and if the casts are allowed."""
    if out is not None:
        raise OperationError(
            f"np.{name} with out= cannot write into an array or tensor (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
    if dtype is None:
        return arrays
    target = np.dtype(dtype)
    for a in arrays:
        if not np.can_cast(a.dtype, target, casting):
            raise DTypeError(
                f"np.{name} cannot cast {a.dtype} to {target} with casting={casting!r} "
                f"(at {user_line()}).\nFix: another dtype, or casting='unsafe' if that is meant."
            )
    return [a.astype(target) for a in arrays]
