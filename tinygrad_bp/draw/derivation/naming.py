r"""What every value of a graph is called in a derivation.

A tensor keeps its own name where that is a letter or a word. The weights and biases of linear maps,
convolutions and recurrences are :math:`W^1, b^1, W^2, \dots` in the order of their use, the result
is :math:`\mathcal{L}`, and what has no name is numbered. Letters that the formulas use for
themselves are nobody's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.draw.derivation.products import decimal
from tinygrad_bp.draw.formulas import Symbol
from tinygrad_bp.draw.scene import Names as Modules
from tinygrad_bp.draw.scene import identity

LOSS = Symbol(r"\mathcal{L}")
_GREEK = [
    "beta",
    "gamma",
    "epsilon",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "xi",
    "rho",
    "tau",
    "phi",
    "chi",
    "omega",
]
_OWN = set("deijknpstFHIMQRSUV")  # letters of the formulas themselves
#: Primitives whose formulas have letters for what is not in the graph: w and L beside those.
LETTERED = {"cholesky", "eig", "eigh", "eigvals", "eigvalsh", "lyapunov", "nuclear_norm", "polar"}
LETTERED |= {"qr", "svd", "svdvals"}
_LETTER = re.compile(r"([A-Za-z]|\\[a-z]+)(?:_?(\d+))?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_LINEAR = ("linear", "convolution", "transposed_convolution", "gru")
_UNBIASED = ("lstm", "rnn_tanh", "rnn_relu")
_FUSED: tuple[str, ...] = ("squared_error", "absolute_error", "huber", "binary_cross_entropy")
_FUSED += ("cross_entropy", "cross_entropy_labels")


class Naming:
    """Symbols for the values of a graph, and for their cotangents.

    Parameters
    ----------
    nodes : sequence of Node
        The graph, oldest first; the last of them made the loss.
    notation : {"bars", "derivatives"}
        How cotangents are written.
    """

    def __init__(self, nodes: Sequence[Node], notation: str = "bars") -> None:
        self.nodes, self.notation = nodes, notation
        self.modules = Modules(nodes)
        self.symbols: dict[int, Symbol] = {}
        self.bars: dict[int, Symbol] = {}
        self.leaves: dict[int, Any] = {}
        self._taken: set[Symbol] = {LOSS}
        for node in nodes:
            for x in node.sources:
                if not isinstance(x, Node) and not is_number(x):
                    self.leaves.setdefault(identity(x), x)

    def set(self, thing: Any, symbol: Symbol, bar: Symbol | None = None) -> None:
        """Call a node's output, a leaf or a constant by a symbol."""
        if symbol not in self._taken or thing is self.nodes[-1]:
            self._taken.add(symbol)
            self.symbols[identity(thing)] = symbol
        if bar is not None:
            self.bars[identity(thing)] = bar

    def reserve(self, symbol: Symbol) -> None:
        """Let nothing else be called so."""
        self._taken.add(symbol)

    def complete(self) -> None:
        """Find symbols for all that has none yet."""
        self.set(self.nodes[-1], LOSS)
        self._linear_maps()
        self._own_names()
        for node in self.nodes:
            if node.primitive.name in _FUSED:
                self._call(node.sources[1], "y")
            elif node.primitive.name in _LINEAR:
                self._call(node.sources[0], "x")
        unnamed = [x for k, x in self.leaves.items() if k not in self.symbols]
        self._number([x for x in unnamed if needs_gradient(x)], "x", alone="x")
        self._number([x for x in unnamed if not needs_gradient(x)], "c")
        self._number([x for x in self.nodes if id(x) not in self.symbols], "v")

    def _linear_maps(self) -> None:
        seen: list[Any] = []
        for node in self.nodes:
            name = node.primitive.name
            if name in (*_LINEAR, *_UNBIASED) and isinstance(node.sources[1], Tensor):
                w, *b = node.sources[1 : 2 if name in _UNBIASED else None]
                if any(w is x for x in seen) or not self._unnamed(w):
                    continue
                seen.append(w)
                self.set(w, Symbol("W", above=str(len(seen))))
                if b and isinstance(b[0], Tensor) and self._unnamed(b[0]):
                    self.set(b[0], Symbol("b", above=str(len(seen))))

    def _unnamed(self, x: Any) -> bool:
        """Whether a leaf has no name but that of its place in a module."""
        return isinstance(x, Tensor) and (not x.name or id(x) in self.modules.parameters)

    def _own_names(self) -> None:
        lettered = any(node.primitive.name in LETTERED for node in self.nodes)
        own = _OWN | {"w", "L"} if lettered else _OWN
        for k, x in self.leaves.items():
            name = self.name(x)
            if k not in self.symbols and name:
                symbol = symbol_for(name, own)
                if symbol is not None:
                    self.set(x, symbol)

    def _call(self, x: Any, letter: str) -> None:
        if identity(x) in self.leaves and identity(x) not in self.symbols:
            self.set(x, Symbol(letter))

    def _number(self, things: Sequence[Any], letter: str, alone: str = "") -> None:
        """Number what has no name: by another letter where this one has numbers already."""
        if len(things) == 1 and alone and Symbol(alone) not in self._taken:
            self.set(things[0], Symbol(alone))
            return
        used = {symbol.base for symbol in self._taken if symbol.below}
        letter = next((a for a in (letter, *"uqrhmogl") if a not in used), "v'")
        for k, x in enumerate(things, 1):
            self.set(x, Symbol(letter, str(k)))

    def name(self, x: Any) -> str:
        """The dotted name of a parameter, or the own name of a tensor, or nothing."""
        if not isinstance(x, Tensor):
            return ""
        return self.modules.parameters.get(id(x)) or x.name or ""

    def of(self, x: Any) -> Symbol:
        """The symbol of an input, or the number itself."""
        found = self.symbols.get(identity(x))
        return Symbol(decimal(as_number(x))) if found is None else found

    def bar(self, x: Any) -> Symbol:
        """The symbol of the cotangent of a node's output or of a leaf."""
        if identity(x) in self.bars:
            return self.bars[identity(x)]
        symbol = self.of(x)
        if self.notation == "derivatives":
            return derivative(symbol)
        return Symbol(rf"\bar{{{symbol.base}}}", symbol.below, symbol.above)


