"""Layers of pooling, along one, two or three axes."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.nn.arguments import shown
from tinygrad_bp.nn.functional import pooling as functional
from tinygrad_bp.nn.functional import resizing
from tinygrad_bp.nn.functional.resizing import Lengths
from tinygrad_bp.nn.geometry import Counts, sizes
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer


class _Windows(Module):
    """What layers with windows share: the check of their arguments, and the repr."""

    axes: int
    kernel_size: Counts
    stride: Counts | None
    padding: Counts

    def _check(self, *others: str) -> None:
        for name in ("kernel_size", "stride", *others):
            if getattr(self, name) is not None:
                sizes(name, getattr(self, name), self.axes)
        sizes("padding", self.padding, self.axes, 0)

    def extra_repr(self) -> str:
        """The kernel, and what is not at its default."""
        return shown(self)


class _MaxPool(_Windows):
    def __init__(
        self,
        kernel_size: Counts,
        stride: Counts | None = None,
        padding: Counts = 0,
        dilation: Counts = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode
        self._check("dilation")

    def forward(self, x: Any) -> Any:
        """Map (N, C, ...) to (N, C, ...), with the indices where they are asked for."""
        return functional.max_pool_nd(
            self.axes,
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


@register_layer
class MaxPool1d(_MaxPool):
    """The largest of each window along one axis. The arguments are those of `MaxPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]]))
    Tensor([[[3., 2.]]])
    """

    axes = 1


@register_layer
class MaxPool2d(_MaxPool):
    """The largest element of each window; of several such, the first has the whole gradient.

    Parameters
    ----------
    kernel_size : int or tuple
        Of a window.
    stride : int or tuple, optional
        How far apart windows begin; by default as far as they are long.
    padding : int or tuple, default 0
        How many elements that are never the largest stand before and after.
    dilation : int or tuple, default 1
        How far apart the elements of a window lie.
    return_indices : bool, default False
        Whether to return as well where the elements lie in H · W, for `MaxUnpool2d`.
    ceil_mode : bool, default False
        Whether a window may reach over the end.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool2d(2)(np.zeros((64, 6, 28, 28), np.float32)).shape
    (64, 6, 14, 14)
    """

    axes = 2


@register_layer
class MaxPool3d(_MaxPool):
    """The largest of each window along three axes. The arguments are those of `MaxPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> MaxPool3d(2)(np.zeros((1, 2, 4, 4, 4))).shape
    (1, 2, 2, 2, 2)
    """

    axes = 3


class _MaxUnpool(_Windows):
    def __init__(
        self, kernel_size: Counts, stride: Counts | None = None, padding: Counts = 0
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self._check()

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Tensor:
        """Map what max pooling took, and the indices, to where it was."""
        return functional.max_unpool_nd(
            self.axes, x, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool1d(_MaxUnpool):
    """What `MaxPool1d` took, put back to where it was, among zeros; see `MaxUnpool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> MaxUnpool1d(2)(*MaxPool1d(2, return_indices=True)(np.array([[[1.0, 3.0]]])))
    Tensor([[[0., 3.]]])
    """

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """What `MaxPool2d` took, put back to where it was, among zeros.

    The arguments are those of the pooling. A call takes what it returned, the indices too; and the
    `output_size`, where several sizes are pooled to the same.

    Examples
    --------
    >>> import numpy as np
    >>> pool, back = MaxPool2d(2, return_indices=True), MaxUnpool2d(2)
    >>> back(*pool(np.arange(4.0).reshape(1, 1, 2, 2)))
    Tensor([[[[0., 0.],
              [0., 3.]]]])
    """

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """What `MaxPool3d` took, put back to where it was, among zeros; see `MaxUnpool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> MaxUnpool3d(2)(*MaxPool3d(2, return_indices=True)(np.ones((1, 1, 2, 2, 2)))).shape
    (1, 1, 2, 2, 2)
    """

    axes = 3


class _AvgPool(_Windows):
    def __init__(
        self,
        kernel_size: Counts,
        stride: Counts | None = None,
        padding: Counts = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override
        self._check()

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to (N, C, ...)."""
        return functional.avg_pool_nd(
            self.axes,
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


@register_layer
class AvgPool1d(_AvgPool):
    """The mean of each window along one axis. The arguments are those of `AvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool1d(2)(np.array([[[1.0, 3.0, 2.0, 0.0]]]))
    Tensor([[[2., 1.]]])
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Counts,
        stride: Counts | None = None,
        padding: Counts = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


@register_layer
class AvgPool2d(_AvgPool):
    """The mean of each window.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As for `MaxPool2d`; the padding is zeros.
    count_include_pad : bool, default True
        Whether the zeros of the padding count as elements.
    divisor_override : int, optional
        What the sum is divided by, in place of the number of elements.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool2d(2)(np.arange(4.0).reshape(1, 1, 2, 2))
    Tensor([[[[1.5]]]])
    """

    axes = 2


@register_layer
class AvgPool3d(_AvgPool):
    """The mean of each window along three axes. The arguments are those of `AvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool3d(2)(np.zeros((1, 2, 4, 4, 4))).shape
    (1, 2, 2, 2, 2)
    """

    axes = 3


class _Adaptive(Module):
    axes: int

    def __init__(self, output_size: Lengths) -> None:
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        """Map (N, C, ...) to (N, C, *output_size)."""
        return resizing.adaptive_avg_pool_nd(self.axes, x, self.output_size)

    def extra_repr(self) -> str:
        """The size of the output."""
        return shown(self)


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Lengths, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Any) -> Any:
        """Map (N, C, ...) to (N, C, *output_size), with the indices where they are asked for."""
        return resizing.adaptive_max_pool_nd(self.axes, x, self.output_size, self.return_indices)


@register_layer
class AdaptiveAvgPool1d(_Adaptive):
    """Means of as many windows as are asked for; see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool1d(2)(np.array([[[1.0, 2.0, 6.0]]]))
    Tensor([[[1.5, 4. ]]])
    """

    axes = 1


@register_layer
class AdaptiveAvgPool2d(_Adaptive):
    """Means of as many windows as are asked for, which cover the input as evenly as can be.

    Parameters
    ----------
    output_size : int or tuple
        How many windows; None in a tuple keeps the length of the axis.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool2d(1)(np.zeros((4, 16, 9, 7))).shape
    (4, 16, 1, 1)
    """

    axes = 2


@register_layer
class AdaptiveAvgPool3d(_Adaptive):
    """Means of as many windows as are asked for, along three axes; see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool3d((1, 2, 3))(np.zeros((4, 16, 5, 5, 5))).shape
    (4, 16, 1, 2, 3)
    """

    axes = 3


@register_layer
class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest of as many windows as are asked for; see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool1d(2)(np.array([[[1.0, 2.0, 6.0]]]))
    Tensor([[[2., 6.]]])
    """

    axes = 1


@register_layer
class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest of as many windows as are asked for; see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool2d((None, 2))(np.zeros((4, 16, 9, 7))).shape
    (4, 16, 9, 2)
    """

    axes = 2


@register_layer
class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest of as many windows as are asked for, along three axes; see `AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool3d(2)(np.zeros((4, 16, 5, 5, 5))).shape
    (4, 16, 2, 2, 2)
    """

    axes = 3
