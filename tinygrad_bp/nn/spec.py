"""`NetworkSpec`: a network as plain data, from which a module is built and which tells of one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_bp.core.mode import no_grad
from tinygrad_bp.errors import SpecError, a_kind, missing_extra, nearest
from tinygrad_bp.nn.building import Building, LayerShape
from tinygrad_bp.nn.containers import Sequential
from tinygrad_bp.nn.declarations import (
    INPUT,
    Layer,
    canonical,
    checked_dtype,
    checked_layers,
    checked_shape,
)
from tinygrad_bp.nn.describing import Description, first_size, one_dtype
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.wired import Wired

_KEYS = ("input_shape", "dtype", "layers")
_WANTED = {
    "input_shape": "the shape of one sample, as input_shape = [784].",
    "layers": 'a list of dicts, as layers = [{"type": "Linear", "out_features": 10}].',
}


@contextlib.contextmanager
def _not_too_deep() -> Iterator[None]:
    """Tell of layers that nest deeper than Python's calls may."""
    try:
        yield
    except RecursionError as error:
        raise SpecError(
            "the layers are nested deeper than Python allows, or in themselves.\n"
            "Fix: layers one after another in one list, each of them a dict of its own."
        ) from error


@dataclass(frozen=True, eq=False)
class NetworkSpec:
    """A network as plain data: what TOML can hold, and nothing else.

    It is checked when it is made, by a dry run: the layers are built and given zeros. Sizes of
    inputs follow from `input_shape`. Two specs are equal if they declare the same network, whether
    defaults are written out or not.

    Parameters
    ----------
    input_shape : sequence of int, or mapping of str to it
        Without the batch axis. Of several inputs, by name, in the order in which they are passed.
    layers : sequence of dict
        Each has its ``type`` and, where they differ from the defaults, the arguments of that
        class; those that are layers themselves, as the ``layers`` of a `Residual` or the
        ``branches`` of a `Concat`, are declared in the same way, or are lists of layers. Any layer
        may have:

        - ``name``, in place of its position;
        - ``inputs``: names of layers before it, or ``"input"``. By default the layer before it.
          ``"lstm.1"`` is the item 1 of what that layer gives;
        - ``shares``: by the names of its own parameters, those of others that take their place,
          ``{"weight": "embedding.weight"}``;
        - ``parametrizations``: by the names of its parameters, ``"weight_norm"`` or
          ``"spectral_norm"``, or a dict of that ``name`` and options.

        ``{"type": "Shared", "of": "encoder"}`` is that layer once more.
    dtype : str, default "float32"
        Of all parameters: "float32" or "float64". In half precision small steps of training would
        be lost; ``model.astype(np.float16)`` turns what was trained.

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

    input_shape: Any
    layers: tuple[Layer, ...]
    dtype: str = "float32"

    def __init__(
        self,
        input_shape: int | Iterable[int] | Mapping[str, Any],
        layers: Iterable[Layer],
        dtype: str = "float32",
    ) -> None:
        set_field = functools.partial(object.__setattr__, self)
        with _not_too_deep():
            set_field("input_shape", checked_shape(input_shape))
            set_field("layers", tuple(checked_layers(layers)))
            set_field("dtype", checked_dtype(dtype))
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
        return self._assemble(seed)[0]

    def shapes(self) -> list[LayerShape]:
        """The shape, without the batch axis, that each layer gives: a dry run without data.

        Examples
        --------
        >>> NetworkSpec((28, 28), [{"type": "Flatten"}]).shapes()
        [LayerShape(path='0', type='Flatten', shape=(784,))]
        """
        return self._assemble(0)[1]

    def _assemble(self, seed: Seed) -> tuple[Sequential, list[LayerShape]]:
        seeds: Any = child_stream(seed).bit_generator.seed_seq
        with no_grad(), np.errstate(all="ignore"):
            return Building(self.dtype).network(self.layers, self.input_shape, seeds)

    @classmethod
    def from_module(
        cls,
        model: Sequential,
        input_shape: int | Iterable[int] | Mapping[str, Any] | None = None,
    ) -> NetworkSpec:
        """The declaration of a model: its layers, not its values.

        Parameters
        ----------
        model : Sequential
            Of registered layers.
        input_shape : sequence of int, or mapping of str to it, optional
            Without the batch axis. Not needed where a spec built the model, or where its first
            layer says it, as Linear does.

        Raises
        ------
        SpecError
            A layer is not registered, or parameters have different dtypes.
        """
        if type(model) not in (Sequential, Wired):
            raise SpecError(
                f"a spec declares a Sequential, not {a_kind(model)}.\n"
                "Fix: put it into one: Sequential(model), and decorate its class with "
                "@register_layer."
            )
        with _not_too_deep():
            if input_shape is None:
                input_shape = model.input_shape or first_size(model)
            layers = Description().network(model)
        return cls(input_shape, layers, **one_dtype(model))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkSpec:
        """The spec that a dict with the keys input_shape, layers and, if wished, dtype declares."""
        if not isinstance(data, Mapping):
            raise SpecError(
                f"a network is declared by a dict, not by {data!r}.\n"
                'Fix: {"input_shape": [784], "layers": [{"type": "Linear", "out_features": 10}]}'
            )
        for key in data:
            if key not in _KEYS:
                raise SpecError(f"a network has no key {key!r}.\nFix: {nearest(str(key), _KEYS)}")
        for key in _WANTED:
            if key not in data:
                raise SpecError(
                    f"the declaration of the network lacks the key {key!r}.\nFix: {_WANTED[key]}"
                )
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """A dict of plain data, from which `from_dict` makes the same spec."""
        shape = self.input_shape
        named = isinstance(shape, dict)
        return {
            "input_shape": {n: list(s) for n, s in shape.items()} if named else list(shape),
            "dtype": self.dtype,
            "layers": checked_layers(self.layers),
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

        if not isinstance(text, str):
            raise SpecError(
                f"TOML is a text, not {a_kind(text)}.\n"
                "Fix: NetworkSpec.from_file(path) for a file, from_dict(data) for a dict."
            )
        try:
            with _not_too_deep():
                data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            fix = "correct that line."
            if text.endswith(".toml"):
                fix = "NetworkSpec.from_file(path), which reads a file of that name."
            raise SpecError(
                f"the declaration of the network is not TOML: {error}.\nFix: {fix}"
            ) from error
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
        return bool(self._meaning() == other._meaning())

    def __hash__(self) -> int:
        return hash((*self._inputs(), self.dtype, len(self.layers)))

    def _inputs(self) -> list[tuple[str, tuple[int, ...]]]:
        """The inputs with their shapes, in order."""
        shape = self.input_shape
        return list(shape.items()) if isinstance(shape, dict) else [(INPUT, shape)]

    def _meaning(self) -> Any:
        """What two specs must have in common to be equal."""
        inputs = self._inputs()
        return inputs, self.dtype, canonical(self.layers, [name for name, _ in inputs])
