"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum [1]_ or Nesterov's momentum [2]_.

    .. math:: b_t = \mu b_{t-1} + (1 - d) g_t, \qquad p_t = p_{t-1} - \eta b_t

    with :math:`b_1 = g_1`; Nesterov's form takes :math:`g_t + \mu b_t` in the place of
    :math:`b_t`. Weight decay :math:`\lambda` adds :math:`\lambda p` to the gradient.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    momentum : float
        :math:`\mu`.
    dampening : float
        :math:`d`.
    weight_decay : float
        :math:`\lambda`.
    nesterov : bool
        Needs momentum and no dampening.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    .. [2] I. Sutskever et al., "On the importance of initialization and momentum in deep
       learning", ICML 2013.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.8, 1.6])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ArgumentError(
                f"SGD got nesterov=True with momentum={group['momentum']} and "
                f"dampening={group['dampening']} (at {user_line()}).\n"
                "Fix: give it momentum > 0 and no dampening."
            )

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("momentum",) if group["momentum"] else ()

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        g = decayed(group, g, p)
        for b in state:
            b *= group["momentum"]
            b += g if t == 1 else (1 - group["dampening"]) * g
            g = g + group["momentum"] * b if group["nesterov"] else b
        p -= group["lr"] * g
