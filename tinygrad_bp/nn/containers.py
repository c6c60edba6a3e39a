"""Layers of layers: one after another, beside each other, and around what goes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, overload

import numpy as np

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError, a_kind, nearest, user_line
from tinygrad_bp.nn.arguments import position, several
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.registry import register_layer

Layer = Callable[..., Any]


class Layers(Module):
    """What all modules made of a row of layers have in common: names, indices, changes.

    Parameters
    ----------
    *layers : Module or callable
        Modules, or functions of one tensor such as ``np.tanh``; or a single mapping of names to
        them. Names are the positions unless given.
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        items: Iterable[tuple[str, Any]]
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            items = layers[0].items()
        else:
            items = ((str(i), layer) for i, layer in enumerate(layers))
        self._layers: dict[str, Layer] = {}
        for name, layer in items:
            self._layers[self._checked(name, layer)] = layer

    def _checked(self, name: Any, layer: Any) -> str:
        """The name, if it and the layer are what they should be."""
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                f"the name of a layer is a text without dots, not {name!r}.\n"
                f'Fix: {type(self).__name__}({{"first": layer, ...}}), or layers without names.'
            )
        if not callable(layer) or isinstance(layer, (type, Tensor)):
            raise ArgumentError(
                f"layer {name} of {a_kind(self)} is {layer!r}, which is not a layer.\n"
                + (
                    f"Fix: make one: {layer.__name__}(...)"
                    if isinstance(layer, type)
                    else "Fix: pass modules or functions, separated by commas."
                )
            )
        return name

    @property
    def takes_indices(self) -> bool:  # type: ignore[override]  # here it depends on the layers
        """Whether its first layer takes whole numbers."""
        try:
            return bool(self._layers) and getattr(self[0], "takes_indices", False)
        except RecursionError:  # what is nested so deep cannot be called either, and that is told
            return False

    def items(self) -> Iterable[tuple[str, Layer]]:
        """Names and layers, in order."""
        return self._layers.items()

    def before(self, name: str) -> str | None:
        """The name of the layer whose output the one with this name gets, if it is of one."""
        names = list(self._layers)
        place = names.index(name) if name in names else 0
        return names[place - 1] if place else None

    def append(self, layer: Layer) -> Self:
        """Put a layer behind the others; returns the container.

        Examples
        --------
        >>> len(Sequential(np.sin).append(np.tanh))
        2
        """
        return self.insert(len(self), layer)

    def extend(self, layers: Iterable[Layer]) -> Self:
        """Put several layers behind the others; returns the container."""
        return self._arrange([*self.items(), *_numbered(several(self, layers))])

    def insert(self, index: int, layer: Layer) -> Self:
        """Put a layer before the one with this position; returns the container.

        Layers that have a position for a name are then called by their new one.

        Examples
        --------
        >>> list(dict(Sequential({"0": np.sin, "last": np.tanh}).insert(0, np.exp).items()))
        ['0', '1', 'last']
        """
        items = list(self.items())
        items.insert(position(self, index, len(items) + 1), *_numbered([layer]))
        return self._arrange(items)

    def pop(self, index: int | str = -1) -> Any:
        """Take a layer out, and return it."""
        layer = self[index]
        del self[index]
        return layer

    def _arrange(self, items: list[tuple[str, Layer]]) -> Self:
        """Put these layers into the place of those that are there, and name positions anew."""
        arranged: dict[str, Layer] = {}
        for i, (name, layer) in enumerate(items):
            name = self._checked(str(i) if name.isdecimal() else name, layer)
            if name in arranged:
                raise ArgumentError(
                    f"two layers of this {type(self).__name__} would have the name {name!r}.\n"
                    "Fix: Sequential({name: layer, ...}) with other names. Nothing was changed."
                )
            arranged[name] = layer
        self._layers = arranged
        return self

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._attributes():
            if name == "_layers":
                yield from self._layers.items()
            else:
                yield name, value

    def _lines(self) -> Iterable[tuple[str, Any]]:
        beside = [(n, part) for n, part in self.named_children() if n not in self._layers]
        return [*self._layers.items(), *beside]

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._layers.values())

    def _name(self, index: int | str) -> str:
        """The name of the layer with this position or name."""
        if isinstance(index, str):
            if index not in self._layers:
                known = nearest(index, self._layers)
                raise ArgumentError(
                    f"there is no layer {index!r} in this {type(self).__name__} (at "
                    f"{user_line()}).\nFix: {known}"
                )
            return index
        name: str = list(self._layers)[position(self, index, len(self))]
        return name

    @overload
    def __getitem__(self, index: int | str) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(dict(list(self._layers.items())[index]))
        return self._layers[self._name(index)]

    def __setitem__(self, index: int | str, layer: Layer) -> None:
        name = self._name(index)
        self._layers[self._checked(name, layer)] = layer

    def __delitem__(self, index: int | str | slice) -> None:
        names = list(self._layers)
        gone = names[index] if isinstance(index, slice) else [self._name(index)]
        self._arrange([(name, layer) for name, layer in self.items() if name not in gone])


