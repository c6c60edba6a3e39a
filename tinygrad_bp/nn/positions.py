"""What tells attention the order of a sequence: sinusoidal and rotary positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.cells import misfit
from tinygrad_bp.nn.functional.activations import as_real
from tinygrad_bp.nn.functional.attention import angles_of, rotary
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.sequences import Shape, check_declared


def sinusoidal_positions(
    length: int, features: int, base: float = 10000.0, dtype: npt.DTypeLike = np.float32
) -> npt.NDArray[Any]:
    r"""Sines and cosines of positions, each pair of features slower than the one before.

    :math:`p_{t, 2i} = \sin(t / b^{2i/n})` and :math:`p_{t, 2i+1} = \cos(t / b^{2i/n})` for `n`
    features; A. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Parameters
    ----------
    length : int
        How many positions.
    features : int
        How many numbers for each of them.
    base : float, default 10000
        The base `b`, which the longest period is 2π times.
    dtype : dtype, default float32
        Of the result; it is computed in float64.

    Returns
    -------
    ndarray
        (length, features).

    Examples
    --------
    >>> sinusoidal_positions(2, 4).round(2)
    array([[0.  , 1.  , 0.  , 1.  ],
           [0.84, 0.54, 0.01, 1.  ]], dtype=float32)
    """
    angles = angles_of(np.arange(length), math.ceil(features / 2), features, base)
    table = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return table.reshape(length, 2 * table.shape[1])[:, :features].astype(dtype)


@register_layer(sizes={"embed_dim": -1})
class SinusoidalPositions(Module):
    """The input plus the sines and cosines of positions: see `positions.sinusoidal_positions`.

    Parameters
    ----------
    embed_dim : int
        Features of each step.
    batch_first : bool, default False
        Whether inputs are (samples, steps, embed_dim), and not (steps, samples, embed_dim). A
        spec needs it.
    base : float, default 10000
        The longest period is 2π times that.
    input_shape : tuple of int, optional
        Given by a spec.

    Examples
    --------
    >>> import numpy as np
    >>> SinusoidalPositions(2, batch_first=True)(np.zeros((1, 2, 2))).data.round(2)
    array([[[0.  , 1.  ],
            [0.84, 0.54]]])
    """

    def __init__(
        self,
        embed_dim: int,
        batch_first: bool = False,
        base: float = 10000.0,
        *,
        input_shape: Shape | None = None,
    ) -> None:
        self.embed_dim = positive("embed_dim", embed_dim)
        self.batch_first = batch_first
        self.base = base
        check_declared(self, input_shape)

    def forward(self, x: Any) -> Tensor:
        """Add the positions; (steps, embed_dim) is a single sample."""
        x = as_real(x)
        if x.ndim not in (2, 3) or x.shape[-1] != self.embed_dim:
            axes = "samples, steps" if self.batch_first else "steps, samples"
            expected = f"({axes}, {self.embed_dim})"
            raise misfit(self, "input", x.shape, expected, "sequences with their features last.")
        turned = x.ndim == 3 and not self.batch_first
        steps = x.shape[0] if turned else x.shape[-2]
        table = sinusoidal_positions(steps, self.embed_dim, self.base, x.dtype)
        moved: Tensor = x + (table[:, None] if turned else table)
        return moved

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self)


@register_layer(sizes={"dim": -1})
class RotaryPositions(Module):
    """Features of queries and keys turned by their positions: see `functional.rotary`.

    Parameters
    ----------
    dim : int
        Features of each step; even.
    base : float, default 10000
        The longest period is 2π times that.

    Examples
    --------
    >>> import numpy as np
    >>> q, k = np.ones((5, 4)), np.ones((5, 4))
    >>> scores = RotaryPositions(4)(q) @ RotaryPositions(4)(k).T
    >>> bool(np.allclose(scores.data[0, :-1], scores.data[1, 1:]))
    True
    """

    def __init__(self, dim: int, base: float = 10000.0) -> None:
        self.dim = positive("dim", dim)
        if dim % 2:
            raise ArgumentError(
                f"dim is even, as features are turned in pairs, not {dim} (at {user_line()}).\n"
                f"Fix: dim={dim + 1}, and as many features."
            )
        self.base = base

    def forward(self, x: Any, start: int = 0) -> Tensor:
        """Turn (..., steps, dim), of which the first step has the position `start`."""
        x = as_tensor(x)
        if x.ndim < 2 or x.shape[-1] != self.dim:
            expected = f"(…, steps, {self.dim})"
            raise misfit(self, "input", x.shape, expected, "steps with their features last.")
        return rotary(x, start, self.base)

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self)
