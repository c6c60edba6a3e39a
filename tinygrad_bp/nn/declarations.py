"""What may stand in the plain data of a `NetworkSpec`: keys, types, and what they mean in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_bp.errors import SpecError, nearest
from tinygrad_bp.nn.parametrizations import in_full
from tinygrad_bp.nn.registry import COMMON, LAYERS, RESERVED, SHARED

Shape = tuple[int, ...]
Layer = dict[str, Any]

#: What an input is called where the network has only one.
INPUT = "input"


def checked_shape(shape: Any) -> Any:
    """The shape of a sample as a tuple; of several inputs, a dict of them by name."""
    if isinstance(shape, Mapping):
        for name in shape:
            if not _is_name(name):
                raise SpecError(
                    f"the name of an input is a text without dots, not {name!r}.\n"
                    'Fix: input_shape = {"image": [28, 28], "age": [1]}, with names like these.'
                )
        if not shape:
            raise SpecError("input_shape names no input.\nFix: the shape of one sample of each.")
        for one in shape.values():
            if isinstance(one, Mapping):
                raise SpecError(
                    f"input_shape holds a shape for each input, not {one!r}.\n"
                    'Fix: as {"left": [28, 28], "right": [28, 28]}.'
                )
        return {name: checked_shape(one) for name, one in shape.items()}
    axes = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    for n in axes:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise SpecError(
                f"input_shape holds positive integers, not {shape!r}.\n"
                "Fix: the shape of one sample, as [784] or [28, 28]."
            )
    return tuple(int(n) for n in axes)


def checked_dtype(dtype: Any) -> str:
    """The name of a dtype in which networks are trained."""
    try:
        name = "" if dtype is None else np.dtype(dtype).name
    except (TypeError, ValueError):
        name = ""
    if name not in ("float32", "float64"):
        fix = "dtype='float32'."
        if name == "float16":  # in which 1e-8, the eps of Adam, is 0, and small steps are lost
            fix = "train in 'float32', then model.astype(np.float16)."
        raise SpecError(
            f"the dtype of a network is 'float32' or 'float64', not {dtype!r}.\nFix: {fix}"
        )
    return str(name)


def checked_layers(layers: Any, prefix: str = "", kind: str = "Sequential") -> list[Layer]:
    """A copy of the layers, of plain data only; keys and types are checked, values not yet."""
    if not isinstance(layers, (list, tuple)) or not layers:
        where = f"layer {prefix[:-1]} ({kind})" if prefix else "the network"
        raise SpecError(f"{where} has no layers: 'layers' is {layers!r}.\nFix: give a list.")
    return [_checked_layer(layer, f"{prefix}{i}") for i, layer in enumerate(layers)]


def _checked_layer(layer: Any, position: str) -> Layer:
    if not isinstance(layer, Mapping) or not isinstance(layer.get("type"), str):
        raise SpecError(
            f"layer {position} is {layer!r}.\n"
            'Fix: write a dict with a type, as {"type": "Linear", "out_features": 10}.'
        )
    kind = layer["type"]
    where = f"layer {position} ({kind})"
    allowed, required = _allowed(kind, where)
    if "name" in layer and not _is_name(layer["name"]):
        raise SpecError(
            f"{where}: its name is a text without dots, not {layer['name']!r}.\n"
            'Fix: "name": "encoder", or leave it out: its position is its name then.'
        )
    for key in layer:
        if key not in allowed:
            raise SpecError(f"{where} has no key {key!r}.\nFix: {nearest(str(key), allowed)}")
    for key in required:
        if key not in layer:
            raise SpecError(
                f"{where} lacks the key {key!r}.\nFix: " + f'{{"type": "{kind}", "{key}": ...}}'
            )
    _check_reserved(layer, where)
    parts = LAYERS[kind].parts if kind != SHARED else {}
    copied: Layer = {}
    for key, value in layer.items():
        if parts.get(key) == "chain":
            copied[key] = checked_layers(value, f"{position}.", kind)
        elif parts.get(key) == "each":
            if not isinstance(value, (list, tuple)):
                raise SpecError(f"{where}: {key!r} is {value!r}.\nFix: give a list.")
            copied[key] = [_checked_part(one, f"{position}.{j}") for j, one in enumerate(value)]
        elif key in parts:
            copied[key] = _checked_part(value, f"{position}.{key}")
        else:
            copied[key] = _plain(value, f"{where}, {key}")
            _check_flag(kind, key, value, where)
    return copied


def _check_flag(kind: str, key: str, value: Any, where: str) -> None:
    """Refuse ``bias = "no"``: a text is true."""
    default = LAYERS[kind].keys.get(key) if kind != SHARED else None
    texts = ("true", "false", "yes", "no", "on", "off", "none", "")
    if isinstance(default, bool) and isinstance(value, str) and value.casefold() in texts:
        raise SpecError(f"{where}: {key!r} is the text {value!r}.\nFix: true or false.")


def _checked_part(part: Any, position: str) -> Any:
    """A layer, or a list of layers one after another."""
    if isinstance(part, (list, tuple)):
        return checked_layers(part, f"{position}.")
    return _checked_layer(part, position)


def as_layer(part: Any) -> Layer:
    """A layer, or a list of them as a Sequential."""
    return {"type": "Sequential", "layers": part} if isinstance(part, (list, tuple)) else part


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(name) and "." not in name


def _allowed(kind: str, where: str) -> tuple[list[str], tuple[str, ...]]:
    """The keys that a layer of this type may have, and those that it must have."""
    if kind == SHARED:
        return [*COMMON, "of"], ("of",)
    if kind not in LAYERS:
        raise SpecError(
            f"{where}: there is no such type of layer: {nearest(kind, [*LAYERS, SHARED])}\n"
            "Fix: correct the name, or decorate the class of your own layer with @register_layer."
        )
    known = LAYERS[kind]
    common = COMMON if known.parts else RESERVED  # parameters are those of the parts
    return [*common, *known.keys, *known.sizes], known.required


def _check_reserved(layer: Mapping[str, Any], where: str) -> None:
    """Check the keys that every layer may have."""
    names = layer.get("inputs", ["input"])
    if (
        not isinstance(names, (list, tuple))
        or not names
        or not all(isinstance(name, str) for name in names)
    ):
        raise SpecError(
            f"{where}: its inputs are {names!r}.\n"
            'Fix: a list of names of layers before it, as "inputs": ["input", "encoder"].'
        )
    of = layer.get("of", "")
    shares = layer.get("shares", {})
    if not isinstance(of, str):
        raise SpecError(
            f"{where}: 'of' is the name of another layer, not {of!r}.\n"
            'Fix: the name or the position of a layer before it, as "of": "0".'
        )
    if not isinstance(shares, Mapping) or not all(isinstance(x, str) for x in shares.values()):
        raise SpecError(
            f"{where}: it shares {shares!r}.\n"
            'Fix: a dict of its own to other parameters: {"weight": "embedding.weight"}.'
        )
    changed = layer.get("parametrizations", {})
    if not isinstance(changed, Mapping):
        raise SpecError(
            f"{where}: its parametrizations are {changed!r}.\n"
            'Fix: a dict: {"weight": "weight_norm"}.'
        )


def _plain(value: Any, where: str) -> Any:
    """A deep copy, of what TOML can hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, where) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, where) for key, item in value.items()}
    raise SpecError(
        f"{where} is {value!r}, which is no plain data.\n"
        "Fix: use numbers, texts, truth values, lists and dicts; leave out what is None."
    )


def canonical(layers: Iterable[Layer], given: Iterable[str] = (INPUT,)) -> list[Layer]:
    """The layers with all defaults written out."""
    full: list[Layer] = []
    before = [*given]
    for i, layer in enumerate(layers):
        entry = _canonical({"name": str(i), "inputs": before, **layer})
        before = [entry["name"]]
        full.append(entry)
    return full


def _canonical(layer: Layer) -> Layer:
    if layer["type"] == SHARED:
        return layer
    kind = LAYERS[layer["type"]]
    entry = {"shares": {}, "parametrizations": {}, **kind.keys}
    entry.update({k: v for k, v in layer.items() if k not in kind.sizes})
    computed = entry["parametrizations"].items()
    entry["parametrizations"] = {name: in_full(options) for name, options in computed}
    for key, how in kind.parts.items():
        if how == "chain":
            entry[key] = canonical(entry[key])
        elif how == "each":
            named = [{"name": str(i), **as_layer(part)} for i, part in enumerate(entry[key])]
            entry[key] = [_canonical(part) for part in named]
        elif entry[key] is not None:
            part = as_layer(entry[key])  # it stands under its key, whatever its name
            entry[key] = _canonical({k: v for k, v in part.items() if k != "name"})
    return entry
