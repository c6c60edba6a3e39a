"""Products of vectors, matrices and stacks of them: matmul, dot, einsum, and a layer's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.core.cotangents import sum_of_rows
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import AxisError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.matrices import gufunc


def _product(x: Any, y: Any) -> Any:
    """``x @ y`` of matrices and of stacks of matrices.

    On matrices, `numpy.dot` costs 0.3 microseconds less than ``@``, and on (784, 1) and (1, 128),
    the outer product behind the gradient of a single sample, 11 in place of 110.
    """
    if x.ndim == 2 == y.ndim:
        return np.dot(x, y)
    return x * y if x.shape[-1] == 1 == y.shape[-2] else x @ y


def _rows(x: Any) -> Any:
    """The array as a matrix: all axes but the last one made into one."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


#: Of so many rows and more, not X^T G is computed but its transpose, for which BLAS takes less: of
#: (5000, 400) and (5000, 25), 4.0 ms in place of 7.2 in float64, 2.4 in place of 3.2 in float32.
#: Of fewer, it counts for more that the gradient lies in memory as its parameter does.
_TALL = 512


def _forward(x: Any, y: Any) -> Any:
    try:
        return np.dot(x, y) if x.ndim == 2 == y.ndim else x @ y
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
        return g.T.dot(x).T if len(x) >= _TALL and type(g) is np.ndarray else _product(x.T, g)
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
def matmul(x1: Any, x2: Any, /, **options: Any) -> Any:
    """Product of matrices, vectors and stacks of matrices; see `numpy.matmul`.

    Parameters
    ----------
    x1, x2 : Tensor or array
        (…, n, k) and (…, k, m); a vector counts as a row on the left, as a column on the right.
    **options
        `axes` or `dtype`.

    Raises
    ------
    ShapeError
        The lengths to be summed over differ, or the stacks do not broadcast.
    OperationError
        ``out=`` or another option was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> tg.Tensor([[1.0, 2.0], [3.0, 4.0]]) @ tg.Tensor([1.0, 1.0])
    Tensor([3., 7.])
    """
    if options:
        core = (0, 0, 0) if options.get("axes") is None else (2, 2, 2)
        return gufunc("matmul", core, _matmul, x1, x2, **options)
    return _matmul.apply(_operand(x1), _operand(x2))


def _operand(x: Any) -> Any:
    """What the rules can ask for its axes: lists and numbers become arrays."""
    return x if hasattr(x, "ndim") else np.asarray(x)


@implements(np.dot)
def dot(a: Any, b: Any, out: None = None) -> Any:
    """Sum over the last axis of `a` and the last but one of `b`; see `numpy.dot`.

    Parameters
    ----------
    a, b : Tensor or array
        A number multiplies; of a vector, the only axis is summed over.

    Raises
    ------
    OperationError
        ``out=`` was given.
    ShapeError
        The lengths to be summed over differ.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.dot(tg.Tensor([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    if out is not None:
        raise OperationError(
            f"np.dot with out= is not available on tensors (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
    a, b = _operand(a), _operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim == 1 or b.ndim <= 2:
        return _matmul.apply(a, b)
    return tensordot(a, b, (-1, -2))


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum over pairs of axes; see `numpy.tensordot`.

    Parameters
    ----------
    a, b : Tensor or array
        Any shapes.
    axes : int, or pair of ints or sequences of int
        How many of the last axes of `a` and the first of `b`, or which ones of each.

    Raises
    ------
    ShapeError
        The axes that belong together differ in number or in length.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.tensordot(tg.Tensor(np.ones((2, 3, 4))), np.ones((4, 3, 5)), ((1, 2), (1, 0))).shape
    (2, 5)
    """
    a, b = _operand(a), _operand(b)
    try:
        if hasattr(axes, "__iter__"):
            left, right = (
                normalize_axis_tuple(s, x.ndim) for s, x in zip(axes, (a, b), strict=True)
            )
        else:
            left = normalize_axis_tuple(range(-axes, 0), a.ndim)
            right = normalize_axis_tuple(range(axes), b.ndim)
    except ValueError as error:
        raise AxisError(
            f"np.tensordot of {a.shape} and {b.shape} cannot sum over axes={axes} "
            f"(at {user_line()}): {error}.\nFix: name axes that both arrays have, each once."
        ) from error
    lengths = [a.shape[i] for i in left]
    if lengths != [b.shape[i] for i in right]:
        raise ShapeError(
            f"np.tensordot of {a.shape} and {b.shape} (at {user_line()}): the axes {left} of the "
            f"first and {right} of the second differ in number or length.\n"
            "Fix: name pairs of equal length."
        )
    kept = [i for i in range(a.ndim) if i not in left]
    free = [i for i in range(b.ndim) if i not in right]
    over = math.prod(lengths)
    rows, columns = [a.shape[i] for i in kept], [b.shape[i] for i in free]
    x = np.reshape(np.transpose(a, (*kept, *left)), (math.prod(rows), over))
    y = np.reshape(np.transpose(b, (*right, *free)), (over, math.prod(columns)))
    return np.reshape(_matmul(x, y), (*rows, *columns))


