"""Adam, and AdamW with its decoupled weight decay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim.flat import Array
from tinygrad_bp.optim.optimizer import Group, Optimizer, decayed


class Adam(Optimizer):
    r"""Adam [1]_: steps scaled by running means of the gradient and of its square.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t, &
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \\
        p_t &= p_{t-1} - \eta \hat m_t / (\sqrt{\hat v_t} + \epsilon), &
        \hat m_t &= m_t / (1 - \beta_1^t), \quad \hat v_t = v_t / (1 - \beta_2^t)

    Weight decay :math:`\lambda` adds :math:`\lambda p` to the gradient, as an L2 penalty would.

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
        :math:`\lambda`.
    amsgrad : bool
        Whether to divide by the largest :math:`v_t` so far [2]_, which never lets the steps grow.
    maximize : bool
        Whether to go uphill.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A method for stochastic optimization", ICLR 2015,
       https://arxiv.org/abs/1412.6980
    .. [2] S. J. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.9, 1.9])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _state_names(self, group: Group) -> tuple[str, ...]:
        return ("m", "v", "v_max") if group["amsgrad"] else ("m", "v")

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        self._move(group, t, decayed(group, g, p), p, *state)

    @staticmethod
    def _move(group: Group, t: int, g: Array, p: Array, m: Array, v: Array, *v_max: Array) -> None:
        beta1, beta2 = group["betas"]
        m *= beta1
        m += (1 - beta1) * g
        square = g * g  # in two steps: 0.9 of the time of v += (1 - beta2) * g * g and the like
        square *= 1 - beta2
        v *= beta2
        v += square
        # The corrections are applied to numbers instead of arrays (Kingma & Ba, end of section 2):
        # with r = sqrt(1 - beta2**t), sqrt(v / r**2) + eps = (sqrt(v) + eps * r) / r.
        r = math.sqrt(1 - beta2**t)
        for largest in v_max:
            v = np.maximum(largest, v, out=largest)
        scale = np.sqrt(v)
        scale += group["eps"] * r
        change = m / scale
        change *= group["lr"] * r / (1 - beta1**t)
        p -= change


class AdamW(Adam):
    r"""Adam with decoupled weight decay [1]_: :math:`p` shrinks by :math:`\eta \lambda p` a step.

    Parameters are those of `Adam`.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
       https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = AdamW([p], lr=0.1, weight_decay=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data
    array([0.85, 1.8 ])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize)

    def _update(self, group: Group, t: int, g: Array, p: Array, *state: Array) -> None:
        p *= 1 - group["lr"] * group["weight_decay"]
        self._move(group, t, g, p, *state)
