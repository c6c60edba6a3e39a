"""Cotangents: how the backward pass starts, sums and checks them, and who owns their arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core.graph import Node, Variable
from tinygrad_bp.core.messages import named
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import DTypeError, ShapeError, VJPError, a_kind, user_line

# How the array of a cotangent is held: it may be another's too, it came new from a rule, or it is
# a sum made here, to which more can be added in place.
BORROWED, FRESH, OWNED = 0, 1, 2


class Sparse:
    """A cotangent that is zero but at one index: what reading ``x[index]`` sends back.

    Where a gradient is already being summed, it is added in place at its index alone, so that a
    loop which reads n single elements costs n additions and not n arrays.
    """

    __slots__ = ("dtype", "index", "shape", "values")

    def __init__(self, index: Any, values: Any, shape: tuple[int, ...], dtype: Any) -> None:
        self.index = index
        self.values = values
        self.shape = shape
        self.dtype = dtype

    def add_to(self, total: np.ndarray[Any, Any]) -> None:
        """Add to an array in place; an element that is read twice receives twice."""
        if type(self.index) is int:
            total[self.index] += self.values
            return
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        arrays = [np.asarray(part) for part in parts if isinstance(part, (np.ndarray, list))]
        if all(a.dtype.kind == "b" for a in arrays):  # slices and masks read no element twice
            total[self.index] += self.values
        elif len(parts) == 1 and total.ndim > 1 and total.flags.c_contiguous:
            _add_rows(total, np.asarray(parts[0], np.intp), self.values)
        else:
            np.add.at(total, self.index, self.values)

    def dense(self) -> np.ndarray[Any, Any]:
        """The whole array."""
        total = np.zeros(self.shape, self.dtype)
        self.add_to(total)
        return total


def _add_rows(total: Any, rows: Any, values: Any) -> None:
    """Add to whole rows, each as often as it is named.

    An index for each element, since `numpy.add.at` is quick on flat arrays alone: 2048 rows of a
    table of 100, each of 128 float32, take 0.46 ms in place of 8.8. Sorting the rows, to add each
    run at once, takes 0.48 ms there, and twice the time of this on a table of 10,000.
    """
    flat = total.reshape(-1)
    length = flat.size // max(len(total), 1)
    places = rows[..., None] * length + np.arange(length)
    np.add.at(flat, places.reshape(-1), values.reshape(-1))


class Joint:
    """One rule that gives the cotangents of all inputs at once, as `Primitive` explains."""

    __slots__ = ("name", "rule")

    def __init__(self, name: str, rule: Callable[..., Any]) -> None:
        self.name = name
        self.rule = rule

    def all_of(self, g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
        """The cotangents of all inputs.

        Raises
        ------
        VJPError
            The rule returned none, or another number of them.
        """
        found = self.rule(g, out, *inputs, **params)
        count = len(found) if isinstance(found, (list, tuple)) else None
        if count != len(inputs):
            what = a_kind(found) if count is None else f"{count} cotangents"
            raise VJPError(
                f"the rule of {self.name!r} returned {what} for {len(inputs)} inputs.\n"
                "Fix: a list with one cotangent per input, None for an input that has none."
            )
        return found

    def __getitem__(self, i: int) -> Callable[..., Any]:
        return lambda g, out, *inputs, **params: self.all_of(g, out, *inputs, **params)[i]


def starting_cotangent(root: Any, gradient: Any) -> Any:
    """The cotangent to start a backward pass from: what the caller gave, checked, or 1.

    Returns
    -------
    ndarray, NumPy scalar or Variable
        Of the shape of `root`, and of its dtype unless it is a variable.
    """
    if gradient is None:
        if root._data.size != 1:
            raise ShapeError(
                f"backward() of a tensor{named(root)} of shape {root.shape} needs a gradient "
                f"of that shape (at {user_line()}).\n"
                "Fix: reduce it first, as with .sum() or .mean(), or pass gradient=."
            )
        one = root._data.dtype.type(1)
        return np.full(root._data.shape, one) if root._data.ndim else one
    if not isinstance(gradient, Variable):
        gradient = np.asarray(gradient)
    values = gradient._data if isinstance(gradient, Variable) else gradient
    if values.shape != root.shape:
        raise ShapeError(
            f"the gradient of shape {values.shape} does not fit a tensor{named(root)} of shape "
            f"{root.shape} (at {user_line()}).\nFix: pass the shape of the tensor."
        )
    if values.dtype.kind not in "fiub":
        raise DTypeError(f"a gradient has real numbers, not {values.dtype} (at {user_line()}).")
    if isinstance(gradient, Variable):
        return gradient
    return values.astype(root._data.dtype, copy=False)


def apply_hooks(hooks: list[Callable[[Any], Any]], g: Any) -> Any:
    """The cotangent after each hook has seen it, and replaced it where it returned one."""
    for hook in tuple(hooks):  # one that removes itself would have the next one passed over
        replacement = hook(g)
        if replacement is not None:
            g = replacement
    return g


def not_shared(g: Any) -> Any:
    """A recorded cotangent that no other variable holds: of a leaf or constant, a copy.

    Those can be assigned to, and a rule may have returned the same one for several inputs.
    """
    return g if g.node is not None else PRIMITIVES["astype"](g, dtype=g.dtype)


#: Ones to sum rows with; for more rows, whose sums take far longer than that, they are made anew.
_LONGEST = 8192
_ONES: dict[Any, Any] = {np.dtype(t): np.ones(_LONGEST, t) for t in (np.float32, np.float64)}


def sum_of_rows(g: Any) -> Any:
    r"""The sum of the rows of a matrix, :math:`1^\top G`.

    As that product it takes 20 µs for (5000, 25) float64, where ``g.sum(axis=0)`` takes 97, and 1.4
    in place of 3.9 µs for (100, 50) float32. Where columns lie in memory as such, NumPy's sum is
    about as fast, and more precise.

    Examples
    --------
    >>> sum_of_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    ones, n = _ONES.get(g.dtype), len(g)
    if ones is None or g.strides[0] <= g.strides[1]:
        return np.add.reduce(g, axis=0)
    return (ones[:n] if n <= _LONGEST else np.ones(n, g.dtype)).dot(g)


