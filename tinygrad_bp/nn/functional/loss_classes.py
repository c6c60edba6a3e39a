r"""Losses of class numbers: with weights, ignored labels, smoothing, and any further axes.

Classes are the axis 1 of the logits, as in (N, C, height, width), or the only one; labels have the
other axes. Inside, both become a matrix with a row for each label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional import loss_checks as checks
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops import losses
from tinygrad_bp.ops.losses import one_hot
from tinygrad_bp.ops.softmax import log_softmax, softmax


@dataclass
class _Rows:
    """Logits as rows, and what belongs to each.

    `labels` are class numbers with 0 for those that are ignored, or None where `target` has
    probabilities; `kept` is 0 for what is ignored; `shape` that of the losses.
    """

    x: Tensor
    labels: Any
    target: Any
    kept: Any
    shape: tuple[int, ...]


def cross_entropy_of_rows(
    logits: Tensor,
    labels: Any,
    weight: Any,
    ignore_index: int,
    reduction: Reduction,
    label_smoothing: float,
) -> Tensor:
    """`functional.cross_entropy` where there is more to it than labels of rows; see there.

    Examples
    --------
    >>> x = as_tensor(np.zeros((1, 2, 3)))
    >>> cross_entropy_of_rows(x, [[0, 1, -100]], None, -100, "mean", 0.0).item().__round__(6)
    0.693147
    """
    name = "cross_entropy"
    targets.check_reduction(name, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(
            f"{targets.at_user(name)}: label_smoothing is {label_smoothing!r}.\nFix: from 0 to 1."
        )
    rows = _rows(name, logits, labels, ignore_index)
    classes = rows.x.shape[1]
    if MODE.get().anomaly:
        targets.refuse_softmax(name, rows.x.data)
    w = checks.class_weight(name, weight, classes, rows.x.dtype)
    if rows.labels is not None and w is None and not label_smoothing and reduction != "none":
        at = np.flatnonzero(rows.kept)
        x = rows.x if len(at) == len(rows.kept) else rows.x[at]
        factor = _factor(name, reduction, rows.kept)
        return losses.cross_entropy_labels(x, rows.labels[at], scale=factor)
    if rows.labels is None:
        y, counts = rows.target, rows.kept
    else:
        counts = rows.kept if w is None else rows.kept * w[rows.labels]
        y = one_hot(rows.labels, classes, rows.x.dtype)
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / classes
    y = (y if w is None else y * w) * rows.kept[:, None]
    if reduction == "none":
        each: Tensor = -(log_softmax(rows.x, axis=1) * y).sum(axis=1).reshape(rows.shape)
        return each
    factor = _factor(name, reduction, counts)
    return losses.cross_entropy(rows.x, y, scale=factor)


def nll_loss(
    log_probabilities: Any,
    labels: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of class numbers, :math:`-w_y x_y`.

    Parameters
    ----------
    log_probabilities : array_like
        Shape (N, C), (N, C, d1, ...) or (C,): what `log_softmax` over the classes gives.
    labels : array_like
        Integers in [0, C), of shape (N,), (N, d1, ...) or ().
    weight : array_like, optional
        Of each class, shape (C,).
    ignore_index : int, default -100
        A label that does not count.
    reduction : {"mean", "sum", "none"}
        The mean is the sum divided by that of the weights of the labels.

    Raises
    ------
    ShapeError
        The shapes do not fit, or no label is left for a mean.
    DTypeError
        The labels are not integers.
    ArgumentError
        A label is not in [0, C), the input is no logarithm of probabilities, or there is no such
        reduction.

    Examples
    --------
    >>> nll_loss(np.log(np.array([[0.5, 0.25, 0.25]])), [0]).item().__round__(6)
    0.693147
    """
    name = "nll_loss"
    targets.check_reduction(name, reduction)
    x = as_tensor(log_probabilities)
    rows = _rows(name, x, labels, ignore_index)
    checks.check_log_probabilities(name, rows.x, 1)
    w = checks.class_weight(name, weight, rows.x.shape[1], x.dtype)
    counts = rows.kept if w is None else rows.kept * w[rows.labels]
    each = -rows.x[np.arange(len(counts)), rows.labels] * counts
    return _reduced(name, each, counts, reduction, rows.shape)


