"""From the plain data of a `NetworkSpec` to modules, by a dry run."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.errors import ArgumentError, SpecError, TgError, nearest
from tinygrad_bp.nn.containers import Sequential
from tinygrad_bp.nn.declarations import INPUT, Layer, Shape, as_layer
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.parametrizations import declare
from tinygrad_bp.nn.registry import LAYERS, RESERVED, SHARED, LayerKind
from tinygrad_bp.nn.sharing import share
from tinygrad_bp.nn.wired import Wired, check_wire, default_input, value_of


class LayerShape(NamedTuple):
    """One layer in a dry run: its dotted position, its type, and the shape of its output."""

    path: str
    type: str
    shape: Shape


class _Place(NamedTuple):
    """Where a layer stands in the spec: by positions, by names, and its source of seeds."""

    position: str
    name: str
    seeds: np.random.SeedSequence

    def below(self, i: int, position: str, name: str) -> _Place:
        """Of the part with this number."""
        seeds = np.random.SeedSequence(self.seeds.entropy, spawn_key=(*self.seeds.spawn_key, i))
        return _Place(
            f"{self.position}.{position}" if self.position else position,
            f"{self.name}.{name}" if self.name else name,
            seeds,
        )


class Building:
    """A network that is being built, layer by layer, each for what those before it give.

    Parameters
    ----------
    dtype : str
        Of the parameters.

    Attributes
    ----------
    shapes : list of LayerShape
        What each layer gave.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.shapes: list[LayerShape] = []
        self._built: dict[str, Module] = {}

    def network(
        self, layers: Any, input_shape: Any, seeds: np.random.SeedSequence
    ) -> tuple[Sequential, list[LayerShape]]:
        """The whole network, and the shape that each layer gives.

        Raises
        ------
        SpecError
            A layer cannot be made, or cannot work on its input.
        """
        shapes = input_shape if isinstance(input_shape, dict) else {INPUT: input_shape}
        try:
            given = {name: np.zeros((1, *shape), self.dtype) for name, shape in shapes.items()}
        except ValueError as error:  # of more axes, or elements, than any array has
            raise SpecError(
                f"no array has the shape of a sample {input_shape!r}: {error}.\n"
                "Fix: the shape of one sample, as [784] or [28, 28]."
            ) from error
        model, _ = self._network(layers, given, _Place("", "", seeds))
        model.input_shape = copy.copy(input_shape)
        return model, self.shapes

    def _network(self, layers: Any, given: dict[str, Any], at: _Place) -> tuple[Sequential, Any]:
        """Layers one after another, or wired where they say so, and what the last one gives."""
        built, wires, out = self._chain(layers, given, at)
        if len(given) == 1 and all(names == default for names, default in wires.values()):
            return Sequential(built), out
        for name in built:
            if name in given:
                where = f"layer {at.position}.{name}" if at.position else f"layer {name}"
                raise SpecError(
                    f"{where} has the name of an input, and layers name their inputs.\n"
                    "Fix: another name for the layer."
                )
        return Wired(built, {name: names for name, (names, _) in wires.items()}, [*given]), out

    def _chain(self, layers: Any, given: dict[str, Any], at: _Place) -> Any:
        """Modules by name, what each is called on and would be by default, the last output."""
        built: dict[str, Module] = {}
        wires: dict[str, tuple[list[str], list[str]]] = {}
        values = dict(given)
        before = default_input([*given])
        out = None
        for i, layer in enumerate(layers):
            name = layer.get("name", str(i))
            here = at.below(i, str(i), name)
            if name in built:
                raise _taken(layer, here)
            names = layer.get("inputs", before)
            inputs = [self._value(wire, values, layer, here) for wire in names]
            if not names:
                raise SpecError(
                    f"{_said(layer, here)} does not say its inputs.\n"
                    f'Fix: "inputs": [...], of {", ".join(values)}.'
                )
            built[name], out = self._layer(layer, inputs, here)
            wires[name] = (names, before)
            values[name], before = out, [name]
        return built, wires, out

    def _value(self, wire: str, values: dict[str, Any], layer: Layer, at: _Place) -> Any:
        """What a layer is called on by this name."""
        try:
            check_wire(wire, values, _said(layer, at))
            return value_of(wire, values)
        except ArgumentError as error:
            raise SpecError(str(error)) from error
        except (IndexError, TypeError) as error:
            name = wire.partition(".")[0]
            raise SpecError(
                f"{_said(layer, at)} has the input {wire!r}, and {name!r} gives "
                f"{_described(values[name])}.\n"
                f"Fix: {name!r}, or {name!r} with the number of an item that it has."
            ) from error

    def _layer(self, layer: Layer, inputs: list[Any], at: _Place) -> tuple[Module, Any]:
        """A layer, and what it gives."""
        where = _said(layer, at)
        if layer["type"] == "Sequential" and len(inputs) == 1:
            chain, out = self._network(layer["layers"], {INPUT: inputs[0]}, at)
            self._built[at.name] = chain
            return chain, out
        parts = self._parts(layer, inputs, at) if layer["type"] != SHARED else {}
        try:
            module = self._module(layer, inputs, parts, at)
            out = _called(module, inputs)
        except SpecError as error:
            raise SpecError(f"{where} {error}") from error
        except (TgError, TypeError, ValueError, IndexError, AttributeError) as error:
            shapes = " and ".join(_described(x) for x in inputs)
            if any(isinstance(x, (tuple, list)) for x in inputs):
                raise SpecError(
                    f"{where} is given {shapes}, which is several arrays.\n"
                    'Fix: name the one that is meant, "inputs": ["name.0"], or have the layer '
                    "before it return one."
                ) from error
            told = isinstance(error, TgError)
            fix = "" if told else "\nFix: other arguments, or an input of another shape."
            raise SpecError(f"{where} after an input of shape {shapes}: {error}{fix}") from error
        shape = _shape(out)
        if shape[:1] != (1,):
            raise SpecError(
                f"{where} turned a batch of one sample, {_shape(inputs[0])}, into {shape}: a layer "
                "keeps the batch axis, which comes first.\n"
                "Fix: have it work on the axes from 1 on, and leave axis 0 as it is."
            )
        if layer["type"] != SHARED:
            self._built[at.name] = module
        self.shapes.append(LayerShape(at.position, layer["type"], shape[1:]))
        return module, out

    def _parts(self, layer: Layer, inputs: list[Any], at: _Place) -> dict[str, Any]:
        """The layers that are arguments of a layer."""
        parts: dict[str, Any] = {}
        for k, (key, how) in enumerate(LAYERS[layer["type"]].parts.items()):
            if key not in layer:
                continue
            if how == "chain":
                parts[key], wires, _ = self._chain(layer[key], {INPUT: inputs[0]}, at)
                if any(names != default for names, default in wires.values()):
                    raise SpecError(
                        f"{_said(layer, at)}: its layers are a chain, in which none says its "
                        'inputs.\nFix: put them into one layer {"type": "Sequential", ...}.'
                    )
            elif how == "each":
                parts[key] = {}
                for i, part in enumerate(map(as_layer, layer[key])):
                    name = part.get("name", str(i))
                    here = at.below(i, str(i), name)
                    if name in parts[key]:
                        raise _taken(part, here)
                    parts[key][name] = self._part(part, inputs, here)
            else:  # its stream of random numbers does not depend on how many layers there are
                here = at.below(2**32 - 1 - k, key, key)
                parts[key] = self._part(as_layer(layer[key]), inputs, here)
        return parts

    def _part(self, layer: Layer, inputs: list[Any], at: _Place) -> Module:
        """A layer that works on what the layer works on of which it is a part."""
        if "inputs" in layer:
            raise SpecError(
                f"{_said(layer, at)} says its inputs, and has those of the layer around it.\n"
                "Fix: leave them out, or say them of the layer around it."
            )
        return self._layer(layer, inputs, at)[0]

    def _module(self, layer: Layer, inputs: list[Any], parts: dict[str, Any], at: _Place) -> Module:
        """The module of one layer."""
        if layer["type"] == SHARED:
            if layer["of"] not in self._built:
                known = (
                    nearest(layer["of"], self._built)
                    if self._built
                    else "put it behind that layer."
                )
                raise SpecError(
                    f"is of {layer['of']!r}, which is no layer before it.\nFix: {known}"
                )
            return self._built[layer["of"]]
        kind = LAYERS[layer["type"]]
        arguments = {
            key: copy.deepcopy(value)
            for key, value in layer.items()
            if key not in RESERVED and key not in kind.parts
        }
        rng = np.random.default_rng(at.seeds)
        handed = {
            "input_shape": _shape(inputs[0])[1:],
            "dtype": self.dtype,
            "generator": rng,
            **_inferred(kind, arguments, [_shape(x)[1:] for x in inputs]),
        }
        arguments.update({key: handed[key] for key in kind.handed})
        starred = [parts.pop(key) for key in [kind.starred] if key in parts]
        module = kind.cls(*starred, **arguments, **parts)
        for name, parametrization in layer.get("parametrizations", {}).items():
            declare(module, name, parametrization, rng)
        for name, source in layer.get("shares", {}).items():
            share(module, name, source, self._built)
        return module


