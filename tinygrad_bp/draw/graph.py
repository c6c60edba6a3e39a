"""`draw`: the computation graph behind a tensor as a Graphviz picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.errors import GraphError, in_words, missing_extra, user_line

if TYPE_CHECKING:
    import graphviz

# Fills that differ in lightness as well as in hue, so that they stay apart in grey print and for
# the colour-blind.
_STYLE = {
    "operation": {"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff"},
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#f5c26b"},
    "leaf": {"shape": "box", "style": "filled", "fillcolor": "#a6d3f0"},
    "constant": {"shape": "box", "style": "filled", "fillcolor": "#ececec"},
    "output": {"shape": "box", "style": "rounded,filled,bold", "fillcolor": "#bfe3c0"},
}


def draw(*outputs: Tensor) -> graphviz.Digraph:
    """Draw the graph from which tensors were computed, from the inputs down to the outputs.

    Rounded boxes are operations, with the shape and dtype of what comes out; an edge is an input,
    and carries its position where there are several. Parameters, other leaves that require a
    gradient, and constants have colours of their own. The operations of a module lie in a frame
    with its name. The same graph gives the same text, byte for byte.

    Parameters
    ----------
    *outputs : Tensor
        What to draw, before its graph is freed by `backward`.

    Returns
    -------
    graphviz.Digraph
        Its ``source`` is DOT; Jupyter shows it; `save` writes it as SVG, PNG, PDF or DOT.

    Raises
    ------
    GraphError
        There is nothing to draw, or the graph has been freed.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.draw import draw
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> picture = draw(x * 3.0)
    >>> [line.strip() for line in picture.source.splitlines() if "->" in line]
    ['v1 -> n1 [taillabel=0]', 'v2 -> n1 [taillabel=1]']
    """
    try:
        import graphviz
    except ImportError as error:  # a core dependency, but a trimmed installation may lack it
        raise missing_extra("graphviz", "draw", "draw") from error
    nodes = _nodes(outputs)
    picture = graphviz.Digraph(
        graph_attr={"rankdir": "TB", "fontname": "Helvetica", "fontsize": "11", "ranksep": "0.35"},
        node_attr={
            "fontname": "Helvetica",
            "fontsize": "10",
            "height": "0.3",
            "margin": "0.12,0.06",
        },
        edge_attr={"fontname": "Helvetica", "fontsize": "8", "arrowsize": "0.6"},
    )
    names = _Names(nodes)
    ends = {id(t.node) for t in outputs}
    frames = _Frame()
    edges: list[tuple[str, str, dict[str, str]]] = []
    ids = {id(node): f"n{k}" for k, node in enumerate(nodes, 1)}
    values: dict[Any, str] = {}
    for node in nodes:
        frame = frames.inner(node.mode.modules())
        role = "output" if id(node) in ends else "operation"
        lines = [node.primitive.name, *_parameters(node), _facts(node.out)]
        frame.items.append((ids[id(node)], _label(lines), _STYLE[role]))
        for position, x in enumerate(node.inputs):
            maker = x.node if isinstance(x, Tensor) else None
            shared = isinstance(x, (Tensor, np.ndarray))
            key = id(x) if shared else (id(node), position)  # numbers are drawn at each use
            if maker is not None:
                source = ids[id(maker)]
            elif key in values:
                source = values[key]
            else:
                source = values[key] = f"v{len(values) + 1}"
                role, lines = names.describe(x)
                place = frame if role == "parameter" else frames
                place.items.append((source, _label(lines), _STYLE[role]))
            several = {"taillabel": str(position)} if len(node.inputs) > 1 else {}
            edges.append((source, ids[id(node)], several))
    frames.put(picture, names, "")
    for tail, head, attributes in edges:
        picture.edge(tail, head, **attributes)
    return picture


def _nodes(outputs: Sequence[Tensor]) -> list[Node]:
    """Every node behind the outputs, oldest first; the numbers are a topological order."""
    for t in outputs:
        if not isinstance(t, Tensor) or t.node is None:
            what = f"a tensor {t.shape}" if isinstance(t, Tensor) else f"a {type(t).__name__}"
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
        for x in node.inputs:
            if isinstance(x, Tensor) and x.node is not None and id(x.node) not in found:
                found[id(x.node)] = x.node
                waiting.append(x.node)
    return sorted(found.values(), key=lambda node: node.number)


class _Names:
    """What leaves are called: by their own name, or by their place in the module."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.parameters: dict[int, str] = {}
        self.modules: dict[int, str] = {}
        roots: dict[int, Any] = {}
        for node in nodes:
            chain = node.mode.modules()
            if chain:
                roots[id(chain[0])] = chain[0]
        for root in roots.values():
            for name, parameter in root.named_parameters():
                self.parameters.setdefault(id(parameter), name)
            for name, module in root.named_modules():
                self.modules.setdefault(id(module), name)

    def describe(self, x: Any) -> tuple[str, list[str]]:
        """Return the role of an input that no node made, and the lines of its label."""
        if isinstance(x, Tensor):
            place = self.parameters.get(id(x))
            role = "parameter" if place else "leaf" if x.requires_grad else "constant"
            name = place or x.name or ("" if x.requires_grad else "constant")
            return role, [name, _facts(x.data)] if name else [_facts(x.data)]
        if isinstance(x, np.ndarray):
            return "constant", ["constant", _facts(x)]
        return "constant", [_short(x)]


class _Frame:
    """A module's frame in the picture: what lies in it, and the frames within."""

    def __init__(self, module: Any = None) -> None:
        self.module = module
        self.items: list[tuple[str, str, dict[str, str]]] = []
        self.frames: dict[int, _Frame] = {}

    def inner(self, modules: Iterable[Any]) -> _Frame:
        """Find the frame of a chain of modules, outermost first, making what is missing."""
        frame = self
        for module in modules:
            if frame.module is not module:
                frame = frame.frames.setdefault(id(module), _Frame(module))
        return frame

    def put(self, picture: graphviz.Digraph, names: _Names, number: str) -> None:
        """Write the frame into a picture or a part of it."""
        for name, label, style in self.items:
            picture.node(name, label=label, **style)
        for k, frame in enumerate(self.frames.values(), 1):
            inner = f"{number}_{k}"
            with picture.subgraph(name=f"cluster{inner}") as part:
                path = names.modules.get(id(frame.module), "")
                title = type(frame.module).__name__
                part.attr(label=_label([f"{path}: {title}" if path else title]))
                part.attr(style="rounded", color="#7f7f7f")
                frame.put(part, names, inner)


def _facts(value: Any) -> str:
    return f"{np.shape(value)} {np.asarray(value).dtype}"


def _parameters(node: Node) -> list[str]:
    return [f"{name}={_short(value)}" for name, value in sorted(node.params.items())]


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _facts(value)
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _label(lines: Iterable[str]) -> str:
    """Lines as a label that shows each character as it is, whatever it means in DOT or HTML."""
    import graphviz

    shown = (
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in lines
    )
    label: str = graphviz.nohtml("\\n".join(line.replace("\\", "\\\\") for line in shown))
    return label