def focal_loss(
    logits: Any,
    labels: Any,
    weight: Any = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy in which what is right already counts less, :math:`-(1-p_y)^\gamma \log p_y`.

    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017,
    https://arxiv.org/abs/1708.02002

    Parameters
    ----------
    logits, labels, weight, ignore_index, reduction
        See `cross_entropy`; labels are class numbers.
    gamma : float, default 2
        0 is the cross-entropy.

    Raises
    ------
    ShapeError
        The shapes do not fit, or no label is left for a mean.
    DTypeError
        The labels are not integers.
    ArgumentError
        A label is not in [0, C), `gamma` is negative, or there is no such reduction.

    Examples
    --------
    >>> focal_loss(np.zeros((1, 2)), [1]).item().__round__(6)
    0.173287
    """
    gamma = weak(gamma)
    name = "focal_loss"
    checks.checked(name, reduction, gamma=gamma)
    rows = _rows(name, as_tensor(logits), labels, ignore_index)
    classes = rows.x.shape[1]
    w = checks.class_weight(name, weight, classes, rows.x.dtype)
    counts = rows.kept if w is None else rows.kept * w[rows.labels]
    own = (np.arange(len(counts)), rows.labels)
    each = -log_softmax(rows.x, axis=1)[own] * counts
    if gamma:
        # 1 - p_y as the sum of the others: near p_y = 1, the difference would be 0.
        others = softmax(rows.x, axis=1) * (1 - one_hot(rows.labels, classes, rows.x.dtype))
        each = np.maximum(others.sum(axis=1), np.finfo(rows.x.dtype).tiny) ** gamma * each
    return _reduced(name, each, counts, reduction, rows.shape)


def _reduced(
    loss: str, each: Any, counts: Any, reduction: Reduction, shape: tuple[int, ...]
) -> Tensor:
    if reduction == "none":
        losses_: Tensor = each.reshape(shape)
        return losses_
    total: Tensor = each.sum() * _factor(loss, reduction, counts)
    return total


def _factor(loss: str, reduction: Reduction, counts: Any) -> float:
    """The factor of a sum: for a mean, one over the sum of the weights of what counts."""
    if reduction == "sum" or not counts.size:
        return targets.scale(loss, reduction, counts.size)
    total = float(counts.sum())
    if not total:
        raise ShapeError(
            f"{targets.at_user(loss)}: the mean over labels that are all ignored, or of weight 0, "
            "has no value.\nFix: leave out such a batch, or reduction='sum'."
        )
    return 1 / total


def _rows(loss: str, logits: Tensor, labels: Any, ignore_index: int) -> _Rows:
    shape = logits.shape
    axis = 1 if len(shape) > 1 else 0
    if not shape or not shape[axis]:
        raise ShapeError(
            f"{targets.at_user(loss)}: logits have shape (samples, classes), (samples, classes, "
            f"...) or (classes,), not {shape}.\nFix: use reshape."
        )
    y = labels if isinstance(labels, (Tensor, np.ndarray)) else np.asarray(labels)
    classes, others = shape[axis], shape[:axis] + shape[axis + 1 :]
    x = _as_rows(logits if logits.dtype.kind == "f" else logits.astype(float), axis, classes)
    if y.shape == shape and loss == "cross_entropy":
        y = _as_rows(targets.pair(loss, logits, y)[1], axis, classes)
        targets.check_rows(loss, targets.array_of(y))
        return _Rows(x, None, y, np.ones(len(x), x.dtype), others)
    if y.shape != others:
        raise _misfit(loss, shape, y.shape, others)
    numbers = checks.integers(loss, y, "labels are")
    ignored = numbers == ignore_index
    if ((numbers < 0) | (numbers >= classes))[~ignored].any():
        checks.check_classes(loss, np.where(ignored, 0, numbers), classes)
    flat = np.where(ignored, 0, numbers).ravel()
    return _Rows(x, flat, None, (~ignored).ravel().astype(x.dtype), others)


def _as_rows(x: Any, axis: int, classes: int) -> Any:
    return (x if x.ndim == 2 else np.moveaxis(x, axis, -1)).reshape(-1, classes)


def _misfit(
    loss: str, logits: tuple[int, ...], labels: tuple[int, ...], others: tuple[int, ...]
) -> ShapeError:
    if len(logits) > 2 and labels == logits[:-1]:
        fix = "the classes are axis 1: np.moveaxis(logits, -1, 1)."
    elif np.prod(labels) == np.prod(others):
        fix = f"labels.reshape({others})."
    elif labels == logits:
        fix = "for one-hot rows, labels.argmax(axis=1)."
    else:
        fix = f"pass integers of shape {others}."
    return ShapeError(
        f"{targets.at_user(loss)}: labels of shape {labels} do not fit logits of shape {logits}."
        f"\nFix: {fix}"
    )
