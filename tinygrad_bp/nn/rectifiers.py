"""Rectifiers and other activations made of pieces, as modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import rectifiers as functional
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer


@register_layer
class ReLU6(Module):
    """Rectifier with an upper limit: x in [0, 6], of derivative 0 at both ends.

    Examples
    --------
    >>> ReLU6()(np.array([-1.0, 2.0, 8.0]))
    Tensor([0., 2., 6.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.relu6(x)


@register_layer
class ClippedReLU(Module):
    """Rectifier with an upper limit: x in [0, z], of derivative 0 at both ends.

    Parameters
    ----------
    z : float, default 20.0
        The limit.

    Raises
    ------
    ArgumentError
        `z` is not positive.

    Examples
    --------
    >>> ClippedReLU(3.0)(np.array([-1.0, 2.0, 8.0]))
    Tensor([0., 2., 3.])
    """

    def __init__(self, z: float = 20.0) -> None:
        if not z > 0:
            raise ArgumentError(f"ClippedReLU: z is {z!r}.\nFix: z > 0.")
        self.z = z

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.clipped_relu(x, self.z)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Hardtanh(Module):
    """Limited to [min_val, max_val], of derivative 0 at both ends.

    Parameters
    ----------
    min_val : float, default -1.0
        The lower limit.
    max_val : float, default 1.0
        The upper limit.

    Raises
    ------
    ArgumentError
        The limits are not in order.

    Examples
    --------
    >>> Hardtanh(0.0, 2.0)(np.array([-3.0, 0.5, 3.0]))
    Tensor([0. , 0.5, 2. ])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        if not min_val < max_val:
            raise ArgumentError(
                f"Hardtanh: the limits are {min_val!r} and {max_val!r}.\nFix: min_val < max_val."
            )
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Hardsigmoid(Module):
    """The straight line x/6 + 1/2, limited to [0, 1].

    Examples
    --------
    >>> Hardsigmoid()(np.array([-4.0, 0.0, 4.0]))
    Tensor([0. , 0.5, 1. ])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.hardsigmoid(x)


@register_layer
class Hardswish(Module):
    """The input times x/6 + 1/2, limited to [0, 1].

    Examples
    --------
    >>> Hardswish()(np.array([0.0, 3.0]))
    Tensor([0., 3.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.hardswish(x)


@register_layer
class Hardshrink(Module):
    """The input where it is larger than `lambd` in size, else 0.

    Parameters
    ----------
    lambd : float, default 0.5
        The limit.

    Examples
    --------
    >>> Hardshrink()(np.array([-1.0, 0.5]))
    Tensor([-1.,  0.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Softshrink(Module):
    """The input brought nearer to 0 by `lambd`, and 0 where it is no larger than that.

    Parameters
    ----------
    lambd : float, default 0.5
        How much nearer, 0 or more.

    Raises
    ------
    ArgumentError
        `lambd` is negative.

    Examples
    --------
    >>> Softshrink()(np.array([-1.0, 0.5, 2.0]))
    Tensor([-0.5,  0. ,  1.5])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        if not lambd >= 0:
            raise ArgumentError(f"Softshrink: lambd is {lambd!r}.\nFix: lambd >= 0.")
        self.lambd = lambd

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class Threshold(Module):
    """The input where it lies above the threshold, else `value`.

    Parameters
    ----------
    threshold : float
        The threshold.
    value : float
        What takes the place of the others.

    Examples
    --------
    >>> Threshold(1.0, -5.0)(np.array([0.0, 1.0, 2.0]))
    Tensor([-5., -5.,  2.])
    """

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = threshold
        self.value = value

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class PReLU(Module):
    """Rectifier with slopes below 0 that are trained; at 0 the derivative is the slope.

    K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Parameters
    ----------
    num_parameters : int, default 1
        One slope, or one for each channel of (N, C, ...).
    init : float, default 0.25
        Their first value.
    dtype : dtype, default float32
        Of the slopes.

    Attributes
    ----------
    weight : Parameter
        The slopes, of shape (num_parameters,).

    Raises
    ------
    ArgumentError
        `num_parameters` is not a positive integer.
    ShapeError
        On a call: there are not as many slopes as channels.

    Examples
    --------
    >>> PReLU(init=0.5)(np.array([-1.0, 2.0])).data.tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, *, dtype: npt.DTypeLike = np.float32
    ) -> None:
        self.num_parameters = positive("num_parameters", num_parameters)
        self.init = init
        self.weight = Parameter(np.full(self.num_parameters, init), dtype, name="weight")

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.prelu(x, self.weight)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class RReLU(Module):
    """Rectifier with slopes below 0 that are drawn in training; in eval mode, their middle.

    Parameters
    ----------
    lower, upper : float
        Between which the slope of each element lies, 1/8 and 1/3 by default.
    generator : Generator, int or None
        Where the slopes come from; a generator gives this layer a child stream of its own.

    Raises
    ------
    ArgumentError
        The limits are not in order.

    Examples
    --------
    >>> RReLU(0.25, 0.75).eval()(np.array([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, *, generator: Seed = None
    ) -> None:
        if not lower <= upper:
            raise ArgumentError(
                f"RReLU: the slopes lie in [{lower!r}, {upper!r}].\nFix: lower <= upper."
            )
        self.lower, self.upper = lower, upper
        self.generator = child_stream(generator)

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.rrelu(x, self.lower, self.upper, self.training, self.generator)

    def extra_repr(self) -> str:
        """The limits, where they are not the defaults."""
        return shown(self)
