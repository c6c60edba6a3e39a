"""A module without a graph: the tree of what it is made of, with its parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.repeats import LEAST
from tinygrad_bp.draw.scene import Arrow, Box, Scene, facts
from tinygrad_bp.nn.module import Module, is_parameter, members


class _Row(NamedTuple):
    """Parts of a module: one, or several that are built in the same way."""

    names: list[str]
    module: Module


def tree(module: Module, depth: int | None = None, budget: int | None = None) -> Scene:
    """Make a scene of the modules within a module, each as a box with its own parameters.

    Parameters
    ----------
    module : Module
    depth : int, optional
        Modules within so many others are not shown.
    budget : int, optional
        How many boxes there may be before identical neighbours are folded, and deep ones left out.
    """
    if budget is None:
        return _Tree(module, depth, False).scene
    scene = _Tree(module, depth, True).scene
    while len(scene.boxes) > budget and depth != 0:
        depth = _depth(module) - 1 if depth is None else depth - 1
        scene = _Tree(module, depth, True).scene
    return scene


class _Tree:
    """Makes the scene of a module."""

    def __init__(self, module: Module, depth: int | None, fold: bool) -> None:
        self.scene = Scene(sideways=True)
        self.depth, self.fold = depth, fold
        self.keys: dict[int, str] = {}
        size = sum(p.data.size for p in module.parameters())
        self.scene.notes = (f"{size:,} parameters",)
        self._add(_Row([""], module), 0)

    def _add(self, row: _Row, depth: int) -> str:
        """Add the box of a part, and the boxes of its parts; returns its key."""
        module, key = row.module, f"m{len(self.scene.boxes) + 1}"
        first, last, times = row.names[0], row.names[-1], len(row.names)
        path = first if times == 1 else f"{first} … {last}"
        inner = module.extra_repr()
        kind = type(module).__name__ + (f"({inner})" if inner else "")
        kind += f" × {times:,}" if times > 1 else ""
        head = f"{path}: {kind}" if path else kind
        before = self.keys.setdefault(id(module), key)
        box = Box(key, "module" if times == 1 else "fold", head, (), value=module)
        self.scene.boxes[key] = box
        if before != key:
            box.marks = (f"the same as {self.scene.boxes[before].title}",)
            return key
        box.lines = tuple(_own(module))
        if self.depth is not None and depth >= self.depth:
            below = sum(p.data.size for p in module.parameters())
            box.lines = (f"{below:,} parameters",) if below else ()
            return key
        for part in self._rows(module):
            self.scene.arrows.append(Arrow(self._add(part, depth + 1), key, state="part"))
        return key

    def _rows(self, module: Module) -> Iterator[_Row]:
        """The parts of a module, neighbours that are built in the same way together."""
        for _, group in itertools.groupby(module.named_children(), lambda item: _build(item[1])):
            parts = list(group)
            if self.fold and len(parts) >= LEAST and len({id(m) for _, m in parts}) == len(parts):
                yield _Row([name for name, _ in parts], parts[0][1])
            else:
                yield from (_Row([name], part) for name, part in parts)


def _own(module: Module) -> Iterator[str]:
    """The parameters and buffers in the attributes of a module."""
    for name, part in members(module):
        if isinstance(part, Tensor):
            kind = "" if is_parameter(part) else " buffer"
            frozen = ", frozen" if is_parameter(part) and not part.requires_grad else ""
            yield f"{name} {facts(part.data)}{kind}{frozen}"


def _build(module: Module) -> Any:
    """What is equal for modules that are built in the same way."""
    own = tuple(_own(module))
    parts = tuple([(name, _build(part)) for name, part in module.named_children()])
    return type(module), module.extra_repr(), own, parts


def _depth(module: Module) -> int:
    """The number of modules within each other below a module."""
    return max((1 + _depth(part) for part in module.children()), default=0)
