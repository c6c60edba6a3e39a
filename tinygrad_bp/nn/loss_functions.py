r"""Losses as functions of tensors; `nn.functional` offers them.

They are means over the batch unless `reduction` says ``"sum"``, or ``"none"`` for one number per
element (per sample in `cross_entropy`). Prediction and target have one shape; they are never
broadcast. Targets are constants, unless they are tensors that require a gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops import losses
from tinygrad_bp.ops.activations import softplus
from tinygrad_bp.ops.softmax import log_softmax


def mse_loss(prediction: Any, target: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Squared error, :math:`(x - y)^2`: its mean over all elements, its sum, or each.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> mse_loss(np.array([1.0, 2.0]), np.array([0.0, 0.0])).item()
    2.5
    """
    x, y = targets.pair("mse_loss", prediction, target)
    if reduction == "none":
        d = x - y
        each: Tensor = d * d
        return each
    return losses.squared_error.apply(x, y, scale=targets.scale("mse_loss", reduction, x.size))


def half_squared_error(prediction: Any, target: Any) -> Tensor:
    r"""Half the sum of squares, :math:`\tfrac12 \sum (x - y)^2`, of gradient x - y.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.

    Examples
    --------
    >>> half_squared_error(np.array([1.0, 2.0]), np.array([0.0, 0.0])).item()
    2.5
    """
    x, y = targets.pair("half_squared_error", prediction, target)
    return losses.squared_error.apply(x, y, scale=0.5)


def l1_loss(prediction: Any, target: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Absolute error, :math:`|x - y|`, of derivative 0 where x = y.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> l1_loss(np.array([1.0, -2.0]), np.array([0.0, 0.0])).item()
    1.5
    """
    x, y = targets.pair("l1_loss", prediction, target)
    if reduction == "none":
        each: Tensor = np.abs(x - y)
        return each
    return losses.absolute_error(x, y, scale=targets.scale("l1_loss", reduction, x.size))


def huber_loss(
    prediction: Any, target: Any, reduction: Reduction = "mean", delta: float = 1.0
) -> Tensor:
    r"""Half the square of x - y up to `delta`, and linear with slope `delta` beyond.

    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 35 (1964).

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        There is no such reduction, or `delta` is not positive.

    Examples
    --------
    >>> huber_loss(np.array([1.0, 3.0]), np.array([0.0, 0.0]), reduction="none")
    Tensor([0.5, 2.5])
    """
    if not 0 < delta < math.inf:
        raise ArgumentError(f"huber_loss at {user_line()}: delta is {delta!r}.\nFix: delta > 0.")
    x, y = targets.pair("huber_loss", prediction, target)
    if reduction == "none":
        d = np.abs(x - y)
        near = np.minimum(d, delta)
        each: Tensor = near * (d - near / 2)
        return each
    factor = targets.scale("huber_loss", reduction, x.size)
    return losses.huber(x, y, delta=delta, scale=factor)


def cross_entropy(logits: Any, labels: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Cross-entropy of the softmax of logits, :math:`-\sum_c y_c \log \mathrm{softmax}(x)_c`.

    Parameters
    ----------
    logits : array_like
        Shape (N, C): outputs of the network before any softmax.
    labels : array_like
        Either integers of shape (N,) in [0, C), or one-hot rows or probabilities of shape (N, C).
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The logits are not a matrix, or the labels have another shape.
    DTypeError
        The labels have shape (N,) but are not integers.
    ArgumentError
        A label is not in [0, C), a row is no probability distribution, or there is no such
        reduction. Under `detect_anomaly` also: the logits are probabilities already.

    Examples
    --------
    >>> x = np.array([[0.0, np.log(3)]])
    >>> round(math.exp(-cross_entropy(x, [1]).item()), 9)
    0.75
    >>> cross_entropy(x, [2])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tinygrad_bp.errors.ArgumentError: cross_entropy at ...: the label at index 0 is 2, but ...
    """
    x = as_tensor(logits)
    y = targets.check_labels("cross_entropy", x, labels)
    if reduction == "none":
        logs = log_softmax(x, axis=1)
        each: Tensor = (
            -logs[np.arange(len(y)), np.asarray(y)] if y.ndim == 1 else -(logs * y).sum(axis=1)
        )
        return each
    factor = targets.scale("cross_entropy", reduction, len(x))
    if y.ndim == 1:
        return losses.cross_entropy_labels.apply(x, y, scale=factor)
    return losses.cross_entropy(x, y, scale=factor)


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, reduction: Reduction = "mean"
) -> Tensor:
    r"""Cross-entropy of the sigmoid of logits, :math:`\log(1 + e^x) - x y`, element by element.

    Parameters
    ----------
    logits : array_like
        Any shape: outputs of the network before any sigmoid.
    target : array_like
        Of the same shape, in [0, 1].
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        Logits and target have not the same shape.
    ArgumentError
        A target lies outside of [0, 1], or there is no such reduction.

    Examples
    --------
    >>> binary_cross_entropy_with_logits(np.array([1e4, -1e4]), [1, 1], reduction="sum").item()
    10000.0
    """
    x, y = targets.pair("binary_cross_entropy_with_logits", logits, target)
    targets.check_probabilities("binary_cross_entropy_with_logits", y)
    if reduction == "none":
        each: Tensor = softplus(-x) * y + softplus(x) * (1 - y)
        return each
    factor = targets.scale("binary_cross_entropy_with_logits", reduction, x.size)
    return losses.binary_cross_entropy(x, y, scale=factor)
