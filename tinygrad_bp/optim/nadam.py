"""NAdam."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class NAdam(Optimizer):
    r"""NAdam [1]_: Adam with Nesterov's momentum, of which there is less at first.

    .. math::

        \mu_t &= \beta_1 (1 - \tfrac12 \, 0.96^{t \psi}), \qquad \Pi_t = \mu_1 \cdots \mu_t, \\
        p_t &= p_{t-1} - \eta \left(\frac{(1 - \mu_t) g_t}{1 - \Pi_t}
            + \frac{\mu_{t+1} m_t}{1 - \Pi_{t+1}}\right) / (\sqrt{\hat v_t} + \epsilon)

    with :math:`m_t` and :math:`\hat v_t` as in `Adam`.

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
    momentum_decay : float
        :math:`\psi`.
    weight_decay : float
        :math:`\lambda`, times `p`, added to the gradient.
    decoupled_weight_decay : bool
        Whether `p` shrinks by :math:`\eta \lambda p` in place of that, as in `AdamW`.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = NAdam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.round(3)
    array([0.894, 1.894])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
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
        now, product = _momentum(t, beta1, group["momentum_decay"])
        following, next_product = _momentum(t + 1, beta1, group["momentum_decay"])
        change = g * ((1 - now) / (1 - product))
        change += m * (following / (1 - next_product))
        change /= np.sqrt(v) / math.sqrt(1 - beta2**t) + group["eps"]
        p -= group["lr"] * change


@functools.lru_cache(maxsize=64)
def _products(beta1: float, decay: float) -> list[float]:
    """The products of the momenta of the first steps; it grows as they are asked for."""
    return [1.0]


def _momentum(t: int, beta1: float, decay: float) -> tuple[float, float]:
    """The momentum of step `t`, and its product with those of all steps before."""
    products = _products(beta1, decay)
    while len(products) <= t:
        products.append(products[-1] * beta1 * (1 - 0.5 * 0.96 ** (len(products) * decay)))
    return beta1 * (1 - 0.5 * 0.96 ** (t * decay)), products[t]
