"""Products of vectors, matrices and stacks of them: matmul, dot, tensordot, outer, linear."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import OperationError, ShapeError, user_line


def _product(x: Any, y: Any) -> Any:
    """``x @ y`` of matrices; by broadcasting where the summed axis has length 1, as it is faster.

    OpenBLAS takes 110 microseconds for (784, 1) @ (1, 128), the elementwise product 20.
    """
    return x * y if x.shape[-1] == 1 == y.shape[-2] else x @ y


def _rows(x: Any) -> Any:
    """The array as a matrix: all axes but the last one made into one."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _forward(x: Any, y: Any) -> Any:
    try:
        return x @ y
    except ValueError as error:
        raise _mismatch(x.shape, y.shape) from error


def _mismatch(x: tuple[int, ...], y: tuple[int, ...]) -> ShapeError:
    path = MODE.get().path()
    axis = -1 if len(y) == 1 else -2
    if not x or not y:
        why, fix = "a number has no axis to sum over", "use x * y."
    elif x[-1] != y[axis]:
        why = f"axis -1 of the first has length {x[-1]}, axis {axis} of the second {y[axis]}"
        fix = f"the second needs shape (…, {x[-1]}, n), or transpose one of them."
    else:
        why = f"the stacks {x[:-2]} and {y[:-2]} do not broadcast"
        fix = "the axes before the last two must agree or have length 1."
    return ShapeError(
        f"matmul{f' in {path}' if path else ''} of {x} and {y} (at {user_line()}): {why}.\n"
        f"Fix: {fix}"
    )


def _matmul_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 == y.ndim:
        return _product(g, y.T)
    if y.ndim == 1:
        return g[..., None] * y
    if x.ndim == 1:
        return _product(y, g[..., None])[..., 0]
    return _product(g, y.swapaxes(-1, -2))


def _matmul_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    if x.ndim == 2 == y.ndim:
        return _product(x.T, g)
    if x.ndim == 1:
        return x * g if y.ndim == 1 else x[:, None] * g[..., None, :]
    if y.ndim == 1:
        return g.reshape(-1) @ _rows(x)
    if y.ndim == 2:
        return _product(_rows(x).T, _rows(g))
    return _product(x.swapaxes(-1, -2), g)


_matmul = Primitive(
    "matmul",
    _forward,
    [_matmul_x, _matmul_y],
    formula=r"X \, Y",
    vjp_formulas=[r"\bar{Z} \, Y^\top", r"X^\top \, \bar{Z}"],
)


@implements(np.matmul)
def matmul(x1: Any, x2: Any) -> Any:
    """Product of matrices, vectors and stacks of matrices; see `numpy.matmul`.

    Parameters
    ----------
    x1, x2 : Tensor or array
        (…, n, k) and (…, k, m); a vector counts as a row on the left, as a column on the right.

    Raises
    ------
    ShapeError
        The lengths to be summed over differ, or the stacks do not broadcast.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> tg.Tensor([[1.0, 2.0], [3.0, 4.0]]) @ tg.Tensor([1.0, 1.0])
    Tensor([3., 7.])
    """
    return _matmul(_operand(x1), _operand(x2))


def _operand(x: Any) -> Any:
    """What the rules can ask for its axes: lists and numbers become arrays."""
    return x if hasattr(x, "ndim") else np.asarray(x)
