"""What recurrent networks over sequences share: layers, both directions, packed sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import as_tensor
from tinygrad_bp.errors import ArgumentError, SpecError
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.cells import choice, misfit
from tinygrad_bp.nn.dropout import probability
from tinygrad_bp.nn.functional import dropout
from tinygrad_bp.nn.init import Seed, child_stream, uniform
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.packing import PackedSequence, pad_packed_sequence
from tinygrad_bp.nn.parameter import Parameter
from tinygrad_bp.ops.linear_algebra import linear

Shape = tuple[int, ...]


def check_declared(layer: Any, input_shape: Shape | None) -> None:
    """What a spec has to say of a layer of sequences, as its samples are (steps, features).

    Raises
    ------
    SpecError
        The samples have another shape, or the layer would take steps for samples.
    """
    if input_shape is None:
        return
    if len(input_shape) != 2:
        raise SpecError(
            f"takes sequences (steps, features), and its input has {input_shape}.\n"
            "Fix: an input_shape with both axes, as [20, 8]."
        )
    if not layer.batch_first:
        raise SpecError(
            "has batch_first = false, and the first axis is that of the samples.\n"
            "Fix: batch_first = true"
        )


class Order:
    """In which order the steps are taken, where the samples of a batch have lengths of their own.

    Backwards, each sample begins at its own end, and its padding stays where it is.
    """

    def __init__(self, steps: int, lengths: npt.NDArray[np.intp] | None) -> None:
        self.ends = None if lengths is None else lengths - 1
        if lengths is not None:
            t = np.arange(steps)[:, None]
            self.samples = np.arange(len(lengths))
            self.present = (t < lengths)[..., None]
            self.turned = np.where(t < lengths, lengths - 1 - t, t)

    def reverse(self, x: Any) -> Any:
        """The steps backwards; twice gives the steps as they were."""
        return x[::-1] if self.ends is None else x[self.turned, self.samples]

    def last(self, x: Any) -> Any:
        """The last step of each sample."""
        return x[-1] if self.ends is None else x[self.ends, self.samples]


class Recurrent(Module):
    """What the recurrent networks share; a subclass says how one layer goes over the steps."""

    gates = 1
    states = 1
    proj_size = 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
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
        self.input_size = positive("input_size", input_size)
        self.hidden_size = positive("hidden_size", hidden_size)
        self.num_layers = positive("num_layers", num_layers)
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        if not 0 <= self.proj_size < self.hidden_size:
            raise ArgumentError(
                f"proj_size is {self.proj_size!r}, and the states have {hidden_size} units.\n"
                "Fix: a smaller number, or 0 for no projection."
            )
        self.dropout = float(probability(self, "dropout", dropout, "[0, 1)"))
        self.returns = choice("returns", returns, ("all", "sequence", "last"))
        check_declared(self, input_shape)
        rng = child_stream(generator)
        self.generator = rng.spawn(1)[0] if dropout else None
        bound = self.hidden_size**-0.5
        for name, shape in self._shapes().items():
            values = uniform(shape, rng, dtype, low=-bound, high=bound)
            setattr(self, name, Parameter(values, dtype, name=name))

    def _suffixes(self) -> list[list[str]]:
        """Of each layer, how the names of its parameters end, in the direction of time first."""
        turned = ["_reverse"] if self.bidirectional else []
        return [[f"_l{k}{way}" for way in ("", *turned)] for k in range(self.num_layers)]

    def _shapes(self) -> dict[str, Shape]:
        """The shapes of all parameters, by their names."""
        rows, out = self.gates * self.hidden_size, self.proj_size or self.hidden_size
        shapes: dict[str, Shape] = {}
        for k, suffixes in enumerate(self._suffixes()):
            for suffix in suffixes:
                columns = out * len(suffixes) if k else self.input_size
                shapes |= {f"weight_ih{suffix}": (rows, columns), f"weight_hh{suffix}": (rows, out)}
                if self.bias:
                    shapes |= {f"bias_ih{suffix}": (rows,), f"bias_hh{suffix}": (rows,)}
                if self.proj_size:
                    shapes[f"weight_hr{suffix}"] = (out, self.hidden_size)
        return shapes

    def over_steps(self, x: Any, start: list[Any], suffix: str, order: Order) -> list[Any]:
        """All states, (steps, samples, units), of a layer in one direction; its outputs first.

        `start` are the states before, (samples, units) each; none stands for zeros.
        """
        raise NotImplementedError

    def part(self, name: str, suffix: str) -> Any:
        """A parameter by its name and the suffix of layer and direction; None without one."""
        return getattr(self, name + suffix, None)

    def given(self, x: Any, suffix: str) -> Any:
        """What comes from the inputs, for all steps at once; both biases are in it."""
        bias = self.part("bias_ih", suffix)
        if bias is not None:
            bias = bias + self.part("bias_hh", suffix)
        return linear(x, self.part("weight_ih", suffix), bias)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Map sequences, and the states before, to all outputs and the states after.

        Parameters
        ----------
        input : array_like or PackedSequence
            (steps, samples, input_size); with `batch_first`, (samples, steps, input_size); or
            (steps, input_size) for a single sample.
        hx : array_like, or pair of them for an LSTM; optional
            (layers · directions, samples, units), without the axis of samples for a single one.
            Zeros, unless given.
        """
        if isinstance(input, PackedSequence):
            return self._of_packed(input, hx)
        x = as_tensor(input)
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise self._misfit(x.shape)
        single, turn = x.ndim == 2, self.batch_first and x.ndim == 3
        steps = x[:, None] if single else np.swapaxes(x, 0, 1) if turn else x
        if not len(steps):
            raise self._misfit(x.shape)
        start = self._start(hx, steps.shape[1], single)
        y, after = self._layers(steps, start, Order(len(steps), None))
        if single:
            y, after = y[:, 0], [[state[0] for state in each] for each in after]
        return self._result(np.swapaxes(y, 0, 1) if turn else y, after)

    def _of_packed(self, packed: PackedSequence, hx: Any) -> Any:
        """Each sample with as many steps as it has."""
        padded, lengths = pad_packed_sequence(packed._replace(unsorted_indices=None))
        if padded.ndim != 3 or padded.shape[-1] != self.input_size:
            raise self._misfit(padded.shape)
        start, order = self._start(hx, len(lengths), False), Order(len(padded), lengths)
        if packed.sorted_indices is not None:
            start = [each[:, packed.sorted_indices] for each in start]
        y, after = self._layers(padded, start, order)
        if packed.unsorted_indices is not None:
            after = [[state[packed.unsorted_indices] for state in each] for each in after]
        return self._result(packed._replace(data=y[np.nonzero(order.present[..., 0])]), after)

    def _result(self, y: Any, after: list[list[Any]]) -> Any:
        """What was asked for, of the outputs and the states after all steps."""
        if self.returns == "sequence":
            return y
        if self.returns == "last":
            ends = after[0]
            return np.concatenate([ends[-2], ends[-1]], axis=-1) if self.bidirectional else ends[-1]
        stacked = tuple(np.stack(each) for each in after)
        return y, (stacked[0] if self.states == 1 else stacked)

    def _layers(self, x: Any, start: list[Any], order: Order) -> tuple[Any, list[list[Any]]]:
        """The outputs of the last layer; of states and cells, the last ones of all layers."""
        ends: list[list[Any]] = [[] for _ in range(self.states)]
        for k, suffixes in enumerate(self._suffixes()):
            if k and self.dropout:
                x = dropout(x, self.dropout, self.training, self.generator)
            outputs = []
            for way, suffix in enumerate(suffixes):
                given = order.reverse(x) if way else x
                before = [each[k * len(suffixes) + way] for each in start]
                found = self.over_steps(given, before, suffix, order)
                for place, state in zip(ends, found, strict=True):
                    place.append(order.last(state))
                outputs.append(order.reverse(found[0]) if way else found[0])
            x = np.concatenate(outputs, axis=-1) if self.bidirectional else outputs[0]
        return x, ends

    def _start(self, hx: Any, samples: int, single: bool) -> list[Any]:
        """The states before, (layers · directions, samples, units) each, if any are given."""
        if hx is None:
            return []
        units = [self.proj_size or self.hidden_size, self.hidden_size][: self.states]
        rows = self.num_layers * (2 if self.bidirectional else 1)
        found = [as_tensor(each) for each in (hx if self.states == 2 else [hx])]
        found = [each[:, None] if single and each.ndim == 2 else each for each in found]
        for each, n in zip(found, units, strict=True):
            if each.shape != (rows, samples, n):
                fix = "(layers · directions, samples, units), samples second also with batch_first."
                raise misfit(self, "state", each.shape, str((rows, samples, n)), fix)
        return found

    def _misfit(self, shape: Shape) -> Exception:
        axes = "samples, steps" if self.batch_first else "steps, samples"
        expected = f"({axes}, {self.input_size}), or (steps, {self.input_size}) for one sample"
        return misfit(self, "input", shape, expected, "one step or more, with its features last.")

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self)
