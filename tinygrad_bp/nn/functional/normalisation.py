r"""Normalisation as functions of tensors; `nn.functional` offers them.

All of them bring elements to mean 0 and variance 1, :math:`(x - \mu) / \sqrt{\sigma^2 + \epsilon}`,
where the mean and the variance are those of the elements that belong together: of a channel over
the batch (batch), of a sample (layer), of some of its channels (group) or of one (instance).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.functional.activations import as_real
from tinygrad_bp.nn.targets import at_user
from tinygrad_bp.ops import normalisation


def batch_norm(
    x: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    r"""Each channel less its mean and divided by its deviation, then times `weight` plus `bias`.

    S. Ioffe and C. Szegedy, "Batch normalization", ICML 2015.

    Parameters
    ----------
    x : array_like
        Shape (N, C, ...).
    running_mean, running_var : Tensor, optional
        Shape (C,). In training they move toward the mean and the (unbiased) variance of the batch;
        else they are what is taken for the mean and the variance.
    weight, bias : array_like, optional
        Shape (C,).
    training : bool, default False
        Whether to take the mean and the variance of the batch.
    momentum : float, default 0.1
        The share of the batch in the new running values.
    eps : float, default 1e-5
        Added to the variance.

    Raises
    ------
    ShapeError
        There is no channel axis, the others do not fit it, or a channel has a single value.
    ArgumentError
        Not in training, and there are no running values; or `eps` is negative.

    Examples
    --------
    >>> batch_norm(np.array([[1.0, 5.0], [3.0, 9.0]]), training=True, eps=0.0)
    Tensor([[-1., -1.],
            [ 1.,  1.]])
    """
    name = "batch_norm"
    x, weight, bias = _checked(name, x, weight, bias, eps)
    _fits(name, x, running_mean=running_mean, running_var=running_var)
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError(
                f"{at_user(name)}: not in training, and there is no running mean and variance.\n"
                "Fix: training=True, or pass running_mean and running_var."
            )
        return _affine(x, running_mean.data, running_var.data, weight, bias, eps)
    count = x.size // max(x.shape[1], 1)
    _several(name, x.shape, count, "value in each channel")
    out = normalisation.batch_norm.apply(*_given(x, weight, bias), eps=eps)
    if running_mean is not None and running_var is not None:
        # What was saved for the rule spares the two passes that both numbers take.
        moments = normalisation.channel_moments(x.data) if out.node is None else out.node.saved
        _move(running_mean, moments[0], momentum)
        _move(running_var, moments[1] * (count / (count - 1)), momentum)
    return out


def layer_norm(
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    r"""The last axes less their mean and divided by their deviation, then times weight plus bias.

    J. L. Ba et al., arXiv:1607.06450.

    Parameters
    ----------
    x : array_like
        Shape (..., *normalized_shape).
    normalized_shape : int or tuple of int
        Lengths of the last axes, over which the mean is taken.
    weight, bias : array_like, optional
        Of the normalized shape.
    eps : float, default 1e-5
        Added to the variance.

    Raises
    ------
    ShapeError
        The last axes, or weight and bias, do not have the normalized shape.
    ArgumentError
        `eps` is negative.

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]]), 2, eps=0.25).data.round(3).tolist()
    [[-0.894, 0.894], [0.0, 0.0]]
    """
    x, shape = _last_axes("layer_norm", x, normalized_shape, eps, weight=weight, bias=bias)
    return normalisation.layer_norm.apply(*_given(x, weight, bias), axes=len(shape), eps=eps)


def rms_norm(
    x: Any,
    normalized_shape: int | tuple[int, ...],
    weight: Any = None,
    eps: float | None = None,
) -> Tensor:
    r"""The last axes divided by their root mean square: :math:`x / \sqrt{\bar{x^2} + \epsilon}`.

    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Parameters
    ----------
    x : array_like
        Shape (..., *normalized_shape).
    normalized_shape : int or tuple of int
        Lengths of the last axes.
    weight : array_like, optional
        Of the normalized shape; multiplies the result.
    eps : float, optional
        Added to the mean of the squares; the distance from 1 to the next number of the dtype of
        `x` unless given.

    Raises
    ------
    ShapeError
        The last axes, or the weight, do not have the normalized shape.
    ArgumentError
        `eps` is negative.

    Examples
    --------
    >>> rms_norm(np.array([[3.0, 4.0]]), 2, eps=0.0).data.round(3).tolist()
    [[0.849, 1.131]]
    """
    eps = weak(eps)
    x, shape = _last_axes("rms_norm", as_real(x), normalized_shape, eps or 0.0, weight=weight)
    if eps is None:
        eps = float(np.finfo(x.dtype).eps)
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    out: Tensor = x * (np.mean(x * x, axis=axes, keepdims=True) + eps) ** -0.5
    return out if weight is None else out * as_tensor(weight)


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Groups of channels of each sample less their mean and divided by their deviation.

    Y. Wu and K. He, "Group normalization", ECCV 2018.

    Parameters
    ----------
    x : array_like
        Shape (N, C, ...).
    num_groups : int
        Of how many equal parts of the C channels a mean is taken.
    weight, bias : array_like, optional
        Shape (C,).
    eps : float, default 1e-5
        Added to the variance.

    Raises
    ------
    ShapeError
        There is no channel axis, the channels do not divide into groups, or weight and bias do
        not fit them.
    ArgumentError
        `eps` is negative.

    Examples
    --------
    >>> group_norm(np.array([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0.0)
    Tensor([[-1.,  1., -1.,  1.]])
    """
    x, weight, bias = _checked("group_norm", x, weight, bias, eps)
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(
            f"{at_user('group_norm')}: {channels} channels do not divide into {num_groups} groups "
            f"of one size.\nFix: a number of groups that divides {channels}."
        )
    return normalisation.group_norm.apply(*_given(x, weight, bias), groups=num_groups, eps=eps)


