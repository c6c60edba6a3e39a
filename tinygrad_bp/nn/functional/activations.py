"""Activations as functions of tensors; `nn.functional` offers them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.targets import at_user
from tinygrad_bp.ops import activations
from tinygrad_bp.ops import softmax as softmaxes

# Of G. Klambauer et al., arXiv:1706.02515, equation 14: the fixed point of mean 0 and variance 1.
_SELU_ALPHA = 1.6732632423543772848
_SELU_SCALE = 1.0507009873554804934


def relu(x: Any) -> Tensor:
    """Rectifier, max(x, 0), of derivative 0 at 0.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return activations.relu.apply(x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """Rectifier with a slope below 0, which is also its derivative at 0.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]))
    Tensor([-0.01,  2.  ])
    """
    negative_slope = weak(negative_slope)
    return activations.leaky_relu(x, slope=negative_slope)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    r"""Exponential linear unit: x above 0, :math:`\alpha (e^x - 1)` below.

    D.-A. Clevert et al., arXiv:1511.07289.

    Examples
    --------
    >>> elu(np.array([-1e4, 2.0]))
    Tensor([-1.,  2.])
    """
    alpha = weak(alpha)
    return activations.elu(x, alpha=alpha)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    r"""Exponential linear unit of slope 1 at 0: :math:`\max(x, 0) + \min(0, \alpha(e^{x/α} - 1))`.

    J. T. Barron, arXiv:1704.07483.

    Raises
    ------
    ArgumentError
        `alpha` is 0.

    Examples
    --------
    >>> celu(np.array([-1e4, 3.0]), 2.0)
    Tensor([-2.,  3.])
    """
    alpha = weak(alpha)
    if alpha == 0:
        raise ArgumentError(
            f"{at_user('celu')}: alpha is 0, and x is divided by it.\nFix: alpha > 0."
        )
    result: Tensor = activations.elu(as_real(x) / alpha, alpha=1.0) * alpha
    return result


def selu(x: Any) -> Tensor:
    r"""Scaled exponential linear unit, which keeps mean 0 and variance 1 through deep networks.

    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> selu(np.array([-1e4, 1.0])).data.round(4).tolist()
    [-1.7581, 1.0507]
    """
    result: Tensor = activations.elu(as_real(x), alpha=_SELU_ALPHA) * _SELU_SCALE
    return result


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


def mish(x: Any) -> Tensor:
    r"""The input times the hyperbolic tangent of its softplus; D. Misra, arXiv:1908.08681.

    Examples
    --------
    >>> mish(np.array([-1e4, 0.0, 1e4])).data.round(4).tolist()
    [-0.0, 0.0, 10000.0]
    """
    x = as_real(x)
    result: Tensor = x * np.tanh(activations.softplus(x))
    return result


def sigmoid(x: Any) -> Tensor:
    r"""Logistic function, :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).numpy().round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    return activations.sigmoid.apply(x)


def log_sigmoid(x: Any) -> Tensor:
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`.

    Examples
    --------
    >>> log_sigmoid(np.array([-1e4, 1e4])).data.round(1).tolist()
    [-10000.0, -0.0]
    """
    return activations.log_sigmoid(as_real(x))


def tanh(x: Any) -> Tensor:
    """Hyperbolic tangent; `numpy.tanh` on tensors is the same.

    Examples
    --------
    >>> tanh(np.array([0.0]))
    Tensor([0.])
    """
    result: Tensor = np.tanh(as_tensor(x))  # type: ignore[assignment] # NumPy's protocol
    return result


def tanhshrink(x: Any) -> Tensor:
    """The input less its hyperbolic tangent.

    Examples
    --------
    >>> tanhshrink(np.array([0.0]))
    Tensor([0.])
    """
    x = as_real(x)
    result: Tensor = x - np.tanh(x)
    return result


def softsign(x: Any) -> Tensor:
    """Softsign, x / (1 + abs(x)).

    Examples
    --------
    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    Tensor([-0.5 ,  0.  ,  0.75])
    """
    return activations.softsign(x)


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`.

    Parameters
    ----------
    x : array_like
        Any shape.
    beta : float, default 1.0
        How sharp the bend is.
    threshold : float, default 20.0
        Where :math:`\beta x` lies above it, x is returned. From 20 on that is what the formula
        gives, which does not overflow, and it is not looked at.

    Raises
    ------
    ArgumentError
        `beta` is not positive.

    Examples
    --------
    >>> softplus(np.array([-1e4, 1e4]))
    Tensor([    0., 10000.])
    """
    if not beta > 0:
        raise ArgumentError(f"{at_user('softplus')}: beta is {beta!r}.\nFix: beta > 0.")
    if beta == 1 and threshold >= 20:
        return activations.softplus(x)
    x = as_real(x)
    smooth: Tensor = activations.softplus(x * beta) / beta
    return smooth if threshold >= 20 else where(x * beta > threshold, x, smooth)


def softmax(x: Any, axis: int = -1, *, dim: int | None = None) -> Tensor:
    r"""Exponentials along `axis`, or `dim`, divided by their sum.

    Examples
    --------
    >>> softmax(np.array([1e4, 1e4]))
    Tensor([0.5, 0.5])
    """
    return softmaxes.softmax(x, axis=axis if dim is None else dim)


def log_softmax(x: Any, axis: int = -1, *, dim: int | None = None) -> Tensor:
    r"""Logarithm of the softmax along `axis`, or `dim`, :math:`x - \log \sum_j e^{x_j}`.

    Examples
    --------
    >>> log_softmax(np.array([0.0, 1e4]))
    Tensor([-10000.,      0.])
    """
    return softmaxes.log_softmax(x, axis=axis if dim is None else dim)


def softmin(x: Any, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """The `softmax` of the negative along `axis`, or `dim`.

    Examples
    --------
    >>> softmin(np.array([0.0, 1e4]))
    Tensor([1., 0.])
    """
    return softmaxes.softmax(-as_tensor(x), axis=axis if dim is None else dim)


def logsumexp(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    r"""Logarithm of the sum of exponentials over `axis`, :math:`\log \sum_j e^{x_j}`.

    Examples
    --------
    >>> logsumexp(np.array([1e4, -1e4])).item()
    10000.0
    """
    return softmaxes.logsumexp(x, axis=axis, keepdims=keepdims)


def glu(x: Any, axis: int = -1, *, dim: int | None = None) -> Tensor:
    r"""Gated linear unit: the first half of `axis`, or `dim`, times the sigmoid of the second half.

    Y. N. Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017.

    Raises
    ------
    ShapeError
        The axis has an odd length.

    Examples
    --------
    >>> glu(np.array([3.0, 4.0, 0.0, 0.0]))
    Tensor([1.5, 2. ])
    """
    axis = axis if dim is None else dim
    x = divided("glu", x, axis, 2)
    halves: Any = np.split(x, 2, axis=axis)
    result: Tensor = halves[0] * activations.sigmoid(halves[1])
    return result


def as_real(x: Any) -> Tensor:
    """The input as a tensor of floating-point numbers."""
    values = as_tensor(x)
    return values if values.dtype.kind == "f" else values.astype(float)


def where(condition: Any, x: Any, otherwise: Any) -> Tensor:
    """The elements of x where a condition holds, else the other, in the dtype of x."""
    if not isinstance(otherwise, Tensor):
        otherwise = np.asarray(otherwise, x.dtype)
    result: Any = np.where(condition, x, otherwise)
    return as_tensor(result)


def divided(name: str, x: Any, axis: int, parts: int) -> Tensor:
    """The input as a tensor, whose axis divides into parts of this size."""
    values = as_real(x)
    if not -values.ndim <= axis < values.ndim or parts < 1 or values.shape[axis] % parts:
        raise ShapeError(
            f"{at_user(name)}: axis {axis} of an input of shape {values.shape} does not divide "
            f"into {parts}.\nFix: an axis whose length is a multiple of {parts}."
        )
    return values
