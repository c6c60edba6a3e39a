"""Layers that add elements around series, images and volumes."""

from __future__ import annotations

from typing import Any, ClassVar

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.nn.arguments import shown
from tinygrad_bp.nn.functional import padding as functional
from tinygrad_bp.nn.geometry import Counts
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer


class _Padding(Module):
    """What all of them have in common: how many elements to add along the last `axes` axes."""

    axes: ClassVar[int]
    mode: ClassVar[str]
    value: float | None = None

    def __init__(self, padding: Counts) -> None:
        functional.whole_numbers(f"{type(self).__name__}: padding", padding, 2 * self.axes)
        self.padding = padding

    def forward(self, x: Any) -> Tensor:
        """Map (..., H, W) to (..., top + H + bottom, left + W + right), for images."""
        widths = functional.whole_numbers("padding", self.padding, 2 * self.axes)
        return functional.pad(x, widths, self.mode, self.value)

    def extra_repr(self) -> str:
        """What is not at its default."""
        return shown(self)


class _ConstantPadding(_Padding):
    mode = "constant"

    def __init__(self, padding: Counts, value: float) -> None:
        super().__init__(padding)
        self.value = value


@register_layer
class ConstantPad1d(_ConstantPadding):
    """A constant around series, (..., L).

    Parameters
    ----------
    padding : int or tuple of int
        How many elements come before and after, one number for all or (left, right). Negative
        numbers cut off.
    value : float
        The constant.

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad1d((1, 2), 0.5)(np.array([[1.0, 2.0, 3.0]]))
    Tensor([[0.5, 1. , 2. , 3. , 0.5, 0.5]])
    """

    axes = 1


@register_layer
class ConstantPad2d(_ConstantPadding):
    """A constant around images, (..., H, W).

    The arguments are those of `ConstantPad1d`, for (left, right, top, bottom).

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad2d((1, 2, 0, 1), 0.5)(np.zeros((1, 4, 4))).shape
    (1, 5, 7)
    """

    axes = 2


@register_layer
class ConstantPad3d(_ConstantPadding):
    """A constant around volumes, (..., D, H, W).

    The arguments are those of `ConstantPad1d`, for (left, right, top, bottom, front, back).

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad3d((1, 2, 0, 1, 1, 1), 0.5)(np.zeros((1, 4, 4, 4))).shape
    (1, 6, 5, 7)
    """

    axes = 3


@register_layer
class ZeroPad1d(_Padding):
    """Zeros around series, (..., L).

    Parameters
    ----------
    padding : int or tuple of int
        How many elements come before and after, one number for all or (left, right). Negative
        numbers cut off.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad1d((1, 2))(np.array([[1.0, 2.0, 3.0]]))
    Tensor([[0., 1., 2., 3., 0., 0.]])
    """

    axes, mode = 1, "constant"


@register_layer
class ZeroPad2d(_Padding):
    """Zeros around images, (..., H, W).

    The arguments are those of `ZeroPad1d`, for (left, right, top, bottom).

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad2d((1, 2, 0, 1))(np.zeros((1, 4, 4))).shape
    (1, 5, 7)
    """

    axes, mode = 2, "constant"


@register_layer
class ZeroPad3d(_Padding):
    """Zeros around volumes, (..., D, H, W).

    The arguments are those of `ZeroPad1d`, for (left, right, top, bottom, front, back).

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad3d((1, 2, 0, 1, 1, 1))(np.zeros((1, 4, 4, 4))).shape
    (1, 6, 5, 7)
    """

    axes, mode = 3, "constant"


@register_layer
class ReflectionPad1d(_Padding):
    """Around series, their mirror image in the outermost elements, (..., L).

    Parameters
    ----------
    padding : int or tuple of int
        How many elements come before and after, one number for all or (left, right). Negative
        numbers cut off.

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad1d((1, 2))(np.array([[1.0, 2.0, 3.0]]))
    Tensor([[2., 1., 2., 3., 2., 1.]])
    """

    axes, mode = 1, "reflect"


@register_layer
class ReflectionPad2d(_Padding):
    """Around images, their mirror image in the outermost elements, (..., H, W).

    The arguments are those of `ReflectionPad1d`, for (left, right, top, bottom).

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad2d((1, 2, 0, 1))(np.zeros((1, 4, 4))).shape
    (1, 5, 7)
    """

    axes, mode = 2, "reflect"


@register_layer
class ReflectionPad3d(_Padding):
    """Around volumes, their mirror image in the outermost elements, (..., D, H, W).

    The arguments are those of `ReflectionPad1d`, for (left, right, top, bottom, front, back).

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad3d((1, 2, 0, 1, 1, 1))(np.zeros((1, 4, 4, 4))).shape
    (1, 6, 5, 7)
    """

    axes, mode = 3, "reflect"


@register_layer
class ReplicationPad1d(_Padding):
    """Around series, their outermost elements again, (..., L).

    Parameters
    ----------
    padding : int or tuple of int
        How many elements come before and after, one number for all or (left, right). Negative
        numbers cut off.

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad1d((1, 2))(np.array([[1.0, 2.0, 3.0]]))
    Tensor([[1., 1., 2., 3., 3., 3.]])
    """

    axes, mode = 1, "replicate"


@register_layer
class ReplicationPad2d(_Padding):
    """Around images, their outermost elements again, (..., H, W).

    The arguments are those of `ReplicationPad1d`, for (left, right, top, bottom).

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad2d((1, 2, 0, 1))(np.zeros((1, 4, 4))).shape
    (1, 5, 7)
    """

    axes, mode = 2, "replicate"


@register_layer
class ReplicationPad3d(_Padding):
    """Around volumes, their outermost elements again, (..., D, H, W).

    The arguments are those of `ReplicationPad1d`, for (left, right, top, bottom, front, back).

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad3d((1, 2, 0, 1, 1, 1))(np.zeros((1, 4, 4, 4))).shape
    (1, 6, 5, 7)
    """

    axes, mode = 3, "replicate"


@register_layer
class CircularPad1d(_Padding):
    """Beyond each end of series, what lies at the other end, (..., L).

    Parameters
    ----------
    padding : int or tuple of int
        How many elements come before and after, one number for all or (left, right). Negative
        numbers cut off.

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad1d((1, 2))(np.array([[1.0, 2.0, 3.0]]))
    Tensor([[3., 1., 2., 3., 1., 2.]])
    """

    axes, mode = 1, "circular"


@register_layer
class CircularPad2d(_Padding):
    """Beyond each end of images, what lies at the other end, (..., H, W).

    The arguments are those of `CircularPad1d`, for (left, right, top, bottom).

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad2d((1, 2, 0, 1))(np.zeros((1, 4, 4))).shape
    (1, 5, 7)
    """

    axes, mode = 2, "circular"


@register_layer
class CircularPad3d(_Padding):
    """Beyond each end of volumes, what lies at the other end, (..., D, H, W).

    The arguments are those of `CircularPad1d`, for (left, right, top, bottom, front, back).

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad3d((1, 2, 0, 1, 1, 1))(np.zeros((1, 4, 4, 4))).shape
    (1, 6, 5, 7)
    """

    axes, mode = 3, "circular"
