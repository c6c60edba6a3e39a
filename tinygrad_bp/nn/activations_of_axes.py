"""Activations across an axis: softmax and its kin, and units that are gated or compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ShapeError
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import activations as functional
from tinygrad_bp.nn.functional import rectifiers
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.targets import at_user


class _OverAxis(Module):
    """What works along one axis, which PyTorch calls `dim`."""

    def __init__(self, axis: int = -1, *, dim: int | None = None) -> None:
        self.axis = axis if dim is None else dim

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {"axis": self.axis}

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"


@register_layer
class Softmax(_OverAxis):
    """Exponentials along an axis, divided by their sum. `CrossEntropyLoss` has it inside.

    Parameters
    ----------
    axis : int, default -1
        Along which the result sums to 1.
    dim : int, optional
        The same, by PyTorch's name for it.

    Examples
    --------
    >>> Softmax()(np.array([[1e4, 1e4]]))
    Tensor([[0.5, 0.5]])
    """

    def forward(self, x: Any) -> Tensor:
        """Map the slices along the axis."""
        return functional.softmax(x, axis=self.axis)


@register_layer
class LogSoftmax(_OverAxis):
    """Logarithm of the softmax along an axis.

    Parameters
    ----------
    axis : int, default -1
        Along which the exponentials of the result sum to 1.
    dim : int, optional
        The same, by PyTorch's name for it.

    Examples
    --------
    >>> LogSoftmax()(np.array([0.0, 1e4]))
    Tensor([-10000.,      0.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map the slices along the axis."""
        return functional.log_softmax(x, axis=self.axis)


@register_layer
class Softmin(_OverAxis):
    """The softmax of the negative.

    Parameters
    ----------
    axis : int, default -1
        Along which the result sums to 1.
    dim : int, optional
        The same, by PyTorch's name for it.

    Examples
    --------
    >>> Softmin()(np.array([0.0, 1e4]))
    Tensor([1., 0.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map the slices along the axis."""
        return functional.softmin(x, self.axis)


@register_layer
class Softmax2d(Module):
    """The softmax over the channels of images (N, C, H, W) or (C, H, W), at every pixel.

    Raises
    ------
    ShapeError
        On a call: the input has neither three axes nor four.

    Examples
    --------
    >>> Softmax2d()(np.zeros((1, 2, 1, 1))).data.ravel().tolist()
    [0.5, 0.5]
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        shape = np.shape(x)
        if len(shape) not in (3, 4):
            raise ShapeError(
                f"{at_user('Softmax2d')}: input {shape}, expected (N, C, H, W) or (C, H, W).\n"
                "Fix: images, or Softmax(axis=1)."
            )
        return functional.softmax(x, axis=-3)


@register_layer
class GLU(_OverAxis):
    """Gated linear unit: the first half of an axis times the sigmoid of the second half.

    Parameters
    ----------
    axis : int, default -1
        The axis, which becomes half as long.
    dim : int, optional
        The same, by PyTorch's name for it.

    Raises
    ------
    ShapeError
        On a call: the axis has an odd length.

    Examples
    --------
    >>> GLU()(np.array([[3.0, 4.0, 0.0, 0.0]]))
    Tensor([[1.5, 2. ]])
    """

    def forward(self, x: Any) -> Tensor:
        """Map the axis to half of it."""
        return functional.glu(x, self.axis)


@register_layer
class CReLU(Module):
    """The rectifier of the input and that of its negative, side by side along an axis.

    Parameters
    ----------
    axis : int, default 1
        The axis, which becomes twice as long.

    Examples
    --------
    >>> CReLU()(np.array([[-1.0, 2.0]]))
    Tensor([[0., 2., 1., 0.]])
    """

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        """Map the axis to one of twice its length."""
        return rectifiers.crelu(x, self.axis)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Maxout(Module):
    """The largest of each `pool_size` neighbours along an axis; a tie shares the gradient.

    Parameters
    ----------
    pool_size : int
        How many take part.
    axis : int, default 1
        The axis, which becomes so many times shorter.

    Raises
    ------
    ArgumentError
        `pool_size` is not a positive integer.
    ShapeError
        On a call: the axis does not divide into pools.

    Examples
    --------
    >>> Maxout(2)(np.array([[1.0, 3.0, 5.0, 2.0]]))
    Tensor([[3., 5.]])
    """

    def __init__(self, pool_size: int, axis: int = 1) -> None:
        self.pool_size = positive("pool_size", pool_size)
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        """Map the axis to one that is shorter."""
        return rectifiers.maxout(x, self.pool_size, self.axis)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)
