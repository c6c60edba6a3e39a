"""Losses that are the negative logarithm of a probability, as modules."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.losses import Loss, buffer
from tinygrad_bp.nn.targets import Reduction


class NLLLoss(Loss):
    """Negative log-likelihood of class numbers, of log-probabilities (N, C).

    The arguments are those of `functional.nll_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> NLLLoss()(np.log(np.array([[0.5, 0.5]])), [0]).item().__round__(6)
    0.693147
    """

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.ignore_index = ignore_index
        self.weight = buffer(weight)

    def forward(self, log_probabilities: Any, labels: Any) -> Tensor:
        """The loss of log probabilities and labels."""
        return functional.nll_loss(
            log_probabilities,
            labels,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class FocalLoss(Loss):
    """Cross-entropy of logits (N, C) in which what is right already counts less.

    The arguments are those of `functional.focal_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> FocalLoss()(np.zeros((1, 2)), [1]).item().__round__(6)
    0.173287
    """

    def __init__(
        self,
        weight: Any = None,
        gamma: float = 2.0,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.weight = buffer(weight)

    def forward(self, logits: Any, labels: Any) -> Tensor:
        """The loss of logits and labels."""
        return functional.focal_loss(
            logits,
            labels,
            weight=self.weight,
            gamma=self.gamma,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class SigmoidFocalLoss(Loss):
    """Binary cross-entropy of logits in which what is right already counts less.

    The arguments are those of `functional.sigmoid_focal_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> SigmoidFocalLoss(alpha=None)(np.zeros(1), [1]).item().__round__(6)
    0.173287
    """

    def __init__(
        self,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits: Any, target: Any) -> Tensor:
        """The loss of logits and target."""
        return functional.sigmoid_focal_loss(
            logits, target, alpha=self.alpha, gamma=self.gamma, reduction=self.reduction
        )


class BCELoss(Loss):
    """Cross-entropy of probabilities with targets in [0, 1].

    The arguments are those of `functional.binary_cross_entropy`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> BCELoss()(np.array([0.5]), [1]).item().__round__(6)
    0.693147
    """

    def __init__(self, weight: Any = None, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.binary_cross_entropy(
            prediction, target, weight=self.weight, reduction=self.reduction
        )


class KLDivLoss(Loss):
    """Kullback-Leibler divergence of log-probabilities from a target.

    The arguments are those of `functional.kl_div`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.25, 0.75]])
    >>> KLDivLoss("batchmean")(np.log(p), p).item()
    0.0
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        simple: Any = "mean" if reduction == "batchmean" else reduction
        super().__init__(simple)
        self.reduction = reduction
        self.log_target = log_target

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.kl_div(
            prediction, target, reduction=self.reduction, log_target=self.log_target
        )


class GaussianNLLLoss(Loss):
    """Negative log-likelihood of a normal distribution, called with mean, target and variance.

    The arguments are those of `functional.gaussian_nll_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> GaussianNLLLoss()(np.array([3.0]), [1], np.array([1.0])).item()
    2.0
    """

    def __init__(
        self,
        full: bool = False,
        eps: float = 1e-6,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, prediction: Any, target: Any, var: Any) -> Tensor:
        """The loss of prediction, target and var."""
        return functional.gaussian_nll_loss(
            prediction, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts of a Poisson distribution.

    The arguments are those of `functional.poisson_nll_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> PoissonNLLLoss()(np.array([0.0]), [5]).item()
    1.0
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.poisson_nll_loss(
            prediction,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )
