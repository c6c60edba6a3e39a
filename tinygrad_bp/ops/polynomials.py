"""Polynomials as arrays of coefficients, the highest power first, as `numpy.polyval` has them."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import FUNCTIONS, Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import ArgumentError, OperationError, ShapeError, user_depth, user_line
from tinygrad_bp.ops.joining import concatenate, stack
from tinygrad_bp.ops.shaping import atleast_1d


def _coefficient_rule(g: Any, out: Any, p: Any, x: Any) -> Any:
    x = x.astype(out.dtype)  # powers of small integers overflow
    if p.ndim > 1:
        return np.stack([_summed(g * x**k, p[0]) for k in reversed(range(p.shape[0]))])
    return np.vander(np.ravel(x), p.shape[0]).T @ np.ravel(g)


def _summed(g: Any, row: Any) -> Any:
    """Summed over the axes along which a row of coefficients was broadcast."""
    extra = tuple(range(g.ndim - row.ndim))
    g = np.sum(g, axis=extra) if extra else g
    wide = tuple(i for i, (n, m) in enumerate(zip(g.shape, row.shape, strict=True)) if n != m)
    return np.sum(g, axis=wide, keepdims=True) if wide else g


def _argument_rule(g: Any, out: Any, p: Any, x: Any) -> Any:
    n = p.shape[0] - 1
    if n < 1:
        return None
    powers = np.arange(n, 0, -1, dtype=out.dtype).reshape((-1,) + (1,) * (p.ndim - 1))
    return g * np.polyval(p[:-1] * powers, x)


_polyval = Primitive(
    "polyval",
    np.polyval,
    [_coefficient_rule, _argument_rule],
    formula=r"\textstyle\sum_{i=1}^{n} x_i \, y^{n-i}",
    vjp_formulas=[
        r"\textstyle\sum y^{n-i} \, \bar{z}",
        r"\textstyle\sum_{i=1}^{n-1} (n - i) \, x_i \, y^{n-i-1} \, \bar{z}",
    ],
)


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """The value of a polynomial, differentiable in coefficients and argument; see `numpy.polyval`.

    Raises
    ------
    ShapeError
        The coefficients are a single number.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> np.polyval([1.0, 0.0, -2.0], x).backward()
    >>> x.grad
    Tensor(6.)
    """
    coefficients, x = _coefficients("polyval", p), _coefficients("polyval", x)
    if coefficients.ndim == 0:
        raise ShapeError(
            f"np.polyval: coefficients of shape () (at {user_line()}).\n"
            "Fix: a sequence of them, the highest power first: np.polyval([a, b, c], x)."
        )
    return _polyval(coefficients, x)


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the mth derivative; see `numpy.polyder`.

    Raises
    ------
    ArgumentError
        `m` is negative.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.polyder(tg.Tensor([1.0, 2.0, 3.0]))
    Tensor([2., 2.])
    """
    p = _coefficients("polyder", p)
    for _ in range(_order("polyder", m)):
        p = _read(p, slice(-1)) * np.arange(p.shape[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the mth integral, with constants `k`; see `numpy.polyint`.

    Raises
    ------
    ArgumentError
        `m` is negative.
    ShapeError
        There are fewer constants than integrations, and not one for all.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.polyint(tg.Tensor([2.0, 2.0]), k=7.0)
    Tensor([1., 2., 7.])
    """
    p, m = _coefficients("polyint", p), _order("polyint", m)
    constants = atleast_1d(np.zeros(m) if k is None else as_tensor(k))
    count = constants.shape[0]
    if count < m and count != 1:
        raise ShapeError(
            f"np.polyint integrates {m} times with {count} constants (at {user_line()}).\n"
            f"Fix: k with {m} constants, or one for all."
        )
    for i in range(m):
        place = 0 if count == 1 else i
        p = p / np.arange(p.shape[0], 0, -1)
        p = concatenate((p, _read(constants, slice(place, place + 1))))
    return p


def _sum_of(name: str, function: Any, ufunc: Any) -> Any:
    """The function of tensors for `numpy.polyadd` or `numpy.polysub`."""

    @implements(function)
    def combined(a1: Any, a2: Any) -> Any:
        a1, a2 = (atleast_1d(_coefficients(name, a)) for a in (a1, a2))
        short = a2.shape[0] - a1.shape[0]
        if short > 0:
            a1 = concatenate((np.zeros(short, a1.dtype), a1))
        elif short < 0:
            a2 = concatenate((np.zeros(-short, a2.dtype), a2))
        return FUNCTIONS[ufunc](a1, a2)

    combined.__name__ = name
    combined.__doc__ = f"""See `numpy.{name}`; differentiable in both."""
    return combined


polyadd = _sum_of("polyadd", np.polyadd, np.add)
polysub = _sum_of("polysub", np.polysub, np.subtract)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """The coefficients of the product of two polynomials; see `numpy.polymul`.

    Zeros at the front are dropped first, as by NumPy; they receive no gradient.

    Raises
    ------
    ShapeError
        One of them has more than one axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.polymul(tg.Tensor([1.0, 1.0]), [1.0, -1.0])
    Tensor([ 1.,  0., -1.])
    """
    first, second = (atleast_1d(_coefficients("polymul", a)) for a in (a1, a2))
    if first.ndim > 1 or second.ndim > 1:
        raise ShapeError(
            f"np.polymul of shapes {first.shape} and {second.shape} (at {user_line()}).\n"
            "Fix: coefficients along one axis."
        )
    return np.convolve(_trimmed(first), _trimmed(second))


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """The coefficients of the polynomial with given zeros; see `numpy.poly`.

    Raises
    ------
    OperationError
        A matrix, whose eigenvalues would be the zeros.
    ShapeError
        More than two axes.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.poly(tg.Tensor([1.0, 2.0]))
    Tensor([ 1., -3.,  2.])
    """
    several = isinstance(seq_of_zeros, (list, tuple))  # of numbers, tensors among them
    zeros = stack(seq_of_zeros) if several else _coefficients("poly", seq_of_zeros)
    zeros = atleast_1d(zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        raise OperationError(
            f"np.poly of a matrix of shape {zeros.shape} (at {user_line()}): its eigenvalues may "
            "be complex, and gradients are those of real numbers.\n"
            "Fix: np.poly(np.linalg.eigvalsh(a)) of a symmetric one."
        )
    if zeros.ndim != 1:
        raise ShapeError(
            f"np.poly of shape {zeros.shape} (at {user_line()}).\nFix: zeros along one axis."
        )
    if zeros.dtype.kind not in "fc":
        zeros = zeros.astype(float)
    if not zeros.size:
        return 1.0
    one = np.ones(1, zeros.dtype)
    result: Any = one
    for i in range(zeros.shape[0]):
        result = np.convolve(result, concatenate((one, -_read(zeros, slice(i, i + 1)))))
    return result


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Quotient and remainder of two polynomials; see `numpy.polydiv`.

    Raises
    ------
    ShapeError
        One of them has other than one axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.polydiv(tg.Tensor([1.0, 0.0, -1.0]), [1.0, -1.0])
    (Tensor([1., 1.]), Tensor([0.]))
    """
    u, v = (atleast_1d(_coefficients("polydiv", a)) + 0.0 for a in (u, v))
    if u.ndim != 1 or v.ndim != 1:
        raise ShapeError(
            f"np.polydiv of shapes {u.shape} and {v.shape} (at {user_line()}).\n"
            "Fix: coefficients along one axis."
        )
    n, dtype = v.shape[0], np.result_type(u.dtype, v.dtype)
    rest, scale = u.astype(dtype), 1.0 / v[:1]
    quotient, done = [], []
    for _ in range(u.shape[0] - n + 1):
        d = scale * rest[:1]
        quotient.append(d)
        rest = concatenate((rest[:n] - d * v, rest[n:]))
        done.append(rest[:1])  # zero but for rounding; NumPy drops it where it is small enough
        rest = rest[1:]
    rest = concatenate((*done, rest))
    rest = rest[_leading(~np.isclose(_values(rest), 0, rtol=1e-14)) :]
    return concatenate(quotient) if quotient else as_tensor(np.zeros(1, dtype)), rest


@implements(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The polynomial of least squares, differentiable in points and weights; see `numpy.polyfit`.

    Raises
    ------
    OperationError
        `full` or `cov`.
    ShapeError
        The points, values and weights are not as many.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> y = tg.Tensor([1.0, 3.0, 5.0], requires_grad=True)
    >>> slope = np.polyfit([0.0, 1.0, 2.0], y, 1)[0]
    >>> slope.backward()
    >>> np.round(y.grad, 6)
    Tensor([-0.5,  0. ,  0.5])
    """
    if full or cov:
        raise OperationError(
            f"np.polyfit with full= or cov= is not available on tensors (at {user_line()}).\n"
            "Fix: np.linalg.lstsq(np.vander(x, deg + 1), y) has residuals, rank and more."
        )
    count = _order("polyfit", deg) + 1
    x, y = (_coefficients("polyfit", a) + 0.0 for a in (x, y))
    weights = None if w is None else _coefficients("polyfit", w) + 0.0
    if (
        x.ndim != 1
        or y.ndim not in (1, 2)
        or not 0 < x.shape[0] == y.shape[0]
        or (weights is not None and weights.shape != x.shape)
    ):
        ours = "" if weights is None else f" with weights {weights.shape}"
        raise ShapeError(
            f"np.polyfit of points {x.shape} and values {y.shape}{ours} (at {user_line()}).\n"
            "Fix: one point or more, and as many values and weights; values may have columns."
        )
    powers = np.vander(x, count)
    if weights is not None:
        powers = powers * weights[:, np.newaxis]
        y = y * (weights if y.ndim == 1 else weights[:, np.newaxis])
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    solution, _, rank, _ = np.linalg.lstsq(powers / scale, y, rcond)
    if rank != count:
        warnings.warn(
            "Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=user_depth()
        )
    return np.transpose(np.transpose(solution) / scale)


@implements(np.roots)
def roots(p: Any) -> Any:
    """Refused: the zeros of a polynomial may be complex, and gradients are those of real numbers.

    Raises
    ------
    OperationError
        Always.
    """
    raise OperationError(
        f"np.roots is not available on tensors: zeros may be complex (at {user_line()}).\n"
        "Fix: call it on p.data where no gradient is wanted; a real simple zero x0 of p has the "
        "gradient of x0 - np.polyval(p, x0) / np.polyval(np.polyder(p), x0) with constant x0."
    )


def _coefficients(name: str, p: Any) -> Any:
    """A tensor, or an array as one; not `numpy.poly1d`, which cannot hold tensors."""
    if isinstance(p, np.poly1d):
        raise OperationError(
            f"np.{name} of a poly1d, which cannot hold tensors (at {user_line()}).\n"
            "Fix: pass its coefficients: p.coeffs."
        )
    return as_tensor(p)


def _order(name: str, m: Any) -> int:
    order: int = operator.index(m)
    if order < 0:
        raise ArgumentError(
            f"np.{name} with order {order} (at {user_line()}).\nFix: 0, 1, 2 and so on."
        )
    return order


def _read(p: Any, index: Any) -> Any:
    return FUNCTIONS[operator.getitem](p, index)


def _trimmed(p: Any) -> Any:
    """Without the zeros at the front; a zero alone stays."""
    return _read(p, slice(_leading(_values(p) != 0), None)) if p.size else np.zeros(1, p.dtype)


def _leading(counts: Any) -> int:
    """The place of the first element that counts, or the last place where none does."""
    places: list[int] = np.flatnonzero(counts).tolist()
    return places[0] if places else len(counts) - 1


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x
