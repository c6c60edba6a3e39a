"""`NetworkSpec`: a network as plain data, from which a module is built and which tells of one."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.errors import SpecError, missing_extra, nearest
from tinygrad_bp.nn.building import Layer, LayerShape, Shape, assemble, describe, first_size
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.layers import Sequential
from tinygrad_bp.nn.registry import LAYERS, RESERVED

_KEYS = ("input_shape", "dtype", "layers")


@dataclass(frozen=True, eq=False)
class NetworkSpec:
    """A network as plain data: what TOML can hold, and nothing else.

    It is checked when it is made, by a dry run: the layers are built and given zeros. Sizes of
    inputs follow from `input_shape`. Two specs are equal if they declare the same network, whether
    defaults are written out or not.

    Parameters
    ----------
    input_shape : sequence of int
        Without the batch axis.
    layers : sequence of dict
        Each has its ``type`` and, where they differ from the defaults, the arguments of that
        class; ``name`` in place of the position, if wished; ``layers`` for a `Sequential` inside.
    dtype : str, default "float32"
        Of all parameters.

    Raises
    ------
    SpecError
        A key, a type or a value is wrong. It names the layer and the nearest valid name.

    Examples
    --------
    >>> spec = NetworkSpec.from_dict(
    ...     {
    ...         "input_shape": [784],
    ...         "layers": [
    ...             {"type": "Linear", "out_features": 128, "weight_init": "he_normal"},
    ...             {"type": "Dropout", "p": 0.2},
    ...             {"type": "Linear", "out_features": 10, "bias": False},
    ...         ],
    ...     }
    ... )
    >>> model = spec.build(0)
    >>> model
    Sequential(
      (0): Linear(784, 128)
      (1): Dropout(0.2)
      (2): Linear(128, 10, bias=False)
    )
    >>> NetworkSpec.from_module(model) == spec
    True
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    dtype: str = "float32"

    def __init__(
        self, input_shape: int | Iterable[int], layers: Iterable[Layer], dtype: str = "float32"
    ) -> None:
        set_field = functools.partial(object.__setattr__, self)
        set_field("input_shape", _checked_shape(input_shape))
        set_field("layers", tuple(_checked_layers(layers, "")))
        set_field("dtype", _checked_dtype(dtype))
        self.shapes()

    def build(self, seed: Seed = None) -> Sequential:
        """The network as a module, with new parameters.

        Each layer has a stream of random numbers of its own, which follows from the seed and the
        layer's position: a layer added at the end does not change the others.

        Parameters
        ----------
        seed : int, Generator or None
            None stands for fresh entropy.

        Examples
        --------
        >>> spec = NetworkSpec((2,), [{"type": "Linear", "out_features": 1}])
        >>> bool((spec.build(0)[0].weight.data == spec.build(0)[0].weight.data).all())
        True
        """
        model, _ = self._assemble(seed)
        model.input_shape = self.input_shape
        return model

    def shapes(self) -> list[LayerShape]:
        """The shape, without the batch axis, that each layer gives: a dry run without data.

        Examples
        --------
        >>> NetworkSpec((28, 28), [{"type": "Flatten"}]).shapes()
        [LayerShape(path='0', type='Flatten', shape=(784,))]
        """
        return self._assemble(0)[1]

    def _assemble(self, seed: Seed) -> tuple[Sequential, list[LayerShape]]:
        shapes: list[LayerShape] = []
        seeds: Any = child_stream(seed).bit_generator.seed_seq
        with no_grad(), np.errstate(all="ignore"):
            model = assemble(self.layers, self.input_shape, self.dtype, seeds, "", shapes)
        return model, shapes

    @classmethod
    def from_module(
        cls, model: Sequential, input_shape: int | Iterable[int] | None = None
    ) -> NetworkSpec:
        """The declaration of a model: its layers, not its values.

        Parameters
        ----------
        model : Sequential
            Of registered layers, each of them once.
        input_shape : sequence of int, optional
            Without the batch axis. Not needed where a spec built the model, or where its first
            layer says it, as Linear does.

        Raises
        ------
        SpecError
            A layer is not registered, or occurs twice, or parameters have different dtypes.
        """
        if type(model) is not Sequential:
            raise SpecError(
                f"a spec declares a Sequential, not a {type(model).__name__}.\n"
                "Fix: put it into one: Sequential(model), and decorate its class with "
                "@register_layer."
            )
        if input_shape is None:
            input_shape = model.input_shape or first_size(model)
        dtypes = {str(parameter.dtype) for parameter in model.parameters()}
        if len(dtypes) > 1:
            raise SpecError(
                f"a spec has one dtype, and the parameters have {' and '.join(sorted(dtypes))}.\n"
                "Fix: model.astype(np.float32)"
            )
        return cls(input_shape, describe(model, "", set()), *dtypes)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """The spec that a dict with the keys input_shape, layers and, if wished, dtype declares."""
        if not isinstance(data, Mapping):
            raise SpecError(f"a network is declared by a dict, not by {data!r}.")
        for key in data:
            if key not in _KEYS:
                raise SpecError(f"a network has no key {key!r}: {nearest(str(key), _KEYS)}")
        for key in ("input_shape", "layers"):
            if key not in data:
                raise SpecError(f"the declaration of the network lacks the key {key!r}.")
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain data, from which `from_dict` makes the same spec."""
        return {
            "input_shape": list(self.input_shape),
            "dtype": self.dtype,
            "layers": _checked_layers(self.layers, ""),
        }

    @classmethod
    def from_toml(cls, text: str) -> NetworkSpec:
        r"""The spec that a TOML text declares.

        Examples
        --------
        >>> NetworkSpec.from_toml('input_shape = [4]\nlayers = [{type = "Flatten"}]').layers
        ({'type': 'Flatten'},)
        """
        import tomllib

        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"the declaration of the network is not TOML: {error}") from error
        return cls.from_dict(data)

    def to_toml(self) -> str:
        """The spec as a TOML text, from which `from_toml` makes the same spec."""
        try:
            import tomli_w
        except ImportError as error:
            raise missing_extra("tomli_w", "train", "NetworkSpec.to_toml") from error
        return str(tomli_w.dumps(self.to_dict()))

    @classmethod
    def from_file(cls, path: str | Path) -> NetworkSpec:
        """The spec that a TOML file declares; an error names the file."""
        try:
            return cls.from_toml(Path(path).read_text("utf-8"))
        except (SpecError, UnicodeDecodeError) as error:
            raise SpecError(f"{path}: {error}") from error

    def to_file(self, path: str | Path) -> None:
        """Write the spec to a TOML file; what was there is replaced in one step."""
        from tinygrad_bp.files import write_atomically

        write_atomically(path, self.to_toml())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NetworkSpec):
            return NotImplemented
        return (self.input_shape, self.dtype, _canonical(self.layers)) == (
            other.input_shape,
            other.dtype,
            _canonical(other.layers),
        )

    def __hash__(self) -> int:
        return hash((self.input_shape, self.dtype, len(self.layers)))


def _checked_shape(shape: Any) -> Shape:
    axes = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
    for n in axes:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise SpecError(
                f"input_shape holds positive integers, not {shape!r}.\n"
                "Fix: the shape of one sample, as [784] or [28, 28]."
            )
    return tuple(int(n) for n in axes)


def _checked_dtype(dtype: Any) -> str:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.kind != "f" or dtype is None:
        raise SpecError(f"the dtype of a network is 'float32' or 'float64', not {dtype!r}.")
    return str(kind.name)


def _checked_layers(layers: Any, prefix: str) -> list[Layer]:
    """A copy of the layers, of plain data only; keys and types are checked, values not yet."""
    if not isinstance(layers, (list, tuple)) or not layers:
        where = f"layer {prefix[:-1]} (Sequential)" if prefix else "the network"
        raise SpecError(f"{where} has no layers: 'layers' is {layers!r}.\nFix: give a list.")
    checked: list[Layer] = []
    for i, layer in enumerate(layers):
        if not isinstance(layer, Mapping) or not isinstance(layer.get("type"), str):
            raise SpecError(
                f"layer {prefix}{i} is {layer!r}.\n"
                'Fix: write a dict with a type, as {"type": "Linear", "out_features": 10}.'
            )
        kind = layer["type"]
        where = f"layer {prefix}{i} ({kind})"
        allowed, required = _allowed(kind, where)
        name = layer.get("name", str(i))
        if not isinstance(name, str) or not name or "." in name:
            raise SpecError(f"{where}: its name is a text without dots, not {name!r}.")
        for key in layer:
            if key not in allowed:
                raise SpecError(f"{where} has no key {key!r}: {nearest(str(key), allowed)}")
        for key in required:
            if key not in layer:
                raise SpecError(f"{where} lacks the key {key!r}.")
        copied = {key: _plain(value, f"{where}, {key}") for key, value in layer.items()}
        if kind == "Sequential":
            copied["layers"] = _checked_layers(layer["layers"], f"{prefix}{i}.")
        checked.append(copied)
    return checked


def _allowed(kind: str, where: str) -> tuple[list[str], tuple[str, ...]]:
    """The keys that a layer of this type may have, and those that it must have."""
    if kind == "Sequential":
        return [*RESERVED, "layers"], ("layers",)
    if kind not in LAYERS:
        raise SpecError(
            f"{where}: there is no such type of layer: {nearest(kind, [*LAYERS, 'Sequential'])}\n"
            "Fix: correct the name, or decorate the class of your own layer with @register_layer."
        )
    known = LAYERS[kind]
    return [*RESERVED, *known.keys, *known.sizes], known.required


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


def _canonical(layers: Iterable[Layer]) -> list[Layer]:
    """The layers with all defaults written out."""
    full: list[Layer] = []
    for i, layer in enumerate(layers):
        entry = {"name": str(i), **layer}
        if layer["type"] == "Sequential":
            entry["layers"] = _canonical(layer["layers"])
        else:
            known = LAYERS[layer["type"]]
            entry = {**known.keys, **{k: v for k, v in entry.items() if k not in known.sizes}}
        full.append(entry)
    return full