def instance_norm(
    x: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample less its mean and divided by its deviation.

    D. Ulyanov et al., arXiv:1607.08022.

    Parameters
    ----------
    x : array_like
        Shape (N, C, ...), with one axis or more behind the channels.
    running_mean, running_var : Tensor, optional
        Shape (C,). They move toward the averages over the batch, with `use_input_stats`; else
        they are what is taken for the mean and the variance.
    weight, bias : array_like, optional
        Shape (C,).
    use_input_stats : bool, default True
        Whether to take the mean and the variance of the input.
    momentum : float, default 0.1
        The share of the input in the new running values.
    eps : float, default 1e-5
        Added to the variance.

    Raises
    ------
    ShapeError
        There is no channel axis, the others do not fit it, or a channel has a single value.
    ArgumentError
        No values to take, or `eps` is negative.

    Examples
    --------
    >>> instance_norm(np.array([[[1.0, 3.0], [5.0, 9.0]]]), eps=0.0)
    Tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    name = "instance_norm"
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    x, weight, bias = _checked(name, x, weight, bias, eps)
    _fits(name, x, running_mean=running_mean, running_var=running_var)
    samples, channels = x.shape[:2]
    count = math.prod(x.shape[2:])
    _several(name, x.shape, count, "element in each channel of a sample")
    out = normalisation.group_norm.apply(*_given(x, weight, bias), groups=channels, eps=eps)
    if running_mean is not None and running_var is not None:
        each = x.data.reshape(samples, channels, count)
        _move(running_mean, each.mean(axis=(0, 2)), momentum)
        _move(running_var, each.var(axis=2, ddof=1).mean(axis=0), momentum)
    return out


def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    r"""Each element divided by :math:`(k + \alpha \bar{x^2})^\beta`, a mean over near channels.

    A. Krizhevsky et al., "ImageNet classification", NIPS 2012, section 3.3, with the mean in
    place of the sum. The `size` channels lie around that of the element; beyond the ends are zeros.

    Parameters
    ----------
    x : array_like
        Shape (N, C, ...).
    size : int
        How many channels the mean is over.
    alpha, beta, k : float
        As in the formula.

    Raises
    ------
    ShapeError
        There is no channel axis.
    ArgumentError
        `size` is not positive.

    Examples
    --------
    >>> local_response_norm(np.array([[[1.0], [2.0]]]), 1, alpha=3.0, beta=1.0).data.round(4)
    array([[[0.25  ],
            [0.1538]]])
    """
    alpha, beta, k = weak(alpha), weak(beta), weak(k)
    x, *_ = _checked("local_response_norm", as_real(x), None, None, 0.0)
    if size < 1:
        raise ArgumentError(f"{at_user('local_response_norm')}: size is {size}.\nFix: size >= 1.")
    around = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    squares: Any = np.pad(x * x, around)
    windows: Any = np.lib.stride_tricks.sliding_window_view(squares, size, axis=1)
    out: Tensor = x * (windows.sum(axis=-1) * (alpha / size) + k) ** -beta
    return out


def _checked(name: str, x: Any, weight: Any, bias: Any, eps: float) -> tuple[Tensor, Any, Any]:
    """The input as a tensor with channels, and what belongs to the channels, or None."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(
            f"{at_user(name)}: an input of shape {x.shape} has no axis of channels.\n"
            "Fix: pass a batch of shape (N, C, ...)."
        )
    _not_negative(name, eps)
    _fits(name, x, weight=weight, bias=bias)
    weight, bias = (None if v is None else as_tensor(v) for v in (weight, bias))
    return x, weight, bias


def _fits(name: str, x: Tensor, **vectors: Any) -> None:
    for key, v in vectors.items():
        if v is not None and np.shape(v) != x.shape[1:2]:
            raise ShapeError(
                f"{at_user(name)}: {key} has the shape {np.shape(v)}, and the input {x.shape} has "
                f"{x.shape[1]} channels in axis 1.\nFix: one number for each channel."
            )


def _not_negative(name: str, eps: float) -> None:
    if not 0 <= eps < math.inf:
        raise ArgumentError(f"{at_user(name)}: eps is {eps!r}.\nFix: eps >= 0, and finite.")


def _several(name: str, shape: tuple[int, ...], count: int, what: str) -> None:
    if count < 2:
        raise ShapeError(
            f"{at_user(name)}: an input of shape {shape} has {'a single' if count else 'no'} "
            f"{what}, whose deviation is 0: all that would come out is the bias.\n"
            "Fix: pass more of them, or call eval() to use running values."
        )


def _last_axes(
    name: str, x: Any, normalized_shape: int | tuple[int, ...], eps: float, **vectors: Any
) -> tuple[Tensor, tuple[int, ...]]:
    """The input as a tensor whose last axes have the normalized shape, and that as a tuple."""
    x = as_tensor(x)
    shape = tuple(np.atleast_1d(normalized_shape).tolist())
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"{at_user(name)}: input {x.shape}, expected (…, {', '.join(map(str, shape))}).\n"
            "Fix: a normalized_shape of the lengths of the last axes."
        )
    _not_negative(name, eps)
    for key, v in vectors.items():
        if v is not None and np.shape(v) != shape:
            raise ShapeError(
                f"{at_user(name)}: {key} has the shape {np.shape(v)}, and what is normalized "
                f"{shape}.\nFix: the same shape."
            )
    return x, shape


def _affine(x: Tensor, mean: Any, variance: Any, weight: Any, bias: Any, eps: float) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, in two passes over x."""
    scale = (variance + eps) ** -0.5
    scale = scale if weight is None else weight * scale
    shift = scale * -mean if bias is None else bias - scale * mean
    out: Tensor = x * _along_channels(scale, x) + _along_channels(shift, x)
    return out


def _along_channels(v: Any, x: Tensor) -> Any:
    """One number for each channel, to be broadcast over the other axes."""
    return np.reshape(v, (-1,) + (1,) * (x.ndim - 2))


def _given(x: Tensor, weight: Any, bias: Any) -> list[Any]:
    """The inputs of a primitive, to which a bias comes behind a weight alone."""
    if weight is None and bias is not None:
        weight = np.ones(np.shape(bias), x.dtype)
    return [v for v in (x, weight, bias) if v is not None]


def _move(running: Tensor, value: Any, share: float) -> None:
    running.assign(running.data + (value - running.data) * share)