def _said(layer: Layer, at: _Place) -> str:
    return f"layer {at.position} ({layer['type']})"


def _taken(layer: Layer, at: _Place) -> SpecError:
    name = at.name.rpartition(".")[2]
    return SpecError(
        f"{_said(layer, at)} has the name {name!r} of another layer.\n"
        "Fix: another name, which is no number, or none."
    )


def _inferred(kind: LayerKind, arguments: dict[str, Any], shapes: list[Shape]) -> Mapping[str, Any]:
    """The arguments that are lengths of axes of the inputs, or lists of those of the last axes.

    Raises
    ------
    SpecError
        An input has no such axis, or the spec declares another length.
    """
    sizes: dict[str, Any] = {}
    for key, (which, axis) in kind.sizes.items():
        if which >= len(shapes):
            raise SpecError(
                f"needs {which + 1} inputs for its {key}, and has {len(shapes)}.\n"
                'Fix: name them: "inputs": ["input", "encoder"].'
            )
        shape = shapes[which]
        if not -len(shape) <= axis < len(shape):
            needed = "an axis" if axis in (0, -1) else f"an axis {axis}"
            raise SpecError(
                f"needs an input with {needed}, and its input has the shape {shape}.\n"
                "Fix: an input_shape with more axes, or an Unflatten before the layer."
            )
        declared = arguments.get(key, shape[axis])
        several = isinstance(declared, (list, tuple)) and len(declared) > 0
        sizes[key] = list(shape[-len(declared) :]) if several else shape[axis]
        if (list(declared) if several else declared) != sizes[key]:
            after_flattening = [math.prod(shape[i:]) for i in range(len(shape))]
            joined = axis == -1 and arguments[key] in after_flattening
            raise SpecError(
                f"declares {key} = {arguments[key]}, and its input has the shape {shape}.\n"
                f"Fix: leave {key} out" + (", or put a Flatten before it." if joined else ".")
            )
    return sizes


