"""What a picture shows, before it is written in any format: boxes, arrows between them, frames.

`reading` makes a scene of a recorded graph, and `modules` of a module. Others write numbers on it;
`dot`, `mermaid` and `text` write it down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.errors import GraphError, a_kind, in_words, user_line
from tinygrad_bp.nn.module import Module, is_parameter, walk
from tinygrad_bp.nn.parameter import Buffer


@dataclasses.dataclass(slots=True)
class Box:
    """A thing in the picture.

    Attributes
    ----------
    key : str
        Unique in the scene, and the same each time: ``n3`` is the third operation, ``v2`` the
        second value.
    role : str
        ``"operation"``, ``"output"``, ``"parameter"``, ``"input"``, ``"constant"``, ``"saved"``,
        or what stands for many operations: ``"module"``, a call of one, and ``"fold"``.
    title : str
        What it is called.
    lines : tuple of str
        What is written below the title.
    frame : str
        Key of the frame that it lies in, ``""`` for none.
    node : Node or None
        The operation.
    value : Any
        What came out of it, or the value that goes in.
    tensor : Tensor or None
        The tensor that goes in, where it is one.
    numbers, gradient : tuple of str
        Its value and its gradient in words, where they are asked for; see `numbers`.
    marks : tuple of str
        What is the matter with it, in words, such as ``"3 of 8 not finite"``; see `marks`.
    state : str
        ``"failed"``, ``"added"``, ``"removed"``, ``"changed"``, ``"same"``, or ``""``.
    image : bytes or None
        A thumbnail of the value, as PNG; see `thumbnails`.
    nodes : sequence of Node
        All operations that it stands for, oldest first.
    """

    key: str
    role: str
    title: str
    lines: tuple[str, ...] = ()
    frame: str = ""
    node: Node | None = None
    value: Any = None
    tensor: Tensor | None = None
    numbers: tuple[str, ...] = ()
    gradient: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    state: str = ""
    image: bytes | None = None
    nodes: Sequence[Node] = ()


class Arrow(NamedTuple):
    """From what makes a value to what takes it, as the input at a position if there are several.

    Attributes
    ----------
    tail, head : str
        Keys of boxes.
    position : int or None
        Of the input, from 0.
    state : str
        ``"backward"`` for what a cotangent flows along, ``"saved"`` for what is kept for that,
        ``"part"`` from a module to its parts, ``"added"``, ``"removed"``, ``"same"``, or ``""``.
    width : float or None
        Between 0 and 1, where arrows differ in width.
    label : str
        What is written beside it.
    source : Any
        What flows along: the node that made it, or the tensor, array or number.
    """

    tail: str
    head: str
    position: int | None = None
    state: str = ""
    width: float | None = None
    label: str = ""
    source: Any = None


class Frame(NamedTuple):
    """A call of a module, around its operations.

    Attributes
    ----------
    key : str
        Unique in the scene: ``c2`` is the second call.
    title : str
        Path in the outermost module, and class.
    parent : str
        Key of the frame around it, ``""`` for none.
    module : Module or None
        What was called, where it is a call.
    times : int
        How many identical blocks it stands for.
    """

    key: str
    title: str
    parent: str
    module: Any
    times: int = 1


@dataclasses.dataclass(slots=True)
class Scene:
    """All that a picture shows; dictionaries are in the order in which things came to be.

    Attributes
    ----------
    boxes : dict of str to Box
        By their keys, operations in a topological order.
    arrows : list of Arrow
    frames : dict of str to Frame
        By their keys; a frame comes after the one around it.
    notes : tuple of str
        What the picture says of itself, such as how many operations there are.
    signs : tuple of str
        What the widths and dashes of arrows mean, where they can be seen.
    sideways : bool
        Whether arrows go from the right to the left and not down.
    """

    boxes: dict[str, Box] = dataclasses.field(default_factory=dict)
    arrows: list[Arrow] = dataclasses.field(default_factory=list)
    frames: dict[str, Frame] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    sideways: bool = False

    def images(self) -> dict[str, bytes]:
        """The thumbnails, by the keys of their boxes."""
        return {key: box.image for key, box in self.boxes.items() if box.image}

    def drop_empty_frames(self) -> None:
        """Leave out the frames in which nothing lies."""
        needed: set[str] = set()
        for box in self.boxes.values():
            key = box.frame
            while key and key not in needed:
                needed.add(key)
                key = self.frames[key].parent
        self.frames = {key: frame for key, frame in self.frames.items() if key in needed}


def nodes_behind(outputs: Sequence[Tensor]) -> list[Node]:
    """Every node behind the outputs, oldest first, which is a topological order."""
    if not outputs:
        raise GraphError(
            f"draw was given nothing to draw (at {user_line()}).\n"
            "Fix: draw(loss), or draw(model, x)."
        )
    for t in outputs:
        if not isinstance(t, Tensor) or t.node is None:
            what = f"a tensor {t.shape}" if isinstance(t, Tensor) else a_kind(t)
            raise GraphError(
                f"there is no graph to draw behind {what} (at {user_line()}).\n"
                "Fix: draw the result of operations on tensors that require a gradient."
            )
    waiting = [t.node for t in outputs if t.node is not None]
    found = {id(node): node for node in waiting}
    while waiting:
        node = waiting.pop()
        if node.freed_at is not None:
            raise GraphError(
                f"the graph was freed by the backward pass at {in_words(node.freed_at)}.\n"
                "Fix: draw before backward(), or call backward(retain_graph=True)."
            )
        for x in node.sources:
            if isinstance(x, Node) and id(x) not in found:
                found[id(x)] = x
                waiting.append(x)
    return sorted(found.values(), key=lambda node: node.number)


class Names:
    """What values and modules are called: by their own name, or by their place in the module."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.parameters: dict[int, str] = {}
        self.buffers: dict[int, str] = {}
        self.modules: dict[int, str] = {}
        roots: dict[int, Any] = {}
        modes = {id(node.mode): node.mode for node in nodes}
        for mode in modes.values():
            for module in mode.modules()[:1]:
                roots[id(module)] = module
        for root in roots.values():
            for name, part in walk(root):
                if isinstance(part, Module):
                    self.modules.setdefault(id(part), name)
                elif is_parameter(part):
                    self.parameters.setdefault(id(part), name)
                elif isinstance(part, Buffer):
                    self.buffers.setdefault(id(part), name)

    def box(self, key: str, x: Any) -> Box:
        """The box of an input that no operation made."""
        if isinstance(x, Tensor):
            place = self.parameters.get(id(x))
            given = x.requires_grad or x.name
            role = "parameter" if place else "input" if given else "constant"
            title = place or x.name or (_number(x.data) if role == "constant" else role)
            return Box(key, role, title, (facts(x.data),), value=x.data, tensor=x)
        if isinstance(x, (np.ndarray, np.generic)):
            return Box(key, "constant", _number(x), (facts(x),), value=x)
        return Box(key, "constant", short(x), value=x)

    def path(self, module: Any) -> str:
        """The dotted path of a module in the outermost one; empty for that."""
        return self.modules.get(id(module), "")

    def of(self, module: Any) -> str:
        """The title of a module's frame."""
        path, kind = self.path(module), type(module).__name__
        return f"{path}: {kind}" if path else kind


