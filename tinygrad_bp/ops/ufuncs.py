"""What every ufunc has beside its call: ``where=``, ``dtype=``, reduce, accumulate, outer.

All of it is made of the ufunc's own rule and of indexing, so it holds for users' ufuncs too. Where
there is an operation of its own for it, as `numpy.sum` for ``np.add.reduce``, that is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_bp.core import FUNCTIONS, PRIMITIVES
from tinygrad_bp.core.messages import unknown
from tinygrad_bp.core.registry import UFUNC_METHODS
from tinygrad_bp.errors import ArgumentError, AxisError, DTypeError, OperationError, user_line
from tinygrad_bp.ops import softmax

_MISSING = np._NoValue
_REDUCTIONS: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}
# They choose the memory order and the class of the result, which are always a plain array's here.
_IGNORED = {"order", "subok"}


def _values(x: Any) -> Any:
    return x if hasattr(x, "ndim") else np.asarray(x)


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, np.generic)


def call(ufunc: np.ufunc, *inputs: Any, **kwargs: Any) -> Any:
    """Apply a ufunc with keywords.

    Parameters
    ----------
    where : array of bool, optional
        Where the result is computed. Elsewhere it is 0, and no gradient flows; NumPy leaves
        whatever was in memory there.
    dtype : dtype, optional
        Real floating-point dtype to which the inputs are cast first.

    Raises
    ------
    OperationError
        Another keyword was given.
    DTypeError
        The inputs cannot be cast to that dtype by the rule ``casting``.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 0.0, np.e], requires_grad=True)
    >>> y = np.log(x, where=x > 0)
    >>> y
    Tensor([0., 0., 1.], made by scatter)
    >>> y.sum().backward()
    >>> x.grad.data.round(6)
    array([1.      , 0.      , 0.367879])
    """
    function = FUNCTIONS[ufunc]
    kwargs = {name: v for name, v in kwargs.items() if name not in _IGNORED}
    if ufunc.signature is not None:
        return function(*inputs, **kwargs)
    where, dtype = kwargs.pop("where", True), kwargs.pop("dtype", None)
    casting = kwargs.pop("casting", "same_kind")
    if kwargs:
        raise unknown(ufunc, f"no rule is written for {', '.join(kwargs)}")
    if dtype is not None:
        inputs = tuple(_cast(ufunc, x, np.dtype(dtype), casting) for x in inputs)
    if where is True or (mask := np.asarray(getattr(where, "_data", where), bool)).all():
        return function(*inputs)
    arrays = [x if _is_number(x) else _values(x) for x in inputs]
    shape = np.broadcast_shapes(mask.shape, *(a.shape for a in arrays if not _is_number(a)))
    mask = np.broadcast_to(mask, shape)
    chosen = [a if _is_number(a) else np.broadcast_to(a, shape)[mask] for a in arrays]
    result = function(*chosen)
    if isinstance(result, tuple):
        raise unknown(ufunc, "no rule is written for where= with several results")
    return PRIMITIVES["scatter"](result, index=mask, shape=shape)


def _cast(ufunc: np.ufunc, x: Any, dtype: np.dtype[Any], casting: Any) -> Any:
    if _is_number(x):
        return x
    x = _values(x)
    if dtype.kind != "f" or not np.can_cast(x.dtype, dtype, casting):
        raise DTypeError(
            f"np.{ufunc.__name__} with dtype={dtype} and casting={casting!r} cannot work on "
            f"{x.shape} {x.dtype} (at {user_line()}).\nFix: name a floating-point dtype, or cast "
            "with astype() first."
        )
    return x.astype(dtype)


def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: int | tuple[int, ...] | None = 0,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = _MISSING,
    where: Any = _MISSING,
) -> Any:
    """Apply a ufunc of two inputs along axes until one element is left; see `numpy.ufunc.reduce`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.subtract.reduce(tg.Tensor([10.0, 2.0, 3.0])).item()
    5.0
    """
    where = _MISSING if where is True else where
    numpys = _REDUCTIONS.get(ufunc)
    if numpys is not None:
        extras = {"dtype": dtype} if numpys in (np.sum, np.prod) else {}
        a = _values(array) if extras or dtype is None else _values(array).astype(dtype)
        for name, value in (("initial", initial), ("where", where)):
            if value is not _MISSING:
                extras[name] = value
        return FUNCTIONS[numpys](a, axis=axis, keepdims=keepdims, **extras)
    a = _values(array) if dtype is None else _values(array).astype(dtype)
    if ufunc is np.logaddexp and initial is _MISSING and where is _MISSING and a.size:
        return softmax.logsumexp(a, axis=axis, keepdims=keepdims)
    if where is not _MISSING:
        raise unknown(ufunc, "no rule is written for reduce with where=")
    axes = range(a.ndim) if axis is None else _axes(ufunc, axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    if len(tuple(axes)) > 1 and ufunc.identity is None and ufunc not in (np.fmax, np.fmin):
        raise ArgumentError(
            f"np.{ufunc.__name__}.reduce over several axes depends on their order (at "
            f"{user_line()}).\nFix: reduce one axis after the other."
        )
    shape = tuple(a.shape[i] for i in kept)
    rows = np.reshape(np.transpose(a, (*axes, *kept)), (-1, *shape)) if a.size else None
    count = 0 if rows is None else len(rows)
    if initial is not _MISSING and initial is not None:
        result = np.broadcast_to(_values(initial).astype(a.dtype), shape)
    elif count:
        assert rows is not None
        result, rows, count = rows[0], rows[1:], count - 1
    elif ufunc.identity is not None or 0 in shape:
        return np.full(_kept(a.shape, axes, keepdims), ufunc.identity or 0, a.dtype)
    else:
        raise ArgumentError(
            f"np.{ufunc.__name__}.reduce of {a.shape} over axis {axis} has no element to begin "
            f"with (at {user_line()}).\nFix: pass at least one element, or initial=."
        )
    function = FUNCTIONS[ufunc]
    for i in range(count):
        result = function(result, rows[i])  # type: ignore[index] # there are rows where there is a count
    return np.reshape(result, _kept(a.shape, axes, keepdims))


def _axes(ufunc: np.ufunc, axis: Any, ndim: int) -> tuple[int, ...]:
    try:
        axes: tuple[int, ...] = normalize_axis_tuple(axis, ndim)
    except (ValueError, TypeError) as error:
        raise AxisError(
            f"np.{ufunc.__name__}.reduce over axis {axis} of {ndim} axes (at {user_line()}): "
            f"{error}.\nFix: name an axis that the array has."
        ) from error
    return axes


def _kept(shape: tuple[int, ...], axes: Any, keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def accumulate(
    ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: None = None
) -> Any:
    """All results of applying a ufunc along an axis, step by step; see `numpy.ufunc.accumulate`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.subtract.accumulate(tg.Tensor([10.0, 2.0, 3.0]))
    Tensor([10.,  8.,  5.])
    """
    a = _values(array) if dtype is None else _values(array).astype(dtype)
    from tinygrad_bp.ops import scans  # here, as it is not needed for a quick import

    shipped: dict[Any, Callable[..., Any]] = {
        np.add: scans.cumsum,
        np.multiply: scans.cumprod,
        np.maximum: scans.accumulate_max,
        np.minimum: scans.accumulate_min,
        np.logaddexp: scans.logcumsumexp,
    }
    if ufunc in shipped:
        return shipped[ufunc](a, axis=axis)
    axis = normalize_axis_index(axis, a.ndim)
    if not a.size:
        return np.copy(a)
    rows = np.moveaxis(a, axis, 0)
    results = [rows[0]]
    for i in range(1, len(rows)):
        results.append(FUNCTIONS[ufunc](results[-1], rows[i]))
    return np.moveaxis(np.stack(results), 0, axis)


def outer(ufunc: np.ufunc, a: Any, b: Any, **kwargs: Any) -> Any:
    """Apply a ufunc to every pair of elements; see `numpy.ufunc.outer`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.subtract.outer(tg.Tensor([1.0, 2.0]), [0.5]).shape
    (2, 1)
    """
    a, b = _values(a), _values(b)
    return call(ufunc, np.reshape(a, a.shape + (1,) * b.ndim), b, **kwargs)


def reduceat(
    ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None
) -> Any:
    """Reduce the pieces between indices; see `numpy.ufunc.reduceat`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.add.reduceat(tg.Tensor([1.0, 2.0, 3.0, 4.0]), [0, 2])
    Tensor([3., 7.])
    """
    a = _values(array) if dtype is None else _values(array).astype(dtype)
    rows = np.moveaxis(a, axis, 0)
    starts = [int(i) for i in np.asarray(getattr(indices, "_data", indices))]
    if any(not 0 <= i < len(rows) for i in starts):
        raise ArgumentError(
            f"np.{ufunc.__name__}.reduceat: the indices {starts} are not all below the length "
            f"{len(rows)} of axis {axis} (at {user_line()}).\nFix: indices in [0, {len(rows)})."
        )
    pieces = []
    for i, start in enumerate(starts):
        stop = starts[i + 1] if i + 1 < len(starts) else len(rows)
        piece = reduce(ufunc, rows[start:stop], axis=0) if start < stop else rows[start]
        pieces.append(piece)
    return np.moveaxis(np.stack(pieces), 0, axis)


def at(ufunc: np.ufunc, *inputs: Any) -> Any:
    """Refuse ``ufunc.at``, which writes into its first input."""
    raise OperationError(
        f"np.{ufunc.__name__}.at writes into its first input, and the values of a tensor are never "
        f"written to (at {user_line()}). Nothing was changed.\nFix: x.at[i].add(v), and likewise "
        "set, subtract, multiply, divide, min and max, which return a new tensor."
    )


UFUNC_METHODS.update(
    {
        "__call__": call,
        "reduce": reduce,
        "accumulate": accumulate,
        "outer": outer,
        "reduceat": reduceat,
        "at": at,
    }
)
