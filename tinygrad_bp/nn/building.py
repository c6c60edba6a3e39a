"""From the plain data of a `NetworkSpec` to modules, and back."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.errors import SpecError, TgError
from tinygrad_bp.nn.layers import Sequential
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import LAYERS, RESERVED

Shape = tuple[int, ...]
Layer = dict[str, Any]


class LayerShape(NamedTuple):
    """One layer in a dry run: its dotted position, its type, and the shape of its output."""

    path: str
    type: str
    shape: Shape


def assemble(
    layers: Iterable[Layer],
    shape: Shape,
    dtype: str,
    seeds: np.random.SeedSequence,
    prefix: str,
    shapes: list[LayerShape],
) -> Sequential:
    """Build the layers one by one, each for the shape that the one before it gives.

    Parameters
    ----------
    layers : iterable of dict
        Checked as far as keys and types go.
    shape : tuple of int
        Of the input, without the batch axis.
    dtype : str
        Of the parameters.
    seeds : SeedSequence
        Each layer's stream follows from it and the layer's position.
    prefix : str
        Of the position of each layer, as ``2.`` inside of layer 2.
    shapes : list of LayerShape
        Is extended by what each layer gives.

    Raises
    ------
    SpecError
        A layer cannot be made, or cannot work on its input.
    """
    built: dict[str, Module] = {}
    for i, layer in enumerate(layers):
        kind, name = layer["type"], layer.get("name", str(i))
        where = f"layer {prefix}{i} ({kind})"
        seed = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, i))
        if name in built:
            raise SpecError(f"{where} has the name {name!r} of another layer.")
        if kind == "Sequential":
            built[name] = assemble(layer["layers"], shape, dtype, seed, f"{prefix}{i}.", shapes)
            shape = shapes[-1].shape
            continue
        try:
            built[name] = _make(layer, shape, dtype, seed)
            zeros = np.zeros((1, *shape), np.int64 if built[name].takes_indices else dtype)
            out = _shape(built[name].eval()(zeros))
            built[name].train()
        except SpecError as error:
            raise SpecError(f"{where} {error}") from error
        except (TgError, TypeError, ValueError, IndexError) as error:
            raise SpecError(f"{where} after an input of shape {shape}: {error}") from error
        if out[:1] != (1,):
            raise SpecError(
                f"{where} turned a batch of one sample, {(1, *shape)}, into {out}: a layer keeps "
                "the batch axis, which comes first."
            )
        shape = out[1:]
        shapes.append(LayerShape(f"{prefix}{i}", kind, shape))
    return Sequential(built)


def _shape(out: Any) -> Shape:
    """The shape of what a layer gives, which may be the first of several things."""
    while isinstance(out, (tuple, list)) and out:
        out = out[0]
    return np.shape(out)


def _make(layer: Layer, shape: Shape, dtype: str, seed: np.random.SeedSequence) -> Module:
    kind = LAYERS[layer["type"]]
    arguments = {k: copy.deepcopy(value) for k, value in layer.items() if k not in RESERVED}
    handed = {"input_shape": shape, "dtype": dtype, "generator": np.random.default_rng(seed)}
    for key, axis in kind.sizes.items():
        if not -len(shape) <= axis < len(shape):
            needed = "an axis" if axis in (0, -1) else f"an axis {axis}"
            raise SpecError(f"needs an input with {needed}, and its input has the shape {shape}.")
        handed[key] = shape[axis]
        if arguments.get(key, shape[axis]) != shape[axis]:
            joined = axis == -1 and arguments[key] in _sizes(shape)
            raise SpecError(
                f"declares {key} = {arguments[key]}, and its input has the shape {shape}.\n"
                f"Fix: leave {key} out" + (", or put a Flatten before it." if joined else ".")
            )
    return kind.cls(**{**arguments, **{key: handed[key] for key in kind.handed}})


def _sizes(shape: Shape) -> list[int]:
    """What the length of the last axis would be after flattening from each axis."""
    return [math.prod(shape[i:]) for i in range(len(shape))]


def describe(model: Sequential, prefix: str, seen: set[int]) -> list[Layer]:
    """The declarations of the layers of a model.

    Raises
    ------
    SpecError
        A layer is not registered, occurs twice, or does not keep its arguments.
    """
    entries: list[Layer] = []
    for i, (name, layer) in enumerate(model.items()):
        where = f"layer {prefix}{name} ({type(layer).__name__})"
        if id(layer) in seen:
            raise SpecError(f"{where} occurs twice: a spec cannot declare shared parameters.")
        seen.add(id(layer))
        entry: Layer = {}
        if type(layer) is Sequential:
            entry["type"] = "Sequential"
            entry["layers"] = describe(layer, f"{prefix}{name}.", seen)
        else:
            kind = next((k for k in LAYERS if LAYERS[k].cls is type(layer)), None)
            if kind is None:
                raise SpecError(
                    f"{where}: {layer!r} is not a registered layer.\n"
                    "Fix: use a module, and decorate its class with @register_layer."
                )
            entry["type"] = kind
            entry.update(_config(layer, LAYERS[kind].keys, where))
        if name != str(i):
            entry["name"] = name
        entries.append(entry)
    return entries


def _config(layer: Any, keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments with which the layer was made, without those that are at their defaults."""
    if hasattr(layer, "config"):
        values = layer.config()
    else:
        lacking = [key for key in keys if not hasattr(layer, key)]
        if lacking:
            raise SpecError(
                f"{where} does not keep its argument {lacking[0]!r}.\nFix: assign it to "
                f"self.{lacking[0]} in __init__, or write a method config() that returns a dict."
            )
        values = {key: getattr(layer, key) for key in keys}
    return {key: value for key, value in values.items() if not _same(value, keys.get(key))}


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def first_size(model: Sequential) -> int:
    """The length of the last axis of the input, as the first layer tells it.

    Raises
    ------
    SpecError
        It does not tell.
    """
    layer = next(iter(model), None)
    if isinstance(layer, Sequential):
        return first_size(layer)
    size = getattr(layer, "in_features", None)
    if size is None:
        raise SpecError(
            "the first layer does not tell the shape of its input.\n"
            "Fix: NetworkSpec.from_module(model, input_shape=(28, 28))"
        )
    return int(size)
