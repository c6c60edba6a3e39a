"""What a module computes, as a list of steps: its graph, and what has no derivative beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_bp.core.constant import WATCHER
from tinygrad_bp.core.graph import Node, Variable, clock
from tinygrad_bp.core.mode import MODE, enable_grad
from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.errors import user_place
from tinygrad_bp.nn.module import Module


class Seen(Node):
    """An application of a function that has no derivative, and so left no node of its own."""

    __slots__ = ("name",)

    def __init__(self, name: str, args: Sequence[Any], params: dict[str, Any], out: Any) -> None:
        self.name = name
        self.rest = tuple(args)
        self.params = params
        self.out = out
        self.number = next(clock)
        self.mode = MODE.get()
        code, self.instruction, _ = user_place()
        self.code = code or trace.__code__

    @property
    def sources(self) -> tuple[Any, ...]:
        """The arguments."""
        return tuple(x.node or x if isinstance(x, Tensor) else x for x in self.rest)


def name_of(node: Node) -> str:
    """The primitive of a node, or the function that was seen."""
    return node.name if isinstance(node, Seen) else node.primitive.name


@dataclass
class Trace:
    """One run of a module.

    Attributes
    ----------
    inputs, outputs : list
        Tensors.
    nodes : list of Node
        All that the outputs depend on, in the order in which it was computed.
    live : set of Node
        Those of them that depend on an input.
    """

    inputs: list[Tensor]
    outputs: list[Any]
    nodes: list[Node] = field(default_factory=list)
    live: set[Node] = field(default_factory=set)
    _seen: dict[Any, Seen] = field(default_factory=dict)

    def source(self, x: Any) -> Any:
        """A node for what one made, and else the leaf, array or number itself."""
        if isinstance(x, Node):
            return x
        if isinstance(x, Variable) and x.node is not None:
            return x.node
        seen = self._seen.get(place(x))
        return x if seen is None else seen

    def is_input(self, x: Any) -> bool:
        """Whether this is an input of the module, or its array."""
        return any(place(x) == place(given) for given in self.inputs)


def place(x: Any) -> Any:
    """What tells an array from all others that are alive: where it lies, and how."""
    x = x._data if isinstance(x, Variable) else x
    if not isinstance(x, np.ndarray):
        return id(x)
    return x.__array_interface__["data"][0], x.shape, x.strides, x.dtype.str


def trace(model: Module, inputs: Sequence[Any]) -> Trace:
    """Run a module in eval mode and collect what it does."""
    tensors = []
    for x in inputs:
        tensors.append(Tensor(x, requires_grad=x.dtype.kind == "f"))
    found = Trace(tensors, [])

    def watch(name: str, args: Sequence[Any], params: dict[str, Any], out: Any) -> None:
        if isinstance(out, (np.ndarray, np.generic)):
            seen = Seen(name, args, params, out)
            found._seen[place(out)] = seen

    token = WATCHER.set(watch)
    try:
        with _eval(model), enable_grad(), np.errstate(all="ignore"):
            found.outputs = list(_flat(model(*tensors)))
    finally:
        WATCHER.reset(token)
    _collect(found)
    return found


def _collect(found: Trace) -> None:
    """The nodes behind the outputs, without recursion."""
    waiting = [found.source(x) for x in found.outputs]
    nodes: dict[int, Node] = {}
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node) and node.number not in nodes:
            nodes[node.number] = node
            waiting.extend(found.source(x) for x in node.sources)
            waiting.extend(found.source(x) for x in _within(node.params))
    for number in sorted(nodes):
        node = nodes[number]
        of = [found.source(x) for x in (*node.sources, *_within(node.params))]
        if any(x in found.live if isinstance(x, Node) else found.is_input(x) for x in of):
            found.live.add(node)
        elif isinstance(node, Seen):
            continue  # a constant like any other
        found.nodes.append(node)


def _within(params: Any) -> Iterator[Any]:
    """The arrays in the parameters of a node, as in an index."""
    if isinstance(params, (np.ndarray, np.generic)):
        yield params
    elif isinstance(params, (tuple, list)):
        for each in params:
            yield from _within(each)
    elif isinstance(params, dict):
        for each in params.values():
            yield from _within(each)


@contextmanager
def _eval(model: Module) -> Iterator[None]:
    modules = list(model.modules())
    before = [module.training for module in modules]
    try:
        model.eval()
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


def _flat(out: Any) -> Iterator[Any]:
    """The tensors of an output, however nested."""
    if isinstance(out, dict):
        out = tuple(out.values())
    if isinstance(out, (tuple, list)):
        for each in out:
            yield from _flat(each)
    elif out is not None:
        yield out


def same(a: Any, b: Any) -> bool:
    """Whether parameters of two runs are equal, arrays and all."""
    if isinstance(a, (np.ndarray, np.generic)) or isinstance(b, (np.ndarray, np.generic)):
        a, b = np.asarray(a), np.asarray(b)
        alike: bool = a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        return alike
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return a is b or bool(a == b)
