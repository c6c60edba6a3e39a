"""Normalisation of each sample by itself: layer, group, RMS and local response normalisation."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import between, positive, shown
from tinygrad_bp.nn.functional import normalisation as functional
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.targets import at_user


@register_layer(sizes={"num_channels": 0})
class GroupNorm(Module):
    """Groups of channels of each sample (N, C, ...) less their mean, divided by their deviation.

    Parameters
    ----------
    num_groups : int
        Into how many groups of one size the channels are divided.
    num_channels : int
        The number C of channels.
    eps : float, default 1e-5
        Added to the variance.
    affine : bool, default True
        Whether to multiply by `weight` and add `bias`, which are trained.
    bias : bool, default True
        Whether there is a bias beside the weight.
    dtype : dtype, default float32
        Of the parameters.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape (C,); ones and zeros at first.

    Raises
    ------
    ArgumentError
        The channels do not divide into so many groups, or another argument makes no sense.
    ShapeError
        On a call: the input does not have C channels.

    Examples
    --------
    >>> GroupNorm(1, 2, eps=0.0, affine=False)(np.array([[1.0, 3.0]]))
    Tensor([[-1.,  1.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.num_groups = positive("num_groups", num_groups)
        self.num_channels = positive("num_channels", num_channels)
        if num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm: {num_channels} channels do not divide into {num_groups} groups of one "
                "size.\nFix: a number of groups that divides the number of channels."
            )
        self.eps = between("eps", eps, 0)
        self.affine = bool(affine)
        shape = self.num_channels
        self.weight = Parameter(np.ones(shape), dtype, name="weight") if affine else None
        self.bias = Parameter(np.zeros(shape), dtype, name="bias") if affine and bias else None

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to the same shape."""
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ShapeError(
                f"{at_user('GroupNorm')}: input {x.shape}, expected (N, {self.num_channels}, …).\n"
                "Fix: pass that shape, or make the layer with as many channels as come."
            )
        return functional.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {
            "num_groups": self.num_groups,
            "eps": self.eps,
            "affine": self.affine,
            "bias": self.bias is not None or not self.affine,
        }

    def extra_repr(self) -> str:
        """Groups, channels, and the arguments that are not at their defaults."""
        return shown(self, **self.config())


def _lengths(normalized_shape: Any) -> tuple[int, ...]:
    single = not isinstance(normalized_shape, (tuple, list))
    lengths = (normalized_shape,) if single else tuple(normalized_shape)
    if not lengths:
        raise ArgumentError("normalized_shape has no axes.\nFix: a length, or several.")
    return tuple(positive("normalized_shape", n) for n in lengths)


class _OverLastAxes(Module):
    """What layer and RMS normalisation share."""

    normalized_shape: tuple[int, ...]
    elementwise_affine: bool

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer: its shape only where that is several lengths."""
        names = [name for name in inspect.signature(type(self)).parameters if name != "dtype"]
        said = {name: getattr(self, name) for name in names}
        said["normalized_shape"] = list(self.normalized_shape)
        if len(self.normalized_shape) == 1:
            del said["normalized_shape"]
        if "bias" in said:
            said["bias"] = said["bias"] is not None or not self.elementwise_affine
        return said

    def extra_repr(self) -> str:
        """The shape, and the arguments that are not at their defaults."""
        shape: Any = self.normalized_shape
        return shown(
            self, **{**self.config(), "normalized_shape": shape[0] if len(shape) == 1 else shape}
        )


@register_layer(sizes={"normalized_shape": -1})
class LayerNorm(_OverLastAxes):
    """Layer normalisation: the last axes less their mean, divided by their deviation.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Lengths of the last axes, over which mean and deviation are taken.
    eps : float, default 1e-5
        Added to the variance.
    elementwise_affine : bool, default True
        Whether to multiply by `weight` and add `bias`, which are trained.
    bias : bool, default True
        Whether there is a bias beside the weight.
    dtype : dtype, default float32
        Of the parameters.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of the normalized shape; ones and zeros at first.

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    ShapeError
        On a call: the last axes of the input have other lengths.

    Examples
    --------
    >>> LayerNorm(2)(np.array([[1.0, 3.0], [7.0, 7.0]])).data.round(3).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.normalized_shape = shape = _lengths(normalized_shape)
        self.eps = between("eps", eps, 0)
        self.elementwise_affine = affine = bool(elementwise_affine)
        self.weight = Parameter(np.ones(shape), dtype, name="weight") if affine else None
        self.bias = Parameter(np.zeros(shape), dtype, name="bias") if affine and bias else None

    def forward(self, x: Any) -> Tensor:
        """Map (..., *normalized_shape) to the same shape."""
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


@register_layer(sizes={"normalized_shape": -1})
class RMSNorm(_OverLastAxes):
    """The last axes divided by their root mean square.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Lengths of the last axes, over which the mean is taken.
    eps : float, optional
        Added to the mean of the squares; the distance from 1 to the next number of the dtype of
        the input unless given.
    elementwise_affine : bool, default True
        Whether to multiply by `weight`, which is trained.
    dtype : dtype, default float32
        Of the weight.

    Attributes
    ----------
    weight : Parameter or None
        Of the normalized shape; ones at first.

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    ShapeError
        On a call: the last axes of the input have other lengths.

    Examples
    --------
    >>> RMSNorm(2)(np.array([3.0, 4.0])).data.round(3).tolist()
    [0.849, 1.131]
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.normalized_shape = shape = _lengths(normalized_shape)
        self.eps = eps if eps is None else between("eps", eps, 0)
        self.elementwise_affine = affine = bool(elementwise_affine)
        self.weight = Parameter(np.ones(shape), dtype, name="weight") if affine else None

    def forward(self, x: Any) -> Tensor:
        """Map (..., *normalized_shape) to the same shape."""
        return functional.rms_norm(x, self.normalized_shape, self.weight, self.eps)


@register_layer
class LocalResponseNorm(Module):
    """Each element of (N, C, ...) divided by a power of the mean square of `size` near channels.

    See `functional.local_response_norm`.

    Parameters
    ----------
    size : int
        How many channels the mean is over.
    alpha, beta, k : float
        The divisor is (k + alpha · mean)^beta.

    Raises
    ------
    ArgumentError
        An argument makes no sense.

    Examples
    --------
    >>> LocalResponseNorm(3)(np.ones((1, 4, 2))).shape
    (1, 4, 2)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = positive("size", size)
        self.alpha, self.beta, self.k = alpha, beta, k

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to the same shape."""
        return functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The size, and the arguments that are not at their defaults."""
        return shown(self)
