r"""Losses that are the negative logarithm of a probability; `nn.functional` offers them.

Their options are those of PyTorch's functions of the same names; so is the mean, which is over all
elements, and in losses of classes over the samples, weighed by the weights of their classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import targets
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional import loss_checks as checks
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops.activations import softplus


def binary_cross_entropy(
    prediction: Any, target: Any, weight: Any = None, reduction: Reduction = "mean"
) -> Tensor:
    r"""Cross-entropy of probabilities, :math:`-w (y \log p + (1 - y) \log(1 - p))`.

    Logarithms are -100 at least, so that a prediction of exactly 0 or 1 is no infinite loss; its
    gradient is then 0. `binary_cross_entropy_with_logits` has neither limit.

    Parameters
    ----------
    prediction, target : array_like
        Probabilities in [0, 1], of one shape.
    weight : array_like, optional
        Of each element; broadcast.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    ArgumentError
        There is a number outside of [0, 1], or no such reduction.

    Examples
    --------
    >>> binary_cross_entropy(np.array([0.5]), [1]).item().__round__(6)
    0.693147
    """
    name = "binary_cross_entropy"
    checks.checked(name, reduction)
    p, y = targets.pair(name, prediction, target)
    fix = f"for logits, {name}_with_logits; otherwise a sigmoid as the last layer"
    targets.check_probabilities(name, p, "predictions", fix)
    targets.check_probabilities(name, y)
    each = -(y * _log(p) + (1 - y) * _log(1 - p))
    if weight is not None:
        each = each * checks.element_weight(name, weight, p.shape, p.dtype)
    return checks.reduced(name, each, reduction)


def _log(p: Any) -> Any:
    """The logarithm, at least -100; where p is 0 it is not taken, for it has no derivative."""
    inside = targets.array_of(p) > 0
    return np.where(inside, np.maximum(np.log(np.where(inside, p, 1)), -100), -100)


def sigmoid_focal_loss(
    logits: Any,
    target: Any,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Binary cross-entropy in which what is right already counts less, by :math:`(1 - p)^\gamma`.

    .. math:: -\alpha_y (1 - p_y)^\gamma \log p_y

    with :math:`p_y` the probability that the sigmoid of the logits gives to the target. T.-Y. Lin
    et al., "Focal loss for dense object detection", ICCV 2017, https://arxiv.org/abs/1708.02002

    Parameters
    ----------
    logits : array_like
        Any shape: outputs of the network before any sigmoid.
    target : array_like
        Of the same shape, in [0, 1].
    alpha : float, optional
        Weight of targets 1; those of 0 have 1 - alpha. None weighs both with 1.
    gamma : float, default 2
        0 is the binary cross-entropy.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        Logits and target have not the same shape.
    ArgumentError
        A target or `alpha` lies outside of [0, 1], or `gamma` is negative.

    Examples
    --------
    >>> sigmoid_focal_loss(np.zeros(1), [1], alpha=None).item().__round__(6)
    0.173287
    """
    alpha, gamma = weak(alpha), weak(gamma)
    name = "sigmoid_focal_loss"
    checks.checked(name, reduction, gamma=gamma)
    if alpha is not None and not 0 <= alpha <= 1:
        raise ArgumentError(f"{targets.at_user(name)}: alpha is {alpha!r}.\nFix: 0 <= alpha <= 1.")
    x, y = targets.pair(name, logits, target)
    targets.check_probabilities(name, y)
    loss_1, loss_0 = softplus(-x), softplus(x)  # -log of the probabilities of 1 and of 0
    p = np.exp(-loss_1)
    wrong = p + y - 2 * p * y  # 1 - p_y, where y is 0 or 1
    if gamma and not np.isin(targets.array_of(y), (0, 1)).all():
        focus: Any = np.maximum(wrong, np.finfo(x.dtype).tiny) ** gamma
    else:  # its logarithm is exact where p_y is near 1, and 1 - p_y would be 0
        focus = np.exp(-gamma * (y * loss_0 + (1 - y) * loss_1)) if gamma else 1
    each = focus * (y * loss_1 + (1 - y) * loss_0)
    if alpha is not None:
        each = each * (alpha * y + (1 - alpha) * (1 - y))
    return checks.reduced(name, each, reduction)


