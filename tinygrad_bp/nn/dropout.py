"""Dropout of elements, channels and samples, and noise: layers that draw in training."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.nn.arguments import between, weak
from tinygrad_bp.nn.functional import dropouts as functional
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer


def probability(layer: Module, name: str, p: Any, bounds: str = "[0, 1]") -> float:
    """The probability with which a layer drops; an error where it is none, or 1 in [0, 1)."""
    number: float = weak(p)
    inside = isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number <= 1
    if not inside or (number == 1 and bounds == "[0, 1)"):
        raise ArgumentError(
            f"the {name} of {type(layer).__name__} lies in {bounds}, not {p!r} (at "
            f"{user_line()}).\nFix: the share that is dropped, as {name}=0.5."
        )
    return number


class _Drawn(Module):
    """A layer that draws at random in training, with a probability."""

    _bounds = "[0, 1]"

    def __init__(self, p: float = 0.5, generator: Seed = None) -> None:
        self.p = probability(self, "p", p, self._bounds)
        self.generator = child_stream(generator)

    def extra_repr(self) -> str:
        """The probability."""
        return f"{self.p}"


@register_layer
class Dropout(_Drawn):
    """In training, set each element to zero with probability `p` and divide the rest by 1 - p.

    The expected value is then that of the input, which is what comes out in eval mode. N.
    Srivastava et al., "Dropout", JMLR 15 (2014), in the inverted form.

    Parameters
    ----------
    p : float, default 0.5
        In [0, 1]; with 1, everything is zero.
    generator : Generator, int or None
        Where the choice comes from; a generator gives this layer a child stream of its own. The
        stream is the attribute `generator`, which `Module.generators` finds.

    Raises
    ------
    ArgumentError
        `p` does not lie in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> drop = Dropout(0.5, generator=0)
    >>> sorted(set(drop(np.ones(100)).data.tolist()))
    [0.0, 2.0]
    >>> drop.eval()(np.ones(2))
    Tensor([1., 1.])
    """

    def forward(self, x: Any) -> Tensor:
        """Map (...) to (...)."""
        return functional.dropout(x, self.p, self.training, self.generator)


@register_layer
class Dropout1d(_Drawn):
    """In training, drop whole channels of (N, C, L) or (C, L); see `Dropout`.

    Neighbours in a channel are much alike, so that one would stand in for another that is dropped.

    Parameters
    ----------
    p : float, default 0.5
        The probability with which a channel is dropped, in [0, 1].
    generator : Generator, int or None
        Where the choice comes from; a generator gives this layer a child stream of its own.

    Raises
    ------
    ArgumentError
        `p` does not lie in [0, 1].
    ShapeError
        On a call: the input has another number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout1d(0.5, generator=3)(np.ones((3, 2))).data.tolist()
    [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, L) to the same shape."""
        return functional.dropout1d(x, self.p, self.training, self.generator)


@register_layer
class Dropout2d(_Drawn):
    """In training, drop whole channels of images (N, C, H, W) or of (N, C, L); see `Dropout1d`.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout2d(0.5, generator=0)(np.ones((4, 3, 2, 2))).shape
    (4, 3, 2, 2)
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return functional.dropout2d(x, self.p, self.training, self.generator)


@register_layer
class Dropout3d(_Drawn):
    """In training, drop whole channels of (N, C, D, H, W) or (C, D, H, W); see `Dropout1d`.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout3d(0.5, generator=0)(np.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, D, H, W) to the same shape."""
        return functional.dropout3d(x, self.p, self.training, self.generator)


@register_layer
class DropPath(_Drawn):
    """In training, drop whole samples, as of what a residual branch adds: stochastic depth.

    Examples
    --------
    >>> import numpy as np
    >>> DropPath(0.5, generator=0)(np.ones((4, 2))).data[:, 0].tolist()
    [2.0, 2.0, 2.0, 0.0]
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, ...) to the same shape."""
        return functional.drop_path(x, self.p, self.training, self.generator)


@register_layer
class AlphaDropout(_Drawn):
    """In training, set elements to the lower limit of `SELU`, and keep mean and variance.

    G. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> y = AlphaDropout(0.2, generator=0)(x).data
    >>> abs(y.mean()) < 0.03 and abs(y.std() - 1) < 0.03
    np.True_
    """

    def forward(self, x: Any) -> Tensor:
        """Map (...) to the same shape."""
        return functional.alpha_dropout(x, self.p, self.training, self.generator)


@register_layer
class FeatureAlphaDropout(_Drawn):
    """`AlphaDropout` of whole channels of (N, C, ...).

    Examples
    --------
    >>> import numpy as np
    >>> y = FeatureAlphaDropout(0.5, generator=0)(np.zeros((1, 2, 3)))
    >>> bool((y.data == y.data[..., :1]).all())
    True
    """

    def forward(self, x: Any) -> Tensor:
        """Map (N, C, ...) to the same shape."""
        return functional.feature_alpha_dropout(x, self.p, self.training, self.generator)


@register_layer
class GaussianDropout(_Drawn):
    """In training, multiply elements by normal noise of mean 1 and variance p / (1 - p), p < 1.

    Examples
    --------
    >>> import numpy as np
    >>> GaussianDropout(0.5, generator=0)(np.ones(2)).data.round(2).tolist()
    [1.13, 0.87]
    """

    _bounds = "[0, 1)"

    def forward(self, x: Any) -> Tensor:
        """Map (...) to the same shape."""
        return functional.gaussian_dropout(x, self.p, self.training, self.generator)


@register_layer
class GaussianNoise(Module):
    """In training, add normal noise of mean 0 to every element.

    Parameters
    ----------
    std : float, default 0.1
        Deviation of the noise.
    generator : Generator, int or None
        Where the noise comes from; a generator gives this layer a child stream of its own.

    Raises
    ------
    ArgumentError
        `std` is negative.

    Examples
    --------
    >>> import numpy as np
    >>> noise = GaussianNoise(1.0, generator=0)
    >>> noise(np.zeros(3)).data.round(2).tolist(), noise.eval()(np.zeros(3)).data.tolist()
    ([0.13, -0.13, 0.64], [0.0, 0.0, 0.0])
    """

    def __init__(self, std: float = 0.1, generator: Seed = None) -> None:
        self.std = between("std", std, 0)
        self.generator = child_stream(generator)

    def forward(self, x: Any) -> Tensor:
        """Map (...) to the same shape."""
        return functional.gaussian_noise(x, self.std, self.training, self.generator)

    def extra_repr(self) -> str:
        """The deviation."""
        return f"{self.std}"
