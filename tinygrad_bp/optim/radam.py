"""RAdam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class RAdam(Optimizer):
    r"""Rectified Adam [1]_: Adam that waits for its mean of squares to be known well enough.

    .. math::

        \rho_t &= \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \qquad
        \rho_\infty = \frac{2}{1 - \beta_2} - 1, \\
        r_t^2 &= \frac{(\rho_t - 4)(\rho_t - 2)}{(\rho_\infty - 4)(\rho_\infty - 2)} \,
        \frac{\rho_\infty}{\rho_t}

    The step is :math:`\eta \hat m_t`, and times :math:`r_t / \sqrt{\hat v_t}` once
    :math:`\rho_t > 5`, with :math:`\hat m_t, \hat v_t` as in `Adam`.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    betas : tuple of float
        :math:`\beta_1, \beta_2`.
    eps : float
        Added to :math:`\sqrt{v_t}`.
    weight_decay : float
        :math:`\lambda`, times `p`, added to the gradient.
    decoupled_weight_decay : bool
        Whether `p` shrinks by :math:`\eta \lambda p` in place of that, as in `AdamW`.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020,
       https://arxiv.org/abs/1908.03265

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = RAdam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.8, 1.6])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("m", "v")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        m, v = state
        beta1, beta2 = group["betas"]
        g = decayed(group, g, p)
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        change = m * (group["lr"] / (1 - beta1**t))
        known = 1 - beta2**t
        at_last = 2 / (1 - beta2) - 1
        rho = at_last - 2 * t * beta2**t / known
        if rho > 5:
            square = (rho - 4) * (rho - 2) * at_last / ((at_last - 4) * (at_last - 2) * rho)
            change *= math.sqrt(square * known)
            change /= np.sqrt(v) + group["eps"]
        p -= change
