"""Recognising a multilayer perceptron in a graph, whoever wrote it: layers, loss, penalty."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.derivation.naming import (
    Naming,
    as_number,
    derivative,
    is_number,
    needs_gradient,
    value_of,
)
from tinygrad_bp.draw.derivation.products import decimal
from tinygrad_bp.draw.formulas import Symbol, parameters

#: Activations that stand behind a linear map as one operation, and what they are called.
ACTIVATIONS = {
    "sigmoid": r"\sigma",
    "special.expit": r"\sigma",
    "tanh": r"\tanh",
    "relu": r"\operatorname{ReLU}",
    "leaky_relu": r"\operatorname{leaky}",
    "elu": r"\operatorname{ELU}",
    "softplus": r"\operatorname{softplus}",
    "softsign": r"\operatorname{softsign}",
    "softmax": r"\operatorname{softmax}",
    "log_softmax": r"\operatorname{logsoftmax}",
    "arctan": r"\arctan",
    "sin": r"\sin",
}
#: Losses of an output and its targets that are one operation, a scale times a sum.
LOSSES = {"squared_error", "absolute_error", "cross_entropy", "cross_entropy_labels"}
LOSSES |= {"binary_cross_entropy"}


@dataclasses.dataclass
class Layer:
    """A linear map, and what is behind it.

    Attributes
    ----------
    linear : Node
        Which made z.
    weight, bias : Tensor
        The bias may be None.
    inner : list of Node
        All between z and a, without the one that made a.
    out : Node
        Which made a; the linear map itself where there is no activation.
    """

    linear: Node
    weight: Tensor
    bias: Tensor | None
    inner: list[Node]
    out: Node

    @property
    def single(self) -> bool:
        """Whether the activation is one operation that has a name of its own."""
        return self.out is not self.linear and not self.inner and self.name != ""

    @property
    def identity(self) -> bool:
        """Whether there is no activation."""
        return self.out is self.linear

    @property
    def name(self) -> str:
        """What the activation is called in formulas, or nothing."""
        name = "" if self.identity else ACTIVATIONS.get(self.out.primitive.name, "")
        settings = [decimal(value) for value in parameters(self.out).values()]
        return f"{name}_{{{','.join(settings)}}}" if name and settings else name


@dataclasses.dataclass
class Perceptron:
    """Linear maps one behind the other, each with an activation, and a loss at the end.

    Attributes
    ----------
    layers : list of Layer
    x : array or Tensor
        What goes into the first.
    rest : list of Node
        What computes the loss from the last output, the penalty included.
    fused : Node or None
        The loss, where it is one operation of the output and constant targets, and all else in
        `rest` is a factor of it or the penalty.
    scale : float
        What the sum in the fused loss is multiplied by.
    penalties : list of (Tensor, float)
        Weights whose sums of squares are added to the fused loss, times these numbers.
    """

    layers: list[Layer]
    x: Any
    rest: list[Node]
    fused: Node | None = None
    scale: float = 1.0
    penalties: list[tuple[Tensor, float]] = dataclasses.field(default_factory=list)

    @classmethod
    def find(cls, nodes: Sequence[Node]) -> Perceptron | None:
        """The perceptron that a graph is, or None."""
        found = _layers(nodes)
        if found is None:
            return None
        layers, rest = found
        perceptron = cls(layers, layers[0].linear.sources[0], rest)
        perceptron._find_loss()
        return perceptron

    def _find_loss(self) -> None:
        """See whether the rest is a loss that the textbooks have."""
        penalties, scale = [], 1.0
        node, output = self.rest[-1], self.layers[-1].out
        weights = {id(layer.weight) for layer in self.layers}
        while node.primitive.name == "add" and len(node.sources) == 2:
            pairs = [(node.sources[0], node.sources[1]), (node.sources[1], node.sources[0])]
            found = [(a, _penalty(b)) for a, b in pairs if isinstance(a, Node)]
            found = [(a, p) for a, p in found if p is not None and id(p[0]) in weights]
            if not found:
                return
            node, penalty = found[0]
            if penalty is not None:
                penalties.append(penalty)
        while node.primitive.name in ("divide", "multiply") and len(node.sources) == 2:
            first, second = node.sources
            if node.primitive.name == "multiply" and is_number(first):
                first, second = second, first
            if not isinstance(first, Node) or not is_number(second):
                return
            factor = as_number(second)
            scale = scale / factor if node.primitive.name == "divide" else scale * factor
            node = first
        apart = len({id(w) for w, _ in penalties}) == len(penalties)
        fused = node.primitive.name in LOSSES and node.sources[0] is output
        if fused and apart and _constant(node.sources[1]):
            self.fused, self.scale = node, scale * node.params["scale"]
            self.penalties = penalties[::-1]

    @property
    def sizes(self) -> list[int]:
        """The units of each layer, inputs first."""
        first = int(self.layers[0].weight.shape[1])
        return [first, *(int(layer.weight.shape[0]) for layer in self.layers)]

    @property
    def samples(self) -> int:
        """The rows of the batch."""
        return int(np.shape(self.layers[0].linear.out)[0])

    @property
    def title(self) -> str:
        """What it is."""
        return f"Backpropagation through a {'-'.join(map(str, self.sizes))} perceptron"

    def give_names(self, naming: Naming) -> None:
        """The names of the textbooks: x, W, b, z, a, y, and δ for the errors."""
        x = Symbol("x")
        naming.set(self.x, x, derivative(x))
        for k, layer in enumerate(self.layers, 1):
            number = str(k)
            w, b = Symbol("W", above=number), Symbol("b", above=number)
            naming.set(layer.weight, w, derivative(w))
            if layer.bias is not None:
                naming.set(layer.bias, b, derivative(b))
            naming.set(layer.linear, Symbol("z", above=number), Symbol(r"\delta", above=number))
            if not layer.identity:
                naming.set(layer.out, Symbol("a", above=number), Symbol("g", above=number))
        if self.fused is not None:
            naming.reserve(Symbol(r"\lambda"))
            if self.fused.sources[1] is not self.x:  # as it is of an autoencoder
                naming.set(self.fused.sources[1], Symbol("y"))
            if self.fused is not self.rest[-1] and self.penalties:
                naming.set(self._data_loss(), Symbol(r"\mathcal{L}", "0"))
        else:
            loose = [x for node in self.rest for x in node.sources if id(x) in naming.leaves]
            found = {id(x): x for x in loose if not needs_gradient(x) and x is not self.x}
            targets = list(found.values())
            if len(targets) == 1:
                naming.set(targets[0], Symbol("y"))

    def _data_loss(self) -> Node:
        """What the penalty is added to."""
        node = self.rest[-1]
        for _ in self.penalties:
            first = node.sources[0]
            node = first if _penalty(first) is None else node.sources[1]
        return node


def _constant(x: Any) -> bool:
    return not needs_gradient(x)


def _penalty(x: Any) -> tuple[Tensor, float] | None:
    """A leaf and a number, if this is the number times the leaf's sum of squares."""
    if not isinstance(x, Node) or x.primitive.name != "multiply":
        return None
    for number, node in (x.sources, x.sources[::-1]):
        if is_number(number) and isinstance(node, Node) and node.primitive.name == "sum":
            square = node.sources[0]
            leaf = _squared(square) if isinstance(square, Node) else None
            if leaf is not None and node.params.get("where") is None and not np.ndim(node.out):
                return leaf, as_number(number)
    return None