@implements(np.outer)
def outer(a: Any, b: Any, out: None = None) -> Any:
    """Every element of `a` times every element of `b`; see `numpy.outer`."""
    if out is not None:
        raise OperationError(
            f"np.outer with out= is not available on tensors (at {user_line()}).\n"
            "Fix: leave out= away and use what is returned."
        )
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


def _linear_forward(x: Any, weight: Any, bias: Any = None) -> Any:
    if type(x) is not np.ndarray or x.ndim != 2:
        x = np.asarray(x)
        if not x.ndim or x.shape[-1:] != weight.shape[1:]:
            raise _wrong_input(x.shape, weight.shape)
        z = _linear_forward(_rows(x), weight, bias)
        return z.reshape((*x.shape[:-1], len(weight)))
    if weight.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise _wrong_input(x.shape, weight.shape)
    z = x.dot(weight.T)
    if bias is None:
        return z
    if bias.shape != z.shape[1:]:
        raise _wrong_bias(bias.shape, weight.shape)
    if bias.dtype != z.dtype:
        return z + bias
    z += bias
    return z


def _linear_x(g: Any, out: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    return g.dot(weight) if g.ndim == 2 else g @ weight


def _linear_weight(g: Any, out: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    g, x = (g, x) if g.ndim == 2 else (_rows(g), _rows(x))
    turned = type(weight) is np.ndarray and weight.strides[0] < weight.strides[1]
    if turned and len(x) < _TALL and x.dtype is g.dtype:
        # In memory as the weight is, so that an optimizer need not turn it; and no view, which
        # would be copied.
        gradient = np.empty(weight.shape, x.dtype, "F")
        x.T.dot(g, out=gradient.T)
        return gradient
    return g.T.dot(x)


def _linear_bias(g: Any, out: Any, x: Any, weight: Any, bias: Any) -> Any:
    if g.size == bias.size:
        return g.reshape(bias.shape)
    return sum_of_rows(_rows(g)) if type(g) is np.ndarray else _rows(g).sum(axis=0)


_linear = Primitive(
    "linear",
    _linear_forward,
    [
        _linear_x,
        _linear_weight,
        _linear_bias,
    ],
    formula=r"X \, W^\top + b",
    vjp_formulas=[
        r"\bar{Z} \, W",
        r"\bar{Z}^\top X",
        r"\textstyle\sum_{\text{rows}} \bar{Z}",
    ],
)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """``x @ weight.T + bias``: what a dense layer computes, as a single node of the graph.

    Parameters
    ----------
    x : Tensor or array
        (…, in).
    weight : Tensor or array
        (out, in).
    bias : Tensor or array, optional
        (out,).

    Returns
    -------
    Tensor
        (…, out).

    Raises
    ------
    ShapeError
        The shapes do not go together.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> linear(tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0, 4.0]]), tg.Tensor([0.5]))
    Tensor([[11.5]])
    """
    return _linear.apply(x, weight) if bias is None else _linear.apply(x, weight, bias)


def _wrong_input(x: tuple[int, ...], weight: tuple[int, ...]) -> ShapeError:
    if len(weight) != 2:
        return ShapeError(
            f"linear{_where()}: the weight has shape {weight}, expected (out, in).\n"
            "Fix: pass a matrix."
        )
    got = f"axis -1 has length {x[-1]}" if x else "it has no axis"
    return ShapeError(
        f"linear{_where()}: input {x}, expected (…, {weight[1]}): {got}, and the weight "
        f"{weight} sums over {weight[1]}.\n"
        f"Fix: let what comes before give {weight[1]} features"
        + (f", or use a weight of shape ({weight[0]}, {x[-1]})." if x else ".")
    )


def _wrong_bias(bias: tuple[int, ...], weight: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"linear{_where()}: the bias has shape {bias}, expected ({weight[0]},) for the weight "
        f"{weight}.\nFix: one bias per output."
    )


def _where() -> str:
    path = MODE.get().path()
    return f"{f' in {path}' if path else ''} (at {user_line()})"
