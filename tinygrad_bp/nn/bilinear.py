"""A bilinear layer: what two inputs are together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ShapeError
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional.products import bilinear
from tinygrad_bp.nn.init import Declaration, Seed, child_stream, initialize
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.targets import at_user


@register_layer(sizes={"in1_features": -1, "in2_features": (1, -1)})
class Bilinear(Module):
    r"""Bilinear forms of two inputs: :math:`y_k = x_1^\top W_k x_2 + b_k`.

    Parameters
    ----------
    in1_features, in2_features : int
        Lengths of the last axes of the inputs.
    out_features : int
        How many forms there are.
    bias : bool, default True
        Whether there is a `b`.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from; a generator gives this layer a child stream of its own.
    weight_init, bias_init : str or dict, optional
        An initializer of `nn.init`. Without one, both are uniform on ±1/√in1_features.

    Attributes
    ----------
    weight : Parameter
        Of shape (out_features, in1_features, in2_features).
    bias : Parameter or None
        Of shape (out_features,).

    Raises
    ------
    ArgumentError
        A size is not a positive integer, or an initializer is not known.
    ShapeError
        On a call: the inputs do not fit the layer, or each other.

    Examples
    --------
    >>> Bilinear(3, 4, 2)(np.ones((5, 3)), np.ones((5, 4))).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        weight_init: Declaration | None = None,
        bias_init: Declaration | None = None,
    ) -> None:
        self.in1_features = positive("in1_features", in1_features)
        self.in2_features = positive("in2_features", in2_features)
        self.out_features = positive("out_features", out_features)
        self.weight_init, self.bias_init = weight_init, bias_init
        bound = self.in1_features**-0.5
        default = {"name": "uniform", "low": -bound, "high": bound}
        rng = child_stream(generator)
        shape = (self.out_features, self.in1_features, self.in2_features)
        values = initialize(default if weight_init is None else weight_init, shape, rng, dtype)
        self.weight = Parameter(values, dtype, name="weight")
        self.bias: Parameter | None = None
        if bias:
            values = initialize(default if bias_init is None else bias_init, shape[:1], rng, dtype)
            self.bias = Parameter(values, dtype, name="bias")

    def forward(self, x1: Any, x2: Any) -> Tensor:
        """Map (..., in1_features) and (..., in2_features) to (..., out_features)."""
        x1, x2 = as_tensor(x1), as_tensor(x2)
        expected = ((*x1.shape[:-1], self.in1_features), (*x1.shape[:-1], self.in2_features))
        if (x1.shape, x2.shape) != expected:
            raise ShapeError(
                f"{at_user('Bilinear')}: inputs {x1.shape} and {x2.shape}, expected "
                f"(…, {self.in1_features}) and (…, {self.in2_features}), with equal axes before.\n"
                "Fix: pass those shapes, or make the layer with other sizes."
            )
        return bilinear(x1, x2, self.weight, self.bias)

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        return {
            "out_features": self.out_features,
            "bias": self.bias is not None,
            "weight_init": self.weight_init,
            "bias_init": self.bias_init,
        }

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return shown(self, bias=self.bias is not None)
