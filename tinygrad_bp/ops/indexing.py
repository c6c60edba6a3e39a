"""Reading elements by every kind of index, and its transpose: adding them back where they lay."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, Sparse, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import IndexingError, OperationError, user_line

_BASIC = (int, np.integer, slice, type(None), type(Ellipsis))


def _scattered(g: Any, out: Any, x: Any, *, index: Any) -> Any:
    """On arrays nothing but the elements read is carried back; on tensors the rule is recorded."""
    if isinstance(g, (np.ndarray, np.generic)):
        return Sparse(index, g, x.shape, x.dtype)
    return scatter(g, index=index, shape=x.shape)


# Two primitives for one operation, since only the first returns a view.
_slice = Primitive(
    "getitem",
    lambda x, *, index: x[index],
    [_scattered],
    formula=r"x_I",
    vjp_formulas=[r"\textstyle\sum_{i} \bar{z}_i \, e_{I_i}"],
    view=True,
)

_gather = Primitive(
    "gather",
    lambda x, *, index: x[index],
    [_scattered],
    formula=r"x_I",
    vjp_formulas=[r"\textstyle\sum_{i} \bar{z}_i \, e_{I_i}"],
)

scatter = Primitive(
    "scatter",
    lambda values, *, index, shape: Sparse(index, values, shape, values.dtype).dense(),
    [lambda g, out, values, *, index, shape: g[index]],
    formula=r"\textstyle\sum_{i} x_i \, e_{I_i}",
    vjp_formulas=[r"\bar{z}_I"],
)


@implements(operator.getitem)
def getitem(x: Any, index: Any) -> Any:
    """Read ``x[index]`` for every kind of index that NumPy has.

    An element that is read twice receives the sum of both gradients.

    Parameters
    ----------
    x : Tensor
        Any shape.
    index : int, slice, None, Ellipsis, array of integers or booleans, tensor, or tuple of these
        As in NumPy's basic and advanced indexing.

    Raises
    ------
    IndexingError
        The index reaches beyond the shape, or is not made of integers and booleans.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad
    Tensor([2., 0., 1.])
    """
    kind = type(index)
    if kind is int or kind is slice:
        return _slice.apply(x, index=index)
    index = normalized(index)
    parts = index if kind is tuple else (index,)
    basic = all(isinstance(part, _BASIC) and type(part) is not bool for part in parts)
    return _slice.apply(x, index=index) if basic else _gather.apply(x, index=index)


def normalized(index: Any) -> Any:
    """An index with its lists and tensors as arrays.

    Raises
    ------
    IndexingError
        It is not made of integers and booleans.

    Examples
    --------
    >>> normalized((0, [1, 2]))
    (0, array([1, 2]))
    """
    if type(index) is tuple:
        return tuple(part if isinstance(part, _BASIC) else _array(part) for part in index)
    return index if isinstance(index, _BASIC) else _array(index)


def _array(part: Any) -> Any:
    """An index as an array of integers or booleans."""
    if isinstance(part, Variable):
        part = part._data
    elif isinstance(part, (list, tuple)):
        part = np.asarray([_array(p) if isinstance(p, Variable) else p for p in part])
        if part.size == 0:
            part = part.astype(np.intp)
    if getattr(part, "dtype", None) is None or part.dtype.kind not in "iub":
        what = f"dtype {part.dtype}" if hasattr(part, "dtype") else f"type {type(part).__name__}"
        raise IndexingError(
            f"an index of {what} cannot index a tensor (at {user_line()}).\n"
            "Fix: index with integers, booleans, slices, None or Ellipsis, as with i.astype(int)."
        )
    return part


@implements(np.take)
def take(
    a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Any:
    """Elements, or slices along an axis, at integer places; see `numpy.take`.

    Raises
    ------
    OperationError
        ``out=`` or another mode than 'raise' was given.
    """
    if out is not None or mode != "raise":
        raise OperationError(
            f"np.take with out= or mode={mode!r} is not available on tensors (at {user_line()}).\n"
            "Fix: leave out= away, and bring the indices into the range first."
        )
    places = indices if isinstance(indices, Variable) else np.asarray(indices)
    if axis is None:
        return FUNCTIONS[operator.getitem](np.ravel(a), places)
    if not -a.ndim <= axis < a.ndim:
        raise IndexingError(
            f"np.take: there is no axis {axis} in shape {a.shape} (at {user_line()}).\n"
            "Fix: name an axis that the array has."
        )
    return FUNCTIONS[operator.getitem](a, (slice(None),) * (axis % a.ndim) + (places,))
