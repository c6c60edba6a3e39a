"""Linear systems: inverse, pseudo-inverse, solutions exact and of least squares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import ArgumentError, ShapeError, user_line
from tinygrad_bp.ops.matrices import (
    FINITE,
    check_matrices,
    check_square,
    checked,
    from_lower,
    operand,
    transposed,
    values,
)

_MISSING = np._NoValue
_SINGULAR = (
    "keep it away from singularity, as with a + eps * np.eye(n), or use np.linalg.pinv or lstsq."
)


def _inv_forward(x: Any) -> Any:
    check_square("inv", x)
    return checked("inv", np.linalg.inv, x, fix=_SINGULAR)


_inv = Primitive(
    "inv",
    _inv_forward,
    [lambda g, out, x: -(transposed(out) @ g @ transposed(out))],
    formula=r"X^{-1}",
    vjp_formulas=[r"-Z^\top \, \bar{Z} \, Z^\top"],
)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Inverse of each matrix; see `numpy.linalg.inv`.

    Raises
    ------
    ShapeError
        The matrices are not square.
    LinAlgError
        One of them is singular.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 4.0]], requires_grad=True)
    >>> np.linalg.inv(x).sum().backward()
    >>> x.grad
    Tensor([[-0.25  , -0.125 ],
            [-0.125 , -0.0625]])
    """
    return _inv(operand(a))


def _solve_forward(x: Any, y: Any) -> Any:
    check_square("solve", x)
    axis = -1 if y.ndim == 1 else -2
    if not y.ndim or x.shape[-1] != y.shape[axis]:
        raise ShapeError(
            f"np.linalg.solve of {x.shape} and {y.shape} (at {user_line()}): the right-hand side "
            f"needs length {x.shape[-1]} along axis {axis}.\n"
            f"Fix: pass ({x.shape[-1]},), or (…, {x.shape[-1]}, k); a stack of vectors is "
            "b[..., None]."
        )
    return checked("solve", np.linalg.solve, x, y, fix=_SINGULAR)


def _solve_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    if y.ndim > 1:
        return np.linalg.solve(transposed(x), g)
    return np.linalg.solve(transposed(x), g[..., None])[..., 0]


def _solve_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    back = _solve_y(g, out, x, y)
    if y.ndim > 1:
        return -(back @ transposed(out))
    return -back[..., :, None] * out[..., None, :]


_solve = Primitive(
    "solve",
    _solve_forward,
    [_solve_x, _solve_y],
    formula=r"X^{-1} Y",
    vjp_formulas=[r"-X^{-\top} \bar{Z} \, Z^\top", r"X^{-\top} \bar{Z}"],
)


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Solution x of ``a @ x = b``; see `numpy.linalg.solve`.

    Parameters
    ----------
    a : Tensor or array
        (…, n, n).
    b : Tensor or array
        (n,), or (…, n, k).

    Raises
    ------
    ShapeError
        The shapes do not go together.
    LinAlgError
        A matrix is singular.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.linalg.solve(tg.Tensor([[2.0, 0.0], [0.0, 4.0]]), [1.0, 1.0])
    Tensor([0.5 , 0.25])
    """
    return _solve(operand(a), operand(b))


def _pinv_forward(x: Any, *, rcond: Any) -> Any:
    check_matrices("pinv", x)
    return checked("pinv", np.linalg.pinv, x, rcond=rcond, fix=FINITE)


def _pinv_rule(g: Any, out: Any, x: Any, *, rcond: Any) -> Any:
    """The derivative at constant rank, by Golub and Pereyra; it holds for any shape and rank."""
    dropped = values(x) - _chain(values(x), values(out), values(x))
    limit = math.sqrt(np.finfo(dropped.dtype).eps) * np.max(np.abs(values(x)), initial=0)
    if np.max(np.abs(dropped), initial=0) > limit:
        return _truncated_rule(g, x, rcond)
    zt, gt = transposed(out), transposed(g)
    left, right = _chain(gt, out, zt), _chain(zt, out, gt)
    return left - _chain(x, out, left) + right - _chain(right, out, x) - _chain(zt, g, zt)


def _chain(x: Any, y: Any, z: Any) -> Any:
    """The product of three matrices, of which the first and last have the shape of y transposed."""
    return x @ (y @ z) if y.shape[-2] <= y.shape[-1] else (x @ y) @ z


def _truncated_rule(g: Any, x: Any, rcond: Any) -> Any:
    """Where `rcond` drops singular values that are no zeros, they turn with the others.

    With s the singular values and f = 1/s, or 0 where dropped, the change X of the matrix, seen
    from its singular vectors, changes the element (i, j) by (f_i - f_j) / (s_i - s_j) times the
    symmetric part and (f_i + f_j) / (s_i + s_j) times the other part of X; both quotients are
    written out, so that equal singular values divide nothing by zero.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    v, ut, gt = transposed(vt), transposed(u), transposed(g)
    first = values(s)[..., :1]
    large = values(s) > np.asarray(rcond)[..., None] * first
    f = large / np.where(large, s, 1)
    only = large[..., :, None] & ~large[..., None, :]
    gap = s[..., :, None] ** 2 - s[..., None, :] ** 2
    share = np.where(only, f[..., :, None] / np.where(only, gap, 1), 0)
    same, other = share * s[..., :, None], share * s[..., None, :]
    y = ut @ gt @ v
    inner = (same + transposed(same)) * y
    inner = inner + (other + transposed(other) - f[..., :, None] * f[..., None, :]) * transposed(y)
    f2 = f[..., None, :] ** 2
    rows, columns = gt @ v, ut @ gt
    beyond = (rows - u @ y) * f2 @ vt + (u * f2) @ (columns - y @ vt)
    return u @ inner @ vt + beyond


