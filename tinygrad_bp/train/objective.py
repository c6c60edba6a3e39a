"""What a recipe minimises, and what its network's outputs mean."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import Module, functional
from tinygrad_bp.train.tables import Loss

Array = NDArray[Any]


def _half_squared_error(outputs: Tensor, targets: Array, reduction: str) -> Tensor:
    total = functional.half_squared_error(outputs, targets)
    return total if reduction == "sum" else total / outputs.size


_LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": functional.cross_entropy,
    "half_squared_error": _half_squared_error,
    "mse": functional.mse_loss,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "focal_loss": functional.focal_loss,
    "huber_loss": functional.huber_loss,
    "l1_loss": functional.l1_loss,
    "smooth_l1_loss": functional.smooth_l1_loss,
}
_OF_LABELS = ("cross_entropy", "focal_loss")


class Objective:
    r"""The loss of a batch: the mean over its samples, plus the weight penalty.

    .. math:: \frac1n \sum_{i=1}^n \ell(o_i, y_i) + \frac{\lambda}{2m} \sum_W \sum_{ij} W_{ij}^2

    The penalty is that of the whole training set, m samples, whatever the batch; so the mean of
    all batches is the loss of the whole set.

    Parameters
    ----------
    loss : Loss
        The table of the recipe.
    model : Module
        Whose weights (parameters with two axes or more) the penalty is on.
    samples : int
        The m of the penalty.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> loss = Loss(name="mse", outputs="sum", weight_penalty=6.0)
    >>> model = tg.nn.Linear(1, 2, weight_init="ones", bias_init="zeros", dtype=np.float64)
    >>> x, y = np.array([[1.0]]), np.array([[0.0, 1.0]])
    >>> Objective(loss, model, samples=3)(model(x), y).item()
    3.0
    """

    def __init__(self, loss: Loss, model: Module, samples: int) -> None:
        self.loss = loss
        self.options = loss.model_dump(include={"label_smoothing", "gamma"}, exclude_none=True)
        self.l2 = loss.weight_penalty / samples
        self.weights = [p for p in model.parameters() if p.ndim > 1] if self.l2 else []

    def targets(self, labels: Array, classes: int, dtype: Any) -> Array:
        """What the outputs are compared with: labels for losses of these, or one-hot rows."""
        return labels if self.loss.name in _OF_LABELS else np.eye(classes, dtype=dtype)[labels]

    def __call__(self, outputs: Tensor, targets: Array) -> Tensor:
        """The loss of a batch, as a tensor without axes."""
        function = functools.partial(_LOSSES[self.loss.name], **self.options)
        if self.loss.outputs == "sum":
            loss = function(outputs, targets, reduction="sum")
            if len(outputs) > 1:
                loss = loss / len(outputs)
        else:
            loss = function(outputs, targets, reduction="mean")
        for weight in self.weights:
            loss = loss + 0.5 * self.l2 * np.sum(weight * weight)
        return loss

    def reported(self, outputs: Array, targets: Array) -> float:
        """The loss that the metrics show, for a batch and without the penalty."""
        function = _LOSSES[self.loss.report or self.loss.name]
        if self.loss.report is None:
            function = functools.partial(function, **self.options)
        if self.loss.outputs == "sum" and self.loss.report is None:
            return float(function(outputs, targets, reduction="sum").item()) / len(outputs)
        return float(function(outputs, targets, reduction="mean").item())

    def penalty(self) -> float:
        """The penalty by itself."""
        return 0.5 * self.l2 * sum(float(np.vdot(w.data, w.data)) for w in self.weights)

    def probabilities(self, outputs: Array) -> Array:
        """What the outputs say of each class, between 0 and 1.

        A softmax or sigmoid where the loss has one inside. Otherwise the outputs themselves,
        which the squared error pulls towards 0 and 1.
        """
        if self.loss.name in _OF_LABELS:
            return np.asarray(functional.softmax(outputs).data)
        if self.loss.name == "binary_cross_entropy_with_logits":
            return np.asarray(functional.sigmoid(outputs).data)
        return outputs
