"""Losses that are 0 beyond a margin, as modules."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.losses import Loss, buffer
from tinygrad_bp.nn.targets import Reduction


class HingeLoss(Loss):
    """Hinge loss of targets 1 and -1.

    The arguments are those of `functional.hinge_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> HingeLoss()(np.array([0.5]), [1]).item()
    0.5
    """

    def __init__(self, squared: bool = False, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.squared = squared

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.hinge_loss(
            prediction, target, squared=self.squared, reduction=self.reduction
        )


class HingeEmbeddingLoss(Loss):
    """Of distances: themselves for target 1, what they lack to a margin for -1.

    The arguments are those of `functional.hinge_embedding_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> HingeEmbeddingLoss()(np.array([0.25]), [-1]).item()
    0.75
    """

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.hinge_embedding_loss(
            prediction, target, margin=self.margin, reduction=self.reduction
        )


class SoftMarginLoss(Loss):
    """Logistic loss of targets 1 and -1.

    The arguments are those of `functional.soft_margin_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> SoftMarginLoss()(np.array([0.0]), [1]).item().__round__(6)
    0.693147
    """

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.soft_margin_loss(prediction, target, reduction=self.reduction)


class MultiMarginLoss(Loss):
    """Hinge loss of scores (N, C) and class numbers.

    The arguments are those of `functional.multi_margin_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> MultiMarginLoss()(np.array([[0.5, 0.0]]), [0]).item()
    0.25
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.p = p
        self.margin = margin
        self.weight = buffer(weight)

    def forward(self, scores: Any, labels: Any) -> Tensor:
        """The loss of scores and labels."""
        return functional.multi_margin_loss(
            scores,
            labels,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class MultiLabelMarginLoss(Loss):
    """Hinge loss of each class that is meant against each that is not.

    The arguments are those of `functional.multilabel_margin_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> MultiLabelMarginLoss()(np.array([[1.0, 0.0]]), [[1, -1]]).item()
    1.0
    """

    def forward(self, scores: Any, labels: Any) -> Tensor:
        """The loss of scores and labels."""
        return functional.multilabel_margin_loss(scores, labels, reduction=self.reduction)


class MultiLabelSoftMarginLoss(Loss):
    """Binary cross-entropy of scores, its mean over the classes of each sample.

    The arguments are those of `functional.multilabel_soft_margin_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> MultiLabelSoftMarginLoss()(np.zeros((1, 3)), [[0, 1, 1]]).item().__round__(6)
    0.693147
    """

    def __init__(self, weight: Any = None, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)

    def forward(self, scores: Any, target: Any) -> Tensor:
        """The loss of scores and target."""
        return functional.multilabel_soft_margin_loss(
            scores, target, weight=self.weight, reduction=self.reduction
        )
