"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class RMSprop(Optimizer):
    r"""RMSprop [1]_: the gradient divided by a running root mean square of itself.

    .. math:: v_t = \alpha v_{t-1} + (1 - \alpha) g_t^2, \qquad
        p_t = p_{t-1} - \eta g_t / (\sqrt{v_t} + \epsilon)

    The centered form [2]_ divides by the running deviation, with :math:`v_t - \bar g_t^2` in the
    place of :math:`v_t`. With momentum :math:`\mu`, :math:`b_t = \mu b_{t-1} + g_t / (\ldots)`
    is what is subtracted, times :math:`\eta`.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        See `Optimizer`.
    lr : float
        Learning rate :math:`\eta`.
    alpha : float
        Weight of the past in the means.
    eps : float
        :math:`\epsilon`.
    weight_decay : float
        Times `p`, added to the gradient.
    momentum : float
        :math:`\mu`.
    centered : bool
        Whether to divide by the deviation.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, *Neural networks for machine learning*, lecture 6.5, 2012.
    .. [2] A. Graves, "Generating sequences with recurrent neural networks", 2013,
       https://arxiv.org/abs/1308.0850

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = RMSprop([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.round(6)
    array([0., 1.])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        mean = ("mean",) if group["centered"] else ()
        return ("v", *mean, *(("momentum",) if group["momentum"] else ()))

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        v, *rest = state
        alpha = group["alpha"]
        g = decayed(group, g, p)
        v *= alpha
        v += (1 - alpha) * g * g
        if group["centered"]:
            mean = rest.pop(0)
            mean *= alpha
            mean += (1 - alpha) * g
            scale = np.sqrt(np.maximum(v - mean * mean, 0))  # rounding can make it negative
        else:
            scale = np.sqrt(v)
        scale += group["eps"]
        change = g / scale
        for b in rest:
            b *= group["momentum"]
            b += change
            change = b
        p -= group["lr"] * change
