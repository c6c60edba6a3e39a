"""Lion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer


class Lion(Optimizer):
    r"""Lion [1]_: steps of one length, whose sign is that of a mean of gradients.

    .. math:: p_t = p_{t-1} - \eta (\operatorname{sign}(\beta_1 m_{t-1} + (1 - \beta_1) g_t)
        + \lambda p_{t-1}), \qquad m_t = \beta_2 m_{t-1} + (1 - \beta_2) g_t

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`, a third to a tenth of what Adam takes.
    betas : tuple of float
        :math:`\beta_1, \beta_2`.
    weight_decay : float
        :math:`\lambda`, decoupled.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
       https://arxiv.org/abs/2302.06675

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Lion([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.9, 1.9])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("m",)

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        (m,) = state
        beta1, beta2 = group["betas"]
        sign = np.sign(beta1 * m + (1 - beta1) * g)
        if group["weight_decay"]:
            p *= 1 - group["lr"] * group["weight_decay"]
        p -= group["lr"] * sign
        m *= beta2
        m += (1 - beta2) * g
