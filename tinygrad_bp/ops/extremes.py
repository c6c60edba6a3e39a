"""The largest and the smallest element, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, implements
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.ops.reductions import MISSING, Axis, kept, masked, no_out, start_of


def same(x: Any, y: Any) -> Any:
    """Where elements are equal, or both NaN."""
    return (x == y) | ((x != x) & (y != y))


def _extreme_ties(
    g: Any, out: Any, x: Any, initial: Any, axis: Axis, keepdims: bool, where: Any
) -> tuple[Any, Any]:
    """Which elements equal the largest or smallest, and the share of the gradient of each."""
    chosen = x == kept(out, x, axis, keepdims)
    if where is not None:
        chosen = chosen & where
    ties = np.sum(chosen, axis=axis, keepdims=keepdims, dtype=g.dtype)
    if initial is not None:
        ties = ties + (initial == out)
    if not (ties.all() if ties.ndim else ties):  # NaN, which equals nothing, or no element
        chosen = chosen | ((x != x) & kept(out != out, x, axis, keepdims))
        if where is not None:
            chosen = chosen & where
        ties = np.sum(chosen, axis=axis, keepdims=keepdims, dtype=g.dtype)
        if initial is not None:
            ties = ties + same(initial, out)
        ties = np.where(ties == 0, 1, ties)
    return chosen, g / ties


def _extreme_rule(
    g: Any,
    out: Any,
    x: Any,
    initial: Any = None,
    *,
    axis: Axis,
    keepdims: bool,
    where: Any = None,
) -> Any:
    chosen, share = _extreme_ties(g, out, x, initial, axis, keepdims, where)
    return kept(share, x, axis, keepdims) * chosen


def _initial_rule(
    g: Any, out: Any, x: Any, initial: Any, *, axis: Axis, keepdims: bool, where: Any = None
) -> Any:
    _, share = _extreme_ties(g, out, x, initial, axis, keepdims, where)
    return share * same(initial, out)


def _extreme_forward(ufunc: Any, worst: float) -> Callable[..., Any]:
    """The forward function of the largest or the smallest element."""

    def forward(
        x: Any, initial: Any = None, *, axis: Axis, keepdims: bool, where: Any = None
    ) -> Any:
        if initial is None and where is None:
            return ufunc.reduce(x, axis=axis, keepdims=keepdims)
        start = worst if initial is None else initial
        mask = True if where is None else where
        return ufunc.reduce(x, axis=axis, keepdims=keepdims, initial=start, where=mask)

    return forward


def _extreme(name: str, ufunc: Any, worst: float, kind: str) -> Primitive:
    """The primitive of the largest or the smallest element; a second input is `initial`."""
    share = r"\frac{[%s = z]}{\sum_i [x_i = z]}"
    return Primitive(
        name,
        _extreme_forward(ufunc, worst),
        [_extreme_rule, _initial_rule],
        formula=rf"\{name}_i x_i",
        vjp_formulas=[rf"\bar{{z}} \, {share % 'x'}", rf"\bar{{z}} \, {share % 'x_0'}"],
        analytic=False,
        kinks=f"elements that tie for the {kind}, and initial=, share the gradient evenly",
    )


_max = _extreme("max", np.maximum, -math.inf, "largest")

_min = _extreme("min", np.minimum, math.inf, "smallest")


def _extreme_of(primitive: Any, *functions: Any) -> Any:
    """The function of tensors for `numpy.max` or `numpy.min`, which share their signature."""
    name = primitive.name

    @implements(*functions)
    def extreme(
        a: Any,
        axis: Axis = None,
        out: None = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        keep = keepdims is not MISSING and bool(keepdims)
        if out is None and initial is MISSING and where is MISSING:
            return primitive(a, axis=axis, keepdims=keep)
        no_out(name, out)
        mask = masked(name, where, a)
        if initial is not MISSING and initial is not None:
            start = start_of(name, initial, a.dtype)
            return primitive(a, start, axis=axis, keepdims=keep, **mask)
        if mask:
            raise ArgumentError(
                f"np.{name} with where= needs initial= too (at {user_line()}): a slice of which "
                f"nothing is left has no value.\nFix: pass initial=, as {worst}."
            )
        return primitive(a, axis=axis, keepdims=keep)

    worst = "-np.inf" if name == "max" else "np.inf"
    extreme.__name__ = name
    extreme.__doc__ = f"""See `numpy.{name}`; ties, `initial` among them, share evenly."""
    return extreme


max_ = _extreme_of(_max, np.max, np.amax)

min_ = _extreme_of(_min, np.min, np.amin)


@implements(np.ptp)
def ptp(a: Any, axis: Axis = None, out: None = None, keepdims: Any = MISSING) -> Any:
    """The largest less the smallest element over `axis`; see `numpy.ptp`.

    Raises
    ------
    OperationError
        ``out=`` was given.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True)
    >>> np.ptp(x).backward()
    >>> x.grad
    Tensor([ 1., -1.,  0.])
    """
    no_out("ptp", out)
    return max_(a, axis, keepdims=keepdims) - min_(a, axis, keepdims=keepdims)