def sum_to_shape(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which `shape` was broadcast: the transpose of broadcasting.

    Examples
    --------
    >>> sum_to_shape(np.ones((4, 3)), (3,))
    array([4., 4., 4.])
    >>> sum_to_shape(np.ones((4, 3)), (4, 1)).shape
    (4, 1)
    """
    extra = g.ndim - len(shape)
    if extra < 0:
        return g
    if extra:
        if len(shape) == 1 and g.size:
            g = sum_of_rows(g.reshape(-1, g.shape[-1]))
        else:
            g = np.add.reduce(g, axis=0 if extra == 1 else tuple(range(extra)))
        if g.shape == shape:
            return g
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
    return np.add.reduce(g, axis=axes, keepdims=True) if axes else g


def conform(part: Any, data: Any, node: Node, i: int, recording: bool) -> Any:
    """Bring a rule's result to the shape and dtype of the input that it belongs to."""
    if type(part) is Sparse:
        if part.shape == data.shape and part.dtype == data.dtype:
            return part
        part = part.dense()
    elif not isinstance(part, (np.ndarray, np.generic, Variable)):
        if not isinstance(part, (int, float)):
            raise VJPError(
                f"the rule of {node.primitive.name!r} for input {i} returned a "
                f"{type(part).__name__}, not an array{node.where()}.\nFix: return an array of "
                f"shape {data.shape}, or None for a gradient of zero."
            )
        part = np.asarray(part, data.dtype)
    shape, target = part.shape, data.shape
    if shape != target:
        if recording:
            part = PRIMITIVES["sum_to_shape"](part, shape=target)
        else:
            part = sum_to_shape(part, target)
        if part.shape != target:
            raise VJPError(
                f"the rule of {node.primitive.name!r} returned a cotangent of shape {shape} for "
                f"input {i} of shape {target}{node.where()}.\nFix: let the rule return the shape "
                f"{target}, or a shape to which {target} broadcasts, which is then summed."
            )
    if part.dtype != data.dtype:
        if part.dtype.kind not in "fiub":
            raise VJPError(
                f"the rule of {node.primitive.name!r} returned {part.dtype} for input {i} of "
                f"dtype {data.dtype}{node.where()}.\nFix: return real numbers."
            )
        part = (
            PRIMITIVES["astype"](part, dtype=data.dtype) if recording else part.astype(data.dtype)
        )
    return part
