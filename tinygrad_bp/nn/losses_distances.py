"""Distances, similarities and losses of how they are ordered, as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.arguments import shown
from tinygrad_bp.nn.losses import Loss
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.targets import Reduction


@register_layer
class PairwiseDistance(Module):
    """Distance of rows over the last axis; see `functional.pairwise_distance`.

    Examples
    --------
    >>> import numpy as np
    >>> PairwiseDistance(eps=0.0)(np.array([[3.0, 4.0]]), np.zeros((1, 2)))
    Tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.p, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Tensor:
        """The distance of each row of the first to that of the second."""
        return functional.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        return shown(self)


@register_layer
class CosineSimilarity(Module):
    """Cosine of the angle of vectors; see `functional.cosine_similarity`.

    Examples
    --------
    >>> import numpy as np
    >>> CosineSimilarity()(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]]))
    Tensor([0.6])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Tensor:
        """The cosine of each vector of the first and that of the second."""
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        return shown(self)


class CosineEmbeddingLoss(Loss):
    """1 - cos for pairs of target 1, and what cos has above a margin for those of -1.

    The arguments are those of `functional.cosine_embedding_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> CosineEmbeddingLoss()(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]]), [1]).item()
    1.0
    """

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: Any, x2: Any, target: Any) -> Tensor:
        """The loss of x1, x2 and target."""
        return functional.cosine_embedding_loss(
            x1, x2, target, margin=self.margin, reduction=self.reduction
        )


class TripletMarginLoss(Loss):
    """That an anchor lies nearer to the positive than to the negative, by a margin.

    The arguments are those of `functional.triplet_margin_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> zero, one = np.zeros((1, 1)), np.ones((1, 1))
    >>> TripletMarginLoss()(zero, one, one).item().__round__(6)
    1.0
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        """The loss of anchor, positive and negative."""
        return functional.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` with a distance of one's own.

    The arguments are those of `functional.triplet_margin_with_distance_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> zero, one = np.zeros((1, 1)), np.ones((1, 1))
    >>> TripletMarginWithDistanceLoss()(zero, one, one).item().__round__(6)
    1.0
    """

    def __init__(
        self,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        """The loss of anchor, positive and negative."""
        return functional.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class MarginRankingLoss(Loss):
    """That the first ranks higher where the target is 1, and lower where it is -1.

    The arguments are those of `functional.margin_ranking_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> MarginRankingLoss()(np.array([1.0]), np.array([3.0]), [1]).item()
    2.0
    """

    def __init__(self, margin: float = 0.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: Any, x2: Any, target: Any) -> Tensor:
        """The loss of x1, x2 and target."""
        return functional.margin_ranking_loss(
            x1, x2, target, margin=self.margin, reduction=self.reduction
        )


class ContrastiveLoss(Loss):
    """That pairs of target 1 lie near each other, and those of 0 a margin apart.

    The arguments are those of `functional.contrastive_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> ContrastiveLoss()(np.array([[1.0]]), np.array([[3.0]]), [1]).item()
    2.0
    """

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, x1: Any, x2: Any, target: Any) -> Tensor:
        """The loss of x1, x2 and target."""
        return functional.contrastive_loss(
            x1, x2, target, margin=self.margin, reduction=self.reduction
        )
