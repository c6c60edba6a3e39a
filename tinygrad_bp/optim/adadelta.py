"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class Adadelta(Optimizer):
    r"""Adadelta [1]_: steps in the units of the parameter, by a running mean of their squares.

    .. math::

        v_t &= \rho v_{t-1} + (1 - \rho) g_t^2, &
        u_t &= \rho u_{t-1} + (1 - \rho) d_t^2, \\
        d_t &= \sqrt{(u_{t-1} + \epsilon) / (v_t + \epsilon)} \, g_t, & p_t &= p_{t-1} - \eta d_t

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        :math:`\eta`; 1 in the paper.
    rho : float
        Weight of the past in the means.
    eps : float
        :math:`\epsilon`.
    weight_decay : float
        Times `p`, added to the gradient.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] M. D. Zeiler, "ADADELTA: An adaptive learning rate method", 2012,
       https://arxiv.org/abs/1212.5701

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adadelta([p])
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.round(6)
    array([0.996838, 1.996838])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("v", "u")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        v, u = state
        rho, eps = group["rho"], group["eps"]
        g = decayed(group, g, p)
        v *= rho
        v += (1 - rho) * g * g
        change = np.sqrt((u + eps) / (v + eps))
        change *= g
        u *= rho
        u += (1 - rho) * change * change
        p -= group["lr"] * change
