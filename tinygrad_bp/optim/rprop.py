"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer


class Rprop(Optimizer):
    r"""Resilient backpropagation [1]_: each element has a step size, and takes the sign alone.

    The step size is multiplied by :math:`\eta_+` where the sign of the gradient is that of the step
    before, and by :math:`\eta_-` where it has changed; the element then stays where it is, once.
    For gradients of the whole training set: those of batches change their signs by chance.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        The first step size.
    etas : tuple of float
        :math:`\eta_- < 1 < \eta_+`.
    step_sizes : tuple of float
        The least and the greatest step size.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] M. Riedmiller, H. Braun, "A direct adaptive method for faster backpropagation learning:
       The RPROP algorithm", ICNN 1993.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Rprop([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.9, 1.9])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        (down, up), (least, most) = group["etas"], group["step_sizes"]
        if not (0 < down < 1 < up and least <= most):
            raise ArgumentError(
                f"Rprop got etas={group['etas']} and step_sizes={group['step_sizes']} (at "
                f"{user_line()}).\n"
                "Fix: choose 0 < etas[0] < 1 < etas[1], and step_sizes from small to large."
            )

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("before", "size")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        before, size = state
        if t == 1:
            size.fill(group["lr"])
        same = np.sign(g) * np.sign(before)
        down, up = group["etas"]
        size *= np.where(same > 0, up, np.where(same < 0, down, 1)).astype(size.dtype)
        np.clip(size, *group["step_sizes"], out=size)
        before[...] = np.where(same < 0, 0, g)
        p -= np.sign(before) * size