@register_layer(parts={"layers": "chain"})
class Sequential(Layers):
    """Layers one after another, each called on what the one before it gave.

    Parameters
    ----------
    *layers : Module or callable
        Modules, or functions of one tensor such as ``np.tanh``; or a single mapping of names to
        them. Names are the positions unless given.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_bp.nn import Linear
    >>> model = Sequential(Linear(3, 4), np.tanh, Linear(4, 2))
    >>> model(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    >>> model[0], len(model), [name for name, _ in model.named_parameters()]
    (Linear(3, 4), 3, ['0.weight', '0.bias', '2.weight', '2.bias'])
    >>> model + Sequential(np.exp)
    Sequential(
      (0): Linear(3, 4)
      (1): <ufunc 'tanh'>
      (2): Linear(4, 2)
      (3): <ufunc 'exp'>
    )
    """

    #: Shape of the input without the batch axis, where a `NetworkSpec` built the model; of several
    #: inputs, by name.
    input_shape: Any = None

    def forward(self, x: Any) -> Any:
        """Map the input through all layers."""
        for layer in self._layers.values():
            x = layer(x)
        return x

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential()._arrange([*self.items(), *other.items()])

    def __iadd__(self, other: Sequential) -> Self:
        if not isinstance(other, Sequential):
            return NotImplemented
        return self._arrange([*self.items(), *other.items()])


@register_layer(parts={"layers": "chain", "shortcut": "layer"})
class Residual(Layers):
    """The input, plus what layers make of it: :math:`x + f(x)`.

    K. He et al., "Deep residual learning for image recognition", CVPR 2016.

    Parameters
    ----------
    *layers : Module or callable
        One after another, as in `Sequential`.
    shortcut : Module or callable, optional
        What the input goes through before it is added, where the layers change its shape.

    Raises
    ------
    ShapeError
        On a call: the layers give another shape than the shortcut.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_bp.nn import Linear
    >>> Residual(np.sin, np.exp)(np.array([0.0, 1.0]))
    array([1.        , 3.31977682])
    >>> wider = Residual(Linear(2, 4), np.tanh, shortcut=Linear(2, 4, bias=False))
    >>> wider(np.zeros((5, 2), np.float32)).shape, list(dict(wider.named_parameters()))
    ((5, 4), ['0.weight', '0.bias', 'shortcut.weight'])
    """

    def __init__(self, *layers: Layer | Mapping[str, Layer], shortcut: Layer | None = None) -> None:
        super().__init__(*layers)
        self.shortcut = shortcut
        if shortcut is not None:
            self._checked("shortcut", shortcut)

    def forward(self, x: Any) -> Any:
        """Map the input to the sum of both ways."""
        y, around = x, x if self.shortcut is None else self.shortcut(x)
        for layer in self._layers.values():
            y = layer(y)
        _check_single(self, y, around)
        if np.shape(y) != np.shape(around):
            raise ShapeError(
                f"{place(self)}: the layers gave {np.shape(y)}, and the "
                f"{'input' if self.shortcut is None else 'shortcut'} is {np.shape(around)}.\n"
                "Fix: a shortcut that gives what the layers give: shortcut=Linear(...) or a "
                "convolution with a kernel of 1."
            )
        return around + y

    def _lines(self) -> Iterable[tuple[str, Any]]:
        rest = [] if self.shortcut is None else [("shortcut", self.shortcut)]
        return [*self._layers.items(), *rest]


