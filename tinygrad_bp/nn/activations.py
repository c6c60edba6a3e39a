"""Activation functions as modules, for `Sequential` and for declared networks."""

from __future__ import annotations

from typing import Any, Literal

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, nearest
from tinygrad_bp.nn.arguments import shown
from tinygrad_bp.nn.functional import activations as functional
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer


@register_layer
class ReLU(Module):
    """Rectifier, max(x, 0), of derivative 0 at 0.

    Examples
    --------
    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.relu(x)


@register_layer
class Sigmoid(Module):
    """Logistic function, :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.array([0.0]))
    Tensor([0.5])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.sigmoid(x)


@register_layer
class Tanh(Module):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.array([0.0]))
    Tensor([0.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.tanh(x)


@register_layer
class Softsign(Module):
    """Softsign, :math:`x / (1 + |x|)`.

    Examples
    --------
    >>> import numpy as np
    >>> Softsign()(np.array([-1.0, 3.0]))
    Tensor([-0.5 ,  0.75])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.softsign(x)


@register_layer
class Softplus(Module):
    r"""Smooth rectifier, :math:`\log(1 + e^{\beta x}) / \beta`.

    Parameters
    ----------
    beta : float, default 1.0
        How sharp the bend is.
    threshold : float, default 20.0
        Where :math:`\beta x` lies above it, x is returned; not looked at from 20 on.

    Raises
    ------
    ArgumentError
        `beta` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> Softplus()(np.array([1e4]))
    Tensor([10000.])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        if not beta > 0:
            raise ArgumentError(f"Softplus: beta is {beta!r}.\nFix: beta > 0.")
        self.beta = beta
        self.threshold = threshold

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class LogSigmoid(Module):
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`.

    Examples
    --------
    >>> import numpy as np
    >>> LogSigmoid()(np.array([-1e4]))
    Tensor([-10000.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.log_sigmoid(x)


@register_layer
class SiLU(Module):
    r"""Sigmoid-weighted linear unit, :math:`x \, \sigma(x)`.

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.array([0.0]))
    Tensor([0.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.silu(x)


@register_layer
class LeakyReLU(Module):
    """Rectifier with a slope below 0, which is also its derivative at 0.

    Parameters
    ----------
    negative_slope : float, default 0.01
        The slope.

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU(0.5)(np.array([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class ELU(Module):
    r"""Exponential linear unit: x above 0, :math:`\alpha (e^x - 1)` below.

    Parameters
    ----------
    alpha : float, default 1.0
        Minus the limit for very negative x.

    Examples
    --------
    >>> import numpy as np
    >>> ELU()(np.array([-1e4, 2.0]))
    Tensor([-1.,  2.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class GELU(Module):
    r"""Gaussian error linear unit, :math:`x \, \Phi(x)` with the normal distribution.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Exact, or by tanh.

    Raises
    ------
    ArgumentError
        There is no such approximation.

    Examples
    --------
    >>> import numpy as np
    >>> GELU("tanh")
    GELU(approximate='tanh')
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ArgumentError(
                f"GELU: there is no approximation {approximate!r}: "
                f"{nearest(approximate, ('none', 'tanh'))}\nFix: 'none' or 'tanh'."
            )
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class CELU(Module):
    r"""Exponential linear unit of slope 1 at 0: x above, :math:`\alpha (e^{x/\alpha} - 1)` below.

    Parameters
    ----------
    alpha : float, default 1.0
        Minus the limit for very negative x.

    Raises
    ------
    ArgumentError
        `alpha` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> CELU(2.0)(np.array([-1e4, 3.0]))
    Tensor([-2.,  3.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if alpha == 0:
            raise ArgumentError("CELU: alpha is 0, and x is divided by it.\nFix: alpha > 0.")
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.celu(x, self.alpha)

    def extra_repr(self) -> str:
        """The arguments that are not at their defaults."""
        return shown(self)


@register_layer
class SELU(Module):
    """Scaled exponential linear unit, which keeps mean 0 and variance 1; see `functional.selu`.

    Examples
    --------
    >>> import numpy as np
    >>> SELU()(np.array([-1e4, 1.0])).data.round(4).tolist()
    [-1.7581, 1.0507]
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.selu(x)


@register_layer
class Mish(Module):
    """The input times the hyperbolic tangent of its softplus.

    Examples
    --------
    >>> import numpy as np
    >>> Mish()(np.array([0.0, 1e4]))
    Tensor([    0., 10000.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.mish(x)


@register_layer
class Tanhshrink(Module):
    """The input less its hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanhshrink()(np.array([0.0, 1e4]))
    Tensor([   0., 9999.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map every element."""
        return functional.tanhshrink(x)
