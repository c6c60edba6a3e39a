"""Lists and dicts of modules and of parameters, under PyTorch's names.

Plain lists and dicts in attributes do the same: a `Module` finds what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, TypeVar, overload

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import (
    ArgumentError,
    MissingKeyError,
    OperationError,
    a_kind,
    nearest,
    user_line,
)
from tinygrad_bp.nn.arguments import position, several
from tinygrad_bp.nn.module import Module, is_parameter
from tinygrad_bp.nn.parameter import Parameter

T = TypeVar("T")


def _no_layer(owner: Module) -> OperationError:
    """The error for a list or dict that is called."""
    name = type(owner).__name__
    fix = "call its items in the forward of your module"
    return OperationError(
        f"in {MODE.get().path() or name}: a {name} is no layer, it holds parts of one (at "
        f"{user_line()}).\nFix: {fix}{', or Sequential(*layers)' * (name == 'ModuleList')}."
    )


def _module(owner: Module, item: Any) -> Any:
    """A module, or an error."""
    if not isinstance(item, Module):
        fix = f"make one: {item.__name__}(...)" if isinstance(item, type) else "pass modules."
        raise ArgumentError(f"{a_kind(owner)} holds modules, and {item!r} is none.\nFix: {fix}")
    return item


def _parameter(item: Any) -> Tensor:
    """What is trained as it is, anything else as a new `Parameter`."""
    if is_parameter(item):
        tensor: Tensor = item
        return tensor
    return Parameter(item.data if isinstance(item, Tensor) else item)


class _List(Module, MutableSequence[T]):
    """A list whose items are parts of the module, under their positions."""

    __eq__ = object.__eq__  # a module is equal to itself alone
    __hash__ = object.__hash__

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items: list[T] = [self._checked(item) for item in several(self, items)]

    def _checked(self, item: Any) -> T:
        raise NotImplementedError

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """It is no layer: an error."""
        raise _no_layer(self)

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._attributes():
            if name == "_items":
                yield from ((str(i), item) for i, item in enumerate(self._items))
            else:
                yield name, value

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> MutableSequence[T]: ...
    def __getitem__(self, index: Any) -> Any:
        found = self._items[position(self, index, len(self))]
        return type(self)(found) if isinstance(index, slice) else found

    def __setitem__(self, index: Any, item: Any) -> None:
        where = position(self, index, len(self))
        if isinstance(index, slice):
            self._items[where] = [self._checked(x) for x in several(self, item)]
        else:
            self._items[where] = self._checked(item)

    def __delitem__(self, index: int | slice) -> None:
        del self._items[position(self, index, len(self))]

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def insert(self, index: int, value: Any) -> None:
        """Put an item before the one with this position."""
        self._items.insert(position(self, index, len(self) + 1), self._checked(value))

    def pop(self, index: int = -1) -> T:
        """Take an item out, and return it."""
        return self._items.pop(position(self, index, len(self)))

    def append(self, value: Any) -> Any:
        """Put an item behind the others; returns the list."""
        self.insert(len(self), value)
        return self

    def extend(self, values: Iterable[Any]) -> Any:
        """Put several items behind the others, or none if one is wrong; returns the list."""
        self._items += [self._checked(value) for value in several(self, values)]
        return self

    def __add__(self, other: Iterable[Any]) -> Any:
        return type(self)([*self, *several(self, other)])

    def __repr__(self) -> str:
        return Module.__repr__(self)


class _Dict(Module, MutableMapping[str, T]):
    """A dict whose items are parts of the module, under their keys."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        self._items: dict[str, T] = {}
        self.update(items)

    def _checked(self, item: Any) -> T:
        raise NotImplementedError

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """It is no layer: an error."""
        raise _no_layer(self)

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for name, value in super()._attributes():
            if name == "_items":
                yield from self._items.items()
            else:
                yield name, value

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def _known(self, key: str) -> str:
        """A key that there is, or an error."""
        if key not in self._items:
            known = nearest(key, self._items) if self._items else "it is empty."
            raise MissingKeyError(
                f"there is no {key!r} in this {type(self).__name__} (at {user_line()}).\n"
                f"Fix: {known}"
            )
        return key

    def __getitem__(self, key: str) -> T:
        return self._items[self._known(key)]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __setitem__(self, key: str, item: Any) -> None:
        self.update({key: item})

    def __delitem__(self, key: str) -> None:
        del self._items[self._known(key)]

    def pop(self, key: str, *default: Any) -> Any:
        """Take an item out, and return it; or the default, if there is no such key."""
        return self._items.pop(key if default else self._known(key), *default)

    def update(self, items: Any = (), /, **named: Any) -> None:
        """Put in several items by their keys, or none if one is wrong."""
        try:
            given = dict(items, **named)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"{a_kind(self)} is made of a dict, not of {a_kind(items)} (at {user_line()}).\n"
                f"Fix: {type(self).__name__}({{'name': ...}})"
            ) from None
        for key in given:
            if not isinstance(key, str) or not key or "." in key:
                raise ArgumentError(
                    f"a key of {a_kind(self)} is a text without dots, not {key!r}.\n"
                    "Fix: a name as 'layer1'."
                )
        self._items.update({key: self._checked(item) for key, item in given.items()})

    def __repr__(self) -> str:
        return Module.__repr__(self)


class ModuleList(_List[Module]):
    """A list of modules.

    Parameters
    ----------
    items : iterable of Module

    Examples
    --------
    >>> from tinygrad_bp.nn import Linear
    >>> layers = ModuleList([Linear(2, 2), Linear(2, 1)])
    >>> list(layers.state_dict())
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """

    def _checked(self, item: Any) -> Module:
        module: Module = _module(self, item)
        return module


class ModuleDict(_Dict[Module]):
    """A dict of modules, by text.

    Parameters
    ----------
    items : mapping of str to Module

    Examples
    --------
    >>> from tinygrad_bp.nn import Linear
    >>> heads = ModuleDict({"age": Linear(4, 1), "kind": Linear(4, 3)})
    >>> heads["kind"], list(heads.state_dict())
    (Linear(4, 3), ['age.weight', 'age.bias', 'kind.weight', 'kind.bias'])
    """

    def _checked(self, item: Any) -> Module:
        module: Module = _module(self, item)
        return module


class ParameterList(_List[Tensor]):
    """A list of parameters; arrays become parameters.

    Parameters
    ----------
    items : iterable of array_like

    Examples
    --------
    >>> import numpy as np
    >>> scales = ParameterList([np.ones(2), np.ones(3)])
    >>> [(name, p.shape) for name, p in scales.named_parameters()]
    [('0', (2,)), ('1', (3,))]
    """

    def _checked(self, item: Any) -> Tensor:
        return _parameter(item)

    def _lines(self) -> Iterable[tuple[str, Any]]:
        return ((str(i), item) for i, item in enumerate(self._items))


class ParameterDict(_Dict[Tensor]):
    """A dict of parameters, by text; arrays become parameters.

    Parameters
    ----------
    items : mapping of str to array_like

    Examples
    --------
    >>> import numpy as np
    >>> scales = ParameterDict({"left": np.ones(2)})
    >>> list(scales.state_dict())
    ['left']
    """

    def _checked(self, item: Any) -> Tensor:
        return _parameter(item)

    def _lines(self) -> Iterable[tuple[str, Any]]:
        return self._items.items()
