"""Losses as modules, called with the prediction and the target."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.targets import Reduction, check_reduction


class _Loss(Module):
    """A loss with a reduction, which is checked when it is made."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction

    def extra_repr(self) -> str:
        """The reduction, where it is not the mean."""
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """Squared error, :math:`(x - y)^2`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> MSELoss()(np.array([1.0, 2.0]), np.zeros(2)).item()
    2.5
    """

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.mse_loss(prediction, target, self.reduction)


class CrossEntropyLoss(_Loss):
    """Cross-entropy of the softmax of logits (N, C) with labels; see `functional.cross_entropy`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> round(CrossEntropyLoss()(np.zeros((1, 2)), [1]).item(), 4)
    0.6931
    """

    def forward(self, logits: Any, labels: Any) -> Tensor:
        """The loss of logits and labels."""
        return functional.cross_entropy(logits, labels, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Cross-entropy of the sigmoid of logits with targets in [0, 1].

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> BCEWithLogitsLoss()(np.array([1e4]), [0]).item()
    10000.0
    """

    def forward(self, logits: Any, target: Any) -> Tensor:
        """The loss of logits and target."""
        return functional.binary_cross_entropy_with_logits(logits, target, self.reduction)


class L1Loss(_Loss):
    """Absolute error, :math:`|x - y|`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> L1Loss("sum")(np.array([1.0, -2.0]), np.zeros(2)).item()
    3.0
    """

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.l1_loss(prediction, target, self.reduction)


class HuberLoss(_Loss):
    """Half the square of x - y up to `delta`, and linear with slope `delta` beyond.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.
    delta : float, default 1.0
        Where it turns linear.

    Raises
    ------
    ArgumentError
        There is no such reduction, or `delta` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> HuberLoss(delta=2.0)(np.array([3.0]), np.zeros(1)).item()
    4.0
    """

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        if not 0 < delta < math.inf:
            raise ArgumentError(f"HuberLoss: delta is {delta!r}.\nFix: delta > 0.")
        self.delta = delta

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.huber_loss(prediction, target, self.reduction, self.delta)

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        shown = [super().extra_repr(), "" if self.delta == 1 else f"delta={self.delta}"]
        return ", ".join(argument for argument in shown if argument)


class HalfSquaredErrorLoss(Module):
    r"""Half the sum of squares, :math:`\tfrac12 \sum (x - y)^2`, of gradient x - y.

    Examples
    --------
    >>> import numpy as np
    >>> HalfSquaredErrorLoss()(np.array([1.0, 2.0]), np.zeros(2)).item()
    2.5
    """

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.half_squared_error(prediction, target)
