"""Normalisation of channels: batch and instance normalisation, with running values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ShapeError
from tinygrad_bp.nn.arguments import between, positive, shown
from tinygrad_bp.nn.functional import normalisation as functional
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Buffer, Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.targets import at_user


class _ByChannel(Module):
    """What batch and instance normalisation share: numbers for each channel, running or trained."""

    #: The axis of channels, by how many axes an input may have, and the words for that.
    channel_axes: dict[int, int] = {}  # noqa: RUF012 - of the class
    expected = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.num_features = n = positive("num_features", num_features)
        self.eps = between("eps", eps, 0)
        self.momentum = momentum if momentum is None else between("momentum", momentum, 0, 1)
        self.affine = bool(affine)
        self.track_running_stats = bool(track_running_stats)
        self.weight = Parameter(np.ones(n), dtype, name="weight") if affine else None
        self.bias = Parameter(np.zeros(n), dtype, name="bias") if affine and bias else None
        self.running_mean: Buffer | None = None
        self.running_var: Buffer | None = None
        self.num_batches_tracked: Buffer | None = None
        if track_running_stats:
            self.running_mean = Buffer(np.zeros(n), dtype, name="running_mean")
            self.running_var = Buffer(np.ones(n), dtype, name="running_var")
            self.num_batches_tracked = Buffer(0, np.int64, name="num_batches_tracked")

    def _checked(self, x: Any) -> Tensor:
        values = as_tensor(x)
        axis = self.channel_axes.get(values.ndim)
        if axis is None or values.shape[axis] != self.num_features:
            raise ShapeError(
                f"{at_user(type(self).__name__)}: input {values.shape}, expected {self.expected} "
                f"with C = {self.num_features}.\n"
                "Fix: pass that shape, or make the layer with as many features as channels come."
            )
        return values

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.affine,
            "track_running_stats": self.track_running_stats,
            "bias": self.bias is not None or not self.affine,
        }

    def extra_repr(self) -> str:
        """The channels, and the arguments that are not at their defaults."""
        return shown(self, **self.config())


class _BatchNorm(_ByChannel):
    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to the same shape; in training, the running values move."""
        x = self._checked(x)
        count, momentum = self.num_batches_tracked, self.momentum
        if momentum is None:
            momentum = 1 / (count.item() + 1) if count is not None else 0.0
        out = functional.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or count is None,
            momentum,
            self.eps,
        )
        if self.training and count is not None:
            count.assign(count.data + 1)
        return out


class _InstanceNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, bias=bias, dtype=dtype
        )

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to the same shape, or a single sample."""
        x = self._checked(x)
        alone = x.ndim < max(self.channel_axes)
        out = functional.instance_norm(
            np.expand_dims(x, 0) if alone else x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return out[0] if alone else out


@register_layer(sizes={"num_features": 0})
class BatchNorm1d(_BatchNorm):
    """Batch normalisation: each channel less its mean, divided by its deviation.

    In training these are those of the batch, (N, C) or (N, C, L). In eval mode they are running
    values, which move in training: to m of the batch and 1 - m of what they were.

    Parameters
    ----------
    num_features : int
        The number C of channels.
    eps : float, default 1e-5
        Added to the variance.
    momentum : float or None, default 0.1
        The share m of the batch; None for the plain mean of all batches so far.
    affine : bool, default True
        Whether to multiply by `weight` and add `bias`, which are trained.
    track_running_stats : bool, default True
        Whether to keep running values. Without them those of the batch are taken in eval mode too.
    bias : bool, default True
        Whether there is a bias beside the weight.
    dtype : dtype, default float32
        Of parameters and running values.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape (C,); ones and zeros at first.
    running_mean, running_var, num_batches_tracked : Buffer or None
        Saved with the layer, and not trained.

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    ShapeError
        On a call: the input has another shape or, in training, a single value in each channel.

    Examples
    --------
    >>> norm = BatchNorm1d(2)
    >>> norm(np.array([[1.0, 5.0], [3.0, 9.0]])).data.round(3).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> norm.running_mean
    Tensor([0.2, 0.7], dtype=float32, name='running_mean')
    """

    channel_axes = {2: 1, 3: 1}  # noqa: RUF012
    expected = "(N, C) or (N, C, L)"


@register_layer(sizes={"num_features": 0})
class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, C, H, W); see `BatchNorm1d`.

    Examples
    --------
    >>> BatchNorm2d(3, momentum=None)(np.ones((4, 3, 8, 8), np.float32)).shape
    (4, 3, 8, 8)
    """

    channel_axes = {4: 1}  # noqa: RUF012
    expected = "(N, C, H, W)"


@register_layer(sizes={"num_features": 0})
class BatchNorm3d(_BatchNorm):
    """Batch normalisation of volumes (N, C, D, H, W); see `BatchNorm1d`.

    Examples
    --------
    >>> BatchNorm3d(2, affine=False)(np.ones((4, 2, 3, 3, 3))).shape
    (4, 2, 3, 3, 3)
    """

    channel_axes = {5: 1}  # noqa: RUF012
    expected = "(N, C, D, H, W)"


@register_layer(sizes={"num_features": 0})
class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample (N, C, L) less its mean, divided by its deviation.

    The arguments are those of `BatchNorm1d`, but there are no parameters and no running values
    unless they are asked for. A single sample (C, L) is taken too.

    Examples
    --------
    >>> InstanceNorm1d(2, eps=0.0)(np.array([[1.0, 3.0], [5.0, 9.0]]))
    Tensor([[-1.,  1.],
            [-1.,  1.]])
    """

    channel_axes = {2: 0, 3: 1}  # noqa: RUF012
    expected = "(N, C, L) or (C, L)"


@register_layer(sizes={"num_features": 0})
class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image (N, C, H, W) or (C, H, W) normalised; see `InstanceNorm1d`.

    Examples
    --------
    >>> InstanceNorm2d(3, affine=True)
    InstanceNorm2d(3, affine=True)
    """

    channel_axes = {3: 0, 4: 1}  # noqa: RUF012
    expected = "(N, C, H, W) or (C, H, W)"


@register_layer(sizes={"num_features": 0})
class InstanceNorm3d(_InstanceNorm):
    """Each channel of each volume (N, C, D, H, W) or (C, D, H, W); see `InstanceNorm1d`.

    Examples
    --------
    >>> InstanceNorm3d(2)(np.ones((1, 2, 3, 3, 3))).shape
    (1, 2, 3, 3, 3)
    """

    channel_axes = {4: 0, 5: 1}  # noqa: RUF012
    expected = "(N, C, D, H, W) or (C, D, H, W)"
