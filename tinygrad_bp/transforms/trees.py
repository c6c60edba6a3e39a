"""Nested containers: taken apart into leaves with paths, and put together with others in place.

Containers are dicts, lists, tuples, named tuples, dataclasses and modules. A module has its
parameters as leaves; with other leaves in their place it is a dict from name to leaf.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.transforms.exchange import is_module, trained

Path = tuple[str, ...]
_Build = Callable[[Iterator[Any], bool], Any]


class Leaf(NamedTuple):
    """A value that is no container, and where it lies: ``("argument 0", "['w']", "[1]")``."""

    path: Path
    value: Any
    of_module: bool

    def __str__(self) -> str:
        return "".join(self.path)


class Tree:
    """A value taken apart.

    Parameters
    ----------
    value : object
        A container, or anything else, which then is the only leaf.
    name : str
        Where paths begin.

    Attributes
    ----------
    leaves : list of Leaf
        In order.

    Examples
    --------
    >>> tree = Tree({"w": [1.0, 2.0], "name": "first"}, "argument 0")
    >>> [str(leaf) for leaf in tree.leaves]
    ["argument 0['w'][0]", "argument 0['w'][1]", "argument 0['name']"]
    >>> tree.build([10, 20, None])
    {'w': [10, 20], 'name': None}
    """

    def __init__(self, value: Any, name: str) -> None:
        self.leaves: list[Leaf] = []
        self._build = self._take_apart(value, (name,))

    def build(self, values: Sequence[Any], modules: bool = False) -> Any:
        """The same containers with these leaves; modules become dicts unless they are kept."""
        return self._build(iter(values), modules)

    @property
    def is_leaf(self) -> bool:
        """Whether the value is no container."""
        return len(self.leaves) == 1 and len(self.leaves[0].path) == 1

    def matched(self, value: Any, what: str) -> list[Any]:
        """The leaves of another value of the same structure, in the order of this one's.

        None in place of a container stands for None at all its leaves, and what is not
        differentiated by may be left away.

        Raises
        ------
        ArgumentError
            The structures differ.
        """
        name = self.leaves[0].path[0] if self.leaves else ""
        others = {leaf.path: leaf.value for leaf in Tree(value, name).leaves}
        found, used, missing = [], set(), []
        for leaf in self.leaves:
            path = leaf.path
            while path not in others and len(path) > 1:
                path = path[:-1]
            if path in others and (path == leaf.path or others[path] is None):
                used.add(path)
                found.append(others[path])
            elif is_real(leaf.value):
                missing.append(str(leaf))
            else:
                found.append(None)
        unknown = ["".join(path) for path in others if path not in used]
        if missing or (unknown and (self.leaves or value)):
            raise ArgumentError(
                f"{what} has another structure than what it belongs to (at {user_line()}).\n"
                + (f"Missing: {', '.join(missing)}\n" if missing else "")
                + (f"Unexpected: {', '.join(unknown)}\n" if unknown else "")
                + "Fix: the same containers with the same keys; for a module, a dict from the "
                "names of its parameters."
            )
        return found

    def _take_apart(self, value: Any, path: Path) -> _Build:
        if is_module(value):
            return self._module(value, path)
        if isinstance(value, dict):
            keys, items = list(value), list(value.values())
            steps = [f"[{key!r}]" for key in keys]
            return self._container(items, steps, path, _dict_builder(value, keys))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            kind: Any = type(value)
            steps = [f".{field}" for field in kind._fields]
            return self._container(list(value), steps, path, kind._make)
        if isinstance(value, (list, tuple)):
            kind = list if isinstance(value, list) else tuple
            steps = [f"[{i}]" for i in range(len(value))]
            return self._container(list(value), steps, path, kind)
        if hasattr(type(value), "__dataclass_fields__"):
            import dataclasses  # here, so that importing the package stays quick

            names = [f.name for f in dataclasses.fields(value) if hasattr(value, f.name)]
            items, steps = [getattr(value, n) for n in names], [f".{n}" for n in names]
            return self._container(items, steps, path, _dataclass_builder(value, names))
        self.leaves.append(Leaf(path, value, False))
        return lambda values, modules: next(values)

    def _container(
        self, items: list[Any], steps: list[str], path: Path, make: Callable[[Any], Any]
    ) -> _Build:
        parts = [self._take_apart(x, (*path, s)) for x, s in zip(items, steps, strict=True)]
        return lambda values, modules: make([part(values, modules) for part in parts])

    def _module(self, module: Any, path: Path) -> _Build:
        named = trained(module)
        self.leaves += [Leaf((*path, f"[{name!r}]"), p, True) for name, p in named]

        def build(values: Iterator[Any], modules: bool) -> Any:
            found = {name: next(values) for name, _ in named}
            return module if modules else found

        return build


def _dict_builder(value: dict[Any, Any], keys: list[Any]) -> Callable[[Any], Any]:
    def make(items: Any) -> Any:
        # A copy keeps what a kind of dict has besides, as the factory of a defaultdict.
        result = {} if type(value) is dict else copy.copy(value)
        result.update(zip(keys, items, strict=True))
        return result

    return make


def _dataclass_builder(value: Any, names: list[str]) -> Callable[[Any], Any]:
    def make(items: Any) -> Any:
        # Not through __init__, whose checks may refuse a gradient or None.
        result = copy.copy(value)
        for name, item in zip(names, items, strict=True):
            object.__setattr__(result, name, item)
        return result

    return make


def is_real(value: Any) -> bool:
    """Whether a value is differentiated by: real floating-point numbers of any kind."""
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return value.dtype.kind == "f"
    return isinstance(value, float)


def kind_of(value: Any) -> str:
    """What a value is, in words for messages."""
    if isinstance(value, (Tensor, np.ndarray)):
        what = "a tensor" if isinstance(value, Tensor) else "an array"
        return f"{what} of shape {value.shape} and dtype {value.dtype}"
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return f"{value!r}"[:40]
    return f"a value of type {type(value).__name__}"
