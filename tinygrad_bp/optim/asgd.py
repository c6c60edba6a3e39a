"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent [1]_: a falling rate, and the mean of where it went.

    .. math:: \eta_t = \eta / (1 + \lambda \eta (t - 1))^\alpha, \qquad
        p_t = (1 - \lambda \eta_t) p_{t-1} - \eta_t g_t

    The mean of all :math:`p_t` after step :math:`t_0 + 1` is kept under ``"average"`` in the state
    of each parameter, which `state_dict` returns; before, it is the parameter itself.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    lambd : float
        :math:`\lambda`, which makes the rate fall and the parameter shrink.
    alpha : float
        :math:`\alpha`.
    t0 : float
        :math:`t_0`.
    weight_decay : float
        Times `p`, added to the gradient.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging",
       SIAM J. Control Optim. 30, 1992.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = ASGD([p], lr=0.1, lambd=0.0, t0=0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.8, 1.6])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("average",)

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        (average,) = state
        lambd, lr = group["lambd"], group["lr"]
        g = decayed(group, g, p)
        rate = lr / (1 + lambd * lr * (t - 1)) ** group["alpha"]
        p *= 1 - lambd * rate
        p -= rate * g
        average += (p - average) / max(1, t - 1 - group["t0"]) if t > 1 else p
