"""What flows back through a graph: a backward pass for those who look on.

It applies the rules as the backward pass of `core` does, but writes to no tensor, runs no hook and
frees nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Tensor, record_grads
from tinygrad_bp.core.backward import cotangents_of, inputs_of
from tinygrad_bp.core.cotangents import Sparse, conform, starting_cotangent
from tinygrad_bp.core.messages import named
from tinygrad_bp.core.mode import TAPE
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.errors import GraphError, ShapeError, user_line


class Part(NamedTuple):
    """What the rule of a node sends to one of its inputs.

    Attributes
    ----------
    node : Node
        Whose rule was applied.
    position : int
        Of the input.
    source : Node or Tensor
        The input: the node that made it, or the leaf.
    value : array
        The cotangent, of the shape and dtype of the input.
    summed : bool
        Whether the rule sent more axes, or longer ones, over which the input had been broadcast.
    """

    node: Node
    position: int
    source: Any
    value: Any
    summed: bool = False


class Pass:
    """What flows back through a graph.

    Attributes
    ----------
    visited : list of Node
        The nodes that a cotangent arrives at, in the order of the backward pass.
    parts : list of Part
        All that the rules send, in the order of the pass. Where several go to one input, the sum of
        them is its cotangent.
    """

    def __init__(self) -> None:
        self.visited: list[Node] = []
        self.parts: list[Part] = []
        self._of: dict[int, Any] = {}

    def of(self, owner: Any) -> Any:
        """The cotangent of a node's output, or of a leaf; None where none arrives.

        Parameters
        ----------
        owner : Node or Tensor
        """
        return self._of.get(id(owner.node or owner if isinstance(owner, Tensor) else owner))

    def add(self, owner: Any, g: Any) -> None:
        """Add to a cotangent, in the order and the way in which the engine does."""
        before = self._of.get(id(owner))
        if isinstance(g, Sparse):
            total = g.dense() if before is None else np.array(before)
            if before is not None:
                g.add_to(total)
        else:
            total = g if before is None else before + g
        self._of[id(owner)] = total

    def apply_rules(self, node: Node, add: bool) -> None:
        """Note what the rules of a node send to its inputs, and add it to their cotangents."""
        self.visited.append(node)
        arrays, needed = inputs_of(node)
        sent = cotangents_of(node, self.of(node), arrays, needed)
        for i, source, data in needed:
            part = sent[i]
            if part is not None:
                value = conform(part, data, node, i, False)
                if add:
                    self.add(source, value)
                value = value.dense() if isinstance(value, Sparse) else value
                summed = getattr(part, "shape", value.shape) != value.shape
                self.parts.append(Part(node, i, source, value, summed))


def pull_back(outputs: Sequence[Tensor], tape: record_grads | None = None) -> Pass:
    """Apply the rules of the graph behind tensors, as the backward pass from their sum would.

    No gradient is written, no hook is run, and the graph is kept.

    Parameters
    ----------
    outputs : sequence of Tensor
        With one element each.
    tape : record_grads, optional
        What recorded a backward pass that the user has run, with its hooks: the cotangents are
        those in place of the sums, also where the outputs have several elements.

    Raises
    ------
    ShapeError
        An output has several elements, and there is no tape.
    GraphError
        The graph has been freed, or the tape has seen nothing of it.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> found = pull_back([loss])
    >>> found.of(x), x.grad
    (array([2., 4.]), None)
    >>> [(part.node.primitive.name, part.position) for part in found.parts]
    [('sum', 0), ('multiply', 0), ('multiply', 1)]
    """
    nodes = nodes_behind(outputs)
    found = Pass()
    if tape is None:
        for t in outputs:
            if t.data.size != 1:
                raise ShapeError(
                    f"a backward pass from a tensor{named(t)} of shape {t.shape} needs a gradient "
                    f"of that shape (at {user_line()}).\n"
                    "Fix: reduce it first, as with .sum() or .mean(); or draw with gradients=tape, "
                    "after `with record_grads() as tape: t.backward(gradient, retain_graph=True)`."
                )
            found.add(t.node, starting_cotangent(t, None))
    token = TAPE.set(None)  # a rule that runs a backward pass of its own is not the user's pass
    try:
        with np.errstate(all="ignore"):  # what is not finite is marked in the picture
            for node in reversed(nodes):
                if tape is not None:
                    _read(tape, node, found)
                if found.of(node) is not None:
                    found.apply_rules(node, add=tape is None)
            if tape is not None:
                sources = {id(p.source): p.source for p in found.parts}
                for source in sources.values():
                    if isinstance(source, Tensor):
                        _read(tape, source, found)
    finally:
        TAPE.reset(token)
    if not found.visited:
        raise GraphError(
            "the tape has recorded no gradient of this graph.\n"
            "Fix: run loss.backward(retain_graph=True) inside of `with record_grads() as tape:`, "
            "and draw the same loss."
        )
    return found


def _read(tape: record_grads, owner: Any, found: Pass) -> None:
    """Take the cotangent of a node or leaf from a tape, if it is there."""
    tensor = owner.primitive.as_tensor(owner.out, owner) if isinstance(owner, Node) else owner
    try:
        found.add(owner, tape[tensor].data)
    except GraphError:
        return
