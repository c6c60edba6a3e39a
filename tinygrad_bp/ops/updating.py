"""``x.at[index].set(v)`` and its kin: copies with some elements changed, differentiable in both.

The values of a tensor are never written to; these are the functional form of ``x[index] = v`` and
``x[index] += v``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, PRIMITIVES, Primitive
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import DTypeError, ShapeError, user_line
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.indexing import normalized


def _set(x: Any, values: Any, *, index: Any) -> Any:
    out = np.array(x)
    out[index] = values
    return out


def _kept(g: Any, index: Any) -> Any:
    """The cotangent of `x`: zero where elements were replaced."""
    keep = np.ones(g.shape, bool)
    keep[index] = False
    return np.where(keep, g, 0)


def _reached(g: Any, index: Any) -> Any:
    """The cotangent of the values: of several for one element, NumPy keeps the last."""
    order = np.arange(g.size).reshape(g.shape)[index]
    if order.size == np.unique(order).size:
        return g[index]
    last = np.empty(g.size, int)
    last[order.reshape(-1)] = np.arange(order.size)
    return np.where(last[order] == np.arange(order.size).reshape(order.shape), g[index], 0)


set_ = Primitive(
    "set",
    _set,
    [
        lambda g, out, x, values, *, index: _kept(g, index),
        lambda g, out, x, values, *, index: _reached(g, index),
    ],
    formula=r"x \text{ with } x_I = y",
    vjp_formulas=[r"\bar{z} \text{ with } \bar{z}_I = 0", r"\bar{z}_I"],
)


def _rounds(shape: tuple[int, ...], index: Any) -> Iterator[tuple[Any, Any]]:
    """Pieces of an index in each of which no element stands twice, with their places in it.

    Elements and places are counted as in flat arrays.
    """
    order = np.arange(int(np.prod(shape))).reshape(shape)[index]
    flat = order.reshape(-1)
    by_element = np.argsort(flat, kind="stable")
    first = np.flatnonzero(np.diff(flat[by_element], prepend=-1))
    lengths = np.diff(np.append(first, flat.size))
    rank = np.empty(flat.size, int)
    rank[by_element] = np.arange(flat.size) - np.repeat(first, lengths)
    for k in range(rank.max(initial=-1) + 1):
        places = np.flatnonzero(rank == k)
        yield flat[places], places


class At:
    """The elements of a tensor at an index, of which each method makes a changed copy.

    ``x.at[i].add(v)`` is the tensor that ``x`` would be after ``np.add.at(x, i, v)``: an element
    that the index names several times receives them all, and of several values that are set, the
    last. The dtype stays that of `x`.
    """

    __slots__ = ("_index", "_shape", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x = x
        self._index = normalized(index)
        self._shape = self.get().shape

    def get(self) -> Any:
        """The elements themselves: ``x[index]``."""
        return FUNCTIONS[operator.getitem](self._x, self._index)

    def set(self, values: Any) -> Any:
        """Replace them.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> x, v = (tg.Tensor(a, requires_grad=True) for a in ([1.0, 2.0, 3.0], 5.0))
        >>> y = x.at[:2].set(v)
        >>> y
        Tensor([5., 5., 3.], made by set)
        >>> y.sum().backward()
        >>> x.grad, v.grad
        (Tensor([0., 0., 1.]), Tensor(2.))
        """
        return set_(self._x, self._fitting(values), index=self._index)

    def add(self, values: Any) -> Any:
        """Add to them.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> tg.Tensor([1.0, 2.0, 3.0]).at[[0, 0, 2]].add(1.0)
        Tensor([3., 2., 4.])
        """
        x, values = self._x, self._fitting(values)
        spread = np.broadcast_to(values, self._shape)
        return x + apply(PRIMITIVES["scatter"], spread, index=self._index, shape=x.shape)

    def subtract(self, values: Any) -> Any:
        """Subtract from them."""
        return self.add(-self._fitting(values))

    def multiply(self, values: Any) -> Any:
        """Multiply them."""
        return self._one_by_one(np.multiply, values)

    def divide(self, values: Any) -> Any:
        """Divide them."""
        return self._one_by_one(np.divide, values)

    def power(self, values: Any) -> Any:
        """Raise them to powers."""
        return self._one_by_one(np.power, values)

    def min(self, values: Any) -> Any:
        """Limit them from above; a tie shares the gradient evenly, as `numpy.minimum` does."""
        return self._one_by_one(np.minimum, values)

    def max(self, values: Any) -> Any:
        """Limit them from below; a tie shares the gradient evenly, as `numpy.maximum` does."""
        return self._one_by_one(np.maximum, values)

    def _one_by_one(self, ufunc: Callable[..., Any], values: Any) -> Any:
        x = self._x
        spread = np.reshape(np.broadcast_to(self._fitting(values), self._shape), -1)
        result: Any = np.copy(np.reshape(x, -1))
        for elements, places in _rounds(x.shape, self._index):
            result = set_(result, ufunc(result[elements], spread[places]), index=elements)
        return np.reshape(result, x.shape)

    def _fitting(self, values: Any) -> Any:
        """The values in the dtype of x, once they are known to broadcast to the elements."""
        x = self._x
        values = values if isinstance(values, (Variable, np.ndarray)) else np.asarray(values)
        if not np.can_cast(values.dtype, x.dtype, "same_kind"):
            raise DTypeError(
                f"x.at[...] of a tensor of dtype {x.dtype} cannot take values of dtype "
                f"{values.dtype} (at {user_line()}).\nFix: cast one of them with astype()."
            )
        target = self._shape
        try:
            fits = np.broadcast_shapes(values.shape, target) == target
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"x.at[...] names elements of shape {target}, and values of shape {values.shape} "
                f"do not broadcast to it (at {user_line()}).\nFix: pass one value, or that shape."
            )
        return values if values.dtype == x.dtype else values.astype(x.dtype)


class Indexer:
    """What ``x.at`` is: it waits for the index."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> At:
        return At(self._x, index)


FUNCTIONS["at"] = Indexer  # for `Tensor.at`, which knows nothing of this module
