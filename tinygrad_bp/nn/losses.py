"""Losses as modules, called with the prediction and the target."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer
from tinygrad_bp.nn.targets import Reduction, check_reduction


class Loss(Module):
    """A loss with a reduction, which is checked when it is made."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        check_reduction(type(self).__name__, reduction)
        self.reduction: Any = reduction

    def extra_repr(self) -> str:
        """The arguments that are not the defaults: of weights the shape, of functions the name."""
        parts = []
        for name, argument in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name)
            if isinstance(value, Tensor):
                parts.append(f"{name}={value.shape}")
            elif value is not argument.default and value != argument.default:
                # Of a function its name alone: an address would be another one each time.
                parts.append(f"{name}={getattr(value, '__name__', repr(value))}")
        return ", ".join(parts)


def buffer(weight: Any) -> Any:
    """A weight as a part of the state of a module, as PyTorch has it; None where there is none.

    Examples
    --------
    >>> buffer([1, 2])
    Tensor([1., 2.])
    """
    if weight is None or isinstance(weight, str):  # a text is an error of the function
        return weight
    return Buffer(np.asarray(weight.data if isinstance(weight, Tensor) else weight, float))


class MSELoss(Loss):
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


class CrossEntropyLoss(Loss):
    """Cross-entropy of the softmax of logits (N, C) with labels; see `functional.cross_entropy`.

    Parameters
    ----------
    weight : array_like, optional
        Of each class, shape (C,).
    ignore_index : int, default -100
        A label that does not count.
    reduction : {"mean", "sum", "none"}
        Over the samples.
    label_smoothing : float, default 0
        The share of each label that is spread over all classes.

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

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, logits: Any, labels: Any) -> Tensor:
        """The loss of logits and labels."""
        return functional.cross_entropy(
            logits, labels, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class BCEWithLogitsLoss(Loss):
    """Cross-entropy of the sigmoid of logits with targets in [0, 1].

    Parameters
    ----------
    weight : array_like, optional
        Of each element; broadcast.
    reduction : {"mean", "sum", "none"}
        Over all elements.
    pos_weight : array_like, optional
        Of targets 1 beside those of 0; broadcast.

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

    def __init__(
        self, weight: Any = None, reduction: Reduction = "mean", pos_weight: Any = None
    ) -> None:
        super().__init__(reduction)
        self.weight = buffer(weight)
        self.pos_weight = buffer(pos_weight)

    def forward(self, logits: Any, target: Any) -> Tensor:
        """The loss of logits and target."""
        return functional.binary_cross_entropy_with_logits(
            logits, target, self.weight, self.reduction, self.pos_weight
        )


class L1Loss(Loss):
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


class HuberLoss(Loss):
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


class SmoothL1Loss(Loss):
    """Huber's loss divided by `beta`: the slope beyond `beta` is 1.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Over all elements.
    beta : float, default 1.0
        Where it turns linear; 0 for the absolute error.

    Raises
    ------
    ArgumentError
        There is no such reduction, or `beta` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> SmoothL1Loss(beta=2.0)(np.array([3.0]), np.zeros(1)).item()
    2.0
    """

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        if not 0 <= beta < math.inf:
            raise ArgumentError(f"SmoothL1Loss: beta is {beta!r}.\nFix: beta >= 0.")
        self.beta = beta

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss of prediction and target."""
        return functional.smooth_l1_loss(prediction, target, self.reduction, self.beta)


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