def _called(module: Module, inputs: list[Any]) -> Any:
    """What a layer gives in eval mode; where it takes indices, on zeros that are integers."""
    first, *others = inputs
    if module.takes_indices and np.result_type(first).kind == "f":
        first = np.zeros(np.shape(first), np.int64)
    try:
        out = module.eval()(first, *others)
    except TypeError:
        _check_count(module, inputs)
        raise
    module.train()
    return out


def _check_count(module: Module, inputs: list[Any]) -> None:
    """Refuse inputs that are more, or fewer, than the layer computes with."""
    arguments = inspect.signature(module.forward)
    try:
        arguments.bind(*inputs)
    except TypeError:
        raise SpecError(
            f"is called on {len(inputs)} input{'s' * (len(inputs) > 1)}, and its class computes "
            f"with ({', '.join(arguments.parameters)}).\n"
            'Fix: as many names in "inputs": ["input", "encoder"].'
        ) from None


def _shape(value: Any) -> Shape:
    """The shape of what a layer gives, or of the first of several things."""
    while isinstance(value, (tuple, list)) and value:
        value = value[0]
    return np.shape(value)


def _described(value: Any) -> str:
    """The shape of a value without the batch axis, or what it holds."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_described(item) for item in value)})"
    return str(np.shape(value)[1:])