def derivative(symbol: Symbol) -> Symbol:
    r"""The loss differentiated with respect to a value.

    Examples
    --------
    >>> print(derivative(Symbol("W", above="1")).latex())
    \frac{\partial \mathcal{L}}{\partial W^{1}}
    """
    return Symbol(rf"\frac{{\partial \mathcal{{L}}}}{{\partial {symbol.latex()}}}")


def symbol_for(name: str, own: Collection[str] = frozenset(_OWN)) -> Symbol | None:
    r"""A name as a symbol: a letter with a number below it, or a word; None for other text.

    Examples
    --------
    >>> [symbol_for(name).latex() for name in ("w", "w1", "x_12", "alpha", "e", "theta")]
    ['w', 'w_{1}', 'x_{12}', '\\text{alpha}', '\\text{e}', '\\theta']
    >>> print(symbol_for("hidden_weight").latex(), symbol_for("<b>"))
    \text{hidden}_{\text{weight}} None
    """
    text = rf"\{name}" if name in _GREEK else name
    found = _LETTER.fullmatch(text)
    if found and found[1] not in own:
        return Symbol(found[1], found[2] or "")
    if _WORD.fullmatch(name) and len(name) <= 40:
        first, _, rest = name.strip("_").partition("_")
        return Symbol(rf"\text{{{first}}}", rf"\text{{{rest.replace('_', '.')}}}" if rest else "")
    return None


def is_number(x: Any) -> bool:
    """Whether an input is a number that stands in the formula itself."""
    if isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad):
        return False
    value = x.data if isinstance(x, Tensor) else x
    return np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf"


def as_number(x: Any) -> float:
    """The value of such an input."""
    return float(x.data if isinstance(x, Tensor) else x)


def needs_gradient(x: Any) -> bool:
    """Whether a gradient flows to an input."""
    return isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad)


def value_of(x: Any) -> Any:
    """The array of an input."""
    return x.out if isinstance(x, Node) else x.data if isinstance(x, Tensor) else x


def arrays_among(symbols: Iterable[tuple[Symbol, Any]]) -> set[str]:
    """The symbols, in LaTeX, of the values that have axes."""
    return {symbol.latex() for symbol, value in symbols if np.ndim(value)}
