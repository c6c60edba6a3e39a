"""Layers that name their inputs: networks that branch and join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_bp.errors import ArgumentError, IndexingError, a_kind, nearest
from tinygrad_bp.nn.arguments import one_line
from tinygrad_bp.nn.containers import Layer, Sequential, place


class Wired(Sequential):
    """Layers in order, each called on the values that it names.

    A value is an input of the network, or what an earlier layer gave; ``"lstm.1"`` is the item 1
    of the tuple that ``"lstm"`` gave. The last layer gives the output. `NetworkSpec` builds one
    where layers have the key ``inputs``.

    Parameters
    ----------
    layers : mapping of str to Module or callable
        In the order in which they are called.
    inputs : mapping of str to sequence of str
        By layer, the names of what it is called on. A layer that is left out gets what the one
        before it gave; the first, the input.
    given : sequence of str, default ("input",)
        The names of the inputs of the network, in the order in which they are passed.

    Raises
    ------
    ArgumentError
        A name is not known where it is used; or, on a call, the number of inputs is another.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_bp.nn import Add, Linear
    >>> layers = {"down": Linear(4, 2, generator=0), "up": Linear(2, 4, generator=1), "sum": Add()}
    >>> model = Wired(layers, {"sum": ["up", "input"]})
    >>> model
    Wired(
      (down): Linear(4, 2) of input
      (up): Linear(2, 4) of down
      (sum): Add() of up, input
    )
    >>> model(np.zeros((3, 4), np.float32)).shape
    (3, 4)
    """

    def __init__(
        self,
        layers: Mapping[str, Layer],
        inputs: Mapping[str, Sequence[str]],
        given: Sequence[str] = ("input",),
    ) -> None:
        if not isinstance(layers, Mapping) or not isinstance(inputs, Mapping):
            raise ArgumentError(
                f"a Wired takes a dict of layers and one of their inputs, not {a_kind(layers)} and "
                f"{a_kind(inputs)}.\n"
                'Fix: Wired({"a": layer, "b": layer}, {"b": ["a", "input"]})'
            )
        super().__init__(layers)
        self.given = _names(given, "the inputs of the network")
        if not self.given or any("." in name for name in self.given):
            raise ArgumentError(
                f"the inputs of the network are named by texts without dots, not by {given!r}.\n"
                'Fix: given=("left", "right"), with names like these.'
            )
        taken = [name for name in (*layers, *self.given) if [*layers, *self.given].count(name) > 1]
        if taken:
            raise ArgumentError(
                f"two inputs or layers have the name {taken[0]!r}.\nFix: names that differ."
            )
        self.inputs: dict[str, list[str]] = {}
        for name in inputs:
            if name not in layers:
                raise ArgumentError(
                    f"there is no layer {name!r} to wire.\nFix: {nearest(name, layers)}"
                )
        known: dict[str, Any] = dict.fromkeys(self.given)
        before = default_input(self.given)
        for name in layers:
            self.inputs[name] = wires = [*_names(inputs.get(name, before), f"layer {name}")]
            if not wires:
                raise ArgumentError(
                    f"layer {name} does not say its inputs.\n"
                    f"Fix: inputs={{{name!r}: [...]}}, of {', '.join(known)}."
                )
            for wire in wires:
                check_wire(wire, known, f"layer {name}")
            known[name] = None
            before = [name]

    def forward(self, *inputs: Any) -> Any:
        """Call each layer on what it names; the last one's output is that of the network."""
        if len(inputs) != len(self.given):
            raise ArgumentError(
                f"{place(self)}: it has {len(self.given)} inputs, and got {len(inputs)}.\n"
                f"Fix: pass {', '.join(self.given)}."
            )
        values: dict[str, Any] = dict(zip(self.given, inputs, strict=True))
        out: Any = inputs[0]
        for name, layer in self._layers.items():
            out = values[name] = layer(*[value_of(wire, values) for wire in self.inputs[name]])
        return out

    def before(self, name: str) -> str | None:
        """The name of the layer whose output the one with this name gets, if it is of one."""
        wires = self.inputs.get(name, [])
        return wires[0] if len(wires) == 1 and wires[0] in self._layers else None

    def _arrange(self, items: list[tuple[str, Layer]]) -> Any:
        raise ArgumentError(
            "the layers of a Wired know each other by name, so none is put in or taken out.\n"
            "Fix: make another: Wired(layers, inputs)."
        )

    def __getitem__(self, index: Any) -> Any:
        return self._arrange([]) if isinstance(index, slice) else super().__getitem__(index)

    @property
    def takes_indices(self) -> bool:  # type: ignore[override]
        """Whether a layer that reads an input takes whole numbers."""
        readers = [name for name, wires in self.inputs.items() if {*wires} & {*self.given}]
        return any(getattr(self[name], "takes_indices", False) for name in readers)

    def _lines(self) -> Iterable[tuple[str, Any]]:
        for name, layer in self._layers.items():
            yield name, _Said(f"{layer!r} of {one_line(', '.join(self.inputs[name]))}")


def _names(names: Any, where: str) -> tuple[str, ...]:
    """Names in a list, or an error."""
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ArgumentError(
            f"{where}: {names!r} is no list of names.\nFix: a list, as ['input', 'encoder']."
        )
    return tuple(names)


class _Said(str):
    """A text whose repr is the text."""

    __slots__ = ()
    __repr__ = str.__str__


def default_input(given: Sequence[str]) -> list[str]:
    """What the first layer is called on unless it says so: the input, where there is one."""
    return [*given] if len(given) == 1 else []


def check_wire(wire: str, known: Iterable[str], where: str) -> None:
    """Check what a layer is called on: a name, or the position of an item, as ``"name.1.0"``.

    Raises
    ------
    ArgumentError
        There is no value of this name, or what follows it is no number.
    """
    name, *items = wire.split(".")
    if name not in known:
        raise ArgumentError(
            f"{where} has the input {wire!r}, which is no input of the network and no layer before "
            f"it.\nFix: {nearest(name, known)}"
        )
    if not all(item.isdecimal() for item in items):
        raise ArgumentError(
            f"{where} has the input {wire!r}: what follows the name {name!r} is the position of an "
            "item.\nFix: a name, or a name with a number, as 'lstm.1'."
        )


def value_of(wire: str, values: Mapping[str, Any]) -> Any:
    """The value that a wire names."""
    name, *items = wire.split(".")
    value = values[name]
    for item in items:
        if isinstance(value, (tuple, list)) and int(item) >= len(value):
            raise IndexingError(
                f"there is no {wire!r}: {name!r} gave {len(value)} items.\n"
                f"Fix: a number below {len(value)}."
            )
        value = value[int(item)]
    return value
