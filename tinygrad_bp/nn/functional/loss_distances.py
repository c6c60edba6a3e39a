r"""Distances, similarities and losses of how they are ordered; `nn.functional` offers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional import loss_checks as checks
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops.activations import relu


def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    r"""Distance of rows, :math:`\| x_1 - x_2 + \epsilon \|_p` over the last axis.

    The :math:`\epsilon` keeps the derivative at equal rows finite.

    Examples
    --------
    >>> pairwise_distance(np.array([[3.0, 4.0]]), np.zeros((1, 2)), eps=0.0)
    Tensor([5.])
    """
    eps = weak(eps)
    a, b = checks.reals(x1, x2)
    d = a - b + eps
    distance: Tensor = np.linalg.norm(d, ord=p, axis=-1, keepdims=keepdim)
    return distance


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    r"""Cosine of the angle, :math:`x_1 \cdot x_2 / (\max(|x_1|, \epsilon) \max(|x_2|, \epsilon))`.

    Parameters
    ----------
    x1, x2 : array_like
        Of shapes that broadcast.
    dim : int, default 1
        The axis of the vectors.
    eps : float, default 1e-8
        The least length that is divided by.

    Examples
    --------
    >>> cosine_similarity(np.array([[2.0, 0.0]]), np.array([[1.0, 1.0]])).item().__round__(6)
    0.707107
    """
    eps = weak(eps)
    a, b = np.broadcast_arrays(*checks.reals(x1, x2))
    lengths = [np.maximum(np.linalg.norm(v, axis=dim), eps) for v in (a, b)]
    cosine: Tensor = (a * b).sum(axis=dim) / (lengths[0] * lengths[1])
    return cosine


def cosine_embedding_loss(
    x1: Any, x2: Any, target: Any, margin: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    r""":math:`1 - \cos` for pairs of target 1, and :math:`\max(0, \cos - m)` for those of -1.

    Parameters
    ----------
    x1, x2 : array_like
        Shape (N, D), or (D,).
    target : array_like
        1 or -1, shape (N,), or ().
    margin : float, default 0
        :math:`m`, from -1 to 1.
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    ArgumentError
        A target is neither 1 nor -1, or the margin or the reduction does not exist.

    Examples
    --------
    >>> cosine_embedding_loss(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]]), [1]).item()
    1.0
    """
    margin = weak(margin)
    name = "cosine_embedding_loss"
    checks.checked(name, reduction)
    if not -1 <= margin <= 1:
        raise ArgumentError(f"{targets.at_user(name)}: margin is {margin!r}.\nFix: from -1 to 1.")
    a, b = checks.same_shape(name, x1=x1, x2=x2)
    y = checks.one_for_each(name, target, a.shape[:-1])
    checks.check_signs(name, y)
    squares = [(v * v).sum(axis=-1) + 1e-12 for v in (a, b)]  # as PyTorch has it
    cosine = (a * b).sum(axis=-1) / np.sqrt(squares[0] * squares[1])
    each = np.where(targets.array_of(y) == 1, 1 - cosine, relu(cosine - margin))
    return checks.reduced(name, each, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""That an anchor lies nearer to what belongs to it than to what does not, by a margin.

    .. math:: \max(0, m + \| a - x_+ \|_p - \| a - x_- \|_p)

    V. Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional
    neural networks", BMVC 2016.

    Parameters
    ----------
    anchor, positive, negative : array_like
        Shape (N, D), or (D,).
    margin : float, default 1.0
        :math:`m`, positive.
    p, eps : float
        See `pairwise_distance`.
    swap : bool, default False
        Whether the distance of positive and negative takes the place of that of anchor and
        negative where it is smaller.
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes differ.
    ArgumentError
        The margin is not positive, or there is no such reduction.

    Examples
    --------
    >>> zero, one = np.zeros((1, 1)), np.ones((1, 1))
    >>> triplet_margin_loss(zero, one, 3 * one, margin=3.0).item().__round__(9)
    1.0
    """
    margin, eps = weak(margin), weak(eps)

    def distance(a: Any, b: Any) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return _triplet(
        "triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of one's own, by default `pairwise_distance`.

    Parameters
    ----------
    anchor, positive, negative : array_like
        Of one shape.
    distance_function : callable, optional
        Of two tensors; returns one distance for each sample.
    margin, swap, reduction
        See `triplet_margin_loss`.

    Raises
    ------
    ShapeError
        The shapes differ.
    ArgumentError
        The margin is not positive, or there is no such reduction.

    Examples
    --------
    >>> zero, one = np.zeros((1, 1)), np.ones((1, 1))
    >>> def taxi(a, b):
    ...     return np.abs(a - b).sum(axis=-1)
    >>> triplet_margin_with_distance_loss(zero, one, 3 * one, distance_function=taxi).item()
    0.0
    """
    margin = weak(margin)
    return _triplet(
        "triplet_margin_with_distance_loss",
        anchor,
        positive,
        negative,
        distance_function or pairwise_distance,
        margin,
        swap,
        reduction,
    )


def _triplet(
    name: str,
    anchor: Any,
    positive: Any,
    negative: Any,
    distance: Callable[[Any, Any], Any],
    margin: float,
    swap: bool,
    reduction: Reduction,
) -> Tensor:
    checks.checked(name, reduction)
    if not margin > 0:
        raise ArgumentError(f"{targets.at_user(name)}: margin is {margin!r}.\nFix: margin > 0.")
    a, near, far = checks.same_shape(name, anchor=anchor, positive=positive, negative=negative)
    to_far = distance(a, far)
    if swap:
        to_far = np.minimum(to_far, distance(near, far))
    return checks.reduced(name, relu(margin + distance(a, near) - to_far), reduction)


def margin_ranking_loss(
    x1: Any, x2: Any, target: Any, margin: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    r"""That the first ranks higher where the target is 1, :math:`\max(0, -y (x_1 - x_2) + m)`.

    Parameters
    ----------
    x1, x2 : array_like
        Scores, of one shape.
    target : array_like
        1 or -1, of that shape.
    margin : float, default 0
        :math:`m`.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        The shapes differ.
    ArgumentError
        A target is neither 1 nor -1, or there is no such reduction.

    Examples
    --------
    >>> margin_ranking_loss(np.array([1.0]), np.array([3.0]), [1]).item()
    2.0
    """
    margin = weak(margin)
    name = "margin_ranking_loss"
    checks.checked(name, reduction)
    a, b = checks.same_shape(name, x1=x1, x2=x2)
    y = checks.one_for_each(name, target, a.shape)
    checks.check_signs(name, y)
    y = y.astype(a.dtype) if y.dtype.kind == "i" else y
    return checks.reduced(name, relu(margin - y * (a - b)), reduction)


def contrastive_loss(
    x1: Any, x2: Any, target: Any, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    r"""That pairs of target 1 lie near each other, and others a margin apart.

    .. math:: \tfrac12 (y \, d^2 + (1 - y) \max(0, m - d)^2), \qquad d = \| x_1 - x_2 \|

    R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality reduction by learning an invariant mapping",
    CVPR 2006. Where d is 0, the derivative of d is taken as 0.

    Parameters
    ----------
    x1, x2 : array_like
        Shape (N, D), or (D,).
    target : array_like
        1 for what belongs together, 0 for what does not; shape (N,), or ().
    margin : float, default 1.0
        :math:`m`.
    reduction : {"mean", "sum", "none"}
        Over the samples.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    ArgumentError
        A target is neither 0 nor 1, or the margin is negative, or there is no such reduction.

    Examples
    --------
    >>> a, b = np.array([[0.5], [0.5]]), np.zeros((2, 1))
    >>> contrastive_loss(a, b, [1, 0], margin=2.0, reduction="none")
    Tensor([0.125, 1.125])
    """
    margin = weak(margin)
    name = "contrastive_loss"
    checks.checked(name, reduction, margin=margin)
    a, b = checks.same_shape(name, x1=x1, x2=x2)
    y = checks.one_for_each(name, target, a.shape[:-1])
    checks.check_binary(name, y)
    difference = a - b
    square = (difference * difference).sum(axis=-1)
    apart = square.data > 0
    d = np.where(apart, np.sqrt(np.where(apart, square, 1)), 0)
    over = relu(margin - d)
    each = 0.5 * np.where(targets.array_of(y) == 1, square, over * over)
    return checks.reduced(name, each, reduction)
