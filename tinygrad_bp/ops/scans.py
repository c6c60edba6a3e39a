"""Running sums, products, extremes and log-sums along an axis, and the recurrence beneath them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.ops.exponential import share_of_sum
from tinygrad_bp.ops.extremes import same
from tinygrad_bp.ops.helpers import apply
from tinygrad_bp.ops.reductions import cast, no_out
from tinygrad_bp.ops.shaping import normalized_axes

# Along an axis with few others beside it, the elements of each line are taken as Python's
# numbers: 0.1 microseconds a step, where a step of NumPy takes 2.
_FEW = 20


def _recur(a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    a, b = np.broadcast_arrays(a, b)
    s = b.astype(np.result_type(a, b))
    if not s.size:
        return s
    turn = slice(None, None, -1 if reverse else 1)
    factors, terms = np.moveaxis(a, axis, 0)[turn], np.moveaxis(s, axis, 0)[turn]
    with np.errstate(over="ignore", invalid="ignore"):
        if s.size <= _FEW * len(terms):
            columns = zip(_columns(factors), _columns(terms), strict=True)
            lines = np.array([_line(*pair) for pair in columns], s.dtype)
            terms[...] = lines.T.reshape(terms.shape)
        else:
            for k in range(1, len(terms)):
                terms[k] += factors[k] * terms[k - 1]
    return s


def _columns(x: Any) -> list[list[float]]:
    columns: list[list[float]] = x.reshape(len(x), -1).T.tolist()
    return columns


def _line(factors: list[float], terms: list[float]) -> list[float]:
    s = terms[0]
    found = [s]
    for f, t in zip(factors[1:], terms[1:], strict=True):
        s = f * s + t
        found.append(s)
    return found


def _shifted(x: Any, axis: int, step: int, fill: float) -> Any:
    """The neighbour `step` places on along an axis, and `fill` at the end that has none."""
    if not x.shape[axis]:
        return x
    lead = (slice(None),) * axis
    end = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), fill, x.dtype)
    if step > 0:
        return np.concatenate([x[(*lead, slice(1, None))], end], axis)
    return np.concatenate([end, x[(*lead, slice(None, -1))]], axis)


def _recurrence_b(g: Any, out: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    """The same recurrence, backwards, over the factors that lead away from each element."""
    away = _shifted(a, axis, -1 if reverse else 1, 0)
    return apply(_recurrence, away, g, axis=axis, reverse=not reverse)


def _recurrence_a(g: Any, out: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    before = _shifted(out, axis, 1 if reverse else -1, 0)
    return _recurrence_b(g, out, a, b, axis=axis, reverse=reverse) * before


# What running products and extremes need backwards: O(n), without a division, and its own
# derivative. The first factor does not matter.
_recurrence = Primitive(
    "recurrence",
    _recur,
    [_recurrence_a, _recurrence_b],
    formula=r"z_k = x_k \, z_{k-1} + y_k",
    vjp_formulas=[
        r"u_k \, z_{k-1}, \; u_k = \bar{z}_k + x_{k+1} u_{k+1}",
        r"u_k, \; u_k = \bar{z}_k + x_{k+1} u_{k+1}",
    ],
)


def _cumsum_rule(g: Any, out: Any, x: Any, *, axis: int) -> Any:
    back = (slice(None),) * axis + (slice(None, None, -1),)
    return np.cumsum(g[back], axis=axis)[back]


_cumsum = Primitive(
    "cumsum",
    lambda x, *, axis: np.add.accumulate(x, axis),
    [_cumsum_rule],
    formula=r"\textstyle\sum_{i \le k} x_i",
    vjp_formulas=[r"\textstyle\sum_{i \ge k} \bar{z}_i"],
)


def _cumprod_rule(g: Any, out: Any, x: Any, *, axis: int) -> Any:
    """What comes before an element, times what comes of the products after it."""
    before = np.cumprod(_shifted(x, axis, -1, 1), axis=axis)
    after = apply(_recurrence, _shifted(x, axis, 1, 0), g, axis=axis, reverse=True)
    return before * after


_cumprod = Primitive(
    "cumprod",
    lambda x, *, axis: np.multiply.accumulate(x, axis),
    [_cumprod_rule],
    formula=r"\textstyle\prod_{i \le k} x_i",
    vjp_formulas=[
        r"u_k \textstyle\prod_{i < k} x_i, \; u_k = \bar{z}_k + x_{k+1} u_{k+1}",
    ],
)


def _accumulated_extreme(g: Any, out: Any, x: Any, *, axis: int) -> Any:
    """Each place of the result is shared by those of the elements so far that equal it."""
    holds = same(x, out).astype(x.dtype)
    on = same(_shifted(out, axis, 1, 0), out).astype(x.dtype)
    ties = apply(_recurrence, _shifted(on, axis, -1, 0), holds, axis=axis, reverse=False)
    return holds * apply(_recurrence, on, g / ties, axis=axis, reverse=True)


def _running(ufunc: Any, word: str, kind: str) -> Primitive:
    name = f"cum{word}"
    return Primitive(
        name,
        lambda x, *, axis: ufunc.accumulate(x, axis),
        [_accumulated_extreme],
        formula=rf"\{word}_{{i \le k}} x_i",
        vjp_formulas=[
            r"\textstyle\sum_{i \ge k} \bar{z}_i \, \frac{[x_k = z_i]}{\sum_{j \le i} [x_j = z_i]}"
        ],
        analytic=False,
        kinks=f"elements that tie for the {kind} so far share the gradient evenly",
    )


_cummax = _running(np.maximum, "max", "largest")
_cummin = _running(np.minimum, "min", "smallest")


def _logcumsumexp_rule(g: Any, out: Any, x: Any, *, axis: int) -> Any:
    """Each z_k is reached from x_k by way of the z before it; no exponent is above 0."""
    factors = share_of_sum(np.logaddexp, np.exp, 1, out, _shifted(x, axis, 1, np.inf))
    reached = apply(_recurrence, factors, g, axis=axis, reverse=True)
    return share_of_sum(np.logaddexp, np.exp, reached, x, _shifted(out, axis, -1, -np.inf))


_logcumsumexp = Primitive(
    "logcumsumexp",
    lambda x, *, axis: np.logaddexp.accumulate(x, axis),
    [_logcumsumexp_rule],
    formula=r"\log \textstyle\sum_{i \le k} e^{x_i}",
    vjp_formulas=[r"e^{x_k} \textstyle\sum_{i \ge k} \bar{z}_i \, e^{-z_i}"],
    analytic=False,
    kinks="where z is -inf all derivatives are 0",
)


def _along(name: str, primitive: Primitive, x: Any, axis: Any) -> Any:
    """Apply a scan along an axis, or to all elements in order."""
    if axis is None:
        return primitive(np.reshape(x, -1), axis=0)
    if not x.ndim:
        x = np.reshape(x, 1)  # as NumPy's functions do
    (place,) = normalized_axes(name, operator.index(axis), x)
    return primitive(x, axis=place)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """Running sum along an axis, or over all elements; see `numpy.cumsum`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.cumsum(tg.Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    """
    no_out("cumsum", out)
    return _along("cumsum", _cumsum, cast(as_tensor(a), dtype), axis)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """Running product; its gradient is right where elements are 0; see `numpy.cumprod`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> np.cumprod(x).sum().backward()
    >>> x.grad
    Tensor([1., 8., 0.])
    """
    no_out("cumprod", out)
    return _along("cumprod", _cumprod, cast(as_tensor(a), dtype), axis)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """Running sum in which NaN counts as 0; see `numpy.nancumsum`."""
    no_out("nancumsum", out)
    return cumsum(without_nan(a, 0), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """Running product in which NaN counts as 1; see `numpy.nancumprod`."""
    no_out("nancumprod", out)
    return cumprod(without_nan(a, 1), axis, dtype)


def without_nan(a: Any, value: float) -> Any:
    """The array with a number in place of NaN."""
    a = as_tensor(a)
    return np.where(np.isnan(a), a.dtype.type(value), a) if a.dtype.kind in "fc" else a


def accumulate_max(x: Any, axis: int = 0) -> Any:
    """The largest element so far: what answers for ``np.maximum.accumulate``.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> accumulate_max(tg.Tensor([1.0, 3.0, 2.0]))
    Tensor([1., 3., 3.])
    """
    return _along("maximum.accumulate", _cummax, as_tensor(x), axis)


def accumulate_min(x: Any, axis: int = 0) -> Any:
    """The smallest element so far: what answers for ``np.minimum.accumulate``."""
    return _along("minimum.accumulate", _cummin, as_tensor(x), axis)


def logcumsumexp(x: Any, axis: Any = 0) -> Any:
    """Logarithm of the running sum of exponentials: what ``np.logaddexp.accumulate`` gives.

    Parameters
    ----------
    x : Tensor or array
        Any shape.
    axis : int or None, default 0
        None runs over all elements.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([0.0, -1000.0, 0.0], requires_grad=True)
    >>> logcumsumexp(x)[2].backward()
    >>> x.grad
    Tensor([0.5, 0. , 0.5])
    """
    return _along("logaddexp.accumulate", _logcumsumexp, as_tensor(x), axis)


def _cumulative(name: str, scan: Callable[..., Any], first: float) -> Any:
    """The function of tensors for `numpy.cumulative_sum` or `numpy.cumulative_prod`."""

    def cumulative(
        x: Any,
        /,
        *,
        axis: int | None = None,
        dtype: Any = None,
        out: None = None,
        include_initial: bool = False,
    ) -> Any:
        no_out(name, out)
        x = np.atleast_1d(as_tensor(x))
        if axis is None and x.ndim > 1:
            raise ArgumentError(
                f"np.{name} of shape {x.shape} needs an axis (at {user_line()}).\nFix: pass axis=."
            )
        (place,) = normalized_axes(name, 0 if axis is None else operator.index(axis), x)
        z = scan(x, place, dtype)
        if not include_initial:
            return z
        start = np.full((*z.shape[:place], 1, *z.shape[place + 1 :]), first, z.dtype)
        return np.concatenate([start, z], place)

    cumulative.__name__ = name
    cumulative.__doc__ = f"""See `numpy.{name}`."""
    if hasattr(np, name):  # from NumPy 2.1 on
        implements(getattr(np, name))(cumulative)
    return cumulative


cumulative_sum = _cumulative("cumulative_sum", cumsum, 0)
cumulative_prod = _cumulative("cumulative_prod", cumprod, 1)