def _squared(node: Node) -> Tensor | None:
    first = node.sources[0]
    if not isinstance(first, Tensor):
        return None
    name, second = node.primitive.name, node.sources[-1]
    twice = name == "multiply" and second is first
    power = name == "power" and is_number(second) and as_number(second) == 2
    return first if twice or power or name == "square" else None


def _layers(nodes: Sequence[Node]) -> tuple[list[Layer], list[Node]] | None:
    """The layers, and the nodes behind the last; None where the graph is something else."""
    linears = [node for node in nodes if node.primitive.name == "linear"]
    if not linears or any(not _is_layer(node) for node in linears):
        return None
    owned = [x for node in linears for x in node.sources[1:]]
    if len({id(x) for x in owned}) < len(owned):
        return None  # a layer that is used twice has another gradient
    stage: dict[int, int] = {}
    between: list[list[Node]] = [[] for _ in range(len(linears) + 1)]
    for node in nodes:
        before = [stage[id(x)] for x in node.sources if isinstance(x, Node)]
        here = max(before, default=0)
        if node.primitive.name == "linear":
            if here >= len(linears) or node is not linears[here]:
                return None
            if (here == 0) == isinstance(node.sources[0], Node):
                return None
            here += 1
        else:
            if any(s != here and (here < len(linears) or s != 0) for s in before):
                return None  # it skips a layer
            if here and any(x is y for x in node.sources for y in owned):
                return None
            between[here].append(node)
        stage[id(node)] = here
    return _assembled(linears, between, nodes)


def _assembled(
    linears: list[Node], between: list[list[Node]], nodes: Sequence[Node]
) -> tuple[list[Layer], list[Node]] | None:
    layers = []
    for k, linear in enumerate(linears, 1):
        inner = between[k]
        if k < len(linears):
            out = linears[k].sources[0]
            if out is not linear and (not inner or inner[-1] is not out):
                return None
            inner = inner[:-1]
        else:
            out, inner = _output(linear, between[k]), []
        weight, bias = linear.sources[1], (*linear.sources, None)[2]
        layers.append(Layer(linear, weight, bias, inner, out))
    ended = {id(layer.out) for layer in layers}
    rest = [*between[0], *(node for node in between[-1] if id(node) not in ended)]
    rest.sort(key=lambda node: node.number)
    return (layers, rest) if rest and rest[-1] is nodes[-1] else None


def _output(linear: Node, behind: Sequence[Node]) -> Node:
    """What made the output of the network: the last activation, if there is one by itself."""
    users = [node for node in behind if any(x is linear for x in node.sources)]
    alone = len(users) == 1 and len(users[0].sources) == 1
    return users[0] if alone and users[0].primitive.name in ACTIVATIONS else linear


def _is_layer(node: Node) -> bool:
    x, weight, *bias = node.sources
    leaves = [p for p in (weight, *bias) if isinstance(p, Tensor)]
    return len(leaves) == 1 + len(bias) and np.ndim(node.out) == 2 == np.ndim(value_of(x))


def activations_of(layers: Sequence[Layer]) -> Iterator[Layer]:
    """One layer for each activation that has a name."""
    seen: set[str] = set()
    for layer in layers:
        if layer.single and layer.name not in seen:
            seen.add(layer.name)
            yield layer
