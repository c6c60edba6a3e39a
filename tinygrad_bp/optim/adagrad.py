"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class Adagrad(Optimizer):
    r"""Adagrad [1]_: the gradient divided by the root of the sum of all its squares so far.

    .. math:: s_t = s_{t-1} + g_t^2, \qquad
        p_t = p_{t-1} - \frac{\eta}{1 + (t - 1) \gamma} \, \frac{g_t}{\sqrt{s_t} + \epsilon}

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    lr_decay : float
        :math:`\gamma`.
    weight_decay : float
        Times `p`, added to the gradient.
    initial_accumulator_value : float
        :math:`s_0`.
    eps : float
        :math:`\epsilon`.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and
       stochastic optimization", JMLR 12, 2011.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adagrad([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.9, 1.9])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        (s,) = state
        g = decayed(group, g, p)
        if t == 1:
            s.fill(group["initial_accumulator_value"])
        s += g * g
        change = g / (np.sqrt(s) + group["eps"])
        change *= group["lr"] / (1 + (t - 1) * group["lr_decay"])
        p -= change
