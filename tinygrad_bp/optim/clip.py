"""Gradients kept within bounds, between `backward` and `step`."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import NonFiniteError, user_line
from tinygrad_bp.optim.checks import check_number
from tinygrad_bp.optim.flat import Array, checked_parameters, describe, no_gradients


def clip_grad_norm_(
    params: Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = True
) -> float:
    """Scale all gradients by one factor, so that their joint Euclidean norm is at most `max_norm`.

    Parameters
    ----------
    params : iterable of Tensor
        The parameters; those without a gradient are passed over.
    max_norm : float
        The greatest norm.
    error_if_nonfinite : bool, default True
        Without it, gradients whose norm is not finite are left as they are.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    NonFiniteError
        A gradient holds NaN or infinity. Nothing was changed.
    GraphError
        There is no gradient.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> (p * p / 2).sum().backward()
    >>> clip_grad_norm_([p], 1.0)
    5.0
    >>> p.grad
    Tensor([0.6, 0.8])
    """
    kept = with_gradient(params, "clip_grad_norm_")
    check_number("max_norm", max_norm, finite=False)
    total = _norm([array for _, _, array in kept])
    if not math.isfinite(total):
        if error_if_nonfinite:
            bad = [describe(p, i) for i, p, array in kept if not np.isfinite(array).all()]
            raise NonFiniteError(
                f"the norm of the gradients is {total} (at {user_line()}), for NaN or infinity in "
                f"the gradient of {'; '.join(bad)}. Nothing was changed.\n"
                "Fix: run the step under tinygrad_bp.detect_anomaly() to find the operation."
            )
    elif total > max_norm:
        for _, p, array in kept:
            p.grad = as_tensor(array * (max_norm / total))
    return total


def clip_grad_value_(params: Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to ``[-clip_value, clip_value]``.

    Raises
    ------
    GraphError
        There is no gradient.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([3.0, -0.5], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> clip_grad_value_([p], 2.0)
    >>> p.grad
    Tensor([ 2., -1.])
    """
    kept = with_gradient(params, "clip_grad_value_")
    check_number("clip_value", clip_value, finite=False)
    for _, p, array in kept:
        p.grad = as_tensor(np.clip(array, -clip_value, clip_value))


def with_gradient(params: Iterable[Tensor], who: str) -> list[tuple[int, Tensor, Array]]:
    """Position, parameter and gradient of those parameters that have one.

    Raises
    ------
    GraphError
        None of them has.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> (3 * p).sum().backward()
    >>> [(i, gradient) for i, _, gradient in with_gradient([p], "clip_grad_norm_")]
    [(0, array([3., 3.]))]
    """
    checked = checked_parameters(params, who)
    kept = [(i, p, p.grad.data) for i, p in enumerate(checked) if p.grad is not None]
    if not kept:
        raise no_gradients(who, len(checked))
    return kept


def _norm(arrays: list[Array]) -> float:
    with np.errstate(over="ignore"):
        total = math.sqrt(sum(float(np.vdot(a, a)) for a in arrays))
    if total and math.isfinite(total):
        return total
    # The squares leave the range of the dtype where the numbers do not: scale them first.
    largest = max(float(np.max(np.abs(a), initial=0.0)) for a in arrays)
    if not largest or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(sum(float(np.sum((a / largest) ** 2)) for a in arrays))
