"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class Adamax(Optimizer):
    r"""Adamax [1]_: Adam with the largest gradient, which fades, in place of the mean of squares.

    .. math:: m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
        u_t = \max(\beta_2 u_{t-1}, |g_t| + \epsilon), \qquad
        p_t = p_{t-1} - \frac{\eta}{1 - \beta_1^t} \, \frac{m_t}{u_t}

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    betas : tuple of float
        :math:`\beta_1, \beta_2`.
    eps : float
        :math:`\epsilon`.
    weight_decay : float
        Times `p`, added to the gradient.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", section 7.1, ICLR
       2015, https://arxiv.org/abs/1412.6980

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adamax([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.9, 1.9])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("m", "u")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        m, u = state
        beta1, beta2 = group["betas"]
        g = decayed(group, g, p)
        m *= beta1
        m += (1 - beta1) * g
        u *= beta2
        np.maximum(u, np.abs(g) + group["eps"], out=u)
        change = m / u
        change *= group["lr"] / (1 - beta1**t)
        p -= change
