"""Recurrent networks over sequences: RNN, GRU and LSTM, in layers, both ways, and packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.nn.cells import choice
from tinygrad_bp.nn.functional import sigmoid, tanh
from tinygrad_bp.nn.init import Seed
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.sequences import Order, Recurrent, Shape
from tinygrad_bp.ops.linear_algebra import linear


@register_layer(sizes={"input_size": -1})
class RNN(Recurrent):
    r"""A simple (Elman) network over sequences: :math:`h_t = \tanh(W x_t + b + U h_{t-1} + c)`.

    It gives the states of the last layer, (steps, samples, units), and the last states of all
    layers, (layers · directions, samples, units).

    Parameters
    ----------
    input_size : int
        Features of each step.
    hidden_size : int
        Units of each state.
    num_layers : int, default 1
        Each layer but the first one takes the states of the layer before.
    nonlinearity : {"tanh", "relu"}
        What is applied to the sum.
    bias : bool, default True
        Whether there are `b` and `c`.
    batch_first : bool, default False
        Whether sequences come and go as (samples, steps, ...). A spec needs it.
    dropout : float, default 0
        Of the outputs of all layers but the last one, in training.
    bidirectional : bool, default False
        Whether each layer goes over the steps both ways; its outputs are then twice as long.
    returns : {"all", "sequence", "last"}
        Both; the states of the last layer at all steps; or its last states, those of both
        directions joined. In a spec, where other layers follow, one of the last two.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where first values, uniform on ±1/√hidden_size, and dropout come from.
    input_shape : tuple of int, optional
        Given by a spec.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        `W`, `U`, `b` and `c` of the first layer; those of the others end in ``_l1`` and so on,
        those of the way back in ``_l0_reverse``.

    Examples
    --------
    >>> states, last = RNN(3, 4)(np.zeros((10, 2, 3), np.float32))
    >>> states.shape, last.shape
    ((10, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        returns: str = "all",
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.nonlinearity = choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            returns=returns,
            dtype=dtype,
            generator=generator,
            input_shape=input_shape,
        )

    def over_steps(self, x: Any, start: list[Any], suffix: str, order: Order) -> list[Any]:
        """The states of one layer."""
        from tinygrad_bp.ops.recurrent import rnn_relu, rnn_tanh

        z, w = self.given(x, suffix), self.part("weight_hh", suffix)
        if self.nonlinearity == "tanh":
            return [rnn_tanh(z, w, *start)]
        if order.ends is not None:  # so that the states behind an end are 0, and do not grow
            z = np.where(order.present, z, np.finfo(z.dtype).min / 2)
        return [rnn_relu(z, w, *start)]


@register_layer(sizes={"input_size": -1})
class GRU(Recurrent):
    r"""A gated recurrent unit over sequences; `GRUCell` has the formulas of a step.

    It gives the states of the last layer, (steps, samples, units), and the last states of all
    layers, (layers · directions, samples, units).

    Parameters
    ----------
    input_size : int
        Features of each step.
    hidden_size : int
        Units of each state.
    num_layers, bias, batch_first, dropout, bidirectional, returns, dtype, generator, input_shape
        As of `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        As of `GRUCell`; the names end as those of `RNN`.

    Examples
    --------
    >>> GRU(3, 4, bidirectional=True, returns="last")(np.zeros((10, 2, 3), np.float32)).shape
    (2, 8)
    """

    gates = 3

    def over_steps(self, x: Any, start: list[Any], suffix: str, order: Order) -> list[Any]:
        """The states of one layer."""
        from tinygrad_bp.ops.recurrent import gru

        z = linear(x, self.part("weight_ih", suffix), self.part("bias_ih", suffix))
        w, b = self.part("weight_hh", suffix), self.part("bias_hh", suffix)
        return [gru(z, w, np.zeros(len(w), w.dtype) if b is None else b, *start)]


@register_layer(sizes={"input_size": -1})
class LSTM(Recurrent):
    r"""A long short-term memory over sequences; `LSTMCell` has the formulas of a step.

    It gives the states of the last layer, (steps, samples, units), and a pair: the last states
    and the last cells of all layers, (layers · directions, samples, units) each.

    Parameters
    ----------
    input_size : int
        Features of each step.
    hidden_size : int
        Units of each cell.
    num_layers, bias, batch_first, dropout, bidirectional
        As of `RNN`.
    proj_size : int, default 0
        Where not 0, states are linear maps of the cells' outputs, of so many units. H. Sak et
        al., arXiv:1402.1128. It is composed of single steps, which take longer.
    returns, dtype, generator, input_shape
        As of `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 : Parameter
        As of `LSTMCell`; the names end as those of `RNN`.
    weight_hr_l0 : Parameter
        The linear map, (proj_size, hidden_size), where there is one.

    Examples
    --------
    >>> lstm = LSTM(3, 4, num_layers=2, batch_first=True)
    >>> states, (h, c) = lstm(np.zeros((2, 10, 3), np.float32))
    >>> states.shape, h.shape, c.shape
    ((2, 10, 4), (2, 2, 4), (2, 2, 4))
    """

    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        returns: str = "all",
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.proj_size = proj_size
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            returns=returns,
            dtype=dtype,
            generator=generator,
            input_shape=input_shape,
        )

    def over_steps(self, x: Any, start: list[Any], suffix: str, order: Order) -> list[Any]:
        """The states and the cells of one layer."""
        from tinygrad_bp.ops.lstm import lstm

        z, w = self.given(x, suffix), self.part("weight_hh", suffix)
        if not self.proj_size:
            both = lstm(z, w, *start)
            return [both[0], both[1]]
        zeros = [np.zeros((z.shape[1], n), w.dtype) for n in (self.proj_size, self.hidden_size)]
        (h, c), found = start or zeros, []
        for t in range(len(z)):
            i, f, g, o = np.split(z[t] + linear(h, w), 4, axis=-1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = linear(sigmoid(o) * tanh(c), self.part("weight_hr", suffix))
            found.append((h, c))
        return [np.stack(each) for each in zip(*found, strict=True)]