@register_layer(parts={"branches": "each"})
class Concat(Layers):
    """Branches beside each other, each called on the input; what they give is joined.

    Without branches it joins its inputs, as skip connections do.

    Parameters
    ----------
    *branches : Module or callable
        Or a single mapping of names to them.
    axis : int, default 1
        The axis along which they are joined: channels of images, features of vectors.

    Raises
    ------
    ShapeError
        On a call: what the branches give differs in another axis.

    Examples
    --------
    >>> import numpy as np
    >>> Concat(np.sin, np.cos)(np.zeros((1, 2)))
    Tensor([[0., 0., 1., 1.]])
    >>> Concat(axis=0)(np.zeros(1), np.ones(2))
    Tensor([0., 1., 1.])
    """

    def __init__(self, *branches: Layer | Mapping[str, Layer], axis: int = 1) -> None:
        super().__init__(*branches)
        self.axis = axis

    def forward(self, *inputs: Any) -> Tensor:
        """Join what the branches make of the inputs, or the inputs."""
        made = [branch(*inputs) for branch in self._layers.values()] if len(self) else inputs
        parts = [as_tensor(part) for part in made]
        shapes = [part.shape for part in parts]
        try:
            y: Tensor = np.concatenate(parts, self.axis)  # type: ignore[assignment] # its protocol
        except (ValueError, IndexError) as error:
            raise ShapeError(
                f"{place(self)}: {' and '.join(map(str, shapes))} cannot be joined along axis "
                f"{self.axis}.\nFix: branches that agree in all other axes, or another axis."
            ) from error
        return y

    def extra_repr(self) -> str:
        """The axis."""
        return f"axis={self.axis}"

    def before(self, name: str) -> str | None:
        """None: each branch gets the input."""
        return None

    @property
    def takes_indices(self) -> bool:  # type: ignore[override]  # here it depends, too
        """Whether any branch takes whole numbers."""
        return any(getattr(branch, "takes_indices", False) for branch in self)


@register_layer
class Add(Module):
    """The sum of its inputs, as at the end of a skip connection.

    Examples
    --------
    >>> import numpy as np
    >>> Add()(np.ones(2), np.ones(2), np.ones(2))
    array([3., 3.])
    """

    def forward(self, x: Any, *others: Any) -> Any:
        """Add inputs of one shape."""
        _check_single(self, x, *others)
        for y in others:
            if np.shape(y) != np.shape(x):
                raise ShapeError(
                    f"{place(self)}: inputs of {np.shape(x)} and {np.shape(y)}.\n"
                    "Fix: give both the same shape, by a Linear or a convolution on the way."
                )
            x = x + y
        return x


def _numbered(layers: Iterable[Layer]) -> list[tuple[str, Layer]]:
    """Layers under names that are put right by `_arrange`."""
    return [("0", layer) for layer in layers]


def _check_single(module: Module, *values: Any) -> None:
    """Refuse several arrays where one is added, as what an LSTM gives."""
    for value in values:
        if isinstance(value, tuple):
            raise ShapeError(
                f"{place(module)}: what is added is {len(value)} things in a tuple, not one array."
                "\n"
                "Fix: add one of them; a recurrent layer gives one alone with returns='sequence'."
            )


def place(module: Module) -> str:
    """Where a module is at work: ``in Sequential.2 (Residual)``."""
    return f"in {MODE.get().path() or type(module).__name__} ({type(module).__name__})"
