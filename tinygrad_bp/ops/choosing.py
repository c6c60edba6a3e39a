"""Choosing among several arrays, or the elements where a condition holds; functions by pieces."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import DTypeError, IndexingError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.indexing import scatter
from tinygrad_bp.ops.selection import where
from tinygrad_bp.ops.shaping import broadcast_to, normalized_axes, ravel

_NUMBERS = (int, float, complex)


def _chosen(i: int, g: Any, out: Any, a: Any, *choices: Any) -> Any:
    return None if i == 0 else np.where(a == i - 1, g, 0)


_choose = Primitive(
    "choose",
    lambda a, *choices: np.choose(a, choices),
    _chosen,
    formula=r"x_{c}",
    vjp_formulas=[r"[c = i] \, \bar{z}"],
)


@implements(np.choose)
def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """Each element from the array of which `a` has the number; see `numpy.choose`.

    Raises
    ------
    OperationError
        ``out=`` was given.
    IndexingError
        `a` does not hold integers, or not the number of a choice and `mode` is 'raise'.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.choose([0, 1, 0], [tg.Tensor([1.0, 2.0, 3.0]), -1.0])
    Tensor([ 1., -1.,  3.])
    """
    _no_out("choose", out)
    known = (Variable, np.ndarray)
    arrays = [c if isinstance(c, known) or type(c) in _NUMBERS else np.asarray(c) for c in choices]
    index, n = np.asarray(_values(a)), len(arrays)
    if index.dtype.kind not in "iub" or n == 0:
        raise IndexingError(
            f"np.choose: dtype {index.dtype} cannot number {n} choices (at {user_line()}).\n"
            "Fix: pass integers, as with a.astype(int), and one choice or more."
        )
    if mode == "raise" and ((index < 0) | (index >= n)).any():
        raise IndexingError(
            f"np.choose: {index.min()} to {index.max()} are not all numbers of {n} choices "
            f"(at {user_line()}).\nFix: stay within 0 to {n - 1}, or use mode='clip' or 'wrap'."
        )
    if mode not in ("raise", "clip", "wrap"):
        raise OperationError(
            f"np.choose has no mode {mode!r} (at {user_line()}).\nFix: 'raise', 'clip' or 'wrap'."
        )
    index = index % n if mode == "wrap" else np.clip(index, 0, n - 1)
    return _choose(index.astype(np.intp), *arrays)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """The slices along an axis for which the condition holds; see `numpy.compress`.

    Raises
    ------
    OperationError
        ``out=`` was given.
    ShapeError
        The condition has other than one axis.
    IndexingError
        It holds beyond the end of the axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.compress([True, False, True], tg.Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3.])
    """
    _no_out("compress", out)
    a, held = as_tensor(a), np.asarray(_values(condition))
    if held.ndim != 1:
        raise ShapeError(
            f"np.compress: a condition of shape {held.shape} (at {user_line()}).\n"
            "Fix: one truth value per slice; for a mask of elements, index with it: a[mask]."
        )
    if axis is None:
        a, axis = ravel(a), 0
    (axis,) = normalized_axes("compress", axis, a)
    places = np.flatnonzero(held)
    return FUNCTIONS[operator.getitem](a, (slice(None),) * axis + (places,))


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The elements for which the condition holds, along one axis; see `numpy.extract`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[1.0, -2.0], [3.0, -4.0]])
    >>> np.extract(x > 0, x)
    Tensor([1., 3.])
    """
    return compress(np.ravel(_values(condition)), as_tensor(arr))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Each element from the first choice whose condition holds, or the default; see `numpy.select`.

    Raises
    ------
    ShapeError
        As many conditions as choices are needed, and one at least.
    DTypeError
        A condition is not made of truth values.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([-1.0, 0.5, 3.0])
    >>> np.select([x < 0, x > 1], [0, x * 10], default=x)
    Tensor([ 0. ,  0.5, 30. ])
    """
    if len(condlist) != len(choicelist) or len(condlist) == 0:
        raise ShapeError(
            f"np.select got {len(condlist)} conditions and {len(choicelist)} choices "
            f"(at {user_line()}).\nFix: as many of the one as of the other, and one at least."
        )
    conditions = [np.asarray(_values(c)) for c in condlist]
    for i, c in enumerate(conditions):
        if c.dtype != bool:
            raise DTypeError(
                f"np.select: condition {i} has dtype {c.dtype} (at {user_line()}).\n"
                "Fix: pass truth values, as comparisons give them."
            )
    shape = np.broadcast_shapes(*(c.shape for c in conditions))
    conditions = [np.broadcast_to(c, shape) for c in conditions]
    # One dtype for all before they meet, as numbers of Python are weak only beside arrays.
    known = [c if type(c) in _NUMBERS else np.asarray(_values(c)) for c in (*choicelist, default)]
    dtype = np.result_type(*known)
    result = _number_of(default, dtype)
    for condition, choice in zip(reversed(conditions), reversed(choicelist), strict=True):
        result = where(condition, _number_of(choice, dtype), result)
    return result


def _number_of(x: Any, dtype: Any) -> Any:
    """A Python number as one of NumPy's; anything else as it is."""
    return dtype.type(x) if type(x) in _NUMBERS else x


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """A function that is another one wherever another condition holds; see `numpy.piecewise`.

    The functions are called on the elements for which their condition holds, and on no others.
    What they and the numbers give is cast to the dtype of `x`, as in NumPy.

    Raises
    ------
    ShapeError
        There are not as many functions as conditions, or one more for all other elements.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([-4.0, 4.0, 9.0], requires_grad=True)
    >>> np.piecewise(x, [x < 0], [0, np.sqrt]).sum().backward()
    >>> x.grad
    Tensor([0.        , 0.25      , 0.16666667])
    """
    x = as_tensor(x)
    conditions = _conditions(x, condlist, len(funclist))
    result: Any = as_tensor(np.zeros(x.shape, x.dtype))
    for condition, function in zip(conditions, funclist, strict=True):
        if callable(function):
            found = FUNCTIONS[operator.getitem](x, condition)
            if found.size == 0:
                continue
            value = as_tensor(function(found, *args, **kw)).astype(x.dtype)
            value = scatter(broadcast_to(value, found.shape), index=condition, shape=x.shape)
        else:
            value = as_tensor(function).astype(x.dtype)
        result = where(_as_wide_as(condition, x), value, result)
    return result


def _conditions(x: Any, condlist: Any, functions: int) -> list[Any]:
    """The conditions as arrays of truth values, with the one for all other elements."""
    first = condlist if np.isscalar(_values(condlist)) else condlist[0]
    several = isinstance(first, (list, np.ndarray)) or getattr(first, "ndim", 0) > 0
    if np.isscalar(_values(condlist)) or (not several and x.ndim != 0):
        condlist = [condlist]
    conditions = [np.asarray(_values(c), bool) for c in condlist]
    if len(conditions) == functions - 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(conditions) != functions:
        n = len(conditions)
        raise ShapeError(
            f"np.piecewise got {n} conditions and {functions} functions (at {user_line()}).\n"
            f"Fix: {n} functions, or {n + 1} with the last for all other elements."
        )
    return conditions


def _as_wide_as(condition: Any, x: Any) -> Any:
    """A mask of the first axes of x with axes of length 1 for the rest."""
    return condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x


def _no_out(name: str, out: Any) -> None:
    if out is not None:
        raise OperationError(
            f"np.{name} with out= cannot write into an array or tensor (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
