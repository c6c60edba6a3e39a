"""One step of a recurrent network: a simple cell, LSTM and GRU, composed of dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest, user_line
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.functional import relu, sigmoid, tanh
from tinygrad_bp.nn.init import Seed, child_stream, uniform
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.ops.linear_algebra import linear


def choice(name: str, value: Any, known: tuple[str, ...]) -> Any:
    """One of several words; an error that names the nearest where it is none."""
    if value not in known:
        words = " or ".join(map(repr, known))
        raise ArgumentError(
            f"{name} is {words}, not {value!r} (at {user_line()}).\n"
            f"Fix: {nearest(str(value), known)}"
        )
    return value


def misfit(
    module: Module, what: str, shape: tuple[int, ...], expected: str, fix: str
) -> ShapeError:
    """The error for an input or a state of another shape than a module expects."""
    where = MODE.get().path() or type(module).__name__
    return ShapeError(
        f"in {where} ({type(module).__name__}): {what} {shape}, expected {expected}.\nFix: {fix}"
    )


class _Cell(Module):
    """What the cells share: four parameters, and the checks of what they are called on."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        self.input_size = positive("input_size", input_size)
        self.hidden_size = positive("hidden_size", hidden_size)
        self.bias = bias
        rng, rows = child_stream(generator), self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, self.hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        bound = self.hidden_size**-0.5
        self.weight_ih: Parameter
        self.weight_hh: Parameter
        self.bias_ih: Parameter | None
        self.bias_hh: Parameter | None
        for name, shape in shapes.items():
            values = None
            if bias or name.startswith("weight"):
                drawn = uniform(shape, rng, dtype, low=-bound, high=bound)
                values = Parameter(drawn, dtype, name=name)
            setattr(self, name, values)

    def _started(self, x: Any, states: Any) -> tuple[Any, list[Any]]:
        """The input, and the states before, which are zeros where none are given."""
        x = as_tensor(x)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            expected = f"({self.input_size},) or (samples, {self.input_size})"
            fix = f"one step of {self.input_size} features for each sample."
            raise misfit(self, "input", x.shape, expected, fix)
        shape = (*x.shape[:-1], self.hidden_size)
        if states is None:
            return x, [np.zeros(shape, self.weight_hh.dtype)] * 2
        found = [as_tensor(each) for each in states]
        for state in found:
            if state.shape != shape:
                fix = "the state that this cell gave for samples as many as these."
                raise misfit(self, "state", state.shape, str(shape), fix)
        return x, found

    def _products(self, x: Any, h: Any) -> tuple[Any, Any]:
        """What comes from the input, and from the state before."""
        return linear(x, self.weight_ih, self.bias_ih), linear(h, self.weight_hh, self.bias_hh)

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self)


@register_layer(sizes={"input_size": -1})
class RNNCell(_Cell):
    r"""A step of a simple (Elman) network: :math:`h' = \tanh(W x + b + U h + c)`.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of `x` and `h`.
    bias : bool, default True
        Whether there are `b` and `c`.
    nonlinearity : {"tanh", "relu"}
        What is applied to the sum.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from, uniform on ±1/√hidden_size.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        `W`, `U`, `b` and `c`.

    Examples
    --------
    >>> cell, h = RNNCell(3, 4), None
    >>> for x in np.zeros((5, 2, 3), np.float32):
    ...     h = cell(x, h)
    >>> h.shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        self.nonlinearity = choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(input_size, hidden_size, bias, dtype=dtype, generator=generator)

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Map (samples, input_size) and the state before to the new state."""
        x, (h, *_) = self._started(input, None if hx is None else [hx])
        given, kept = self._products(x, h)
        return (tanh if self.nonlinearity == "tanh" else relu)(given + kept)


@register_layer(sizes={"input_size": -1})
class GRUCell(_Cell):
    r"""A step of a gated recurrent unit.

    With :math:`r, u, n` for the three parts of the weights, :math:`h' = u h + (1 - u) n`, in which
    :math:`r` and :math:`u` are :math:`\sigma(W x + b + U h + c)`, and
    :math:`n = \tanh(W x + b + r \, (U h + c))`. K. Cho et al., arXiv:1406.1078.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of `x` and `h`.
    bias : bool, default True
        Whether there are `b` and `c`.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from, uniform on ±1/√hidden_size.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        `W`, `U`, `b` and `c`, the rows of r first, then those of u and n.

    Examples
    --------
    >>> GRUCell(3, 4)(np.zeros((2, 3), np.float32)).shape
    (2, 4)
    """

    gates = 3

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Map (samples, input_size) and the state before to the new state."""
        x, (h, *_) = self._started(input, None if hx is None else [hx])
        given, kept = (np.split(part, 3, axis=-1) for part in self._products(x, h))
        r, u = sigmoid(given[0] + kept[0]), sigmoid(given[1] + kept[1])
        n = tanh(given[2] + r * kept[2])
        new: Tensor = n + u * (h - n)
        return new


@register_layer(sizes={"input_size": -1})
class LSTMCell(_Cell):
    r"""A step of a long short-term memory.

    With :math:`i, f, g, o` for the four parts of :math:`W x + b + U h + c`, the cell becomes
    :math:`c' = \sigma(f) c + \sigma(i) \tanh g`, and the state :math:`h' = \sigma(o) \tanh c'`.
    S. Hochreiter and J. Schmidhuber, Neural Computation 9 (1997), with the forget gate of F. A.
    Gers et al. (2000).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of `x` and `h`.
    bias : bool, default True
        Whether there are `b` and `c`.
    returns : {"all", "last"}
        Both states, or `h'` alone, as for what follows in a spec.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where the first values come from, uniform on ±1/√hidden_size.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : Parameter
        `W`, `U`, `b` and `c`, the rows of i first, then those of f, g and o.

    Examples
    --------
    >>> h, c = LSTMCell(3, 4)(np.zeros((2, 3), np.float32))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        returns: str = "all",
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
    ) -> None:
        self.returns = choice("returns", returns, ("all", "last"))
        super().__init__(input_size, hidden_size, bias, dtype=dtype, generator=generator)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Map (samples, input_size) and the states (h, c) before to the new states."""
        x, (h, c) = self._started(input, hx)
        given, kept = self._products(x, h)
        i, f, g, o = np.split(given + kept, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h if self.returns == "last" else (h, c)
