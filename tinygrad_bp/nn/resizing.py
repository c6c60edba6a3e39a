"""Layers that change the size of images, or lay them out anew."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import images
from tinygrad_bp.nn.functional import resizing as functional
from tinygrad_bp.nn.geometry import Counts
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer


@register_layer
class Upsample(Module):
    """Images of another size, by the nearest element or between the nearest ones.

    Parameters
    ----------
    size, scale_factor, mode, align_corners, recompute_scale_factor
        Those of `functional.interpolate`.

    Examples
    --------
    >>> import numpy as np
    >>> Upsample(scale_factor=2, mode="bilinear")(np.zeros((1, 3, 14, 14))).shape
    (1, 3, 28, 28)
    """

    def __init__(
        self,
        size: Counts | None = None,
        scale_factor: float | tuple[float, ...] | list[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to (N, C, ...)."""
        return functional.interpolate(
            x,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """What is not at its default."""
        return shown(self)


@register_layer
class PixelShuffle(Module):
    """Channels laid out as pixels, (N, C · r², H, W) to (N, C, H · r, W · r).

    Examples
    --------
    >>> import numpy as np
    >>> PixelShuffle(2)(np.zeros((1, 12, 7, 7))).shape
    (1, 3, 14, 14)
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = positive("upscale_factor", upscale_factor)

    def forward(self, x: Any) -> Tensor:
        """Map (N, C · r², H, W) to (N, C, H · r, W · r)."""
        return functional.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return shown(self)


@register_layer
class PixelUnshuffle(Module):
    """Pixels laid out as channels, (N, C, H · r, W · r) to (N, C · r², H, W).

    Examples
    --------
    >>> import numpy as np
    >>> PixelUnshuffle(2)(np.zeros((1, 3, 14, 14))).shape
    (1, 12, 7, 7)
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = positive("downscale_factor", downscale_factor)

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, H · r, W · r) to (N, C · r², H, W)."""
        return functional.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return shown(self)


@register_layer
class Unfold(Module):
    """The windows of images as columns, (N, C, H, W) to (N, C · K, L).

    Examples
    --------
    >>> import numpy as np
    >>> Unfold(2)(np.zeros((1, 3, 4, 4))).shape
    (1, 12, 9)
    """

    def __init__(
        self, kernel_size: Counts, dilation: Counts = 1, padding: Counts = 0, stride: Counts = 1
    ) -> None:
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, H, W) to (N, C · K, L)."""
        return images.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The kernel, and what is not at its default."""
        return shown(self)


@register_layer
class Fold(Module):
    """Columns added up as the windows of images, (N, C · K, L) to (N, C, *output_size).

    Examples
    --------
    >>> import numpy as np
    >>> Fold(4, 2)(np.zeros((1, 12, 9))).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self,
        output_size: Counts,
        kernel_size: Counts,
        dilation: Counts = 1,
        padding: Counts = 0,
        stride: Counts = 1,
    ) -> None:
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, x: Any) -> Tensor:
        """Map (N, C · K, L) to (N, C, *output_size)."""
        return images.fold(
            x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """The sizes, and what is not at its default."""
        return shown(self)
