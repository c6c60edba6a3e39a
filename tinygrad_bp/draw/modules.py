"""A module without a graph: the tree of what it is made of, with its parameters."""

from __future__ import annotations

import itertools
from bisect import bisect
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

    @property
    def role(self) -> str:
        """Of its box."""
        return "module" if len(self.names) == 1 else "fold"

    @property
    def title(self) -> str:
        """The names, the class and what it was made with, and how many there are."""
        first, last, times = self.names[0], self.names[-1], len(self.names)
        inner = self.module.extra_repr()
        kind = type(self.module).__name__ + (f"({inner})" if inner else "")
        kind += f" × {times:,}" if times > 1 else ""
        path = first if times == 1 else f"{first} … {last}"
        return f"{path}: {kind}" if path else kind


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
    parts = _Parts(module)
    scene = _scene(module, parts, depth, budget is not None)
    if budget is None or len(scene.boxes) <= budget:
        return scene
    depths = range(1, parts.height[id(module)] + 1 if depth is None else depth + 1)
    deepest = bisect(depths, budget, key=lambda d: len(_scene(module, parts, d, True).boxes))
    return _scene(module, parts, deepest, True)


class _Parts:
    """What the modules within a module are made of, by their ids.

    Attributes
    ----------
    height : dict of int to int
        The number of modules within each other below each.
    build : dict of int to int
        Equal for modules that are built in the same way.
    """

    def __init__(self, module: Module) -> None:
        self.height: dict[int, int] = {}
        self.build: dict[int, int] = {}
        known: dict[Any, int] = {}
        waiting = [(module, False)]
        while waiting:
            part, ready = waiting.pop()
            children = dict(part.named_children())
            if not ready and id(part) not in self.height:
                self.height[id(part)] = 0  # for one that lies within itself
                waiting.append((part, True))
                waiting += [(child, False) for child in children.values()]
            elif ready:
                below = [self.height[id(child)] + 1 for child in children.values()]
                self.height[id(part)] = max(below, default=0)
                inner = tuple([(n, self.build.get(id(c))) for n, c in children.items()])
                key = (type(part), part.extra_repr(), tuple(_own(part)), inner)
                self.build[id(part)] = known.setdefault(key, len(known))


def _scene(root: Module, parts: _Parts, depth: int | None, fold: bool) -> Scene:
    """The scene of a module down to a depth, identical neighbours folded or not."""
    size = sum(p.data.size for p in root.parameters())
    scene = Scene(notes=(f"{size:,} parameters",), sideways=True)
    keys: dict[int, str] = {}
    waiting = [(_Row([""], root), 0, "")]
    while waiting:
        row, level, above = waiting.pop()
        key = f"m{len(scene.boxes) + 1}"
        box = scene.boxes[key] = Box(key, row.role, row.title, value=row.module)
        if above:
            scene.arrows.append(Arrow(key, above, state="part"))
        before = keys.setdefault(id(row.module), key)
        if before != key:
            box.marks = (f"the same as {scene.boxes[before].title}",)
        elif depth is not None and level >= depth:
            below = sum(p.data.size for p in row.module.parameters())
            box.lines = (f"{below:,} parameters",) if below else ()
        else:
            box.lines = tuple(_own(row.module))
            rows = list(_rows(row.module, parts, fold))
            waiting += [(part, level + 1, key) for part in reversed(rows)]
    return scene


def _rows(module: Module, parts: _Parts, fold: bool) -> Iterator[_Row]:
    """The parts of a module, neighbours that are built in the same way together."""
    children = module.named_children()
    for _, group in itertools.groupby(children, lambda item: parts.build[id(item[1])]):
        row = list(group)
        if fold and len(row) >= LEAST and len({id(part) for _, part in row}) == len(row):
            yield _Row([name for name, _ in row], row[0][1])
        else:
            yield from (_Row([name], part) for name, part in row)


def _own(module: Module) -> Iterator[str]:
    """The parameters and buffers in the attributes of a module."""
    for name, part in members(module):
        if isinstance(part, Tensor):
            kind = "" if is_parameter(part) else " buffer"
            frozen = ", frozen" if is_parameter(part) and not part.requires_grad else ""
            yield f"{name} {facts(part.data)}{kind}{frozen}"
