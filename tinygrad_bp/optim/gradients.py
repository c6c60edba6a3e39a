"""What is done to gradients between `backward` and `step`: noise, centering, accumulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, a_kind, require_argument, user_line
from tinygrad_bp.optim.checks import check_number
from tinygrad_bp.optim.clip import with_gradient
from tinygrad_bp.optim.optimizer import Optimizer


def add_grad_noise_(
    params: Iterable[Tensor],
    step: int,
    eta: float = 0.3,
    gamma: float = 0.55,
    *,
    generator: np.random.Generator,
) -> float:
    r"""Add normal noise to all gradients, less of it with each step [1]_.

    Parameters
    ----------
    params : iterable of Tensor
        The parameters; those without a gradient are passed over.
    step : int
        :math:`t`, from 0 on.
    eta, gamma : float
        Of the variance, :math:`\eta / (1 + t)^\gamma`.
    generator : numpy.random.Generator
        Where the noise comes from.

    Returns
    -------
    float
        The deviation of the noise.

    Raises
    ------
    ArgumentError
        A number is negative.
    GraphError
        There is no gradient.

    References
    ----------
    .. [1] A. Neelakantan et al., "Adding gradient noise improves learning for very deep networks",
       2015, https://arxiv.org/abs/1511.06807

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> add_grad_noise_([p], 3, eta=0.04, gamma=1.0, generator=np.random.default_rng(0))
    0.1
    >>> p.grad
    Tensor([6.01257302, 7.98678951])
    """
    kept = with_gradient(params, "add_grad_noise_")
    for name, value in (("step", step), ("eta", eta), ("gamma", gamma)):
        check_number(name, value)
    if not isinstance(generator, np.random.Generator):
        raise ArgumentError(
            f"generator is {a_kind(generator)} (at {user_line()}).\n"
            "Fix: generator=numpy.random.default_rng(seed)."
        )
    deviation = math.sqrt(eta / (1 + step) ** gamma)
    for _, p, array in kept:
        noise = generator.normal(0.0, deviation, array.shape).astype(array.dtype)
        p.grad = as_tensor(array + noise)
    return deviation


def centralize_grad_(params: Iterable[Tensor]) -> None:
    """Take from each gradient its mean over all axes but the first [1]_.

    So the weights of each unit, or channel, move without their mean. Gradients of vectors and
    numbers, as of biases, are left as they are.

    Raises
    ------
    GraphError
        There is no gradient.

    References
    ----------
    .. [1] H. Yong et al., "Gradient centralization: A new optimization technique for deep neural
       networks", ECCV 2020, https://arxiv.org/abs/2004.01461

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([[1.0, 3.0], [2.0, 2.0]], requires_grad=True)
    >>> (p * p / 2).sum().backward()
    >>> centralize_grad_([p])
    >>> p.grad
    Tensor([[-1.,  1.],
            [ 0.,  0.]])
    """
    for _, p, array in with_gradient(params, "centralize_grad_"):
        if array.ndim > 1 and array.size:
            axes = tuple(range(1, array.ndim))
            p.grad = as_tensor(array - array.mean(axis=axes, keepdims=True))


class GradientAccumulation:
    """Steps on the mean of the gradients of several batches, as of one that is larger.

    Use it in a ``with`` block: batches that are left at its end make a last step. A loss that is a
    mean over its batch must be one over batches of equal size, for the mean to be that of all.

    Parameters
    ----------
    optimizer : Optimizer
        Whose `step` and `zero_grad` are called.
    batches : int
        How many make a step.
    before_step : callable, optional
        Called with the mean of the gradients in place, as for `clip_grad_norm_`.

    Attributes
    ----------
    waiting : int
        Batches since the last step.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> p = tg.Tensor([1.0], requires_grad=True)
    >>> with GradientAccumulation(tg.optim.SGD([p], lr=0.1), batches=2) as accumulate:
    ...     for x in (1.0, 3.0, 5.0):
    ...         print(accumulate((p * x).sum()), p.data.round(6))
    False [1.]
    True [0.8]
    False [0.8]
    >>> p.data.round(6)
    array([0.3])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        batches: int,
        before_step: Callable[[], Any] | None = None,
    ) -> None:
        check_number("batches", batches, least=1, whole=True)
        name, right = "GradientAccumulation", isinstance(optimizer, Optimizer)
        require_argument(
            right, name, "optimizer", optimizer, "pass an optimizer, as optim.SGD(...)"
        )
        right = before_step is None or callable(before_step)
        require_argument(right, name, "before_step", before_step, "pass a function of nothing")
        self.optimizer, self.batches, self.waiting = optimizer, batches, 0
        self.before_step = before_step

    def __call__(self, loss: Tensor) -> bool:
        """Add the gradient of the loss of a batch; step where it was the last one of a step.

        Returns
        -------
        bool
            Whether it did.
        """
        right = isinstance(loss, Tensor)
        require_argument(right, "GradientAccumulation", "loss", loss, "pass the loss, a tensor")
        if not self.waiting:
            self.optimizer.zero_grad()
        loss.backward()
        self.waiting += 1
        return self.waiting == self.batches and self.flush()

    def flush(self) -> bool:
        """Step on the batches since the last step, if there are any; whether there were."""
        if not self.waiting:
            return False
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None and self.waiting > 1:
                    p.grad = as_tensor(p.grad.data / self.waiting)
        if self.before_step is not None:
            self.before_step()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.waiting = 0
        return True

    def __enter__(self) -> GradientAccumulation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()
