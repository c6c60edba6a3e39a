"""Layers of convolution, along one, two or three axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import images as functional
from tinygrad_bp.nn.geometry import Counts, sizes, where
from tinygrad_bp.nn.init import Declaration, Seed, child_stream, initialize
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer

_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_KEPT = ("out_channels", "kernel_size", "stride", "padding", "dilation", "groups")


class _Kernels(Module):
    """What convolution and transposed convolution share: the weights, and what a spec says."""

    axes: int
    weight: Parameter
    bias: Parameter | None
    in_channels: int
    out_channels: int
    groups: int
    kernel_size: Counts
    padding_mode: str
    weight_init: Declaration | None
    bias_init: Declaration | None

    def _make(self, shape: tuple[int, ...], bias: bool, dtype: Any, generator: Seed) -> None:
        """Weights and bias, without initializers uniform on ±1/√(elements of one kernel)."""
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        default = {"name": "uniform", "low": -bound, "high": bound}
        rng = child_stream(generator)
        first = default if self.weight_init is None else self.weight_init
        self.weight = Parameter(initialize(first, shape, rng, dtype), dtype, name="weight")
        self.bias = None
        if bias:
            first = default if self.bias_init is None else self.bias_init
            values = initialize(first, (self.out_channels,), rng, dtype)
            self.bias = Parameter(values, dtype, name="bias")

    def _check(self) -> tuple[int, ...]:
        """The kernel along each axis; channels and groups are checked."""
        self.in_channels = positive("in_channels", self.in_channels)
        self.out_channels = positive("out_channels", self.out_channels)
        self.groups = positive("groups", self.groups)
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ArgumentError(
                    f"{type(self).__name__}: {name} = {getattr(self, name)} is no multiple of "
                    f"groups = {self.groups}.\nFix: another number of groups."
                )
        if self.padding_mode not in _MODES:
            raise ArgumentError(
                f"{type(self).__name__} has no padding_mode {self.padding_mode!r}.\n"
                f"Fix: {nearest(self.padding_mode, _MODES)}"
            )
        return sizes("kernel_size", self.kernel_size, self.axes)

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        kept = (*_KEPT, "padding_mode", "weight_init", "bias_init")
        return {**{name: getattr(self, name) for name in kept}, "bias": self.bias is not None}

    def extra_repr(self) -> str:
        """Channels, kernel, and what is not at its default."""
        return shown(self, bias=self.bias is not None)


class _Convolution(_Kernels):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Counts,
        stride: Counts = 1,
        padding: Counts | str = 0,
        dilation: Counts = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
        bias_init: Declaration | None = None,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.groups, self.padding_mode = dilation, groups, padding_mode
        self.weight_init, self.bias_init = weight_init, bias_init
        kernel = self._check()
        strides, apart = sizes("stride", stride, self.axes), sizes("dilation", dilation, self.axes)
        self._pads = functional.pads(type(self).__name__, padding, kernel, strides, apart)
        shape = (self.out_channels, self.in_channels // self.groups, *kernel)
        self._make(shape, bias, dtype, generator)

    def forward(self, x: Any) -> Tensor:
        """Map (N, in_channels, ...) to (N, out_channels, ...)."""
        padding = self.padding
        if self.padding_mode != "zeros" and any(map(any, self._pads)):
            x = as_tensor(x)
            width = ((0, 0),) * (x.ndim - self.axes) + self._pads
            x, padding = np.pad(x, width, _MODES[self.padding_mode]), 0  # type: ignore[call-overload]
        return functional.conv_nd(
            self.axes, x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


@register_layer(sizes={"in_channels": 0})
class Conv1d(_Convolution):
    """Convolution along one axis: of series, (N, C, L). The arguments are those of `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1d(4, 8, 3, padding="same")(np.zeros((2, 4, 100), np.float32)).shape
    (2, 8, 100)
    """

    axes = 1


@register_layer(sizes={"in_channels": 0})
class Conv2d(_Convolution):
    r"""Convolution along two axes: of images, (N, C, H, W).

    .. math:: z_{nop} = b_o + \sum_{c,k} w_{ock} \, x_{n,c,sp+dk-q}

    The arguments that count along axes are one number for all of them, or a tuple.

    Parameters
    ----------
    in_channels, out_channels : int
        Length of axis 1 of the input, and of the output.
    kernel_size : int or tuple
        Of a window.
    stride : int or tuple, default 1
        How far apart windows begin, s.
    padding : int, tuple, 'valid' or 'same', default 0
        How many elements are put before and after, q; 'same' keeps the size.
    dilation : int or tuple, default 1
        How far apart the elements of a window lie, d.
    groups : int, default 1
        Into how many parts the channels are divided, each of which is convolved by itself.
    bias : bool, default True
        Whether there is a b.
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
        What is put around the input.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from; a generator gives this layer a child stream of its own.
    weight_init, bias_init : str or dict, optional
        An initializer of `nn.init`. Without one, both are uniform on ±1/√(elements of one kernel).

    Attributes
    ----------
    weight : Parameter
        Of shape (out_channels, in_channels/groups, *kernel_size).
    bias : Parameter or None
        Of shape (out_channels,).

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    ShapeError
        On a call: the channels do not fit, or a window does not fit the input.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2d(1, 6, 5, padding=2)(np.zeros((64, 1, 28, 28), np.float32)).shape
    (64, 6, 28, 28)
    """

    axes = 2


@register_layer(sizes={"in_channels": 0})
class Conv3d(_Convolution):
    """Convolution along three axes: of volumes. The arguments are those of `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> Conv3d(1, 2, 3, stride=2)(np.zeros((1, 1, 9, 9, 9), np.float32)).shape
    (1, 2, 4, 4, 4)
    """

    axes = 3


class _Transposed(_Kernels):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Counts,
        stride: Counts = 1,
        padding: Counts = 0,
        output_padding: Counts = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Counts = 1,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
        bias_init: Declaration | None = None,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.output_padding, self.dilation, self.groups = output_padding, dilation, groups
        self.padding_mode, self.weight_init, self.bias_init = padding_mode, weight_init, bias_init
        kernel = self._check()
        if padding_mode != "zeros":
            raise ArgumentError(
                f"{type(self).__name__} has no padding_mode {padding_mode!r}: its padding is what "
                "is cut off.\nFix: leave it out."
            )
        for name, least in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)):
            sizes(name, getattr(self, name), self.axes, least)
        shape = (self.in_channels, self.out_channels // self.groups, *kernel)
        self._make(shape, bias, dtype, generator)

    def forward(self, x: Any, output_size: Any = None) -> Tensor:
        """Map (N, in_channels, ...) to (N, out_channels, ...).

        `output_size`, the length of each axis, takes the place of `output_padding`.
        """
        x = as_tensor(x)
        more = self.output_padding if output_size is None else self._missing(x, output_size)
        return functional.conv_transpose_nd(
            self.axes,
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            more,
            self.groups,
            self.dilation,
        )

    def _missing(self, x: Tensor, output_size: Any) -> tuple[int, ...]:
        """The output padding with which the output has a size."""
        wanted = sizes("output_size", tuple(output_size)[-self.axes :], self.axes)
        least: list[int] = []
        most: list[int] = []
        arguments = (self.kernel_size, self.stride, self.padding, self.dilation)
        each = (sizes("", argument, self.axes, 0) for argument in arguments)
        for n, k, s, q, d in zip(x.shape[-self.axes :], *each, strict=True):
            least.append((n - 1) * s - 2 * q + d * (k - 1) + 1)
            most.append(least[-1] + s - 1)
        if not all(a <= n <= b for a, n, b in zip(least, wanted, most, strict=True)):
            raise ShapeError(
                f"{where(type(self).__name__)}: of an input {x.shape}, the size of the output lies "
                f"between {tuple(least)} and {tuple(most)}, and is not {wanted}.\n"
                "Fix: a size between them."
            )
        return tuple(n - a for n, a in zip(wanted, least, strict=True))

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {**super().config(), "output_padding": self.output_padding}


@register_layer(sizes={"in_channels": 0})
class ConvTranspose1d(_Transposed):
    """Transposed convolution along one axis. The arguments are those of `ConvTranspose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose1d(8, 4, 4, stride=2, padding=1)(np.zeros((2, 8, 50), np.float32)).shape
    (2, 4, 100)
    """

    axes = 1


@register_layer(sizes={"in_channels": 0})
class ConvTranspose2d(_Transposed):
    """Transposed convolution along two axes: what a `Conv2d` sends back to its input.

    It makes images larger where that makes them smaller: an element of the input adds a kernel,
    times itself, to the output.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, groups, bias, dilation
        As for `Conv2d`; `padding` is how much of the output is cut off at each end.
    output_padding : int or tuple, default 0
        How much longer the output is at the end, as there are several sizes of which a convolution
        with a stride makes the same one. Its place is taken by ``layer(x, output_size=(28, 28))``.
    padding_mode : 'zeros'
        There is no other.
    dtype, generator, weight_init, bias_init
        As for `Conv2d`.

    Attributes
    ----------
    weight : Parameter
        Of shape (in_channels, out_channels/groups, *kernel_size).
    bias : Parameter or None
        Of shape (out_channels,).

    Examples
    --------
    >>> import numpy as np
    >>> up = ConvTranspose2d(16, 8, 3, stride=2, padding=1)
    >>> x = np.zeros((4, 16, 14, 14), np.float32)
    >>> up(x).shape, up(x, output_size=(28, 28)).shape
    ((4, 8, 27, 27), (4, 8, 28, 28))
    """

    axes = 2


@register_layer(sizes={"in_channels": 0})
class ConvTranspose3d(_Transposed):
    """Transposed convolution along three axes. The arguments are those of `ConvTranspose2d`.

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose3d(2, 1, 2, stride=2)(np.zeros((1, 2, 4, 4, 4), np.float32)).shape
    (1, 1, 8, 8, 8)
    """

    axes = 3
