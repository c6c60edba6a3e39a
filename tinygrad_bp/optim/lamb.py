"""LAMB."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer


class LAMB(Optimizer):
    r"""LAMB [1]_: a step of Adam, made as long as the parameter: for large batches.

    .. math:: u_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon} + \lambda p_{t-1}, \qquad
        p_t = p_{t-1} - \eta \, \frac{\|p_{t-1}\|}{\|u_t\|} \, u_t

    with :math:`\hat m_t, \hat v_t` as in `Adam`, for each parameter by itself; where one of the
    norms is 0, their quotient is 1.

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
        :math:`\lambda`, decoupled.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] Y. You et al., "Large batch optimization for deep learning: Training BERT in 76 minutes",
       ICLR 2020, https://arxiv.org/abs/1904.00962

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = LAMB([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.round(6)
    array([0.842667, 1.841109])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
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

    _whole = True

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("m", "v")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        m, v = state
        beta1, beta2 = group["betas"]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        change = m / (1 - beta1**t)
        change /= np.sqrt(v) / math.sqrt(1 - beta2**t) + group["eps"]
        if group["weight_decay"]:
            change += group["weight_decay"] * p
        of_p, of_change = (math.sqrt(float(np.vdot(a, a))) for a in (p, change))
        p -= group["lr"] * (of_p / of_change if of_p and of_change else 1.0) * change
