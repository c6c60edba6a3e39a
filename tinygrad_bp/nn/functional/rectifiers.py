r"""Rectifiers and other activations made of pieces; `nn.functional` offers them.

At a kink the gradient is that of PyTorch: the slope of the piece on which the value lies, where a
limit belongs to what lies beyond it, and 0 to what lies below.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional.activations import as_real, divided
from tinygrad_bp.nn.functional.dropouts import checked_generator
from tinygrad_bp.nn.targets import at_user
from tinygrad_bp.ops import activations, rectifiers


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Limited to [min_val, max_val], of derivative 0 at both ends.

    Raises
    ------
    ArgumentError
        The limits are not in order.

    Examples
    --------
    >>> hardtanh(np.array([-3.0, 0.5, 3.0]))
    Tensor([-1. ,  0.5,  1. ])
    """
    min_val, max_val = weak(min_val), weak(max_val)
    if not min_val < max_val:
        raise ArgumentError(
            f"{at_user('hardtanh')}: the limits are {min_val} and {max_val}.\n"
            "Fix: min_val < max_val."
        )
    return rectifiers.hardtanh.apply(as_real(x), low=min_val, high=max_val)


def relu6(x: Any) -> Tensor:
    """Rectifier with an upper limit: x in [0, 6], of derivative 0 at both ends.

    Examples
    --------
    >>> relu6(np.array([-1.0, 2.0, 8.0]))
    Tensor([0., 2., 6.])
    """
    return hardtanh(x, 0.0, 6.0)


def clipped_relu(x: Any, z: float = 20.0) -> Tensor:
    """Rectifier with the upper limit `z`, of derivative 0 at both ends.

    Examples
    --------
    >>> clipped_relu(np.array([-1.0, 2.0, 8.0]), 3.0)
    Tensor([0., 2., 3.])
    """
    return hardtanh(x, 0.0, z)


def hardsigmoid(x: Any) -> Tensor:
    """The straight line x/6 + 1/2, limited to [0, 1].

    Examples
    --------
    >>> hardsigmoid(np.array([-4.0, 0.0, 4.0]))
    Tensor([0. , 0.5, 1. ])
    """
    return hardtanh(as_real(x) / 6 + 0.5, 0.0, 1.0)


def hardswish(x: Any) -> Tensor:
    """The input times its `hardsigmoid`; A. Howard et al., arXiv:1905.02244.

    Examples
    --------
    >>> hardswish(np.array([-4.0, 3.0]))
    Tensor([-0.,  3.])
    """
    return rectifiers.hardswish.apply(as_real(x))


def hardshrink(x: Any, lambd: float = 0.5) -> Tensor:
    """The input where it is larger than `lambd` in size, else 0.

    Examples
    --------
    >>> hardshrink(np.array([-1.0, 0.5]))
    Tensor([-1.,  0.])
    """
    return rectifiers.hardshrink.apply(as_real(x), limit=lambd)


def softshrink(x: Any, lambd: float = 0.5) -> Tensor:
    """The input brought nearer to 0 by `lambd`, and 0 where it is no larger than that.

    Examples
    --------
    >>> softshrink(np.array([-1.0, 0.5, 2.0]))
    Tensor([-0.5,  0. ,  1.5])
    """
    lambd = weak(lambd)
    return rectifiers.softshrink.apply(as_real(x), limit=lambd)


def threshold(x: Any, threshold: float, value: float) -> Tensor:
    """The input where it lies above the threshold, else `value`.

    Examples
    --------
    >>> threshold(np.array([0.0, 1.0, 2.0]), 1.0, -5.0)
    Tensor([-5., -5.,  2.])
    """
    return rectifiers.threshold.apply(as_real(x), limit=threshold, other=value)


def prelu(x: Any, weight: Any) -> Tensor:
    """Rectifier with slopes below 0 that are trained; at 0 the derivative is the slope.

    K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Parameters
    ----------
    x : array_like
        Shape (N, C, ...) or, for a single slope, any.
    weight : array_like
        Shape (1,), or (C,) for a slope of each channel.

    Raises
    ------
    ShapeError
        There are not as many slopes as channels.

    Examples
    --------
    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.25, 0.5]))
    Tensor([[-0.25, -0.5 ]])
    """
    x, weight = as_real(x), as_tensor(weight)
    if weight.size != 1:
        if weight.ndim != 1 or x.shape[1:2] != weight.shape:
            raise ShapeError(
                f"{at_user('prelu')}: input {x.shape}, and slopes of shape {weight.shape}.\n"
                "Fix: one slope, or one for each channel in axis 1."
            )
        weight = np.reshape(weight, (-1,) + (1,) * (x.ndim - 2))
    elif weight.ndim > x.ndim:
        weight = np.reshape(weight, ())
    return rectifiers.prelu.apply(x, weight)


def rrelu(
    x: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Rectifier whose slopes below 0 are drawn from [lower, upper], or the middle of these.

    B. Xu et al., arXiv:1505.00853.

    Parameters
    ----------
    x : array_like
        Any shape.
    lower, upper : float
        Between which the slope of each element lies.
    training : bool, default False
        Whether to draw; else all slopes are (lower + upper) / 2.
    generator : numpy.random.Generator
        Where the slopes come from; needed in training.

    Raises
    ------
    ArgumentError
        The limits are not in order, or there is no generator.

    Examples
    --------
    >>> rrelu(np.array([-1.0, 2.0]), 0.25, 0.75)
    Tensor([-0.5,  2. ])
    """
    x, lower, upper = as_real(x), weak(lower), weak(upper)
    if not lower <= upper:
        raise ArgumentError(
            f"{at_user('rrelu')}: the slopes lie in [{lower}, {upper}].\nFix: lower <= upper."
        )
    if training:
        slopes = checked_generator("rrelu", generator).uniform(lower, upper, x.shape)
        return rectifiers.prelu.apply(x, slopes.astype(x.dtype))
    return activations.leaky_relu.apply(x, slope=(lower + upper) / 2)


def crelu(x: Any, axis: int = 1) -> Tensor:
    """The rectifier of the input and that of its negative, side by side along an axis.

    W. Shang et al., "Understanding and improving convolutional neural networks via concatenated
    rectified linear units", ICML 2016.

    Examples
    --------
    >>> crelu(np.array([[-1.0, 2.0]]))
    Tensor([[0., 2., 1., 0.]])
    """
    x = as_real(x)
    result: Any = np.concatenate([activations.relu(x), activations.relu(-x)], axis=axis)
    return as_tensor(result)


def maxout(x: Any, pool_size: int, axis: int = 1) -> Tensor:
    """The largest of each `pool_size` neighbours along an axis; a tie shares the gradient.

    I. J. Goodfellow et al., "Maxout networks", ICML 2013.

    Raises
    ------
    ShapeError
        The axis does not divide into pools.

    Examples
    --------
    >>> maxout(np.array([[1.0, 3.0, 5.0, 2.0]]), 2)
    Tensor([[3., 5.]])
    """
    x = divided("maxout", x, axis, pool_size)
    axis %= x.ndim
    shape = (*x.shape[:axis], x.shape[axis] // pool_size, pool_size, *x.shape[axis + 1 :])
    result: Any = np.max(np.reshape(x, shape), axis=axis + 1)
    return as_tensor(result)
