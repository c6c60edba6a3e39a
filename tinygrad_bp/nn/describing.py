"""From modules to the plain data of a `NetworkSpec`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import SpecError
from tinygrad_bp.nn.containers import Layers, Sequential
from tinygrad_bp.nn.declarations import INPUT, Layer
from tinygrad_bp.nn.layers import name_of
from tinygrad_bp.nn.module import Module, members
from tinygrad_bp.nn.parametrizations import declared
from tinygrad_bp.nn.registry import LAYERS, SHARED, LayerKind
from tinygrad_bp.nn.wired import Wired, default_input


class Description:
    """The declarations of the layers of a model, while they are written."""

    def __init__(self) -> None:
        self._modules: dict[int, str] = {}
        self._parameters: dict[int, str] = {}

    def network(self, model: Sequential, path: str = "") -> list[Layer]:
        """The declarations of the layers of a model.

        Raises
        ------
        SpecError
            A layer is not registered, or does not keep its arguments; or a container has parameters
            beside its layers.
        """
        own = [name for name, part in members(model) if isinstance(part, Tensor)]
        if own:
            where = f"layer {path} (Sequential)" if path else "the network"
            raise SpecError(
                f"{where} has {own[0]!r} beside its layers, which no spec can declare.\n"
                "Fix: put it into a layer of its own, and decorate its class with @register_layer."
            )
        given = model.given if isinstance(model, Wired) else (INPUT,)
        entries = self._entries(model.items(), path)
        before = default_input(given)
        for (name, _), entry in zip(model.items(), entries, strict=True):
            wires = model.inputs[name] if isinstance(model, Wired) else before
            if wires != before:
                entry["inputs"] = list(wires)
            before = [name]
        return entries

    def _entries(self, items: Iterable[tuple[str, Any]], path: str) -> list[Layer]:
        entries = []
        for i, (name, layer) in enumerate(items):
            entry = self._layer(layer, f"{path}.{name}" if path else name)
            if name != str(i):
                entry["name"] = name
            entries.append(entry)
        return entries

    def _layer(self, layer: Any, path: str) -> Layer:
        where = f"layer {path} ({type(layer).__name__})"
        if not isinstance(layer, Module) and name_of(layer):
            return {"type": "Lambda", "function": name_of(layer)}
        if id(layer) in self._modules:
            return {"type": SHARED, "of": self._modules[id(layer)]}
        cls = Sequential if type(layer) is Wired else type(layer)
        kind = next((k for k in LAYERS if LAYERS[k].cls is cls), None)
        if kind is None:
            raise SpecError(
                f"{where}: {layer!r} is not a registered layer.\n"
                "Fix: use a module, and decorate its class with @register_layer."
            )
        entry: Layer = {"type": kind}
        if kind == "Sequential":
            entry["layers"] = self.network(layer, path)
        else:
            entry.update(self._config(layer, LAYERS[kind], path, where))
        self._modules[id(layer)] = path
        if not LAYERS[kind].parts:
            entry.update(self._changed(layer, path))
        return entry

    def _changed(self, layer: Module, path: str) -> Layer:
        """The parameters that are those of another layer, and those that are computed."""
        shares = {}
        for name, parameter in layer.named_parameters():
            known = self._parameters.setdefault(id(parameter), f"{path}.{name}")
            if known != f"{path}.{name}":
                shares[name] = known
        computed = declared(layer)
        return {
            **({"parametrizations": computed} if computed else {}),
            **({"shares": shares} if shares else {}),
        }

    def _config(self, layer: Any, kind: LayerKind, path: str, where: str) -> dict[str, Any]:
        """The arguments with which the layer was made, without those that are at their defaults."""
        starred = kind.starred if kind.starred in kind.parts else None
        keys = [key for key in kind.keys if key != starred]
        if hasattr(layer, "config"):
            values = layer.config()
        else:
            lacking = [key for key in keys if not hasattr(layer, key)]
            if lacking:
                raise SpecError(
                    f"{where} does not keep its argument {lacking[0]!r}.\nFix: assign it to "
                    f"self.{lacking[0]} in __init__, or write a method config() that returns a "
                    "dict."
                )
            values = {key: getattr(layer, key) for key in keys}
        told: dict[str, Any] = {}
        if starred is not None:
            told[starred] = self._starred(layer, kind.parts[starred], path)
        for key, value in values.items():
            if not _same(value, kind.keys.get(key)):
                told[key] = self._part(value, f"{path}.{key}") if key in kind.parts else value
        return told

    def _starred(self, layer: Layers, how: str, path: str) -> list[Any]:
        entries = self._entries(layer.items(), path)
        return [_short(entry) for entry in entries] if how == "each" else entries

    def _part(self, layer: Any, path: str) -> Any:
        return _short(self._layer(layer, path))


def _short(entry: Layer) -> Any:
    """A Sequential without a name as the list of its layers."""
    plain = entry["type"] == "Sequential" and set(entry) == {"type", "layers"}
    return entry["layers"] if plain else entry


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
    if isinstance(layer, Layers) and not isinstance(model, Wired):
        return first_size(layer)  # type: ignore[arg-type]
    size = getattr(layer, "in_features", None)
    if size is None or isinstance(model, Wired):
        raise SpecError(
            "the first layer does not tell the shape of its input.\n"
            "Fix: NetworkSpec.from_module(model, input_shape=(28, 28))"
        )
    return int(size)


def one_dtype(model: Module) -> Mapping[str, str]:
    """The dtype of all parameters, as an argument of `NetworkSpec`; none without parameters.

    Raises
    ------
    SpecError
        They have several.
    """
    dtypes = {str(parameter.dtype) for parameter in model.parameters()}
    if len(dtypes) > 1:
        raise SpecError(
            f"a spec has one dtype, and the parameters have {' and '.join(sorted(dtypes))}.\n"
            "Fix: model.astype(np.float32)"
        )
    return {"dtype": dtypes.pop()} if dtypes else {}
