"""Activations and losses as functions of tensors, with the names that the field uses."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.nn.functional_images import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    fold,
    unfold,
)
from tinygrad_bp.nn.functional_normalisation import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from tinygrad_bp.nn.functional_pooling import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from tinygrad_bp.nn.functional_resizing import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    interpolate,
    pixel_shuffle,
    pixel_unshuffle,
)
from tinygrad_bp.nn.loss_classes import (
    focal_loss,
    nll_loss,
)
from tinygrad_bp.nn.loss_distances import (
    contrastive_loss,
    cosine_embedding_loss,
    cosine_similarity,
    margin_ranking_loss,
    pairwise_distance,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from tinygrad_bp.nn.loss_functions import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    half_squared_error,
    huber_loss,
    l1_loss,
    mse_loss,
    smooth_l1_loss,
)
from tinygrad_bp.nn.loss_likelihoods import (
    binary_cross_entropy,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
    sigmoid_focal_loss,
)
from tinygrad_bp.nn.loss_margins import (
    hinge_embedding_loss,
    hinge_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from tinygrad_bp.ops import activations
from tinygrad_bp.ops import softmax as softmaxes
from tinygrad_bp.ops.linear_algebra import linear

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "contrastive_loss",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "focal_loss",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "group_norm",
    "half_squared_error",
    "hinge_embedding_loss",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "relu",
    "rms_norm",
    "sigmoid",
    "sigmoid_focal_loss",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
]


def relu(x: Any) -> Tensor:
    """Rectifier, max(x, 0), of derivative 0 at 0.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return activations.relu.apply(x)


def sigmoid(x: Any) -> Tensor:
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).numpy().round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    return activations.sigmoid.apply(x)


def tanh(x: Any) -> Tensor:
    """Hyperbolic tangent; `numpy.tanh` on tensors is the same.

    Examples
    --------
    >>> tanh(np.array([0.0]))
    Tensor([0.])
    """
    result: Tensor = np.tanh(as_tensor(x))  # type: ignore[assignment] # NumPy's protocol
    return result


def softsign(x: Any) -> Tensor:
    """Softsign, x / (1 + abs(x)).

    Examples
    --------
    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    Tensor([-0.5 ,  0.  ,  0.75])
    """
    return activations.softsign(x)


def softplus(x: Any) -> Tensor:
    r"""Smooth rectifier, :math:`\log(1 + e^x)`.

    Examples
    --------
    >>> softplus(np.array([-1e4, 1e4]))
    Tensor([    0., 10000.])
    """
    return activations.softplus(x)


def log_sigmoid(x: Any) -> Tensor:
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`.

    Examples
    --------
    >>> log_sigmoid(np.array([-1e4, 1e4])).data.round(1).tolist()
    [-10000.0, -0.0]
    """
    return activations.log_sigmoid(as_tensor(x))


def gelu(x: Any, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    r"""Gaussian error linear unit, :math:`x \, \Phi(x)` with the normal distribution :math:`\Phi`.

    D. Hendrycks and K. Gimpel, arXiv:1606.08415.

    Parameters
    ----------
    x : array_like
        Any shape.
    approximate : {"none", "tanh"}
        ``"tanh"`` for :math:`\tfrac{x}{2} (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))`.

    Raises
    ------
    ArgumentError
        There is no such approximation.

    Examples
    --------
    >>> gelu(np.array([-1.0, 0.0, 1.0])).data.round(4).tolist()
    [-0.1587, 0.0, 0.8413]
    """
    result: Tensor = activations.gelu(as_tensor(x), approximate)
    return result


def silu(x: Any) -> Tensor:
    r"""Sigmoid-weighted linear unit, :math:`x \, \sigma(x)`, also known as swish.

    Examples
    --------
    >>> silu(np.array([-1e4, 0.0, 1e4])).data.round(4).tolist()
    [-0.0, 0.0, 10000.0]
    """
    result: Tensor = activations.silu(as_tensor(x))
    return result


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """Rectifier with a slope below 0, which is also its derivative at 0.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]))
    Tensor([-0.01,  2.  ])
    """
    return activations.leaky_relu(x, slope=negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    r"""Exponential linear unit: x above 0, :math:`\alpha (e^x - 1)` below.

    D.-A. Clevert et al., arXiv:1511.07289.

    Examples
    --------
    >>> elu(np.array([-1e4, 2.0]))
    Tensor([-1.,  2.])
    """
    return activations.elu(x, alpha=alpha)


def softmax(x: Any, axis: int = -1) -> Tensor:
    r"""Exponentials along `axis`, divided by their sum.

    Examples
    --------
    >>> softmax(np.array([1e4, 1e4]))
    Tensor([0.5, 0.5])
    """
    return softmaxes.softmax(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Tensor:
    r"""Logarithm of the softmax along `axis`, :math:`x - \log \sum_j e^{x_j}`.

    Examples
    --------
    >>> log_softmax(np.array([0.0, 1e4]))
    Tensor([-10000.,      0.])
    """
    return softmaxes.log_softmax(x, axis=axis)


def logsumexp(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    r"""Logarithm of the sum of exponentials over `axis`, :math:`\log \sum_j e^{x_j}`.

    Examples
    --------
    >>> logsumexp(np.array([1e4, -1e4])).item()
    10000.0
    """
    return softmaxes.logsumexp(x, axis=axis, keepdims=keepdims)


def dropout(
    x: Any, p: float, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Set elements to zero with probability `p`, and divide the others by 1 - p.

    N. Srivastava et al., "Dropout", JMLR 15 (2014), in the inverted form.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        In [0, 1).
    training : bool, default True
        Without it, `x` is returned as it is.
    generator : numpy.random.Generator
        Where the choice comes from; needed in training.

    Raises
    ------
    ArgumentError
        `p` lies outside of [0, 1), or there is no generator.

    Examples
    --------
    >>> sorted(set(dropout(np.ones(99), 0.5, generator=np.random.default_rng(0)).data.tolist()))
    [0.0, 2.0]
    """
    if not 0 <= p < 1:
        raise ArgumentError(
            f"dropout at {user_line()}: the probability p is {p!r}.\n"
            "Fix: a number in [0, 1); 0.5 drops half of the elements."
        )
    values = as_tensor(x)
    if not training or p == 0:
        return values
    if generator is None:
        raise ArgumentError(
            f"dropout at {user_line()} draws at random in training and has no generator.\n"
            "Fix: generator=numpy.random.default_rng(seed)."
        )
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(float)
    keep = (generator.random(values.shape, np.float32) >= p).astype(dtype)
    keep *= 1 / (1 - p)
    kept: Tensor = values * keep
    return kept