_pinv = Primitive(
    "pinv",
    _pinv_forward,
    [_pinv_rule],
    formula=r"X^+",
    vjp_formulas=[
        r"-Z^\top \bar{Z} Z^\top + (I - X Z) \bar{Z}^\top Z Z^\top"
        r" + Z^\top Z \bar{Z}^\top (I - Z X)"
    ],
    kinks="where the rank changes there is no derivative; taken is that at constant rank",
)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = _MISSING) -> Any:
    """Pseudo-inverse of each matrix, of any shape and rank; see `numpy.linalg.pinv`.

    The derivative is that at constant rank: singular values that `rcond` drops stay dropped. With
    ``hermitian=True`` the lower triangle is read, and gets the gradient.

    Raises
    ------
    ArgumentError
        Both `rcond` and `rtol` were given.
    ShapeError
        There are less than two axes.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([[2.0], [0.0]], requires_grad=True)
    >>> np.linalg.pinv(x).sum().backward()
    >>> x.grad
    Tensor([[-0.25],
            [ 0.25]])
    """
    a = operand(a)
    if rcond is not None and rtol is not _MISSING:
        raise ArgumentError(
            f"np.linalg.pinv got rcond and rtol (at {user_line()}).\nFix: pass one of them."
        )
    if rcond is None:
        rcond = 1e-15 if rtol is _MISSING else rtol
    if hermitian:
        check_square("pinv", a)
        a = from_lower(a)
    if rcond is None:
        check_matrices("pinv", a)
        rcond = max(a.shape[-2:]) * np.finfo(a.dtype if a.dtype.kind == "f" else float).eps
    return _pinv(a, rcond=values(rcond))


def _lstsq_forward(x: Any, y: Any, *, rcond: float) -> Any:
    return checked("lstsq", np.linalg.lstsq, x, y, rcond=rcond, fix=FINITE)[0]


def _lstsq_y(g: Any, out: Any, x: Any, y: Any, *, rcond: float) -> Any:
    return transposed(np.linalg.pinv(x, rcond)) @ g


def _lstsq_x(g: Any, out: Any, x: Any, y: Any, *, rcond: float) -> Any:
    """The rule of the pseudo-inverse for the cotangent that it has in ``pinv(x) @ y``."""
    if y.ndim == 1:
        g, y = g[:, None], y[:, None]
    return _pinv_rule(g @ transposed(y), np.linalg.pinv(x, rcond), x, rcond=np.asarray(rcond))


_lstsq = Primitive(
    "lstsq",
    _lstsq_forward,
    [_lstsq_x, _lstsq_y],
    formula=r"X^+ Y",
    vjp_formulas=[
        r"-X^{+\top} \bar{Z} Z^\top + (Y - X Z) \bar{Z}^\top X^+ X^{+\top}"
        r" + X^{+\top} Z \left( \bar{Z}^\top - \bar{Z}^\top X^+ X \right)",
        r"X^{+\top} \bar{Z}",
    ],
    kinks="where the rank changes there is no derivative; taken is that at constant rank",
)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, int, Any]:
    """Least squares, or the shortest of several solutions; see `numpy.linalg.lstsq`.

    Returns
    -------
    x, residuals, rank, s
        Solution, sums of squared residuals and singular values are differentiable, at any rank.

    Raises
    ------
    ShapeError
        `a` is no matrix, or `b` has another number of rows.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x, residuals, rank, s = np.linalg.lstsq(tg.Tensor([[1.0], [1.0]]), [1.0, 3.0])
    >>> x, residuals, rank
    (Tensor([2.]), Tensor([2.]), np.int32(1))
    """
    a, b = operand(a), operand(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            f"np.linalg.lstsq of {a.shape} and {b.shape} (at {user_line()}): it needs a matrix "
            "(m, n), and (m,) or (m, k).\nFix: pass as many right-hand values as a has rows."
        )
    m, n = a.shape
    cut = np.finfo(float).eps * max(m, n) if rcond is None else rcond
    x = _lstsq(a, b, rcond=cut)
    s = np.linalg.svdvals(as_tensor(a))
    # NumPy's own rank, so that its type and its way to compare are NumPy's too.
    rank = np.linalg.lstsq(values(a), np.zeros((m, 0)), rcond=cut)[2]
    if rank < n or m <= n:
        return x, as_tensor(np.zeros(0, x.dtype)), rank, s
    left = np.reshape(b - a @ x, (m, -1))
    return x, np.sum(left * left, axis=0), rank, s
