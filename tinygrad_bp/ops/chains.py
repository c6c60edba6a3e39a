"""Chains and powers of matrices, tensors as matrices, and the other names of `numpy.linalg`."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_bp.core import as_tensor, implements
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, user_line
from tinygrad_bp.ops.linear_algebra import matmul, outer, tensordot
from tinygrad_bp.ops.matrices import check_matrices, check_square, no_out, operand
from tinygrad_bp.ops.shaping import matrix_transpose, normalized_axes


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: None = None) -> Any:
    """Product of a chain of matrices in the cheapest order; see `numpy.linalg.multi_dot`.

    Raises
    ------
    ShapeError
        There are less than two, they do not chain, or one in the middle is no matrix.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.linalg.multi_dot([tg.Tensor([1.0, 2.0]), np.eye(2), np.eye(2), [3.0, 4.0]]).item()
    11.0
    """
    no_out("linalg.multi_dot", out)
    parts = [operand(a) for a in arrays]
    shapes = [x.shape for x in parts]
    ends = {0, len(parts) - 1}
    fits = len(parts) > 1 and all(
        len(s) == 2 or (len(s) == 1 and i in ends) for i, s in enumerate(shapes)
    )
    if not fits or any(s[-1] != t[0] for s, t in pairwise(shapes)):
        raise ShapeError(
            f"np.linalg.multi_dot of {', '.join(map(str, shapes))} (at {user_line()}): they do not "
            "make a chain.\nFix: pass two or more matrices that go together; the first and the "
            "last may be vectors."
        )
    if len(parts) == 2:
        return matmul(*parts)
    first, last = len(shapes[0]) == 1, len(shapes[-1]) == 1
    parts[0] = np.reshape(parts[0], (1, -1)) if first else parts[0]
    parts[-1] = np.reshape(parts[-1], (-1, 1)) if last else parts[-1]
    z = _chained(parts, _cheapest([x.shape[0] for x in parts] + [parts[-1].shape[1]]))
    return z[0, 0] if first and last else np.reshape(z, (-1,)) if first or last else z


def _cheapest(lengths: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to cut the chain from matrix i to j, for all i and j, with the fewest products."""
    n = len(lengths) - 1
    cost = {(i, i): 0 for i in range(n)}
    cut = {}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i, j], cut[i, j] = min(
                (
                    cost[i, k]
                    + cost[k + 1, j]
                    + math.prod((lengths[i], lengths[k + 1], lengths[j + 1])),
                    k,
                )
                for k in range(i, j)
            )
    return cut


def _chained(parts: list[Any], cut: dict[tuple[int, int], int]) -> Any:
    def product(i: int, j: int) -> Any:
        if i == j:
            return parts[i]
        k = cut[i, j]
        return matmul(product(i, k), product(k + 1, j))

    return product(0, len(parts) - 1)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Each matrix to an integer power, negative ones included; see `numpy.linalg.matrix_power`.

    Raises
    ------
    ShapeError
        The matrices are not square.
    DTypeError
        The power is not an integer.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.linalg.matrix_power(tg.Tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    Tensor([[1., 3.],
            [0., 1.]])
    """
    a = operand(a)
    check_square("matrix_power", a)
    try:
        n = operator.index(n)
    except TypeError as error:
        raise DTypeError(
            f"np.linalg.matrix_power to the power {n!r} (at {user_line()}).\nFix: pass an integer."
        ) from error
    if n == 0:
        unit = np.eye(a.shape[-1], dtype=a.dtype)
        return as_tensor(np.array(np.broadcast_to(unit, a.shape)))
    square = a if n > 0 else np.linalg.inv(a)
    result = None
    n = abs(n)
    while n:
        n, odd = divmod(n, 2)
        if odd:
            result = square if result is None else matmul(result, square)
        square = matmul(square, square) if n else square
    return np.positive(result) if result is a else result


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Solution x of ``tensordot(a, x, x.ndim) = b``; see `numpy.linalg.tensorsolve`.

    Raises
    ------
    ShapeError
        The axes of `a` beyond those of `b` do not hold as many elements as `b` has.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> a = np.eye(4).reshape(2, 2, 4)
    >>> np.linalg.tensorsolve(tg.Tensor(a), [[1.0, 2.0], [3.0, 4.0]])
    Tensor([1., 2., 3., 4.])
    """
    a, b = operand(a), operand(b)
    n = a.ndim
    if axes is not None:
        order = list(range(n))
        for k in normalized_axes("linalg.tensorsolve", axes, a):
            order.remove(k)
            order.insert(n, k)
        a = np.transpose(a, order)
    shape = a.shape[b.ndim - n :] if b.ndim < n else ()
    size = math.prod(shape)
    if b.ndim > n or a.size != size**2 or b.size != size:
        raise ShapeError(
            f"np.linalg.tensorsolve of {a.shape} and {b.shape} (at {user_line()}): the first "
            f"{b.ndim} axes of a hold {math.prod(a.shape[: b.ndim])} elements, the others {size}, "
            f"and b {b.size}.\nFix: make the three equal."
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (size, size)), np.reshape(b, (-1,))), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Inverse for ``tensordot(…, ind)``; see `numpy.linalg.tensorinv`.

    Raises
    ------
    ShapeError
        The first `ind` axes and the others hold different numbers of elements.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.linalg.tensorinv(tg.Tensor(2 * np.eye(4).reshape(4, 2, 2)), ind=1).shape
    (2, 2, 4)
    """
    a = operand(a)
    if ind <= 0:
        raise ArgumentError(
            f"np.linalg.tensorinv with ind={ind} (at {user_line()}).\nFix: pass 1 or more."
        )
    first, rest = a.shape[:ind], a.shape[ind:]
    if math.prod(first) != math.prod(rest):
        raise ShapeError(
            f"np.linalg.tensorinv of {a.shape} (at {user_line()}): the first {ind} axes hold "
            f"{math.prod(first)} elements, the others {math.prod(rest)}.\n"
            "Fix: choose ind so that they are equal."
        )
    size = math.prod(rest)
    return np.reshape(np.linalg.inv(np.reshape(a, (size, size))), rest + first)


# The array API's names for what NumPy has under its own.


@implements(np.linalg.matmul)
def _matmul(x1: Any, x2: Any, /) -> Any:
    return matmul(x1, x2)


@implements(np.linalg.tensordot)
def _tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return tensordot(x1, x2, axes)


@implements(np.linalg.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Any:
    check_matrices("matrix_transpose", x)
    return matrix_transpose(x)


@implements(np.linalg.outer)
def _outer(x1: Any, x2: Any, /) -> Any:
    x1, x2 = operand(x1), operand(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError(
            f"np.linalg.outer of {x1.shape} and {x2.shape} (at {user_line()}): it needs vectors.\n"
            "Fix: use np.outer, which takes any shapes."
        )
    return outer(x1, x2)


@implements(np.linalg.diagonal)
def _diagonal(x: Any, /, *, offset: int = 0) -> Any:
    check_matrices("diagonal", x)
    m, n = x.shape[-2:]
    places = np.arange(max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n)))
    return x[..., places + max(-offset, 0), places + max(offset, 0)]


@implements(np.linalg.trace)
def _trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.sum(_diagonal(x, offset=offset), axis=-1, dtype=dtype)
