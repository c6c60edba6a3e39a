"""What a recorded graph costs: multiply-adds, and the memory that the backward pass waits for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core.graph import Node, Variable

Shapes = list[tuple[int, ...]]


def _einsum(shapes: Shapes, out: int, subscripts: str = "", **_: Any) -> int:
    terms = subscripts.partition("->")[0].split(",")
    pairs = zip(terms, shapes, strict=True)
    lengths = {label: n for term, shape in pairs for label, n in zip(term, shape, strict=True)}
    return math.prod(lengths.values()) * (len(terms) - 1)


def _kernel(shapes: Shapes, out: int, **_: Any) -> int:
    """For each element that comes out, the weights of a channel; the first axis is the outputs."""
    return out * math.prod(shapes[1][1:])


def _transposed(shapes: Shapes, out: int, **_: Any) -> int:
    return math.prod(shapes[0]) * math.prod(shapes[1][1:])


def _recurrence(shapes: Shapes, out: int, **_: Any) -> int:
    """The products of states and weights, for steps and samples of x (T, N, gates)."""
    return math.prod(shapes[0][:2]) * math.prod(shapes[1])


#: Multiply-adds by primitive, as functions of the shapes of the inputs, of how many elements came
#: out, and of the parameters. What is not among them is counted as none: it takes a time that is in
#: proportion to its elements.
MULTIPLY_ADDS: dict[str, Callable[..., int]] = {
    "matmul": lambda shapes, out, **_: out * shapes[0][-1],
    "linear": lambda shapes, out, **_: out * shapes[0][-1],
    "vecdot": lambda shapes, out, **_: out * shapes[0][-1],
    "einsum": _einsum,
    "convolve": lambda shapes, out, **_: math.prod(shapes[0]) * math.prod(shapes[1]),
    "convolution": _kernel,
    "transposed_convolution": _transposed,
    "rnn_tanh": _recurrence,
    "rnn_relu": _recurrence,
    "gru": _recurrence,
    "lstm": _recurrence,
}


class Cost(NamedTuple):
    """Of the operations that belong to a module."""

    multiply_adds: int = 0
    kept: int = 0

    def plus(self, multiply_adds: int, kept: int) -> Cost:
        """With those of another operation."""
        return Cost(self.multiply_adds + multiply_adds, self.kept + kept)


def costs(outputs: Iterable[Any], frozen: Iterable[Any], inputs: Iterable[Any]) -> dict[int, Cost]:
    """What the graph behind some tensors costs, by the ids of the modules at work.

    Parameters
    ----------
    outputs : iterable of Tensor
    frozen : iterable of Tensor
        Parameters of which no gradient is wanted, though their operations were recorded.
    inputs : iterable of ndarray
        Arrays that are not the graph's, and are not counted.

    Returns
    -------
    dict of int to Cost
        By the ids of the innermost modules whose calls were running.
    """
    nodes = _nodes(outputs)
    leaves = {id(s): s for node in nodes for s in node.sources if isinstance(s, Variable)}
    off = {id(tensor) for tensor in frozen}
    trained = {key for key, leaf in leaves.items() if leaf.requires_grad and key not in off}
    seen = {id(_root(array)) for array in inputs}
    seen |= {id(_root(leaf._data)) for leaf in leaves.values() if leaf.requires_grad}
    found: dict[int, Cost] = {}
    for node in nodes:  # a source comes before what was made of it
        shapes = [np.shape(value) for value in node.values]
        count = MULTIPLY_ADDS.get(node.primitive.name)
        work = count(shapes, np.size(node.out), **node.params) if count else 0
        kept = 0
        if any(id(source) in trained for source in node.sources):
            trained.add(id(node))
            kept = sum(_new(array, seen) for array in (*node.values, node.out, *_saved(node)))
        owner = id(node.mode.call.module) if node.mode.call else 0
        found[owner] = found.get(owner, Cost()).plus(work, kept)
    return found


def _nodes(outputs: Iterable[Any]) -> list[Node]:
    """All nodes behind some tensors, the oldest first."""
    found: dict[int, Node] = {}
    waiting = [tensor.node for tensor in outputs if isinstance(tensor, Variable)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node) and node.number not in found:
            found[node.number] = node
            waiting.extend(node.sources)
    return [found[number] for number in sorted(found)]


def _saved(node: Node) -> Iterable[Any]:
    return node.saved if isinstance(node.saved, (tuple, list)) else (node.saved,)


def _root(array: Any) -> Any:
    """The array that owns the memory."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


def _new(array: Any, seen: set[int]) -> int:
    """Bytes of memory that has not been counted; it is from now on."""
    root = _root(array)
    if not isinstance(root, np.ndarray) or id(root) in seen:
        return 0
    seen.add(id(root))
    return root.nbytes
