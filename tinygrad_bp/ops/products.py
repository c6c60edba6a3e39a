"""Products beyond those of `linear_algebra`: of vectors, inner, cross and Kronecker ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.ops.linear_algebra import matmul, tensordot
from tinygrad_bp.ops.matrices import gufunc, operand, unfit
from tinygrad_bp.ops.shaping import normalized_axes


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Sum over the last axes of both; see `numpy.inner`.

    Raises
    ------
    ShapeError
        The last axes differ in length.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.inner(tg.Tensor([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.shape[-1] != b.shape[-1]:
        raise unfit("inner", a, b, "the last axes differ in length")
    return tensordot(a, b, (-1, -1))


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Sum of the products of all elements, in order; see `numpy.vdot`."""
    a, b = operand(a), operand(b)
    if a.size != b.size:
        raise unfit("vdot", a, b, f"they have {a.size} and {b.size} elements")
    return matmul(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


_vecdot = Primitive(
    "vecdot",
    np.vecdot,
    [lambda g, out, x, y: g[..., None] * y, lambda g, out, x, y: g[..., None] * x],
    formula=r"\textstyle\sum_i x_i \, y_i",
    vjp_formulas=[r"\bar{z} \, y", r"\bar{z} \, x"],
)


def _check_vectors(name: str, x: Any, y: Any, axis: int) -> None:
    if x.shape[-1] != y.shape[axis]:
        raise unfit(
            name, x, y, f"the axes to sum over have the lengths {x.shape[-1]} and {y.shape[axis]}"
        )


def _dot_of_vectors(x: Any, y: Any) -> Any:
    _check_vectors("vecdot", x, y, -1)
    return _vecdot(x, y)


@implements(np.vecdot)
def vecdot(
    x1: Any,
    x2: Any,
    /,
    out: None = None,
    *,
    axis: Any = None,
    keepdims: Any = False,
    **options: Any,
) -> Any:
    """Sum of products along one axis, stacks broadcast; see `numpy.vecdot`.

    Parameters
    ----------
    x1, x2 : Tensor or array
        (…, n).
    axis, keepdims
        As in NumPy.
    **options
        `axes` or `dtype`.

    Raises
    ------
    ShapeError
        The shapes do not go together.
    OperationError
        ``out=`` or another option was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.vecdot(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [1.0, 1.0])
    Tensor([3., 7.])
    """
    if axis is not None:
        options["axes"] = [axis, axis]
    z = gufunc("vecdot", (1, 1, 0), _dot_of_vectors, x1, x2, out=out, **options)
    return np.expand_dims(z, -1 if axis is None else axis) if keepdims else z


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return vecdot(x1, x2, axis=axis)


def _matrix_vector(x: Any, y: Any) -> Any:
    _check_vectors("matvec", x, y, -1)
    return matmul(x, y[..., None])[..., 0]


def _vector_matrix(x: Any, y: Any) -> Any:
    _check_vectors("vecmat", x, y, -2)
    return matmul(x[..., None, :], y)[..., 0, :]


def matvec(x1: Any, x2: Any, /, out: None = None, **options: Any) -> Any:
    """Matrices times vectors, stacks broadcast; see `numpy.matvec`, of NumPy 2.2 and later.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> matvec(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 1.0], [0.0, 1.0]])
    Tensor([[3., 7.],
            [2., 4.]])
    """
    return gufunc("matvec", (2, 1, 1), _matrix_vector, x1, x2, out=out, **options)


def vecmat(x1: Any, x2: Any, /, out: None = None, **options: Any) -> Any:
    """Vectors times matrices, stacks broadcast; see `numpy.vecmat`, of NumPy 2.2 and later."""
    return gufunc("vecmat", (1, 2, 1), _vector_matrix, x1, x2, out=out, **options)


if hasattr(np, "matvec"):
    implements(np.matvec)(matvec)
    implements(np.vecmat)(vecmat)


_cross = Primitive(
    "cross",
    np.cross,
    [lambda g, out, x, y: np.cross(y, g), lambda g, out, x, y: np.cross(g, x)],
    formula=r"x \times y",
    vjp_formulas=[r"y \times \bar{z}", r"\bar{z} \times x"],
)


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Cross product of vectors in space, and in the plane; see `numpy.cross`.

    Raises
    ------
    ShapeError
        The vectors have other lengths than 2 and 3.
    AxisError
        An axis that is not there.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.cross(tg.Tensor([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0])
    Tensor([0., 0., 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = operand(a), operand(b)
    x = np.moveaxis(a, normalized_axes("cross", axisa, a)[0], -1)
    y = np.moveaxis(b, normalized_axes("cross", axisb, b)[0], -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise unfit("cross", a, b, f"vectors of lengths {x.shape[-1]} and {y.shape[-1]}, not 2, 3")
    if x.shape[-1] == y.shape[-1] == 2:
        return x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    z: Any = _cross(_in_space(x), _in_space(y))
    return np.moveaxis(z, -1, normalized_axes("cross", axisc, z)[0])


def _in_space(x: Any) -> Any:
    """Vectors of the plane with 0 as their third element."""
    if x.shape[-1] == 3:
        return x
    return np.concatenate([x, np.zeros((*x.shape[:-1], 1), x.dtype)], axis=-1)


@implements(np.linalg.cross)
def _linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = operand(x1), operand(x2)
    lengths = [x.shape[normalized_axes("linalg.cross", axis, x)[0]] for x in (x1, x2)]
    if lengths != [3, 3]:
        raise unfit("linalg.cross", x1, x2, f"vectors of lengths {lengths}, not 3")
    return cross(x1, x2, axis=axis)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Kronecker product, of any number of axes; see `numpy.kron`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.kron(tg.Tensor([1.0, 10.0]), [1.0, 2.0])
    Tensor([ 1.,  2., 10., 20.])
    """
    a, b = operand(a), operand(b)
    n = max(a.ndim, b.ndim)
    left = (1,) * (n - a.ndim) + a.shape
    right = (1,) * (n - b.ndim) + b.shape
    x = np.reshape(a, tuple(k for m in left for k in (m, 1)))
    y = np.reshape(b, tuple(k for m in right for k in (1, m)))
    return np.reshape(x * y, tuple(m * k for m, k in zip(left, right, strict=True)))