def identity(x: Any) -> int:
    """What tells an input from others: a constant is its array, with a tensor around it or not.

    So there is one `x` in ``x + layer(x)``.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = np.ones(3)
    >>> identity(tg.as_tensor(x)) == identity(x)
    True
    """
    constant = isinstance(x, Tensor) and x.node is None and not x.requires_grad
    return id(x._data if constant else x)


def facts(value: Any) -> str:
    """Shape and dtype."""
    return f"{np.shape(value)} {np.asarray(value).dtype}"


def _number(value: Any) -> str:
    """What a constant without a name is called: by its number, if it has but one."""
    return "constant" if np.ndim(value) else short(np.asarray(value).item())


def short(value: Any) -> str:
    """A parameter of an operation, or a number, in a few characters.

    Examples
    --------
    >>> short((slice(None), slice(1, 3), 0)), short(np.float32(0.5)), short(np.zeros((2, 3)))
    ('(:, 1:3, 0)', '0.5', '(2, 3) float64')
    """
    text = _words(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return facts(value)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(_words, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends[:2] if value.step is None else ends)
    if isinstance(value, (np.generic, np.dtype)):
        return str(value)
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return " ".join(repr(value).split())


def printable(text: str) -> str:
    r"""Text in which what cannot be printed is written as in Python's source.

    Examples
    --------
    >>> print(printable("a\nb\x00"))
    a\nb\x00
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
