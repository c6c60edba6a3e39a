r"""Losses that are 0 beyond a margin, of scores and their soft forms; `nn.functional` offers them.

Where a prediction lies on the margin itself, the derivative is that of beyond: 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional import loss_checks as checks
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops.activations import relu, softplus


def hinge_loss(
    prediction: Any, target: Any, squared: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    r"""Hinge loss, :math:`\max(0, 1 - y x)`, of targets 1 and -1.

    Parameters
    ----------
    prediction : array_like
        Scores of any shape.
    target : array_like
        1 or -1, of the same shape.
    squared : bool, default False
        Whether to take the square, which is smooth.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        A target is neither 1 nor -1, or there is no such reduction.

    Examples
    --------
    >>> hinge_loss(np.array([2.0, 0.5, -1.0]), [1, 1, 1], reduction="none")
    Tensor([0. , 0.5, 2. ])
    """
    name = "hinge_loss"
    checks.checked(name, reduction)
    x, y = targets.pair(name, prediction, target)
    checks.check_signs(name, y)
    each = relu(1 - y * x)
    return checks.reduced(name, each * each if squared else each, reduction)


def hinge_embedding_loss(
    prediction: Any, target: Any, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    r"""Of a distance x: x itself where the target is 1, :math:`\max(0, m - x)` where it is -1.

    Parameters
    ----------
    prediction : array_like
        Distances, of any shape.
    target : array_like
        1 for what belongs together and -1 for what does not, of the same shape.
    margin : float, default 1.0
        :math:`m`.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        A target is neither 1 nor -1, or there is no such reduction.

    Examples
    --------
    >>> hinge_embedding_loss(np.array([0.25, 0.25]), [1, -1], reduction="none")
    Tensor([0.25, 0.75])
    """
    margin = weak(margin)
    name = "hinge_embedding_loss"
    checks.checked(name, reduction)
    x, y = targets.pair(name, prediction, target)
    checks.check_signs(name, y)
    each = np.where(targets.array_of(y) == 1, x, relu(margin - x))
    return checks.reduced(name, each, reduction)


def soft_margin_loss(prediction: Any, target: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Logistic loss, :math:`\log(1 + e^{-y x})`, of targets 1 and -1.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        A target is neither 1 nor -1, or there is no such reduction.

    Examples
    --------
    >>> soft_margin_loss(np.array([-1e4]), [1]).item()
    10000.0
    """
    name = "soft_margin_loss"
    checks.checked(name, reduction)
    x, y = targets.pair(name, prediction, target)
    checks.check_signs(name, y)
    return checks.reduced(name, softplus(-y * x), reduction)


def multi_margin_loss(
    scores: Any,
    labels: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Hinge loss of classes, :math:`\frac1C \sum_{c \ne y} w_y \max(0, m - x_y + x_c)^p`.

    K. Crammer, Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", JMLR 2 (2001), sums as here with a maximum in place of the sum.

    Parameters
    ----------
    scores : array_like
        Shape (N, C), or (C,).
    labels : array_like
        Integers in [0, C), of shape (N,), or ().
    p : {1, 2}
        :math:`p`.
    margin : float, default 1.0
        :math:`m`.
    weight : array_like, optional
        Of each class, shape (C,).
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    DTypeError
        The labels are not integers.
    ArgumentError
        A label is not in [0, C), or `p` or the reduction does not exist.

    Examples
    --------
    >>> multi_margin_loss(np.array([[0.5, 0.0]]), [0]).item()
    0.25
    """
    margin = weak(margin)
    name = "multi_margin_loss"
    checks.checked(name, reduction)
    if p not in (1, 2):
        raise ArgumentError(f"{targets.at_user(name)}: p is {p!r}.\nFix: 1 or 2.")
    x = _scores(name, scores)
    y = checks.integers(name, checks.one_for_each(name, labels, x.shape[:-1]), "labels are")
    classes = x.shape[-1]
    checks.check_classes(name, y, classes)
    w = checks.class_weight(name, weight, classes, x.dtype)
    own: Any = np.take_along_axis(x, y[..., None], axis=-1)
    over = relu(margin - own + x)
    others = np.arange(classes) != y[..., None]
    each = np.where(others, over if p == 1 else over * over, 0).sum(axis=-1) / classes
    return checks.reduced(name, each if w is None else each * w[y], reduction)


def multilabel_margin_loss(scores: Any, labels: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Hinge loss of each class that is meant against each that is not.

    .. math:: \frac1C \sum_{j \in y} \sum_{i \notin y} \max(0, 1 - (x_j - x_i))

    Parameters
    ----------
    scores : array_like
        Shape (N, C), or (C,).
    labels : array_like
        Integers of the same shape: the classes that are meant, in any order, then -1, after which
        nothing counts.
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    DTypeError
        The labels are not integers.
    ArgumentError
        A label is no class, or there is no such reduction.

    Examples
    --------
    >>> multilabel_margin_loss(np.array([[0.5, 0.0, 2.0]]), [[0, 2, -1]]).item().__round__(9)
    0.166666667
    """
    name = "multilabel_margin_loss"
    checks.checked(name, reduction)
    x = _scores(name, scores)
    y = checks.integers(name, checks.one_for_each(name, labels, x.shape), "labels are")
    checks.check_classes(name, np.where(y == -1, 0, y), x.shape[-1])
    counts = np.logical_and.accumulate(y >= 0, axis=-1)  # up to the first -1
    times = (np.eye(x.shape[-1], dtype=x.dtype)[y] * counts[..., None]).sum(axis=-2)
    over = relu(1 - x[..., :, None] + x[..., None, :])
    pairs = times[..., :, None] * (times == 0)[..., None, :]
    each = (over * pairs).sum(axis=(-2, -1)) / x.shape[-1]
    return checks.reduced(name, each, reduction)


def multilabel_soft_margin_loss(
    scores: Any, target: Any, weight: Any = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Binary cross-entropy of the sigmoid of scores, its mean over the classes of each sample.

    Parameters
    ----------
    scores : array_like
        Shape (N, C), or (C,).
    target : array_like
        0 or 1 for each class, of the same shape.
    weight : array_like, optional
        Of each class, shape (C,), or of each element.
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    ArgumentError
        A target is outside of [0, 1], or there is no such reduction.

    Examples
    --------
    >>> multilabel_soft_margin_loss(np.array([[1e4, -1e4]]), [[0, 0]]).item()
    5000.0
    """
    name = "multilabel_soft_margin_loss"
    checks.checked(name, reduction)
    x, y = targets.pair(name, scores, target)
    _scores(name, x)
    targets.check_probabilities(name, y)
    each = y * softplus(-x) + (1 - y) * softplus(x)
    if weight is not None:
        each = each * checks.element_weight(name, weight, x.shape, x.dtype)
    return checks.reduced(name, each.sum(axis=-1) / x.shape[-1], reduction)


def _scores(loss: str, scores: Any) -> Tensor:
    x = as_tensor(scores)
    if x.ndim not in (1, 2) or not x.shape[-1]:
        raise ShapeError(
            f"{targets.at_user(loss)}: scores have shape (samples, classes) or (classes,), not "
            f"{x.shape}.\nFix: use reshape."
        )
    return x
