r"""Losses as functions of tensors; `nn.functional` offers them.

They are means over the batch unless `reduction` says ``"sum"``, or ``"none"`` for one number per
element (per label in `cross_entropy`). Prediction and target have one shape; they are never
broadcast. Targets are constants, unless they are tensors that require a gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional.loss_checks import element_weight, reduced
from tinygrad_bp.nn.functional.loss_classes import cross_entropy_of_rows
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
    delta = weak(delta)
    name = "huber_loss"
    if not 0 < delta < math.inf:
        raise ArgumentError(f"{targets.at_user(name)}: delta is {delta!r}.\nFix: delta > 0.")
    x, y = targets.pair(name, prediction, target)
    if reduction == "none":
        d = np.abs(x - y)
        near = np.minimum(d, delta)
        each: Tensor = near * (d - near / 2)
        return each
    return losses.huber(x, y, delta=delta, scale=targets.scale(name, reduction, x.size))


def smooth_l1_loss(
    prediction: Any, target: Any, reduction: Reduction = "mean", beta: float = 1.0
) -> Tensor:
    r"""Huber's loss divided by `beta`: the slope beyond `beta` is 1.

    Where `beta` is 0, it is the absolute error.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        There is no such reduction, or `beta` is negative.

    Examples
    --------
    >>> smooth_l1_loss(np.array([1.0, 4.0]), np.zeros(2), reduction="none", beta=2.0)
    Tensor([0.25, 3.  ])
    """
    beta = weak(beta)
    name = "smooth_l1_loss"
    if not 0 <= beta < math.inf:
        raise ArgumentError(f"{targets.at_user(name)}: beta is {beta!r}.\nFix: beta >= 0.")
    if beta == 0:
        return l1_loss(prediction, target, reduction)
    x, y = targets.pair(name, prediction, target)
    if reduction == "none":
        return huber_loss(x, y, "none", beta) / beta
    factor = targets.scale(name, reduction, x.size)
    return losses.huber(x, y, delta=beta, scale=factor / beta)


def cross_entropy(
    logits: Any,
    labels: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy of the softmax of logits, :math:`-\sum_c y_c \log \mathrm{softmax}(x)_c`.

    Parameters
    ----------
    logits : array_like
        Shape (N, C), (N, C, d1, ...) or (C,): outputs of the network before any softmax.
    labels : array_like
        Either integers in [0, C), of shape (N,), (N, d1, ...) or (); or one-hot rows or
        probabilities of the shape of the logits.
    weight : array_like, optional
        Of each class, shape (C,).
    ignore_index : int, default -100
        A label that does not count.
    reduction : {"mean", "sum", "none"}
        Over all labels. With weights, the mean of integer labels is the sum divided by that of
        the weights of the labels.
    label_smoothing : float, default 0
        The share of each label that is spread evenly over all classes [1]_.

    Raises
    ------
    ShapeError
        Logits and labels do not fit, or no label is left for a mean.
    DTypeError
        The labels are class numbers by their shape, but no integers.
    ArgumentError
        A label is not in [0, C), a row is no probability distribution, or there is no such
        reduction. Under `detect_anomaly` also: the logits are probabilities already.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the inception architecture for computer vision", CVPR
       2016, https://arxiv.org/abs/1512.00567

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
    label_smoothing = weak(label_smoothing)
    x = as_tensor(logits)
    y = None
    if weight is None and not label_smoothing and ignore_index == -100 and x._data.ndim == 2:
        y = targets.check_labels("cross_entropy", x, labels)
    if y is None:
        return cross_entropy_of_rows(x, labels, weight, ignore_index, reduction, label_smoothing)
    if reduction == "none":
        logs = log_softmax(x, axis=1)
        each: Tensor = (
            -logs[np.arange(len(y)), np.asarray(y)] if y.ndim == 1 else -(logs * y).sum(axis=1)
        )
        return each
    factor = targets.scale("cross_entropy", reduction, len(y))
    if y.ndim == 1:
        return losses.cross_entropy_labels.apply(x, y, scale=factor)
    return losses.cross_entropy(x, y, scale=factor)


def binary_cross_entropy_with_logits(
    logits: Any,
    target: Any,
    weight: Any = None,
    reduction: Reduction = "mean",
    pos_weight: Any = None,
) -> Tensor:
    r"""Cross-entropy of the sigmoid of logits, :math:`\log(1 + e^x) - x y`, element by element.

    Parameters
    ----------
    logits : array_like
        Any shape: outputs of the network before any sigmoid.
    target : array_like
        Of the same shape, in [0, 1].
    weight : array_like, optional
        Of each element; broadcast.
    reduction : {"mean", "sum", "none"}
        Over all elements.
    pos_weight : array_like, optional
        Of targets 1 beside those of 0, as where these are many more; broadcast.

    Raises
    ------
    ShapeError
        Logits and target have not the same shape.
    ArgumentError
        A target lies outside of [0, 1], or there is no such reduction. Under `detect_anomaly`
        also: the logits are what a sigmoid made.

    Examples
    --------
    >>> binary_cross_entropy_with_logits(np.array([1e4, -1e4]), [1, 1], reduction="sum").item()
    10000.0
    """
    name = "binary_cross_entropy_with_logits"
    x, y = targets.pair(name, logits, target)
    targets.check_probabilities(name, y)
    targets.refuse_sigmoid(name, x)
    if weight is None and pos_weight is None and reduction != "none":
        factor = targets.scale(name, reduction, x.size)
        return losses.binary_cross_entropy(x, y, scale=factor)
    targets.check_reduction(name, reduction)
    positive = softplus(-x) * y
    if pos_weight is not None:
        positive = positive * element_weight(name, pos_weight, x.shape, x.dtype, "pos_weight")
    each = positive + softplus(x) * (1 - y)
    if weight is not None:
        each = each * element_weight(name, weight, x.shape, x.dtype)
    return reduced(name, each, reduction)
