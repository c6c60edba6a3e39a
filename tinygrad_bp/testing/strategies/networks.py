"""Layers and networks, with data that fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import Module, NetworkSpec, Sequential, functional
from tinygrad_bp.testing.strategies.shaped import SHAPED
from tinygrad_bp.testing.strategies.shapes import shapes

#: Layers of elements of any shape; the parameters are those that are drawn.
ACTIVATIONS: tuple[dict[str, Any], ...] = (
    {"type": "Tanh"},
    {"type": "Sigmoid"},
    {"type": "Softplus"},
    {"type": "Softsign"},
    {"type": "SiLU"},
    {"type": "GELU"},
    {"type": "GELU", "approximate": "tanh"},
    {"type": "LogSigmoid"},
    {"type": "Softmax"},
    {"type": "LogSoftmax"},
    {"type": "ELU"},
    {"type": "ReLU"},
    {"type": "LeakyReLU"},
    {"type": "LeakyReLU", "negative_slope": 0.25},
    {"type": "CELU"},
    {"type": "SELU"},
    {"type": "Mish"},
    {"type": "ReLU6"},
    {"type": "RReLU"},
    {"type": "ClippedReLU"},
    {"type": "Hardsigmoid"},
    {"type": "Hardswish"},
    {"type": "Hardtanh"},
    {"type": "Softmin"},
    {"type": "Softshrink"},
    {"type": "Tanhshrink"},
)
_OTHERS = ({"type": "Identity"}, {"type": "Dropout", "p": 0.5})


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """A network with data and a loss that fit it.

    Attributes
    ----------
    spec : NetworkSpec
        What declares the network.
    model : Sequential
        Built from it, in evaluation mode (so that dropout is the identity), with parameters drawn
        between -1 and 1, biases too: kinks are met by chance alone.
    x, target : ndarray
        A few rows of data, and what the loss compares the output with.
    loss : callable
        ``loss(output, target)``, one of `nn.functional`.
    """

    spec: NetworkSpec
    model: Sequential
    x: npt.NDArray[Any]
    target: npt.NDArray[Any]
    loss: Callable[..., Any]

    def objective(self, model: Sequential, x: Any = None) -> Tensor:
        """The loss of a model of this kind: what to hand to `check_gradients`.

        ``check_gradients(example.objective, example.model)`` checks the gradients of all
        parameters; with ``example.x`` as a third argument, those of the data too.
        """
        out: Tensor = self.loss(model(self.x if x is None else x), self.target)
        return out

    def __repr__(self) -> str:
        return f"<{self.loss.__name__} of {self.x.shape} in {self.model!r}>"


@st.composite
def networks(
    draw: st.DrawFn,
    /,
    *,
    max_layers: int = 4,
    max_width: int = 4,
    activations: Iterable[dict[str, Any]] = ACTIVATIONS,
    dtype: str = "float64",
) -> Example:
    """Networks of the layers that ship, with parameters, data and a loss that fit: an `Example`.

    Each has one `Linear` layer at least. They shrink to one of these, from one number to one.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(networks(), lambda example: True)
    <mse_loss of (1, 1) in Sequential(
      (0): Linear(1, 1)
    )>
    """
    known = tuple(dict(activation) for activation in activations)
    size = draw(shapes(1, 2, max_side=max_width))
    chain: list[dict[str, Any]] = [{"type": "Flatten"}] if len(size) > 1 else []
    chain.append(draw(_linear(max_width)))
    more = st.sampled_from((*known, *_OTHERS)) | _linear(max_width)
    chain += draw(st.lists(more, max_size=max_layers - 1))
    if draw(st.booleans()):  # the last layers as a Sequential inside
        cut = draw(st.integers(0, len(chain) - 1))
        chain[cut:] = [{"type": "Sequential", "layers": chain[cut:]}]
    spec = NetworkSpec(size, chain, dtype)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    model, x = _with_data(spec, rng, draw(st.integers(1, 3)))
    name = draw(st.sampled_from(LOSSES))
    return Example(spec, model, x, _target(rng, name, model(x).shape), getattr(functional, name))


@st.composite
def layers(
    draw: st.DrawFn, /, *, max_width: int = 4, dtype: str = "float64"
) -> tuple[Module, npt.NDArray[Any]]:
    """A layer of any kind that takes one array of numbers, in evaluation mode, and such an array.

    Examples
    --------
    >>> from hypothesis import find
    >>> layer, x = find(layers(), lambda pair: type(pair[0]).__name__ == "Linear")
    >>> layer(x).shape
    (1, 1)
    """
    size = draw(shapes(1, 2, max_side=max_width))
    kinds: tuple[dict[str, Any], ...] = ({"type": "Flatten"}, *_OTHERS, *ACTIVATIONS)
    others = st.sampled_from(kinds)
    if draw(st.booleans()):
        size, kind = draw(st.sampled_from(SHAPED))
    else:  # `Linear` is for inputs with a single axis
        kind = draw(_linear(max_width) | others if len(size) == 1 else others)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    model, x = _with_data(NetworkSpec(size, [kind], dtype), rng, draw(st.integers(1, 3)))
    return model[0], x


def _with_data(
    spec: NetworkSpec, rng: np.random.Generator, rows: int
) -> tuple[Sequential, npt.NDArray[Any]]:
    """The network in evaluation mode, with parameters between -1 and 1, and rows of data."""
    model = spec.build(0)
    model.eval()
    for parameter in model.parameters():
        parameter.data = rng.uniform(-1, 1, parameter.shape).astype(spec.dtype)
    return model, rng.uniform(-2, 2, (rows, *spec.input_shape)).astype(spec.dtype)


def _linear(max_width: int) -> st.SearchStrategy[dict[str, Any]]:
    width = st.integers(1, max_width)
    bias = st.sampled_from([True, False])
    return st.builds(lambda n, b: {"type": "Linear", "out_features": n, "bias": b}, width, bias)


#: Losses of `nn.functional` that take an output and a target.
LOSSES = (
    "mse_loss",
    "half_squared_error",
    "huber_loss",
    "l1_loss",
    "cross_entropy",
    "binary_cross_entropy_with_logits",
)


def _target(rng: np.random.Generator, loss: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """What a loss compares an output of a shape with: numbers, labels, or probabilities."""
    if loss == "cross_entropy":
        return rng.integers(0, shape[-1], shape[:1])
    if loss == "binary_cross_entropy_with_logits":
        return rng.uniform(0, 1, shape)
    return rng.uniform(-2, 2, shape)