def kl_div(
    prediction: Any, target: Any, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    r"""Kullback-Leibler divergence of log-probabilities from a target: :math:`y (\log y - x)`.

    Parameters
    ----------
    prediction : array_like
        The logarithms of the predicted probabilities.
    target : array_like
        Probabilities of the same shape; 0 log 0 is 0.
    reduction : {"mean", "batchmean", "sum", "none"}
        The divergence is the sum over the classes: "batchmean" is its mean over the samples, the
        first axis, and "mean" is over all elements.
    log_target : bool, default False
        Whether the target is the logarithms, too.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        A probability is negative, the prediction is no logarithm, or there is no such reduction.

    Examples
    --------
    >>> p = np.array([[0.25, 0.75]])
    >>> kl_div(np.log(p), p, reduction="batchmean").item()
    0.0
    """
    name = "kl_div"
    simple: Any = "sum" if reduction == "batchmean" else reduction
    checks.checked(name, simple)
    x, y = targets.pair(name, prediction, target)
    checks.refuse_probabilities(name, x, -1)
    if log_target:
        each = np.exp(y) * (y - x)
    else:
        checks.check_not_negative(
            name, "probabilities", y, "log_target=True, where the target is logarithms"
        )
        positive = targets.array_of(y) > 0
        each = np.where(positive, y * np.log(np.where(positive, y, 1)), 0) - y * x
    total = checks.reduced(name, each, simple)
    return total * targets.scale(name, "mean", len(x)) if reduction == "batchmean" else total


def gaussian_nll_loss(
    prediction: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a normal distribution, :math:`(\log v + (x - y)^2 / v) / 2`.

    D. Nix, A. Weigend, "Estimating the mean and variance of the target probability distribution",
    ICNN 1994.

    Parameters
    ----------
    prediction, target : array_like
        The mean that is predicted, and what came; of one shape.
    var : array_like
        The variance that is predicted: of that shape, or of length 1 along the last axis or
        without it, where that is one number for a sample; or a number.
    full : bool, default False
        Whether to add the constant :math:`\log(2 \pi) / 2`.
    eps : float, default 1e-6
        The least variance that is divided by. The gradient of a smaller one is that of `eps`, so
        that it is not stuck there.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        The shapes do not fit.
    ArgumentError
        A variance is negative, `eps` is not positive, or there is no such reduction.

    Examples
    --------
    >>> gaussian_nll_loss(np.array([3.0]), [1], np.array([1.0])).item()
    2.0
    """
    eps = weak(eps)
    name = "gaussian_nll_loss"
    checks.checked(name, reduction, eps=eps)
    if not eps > 0:
        raise ArgumentError(f"{targets.at_user(name)}: eps is {eps!r}.\nFix: eps > 0.")
    x, y = targets.pair(name, prediction, target)
    v = _variance(name, var, x)
    checks.check_not_negative(name, "variances", v, "np.exp, softplus or a square for the variance")
    v = v + np.maximum(eps - v.data, 0)
    d = x - y
    each = 0.5 * (np.log(v) + d * d / v)
    if full:
        each = each + 0.5 * math.log(2 * math.pi)
    return checks.reduced(name, each, reduction)


def _variance(loss: str, var: Any, x: Tensor) -> Tensor:
    v = as_tensor(var)
    if v.dtype.kind != "f":
        v = v.astype(x.dtype)
    if v.shape == x.shape or v.ndim == 0:
        return v
    if v.shape == x.shape[:-1]:
        return v[..., None]
    if v.shape == (*x.shape[:-1], 1):
        return v
    raise ShapeError(
        f"{targets.at_user(loss)}: var has shape {v.shape}, the prediction {x.shape}.\n"
        f"Fix: pass a variance of the shape {x.shape} or {x.shape[:-1]}, or a number."
    )


def poisson_nll_loss(
    prediction: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of counts of a Poisson distribution, :math:`e^x - y x`.

    Parameters
    ----------
    prediction : array_like
        The logarithm of the rate; the rate r itself without `log_input`, for :math:`r - y \log r`.
    target : array_like
        The counts, of the same shape.
    log_input : bool, default True
        Whether the prediction is the logarithm.
    full : bool, default False
        Whether to add Stirling's approximation of :math:`\log y!` for counts above 1.
    eps : float, default 1e-8
        Added to a rate before its logarithm is taken.
    reduction : {"mean", "sum", "none"}
        Over all elements.

    Raises
    ------
    ShapeError
        Prediction and target have not the same shape.
    ArgumentError
        A count, or a rate without `log_input`, is negative, or there is no such reduction.

    Examples
    --------
    >>> poisson_nll_loss(np.array([0.0]), [5]).item()
    1.0
    """
    name = "poisson_nll_loss"
    checks.checked(name, reduction, eps=eps)
    x, y = targets.pair(name, prediction, target)
    checks.check_not_negative(name, "counts", y, "pass how often it happened")
    if log_input:
        each = np.exp(x) - y * x
    else:
        checks.check_not_negative(name, "rates", x, "log_input=True, for logarithms of rates")
        each = x - y * np.log(x + eps)
    if full:
        many = targets.array_of(y) > 1
        n = np.where(many, y, 1)
        each = each + np.where(many, n * np.log(n) - n + 0.5 * np.log(2 * np.pi * n), 0)
    return checks.reduced(name, each, reduction)
