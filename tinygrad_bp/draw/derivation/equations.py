r"""The chain rule in equations: what each operation computes, and what it sends back.

Every formula is the one that the primitive carries, in the names of the graph. A value that several
operations use gets the sum of what they send.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.draw.backward import Part, Pass
from tinygrad_bp.draw.derivation.naming import LETTERED, Naming, arrays_among, value_of
from tinygrad_bp.draw.derivation.products import decimal, explicit, is_sum, parts
from tinygrad_bp.draw.formulas import Symbol, forward_formula, parameters, rewrite, vjp_formula
from tinygrad_bp.draw.scene import short

#: Primitives whose formulas multiply matrices.
_MATRICES = {"matmul", "linear", "cholesky", "qr", "complement", "eigh", "eigvalsh", "det"}
_MATRICES |= {"slogdet", "lyapunov", "polar", "nuclear_norm", "inv", "solve", "pinv", "lstsq"}
_MATRICES |= {"svd", "svdvals", "eig", "eigvals"}


@dataclasses.dataclass(frozen=True)
class Term:
    """What an operation sends back to one of its inputs.

    Attributes
    ----------
    latex : str
        The formula.
    condition : str
        What the letters in it mean that are no values of the graph, or nothing.
    operation : str
        Name of the primitive.
    position : int
        Which input.
    of : str
        Symbol of the operation's output.
    """

    latex: str
    condition: str
    operation: str
    position: int
    of: str


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A value of the graph: an input, or the output of an operation.

    Attributes
    ----------
    symbol : str
        What it is called, in LaTeX.
    bar : str
        What its cotangent is called, or nothing where none arrives.
    role : str
        ``"parameter"``, ``"input"``, ``"constant"``, ``"intermediate"`` or ``"loss"``.
    name : str
        Its dotted name in a module, or the tensor's own name, or nothing.
    value : array
    gradient : array or None
        Its cotangent: the derivative of the loss with respect to it.
    terms : tuple of Term
        Whose sum the cotangent is; empty for the loss.
    """

    symbol: str
    bar: str
    role: str
    name: str
    value: Any
    gradient: Any
    terms: tuple[Term, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return np.shape(self.value)

    @property
    def cotangent(self) -> str:
        """The equation of the cotangent, or nothing where none arrives."""
        if not self.bar:
            return ""
        return f"{self.bar} = {total(self.terms) if self.terms else '1'}"


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation of the graph.

    Attributes
    ----------
    operation : str
        Name of the primitive.
    forward : str
        What it computes, as an equation.
    quantity : Quantity
        What comes out, with its cotangent.
    inputs : tuple of str
        Symbols of what goes in, numbers among them.
    params : mapping
        The keyword parameters.
    where : str
        Path of the module, or nothing.
    """

    operation: str
    forward: str
    quantity: Quantity
    inputs: tuple[str, ...]
    params: Mapping[str, Any]
    where: str = ""

    @property
    def note(self) -> str:
        """The parameters that are not in the formula, or only as letters."""
        shown = {k: v for k, v in self.params.items() if k in _SAID and v is not None}
        if self.params.keys() >= _WINDOWS.keys():
            shown |= {a: _one(self.params[k]) for k, a in _WINDOWS.items()}
        return ", ".join(f"{k} = {short(v)}" for k, v in sorted(shown.items()))


_SCRIPT = re.compile(r"([_^])\{(\d+(?:\.\d+)?)([-+])(\d+(?:\.\d+)?)\}")
_SAID = {"axis", "axes", "axis1", "axis2", "index", "shape", "where", "width", "n", "kth", "window"}
_SAID |= {"kernel"}
_WINDOWS = {"stride": "s", "dilation": "d", "padding": "q"}


def _one(counts: Any) -> Any:
    """A number for each axis, or the one that all of them are."""
    alike = set(np.ravel(counts).tolist())
    return alike.pop() if len(alike) == 1 else counts


def total(terms: Sequence[Term]) -> str:
    """The sum of terms, and what the letters in them mean.

    Examples
    --------
    >>> total([Term("x", "", "multiply", 0, "z"), Term("-y", "", "subtract", 1, "v")])
    'x - y'
    """
    text = ""
    alone = len(terms) == 1
    for latex, times in Counter(
        f"({t.latex})" if "?" in t.latex and not alone else t.latex for t in terms
    ).items():
        if times > 1 and not re.match(r"-|\d|\\frac\{\d", latex):
            latex = rf"{times} \, " + (f"({latex})" if is_sum(latex) else latex)
        elif times > 1:
            latex = " + ".join([latex] * times)
        if text and latex.startswith("-"):
            text += f" - {latex[1:]}"
        else:
            text += f" + {latex}" if text else latex
    conditions = dict.fromkeys(term.condition for term in terms if term.condition)
    return r", \; ".join((text, *conditions))


def forward(node: Node, naming: Naming) -> str:
    """What an operation computes, as an equation."""
    inputs = [naming.of(x) for x in node.sources]
    text = _written(node, naming, forward_formula(node, inputs, naming.of(node)))
    return text + (r", \; i \in \text{where}" if node.params.get("where") is not None else "")


def term(part: Part, naming: Naming) -> Term:
    """What an operation sends back to one of its inputs."""
    node, i = part.node, part.position
    inputs = [naming.of(x) for x in node.sources]
    formula = vjp_formula(node, i, inputs, naming.of(node), naming.bar(node))
    main, *conditions = [text for _, text in parts(_written(node, naming, formula), ",")]
    if node.primitive.name == "einsum" and np.ndim(part.value):
        main = f"({main})_{{{node.params['subscripts'].partition('->')[0].split(',')[i]}}}"
    stacked = node.primitive.name == "matmul" and i == 1 and _is_stack_of_one(node)
    if (part.summed or stacked) and "broadcast" not in formula:
        main = _summed(main, np.shape(node.out), np.shape(part.value))
    if node.params.get("where") is not None and i == 0:
        main = rf"\text{{where}} \odot ({main})"
    condition = r", \; ".join(conditions)
    return Term(main, condition, node.primitive.name, i, naming.of(node).latex())


def _is_stack_of_one(node: Node) -> bool:
    """Whether many matrices are multiplied with the same one: its rule adds up by itself."""
    x, y = (np.ndim(value) for value in node.values)
    return x > 2 >= y


def _written(node: Node, naming: Naming, formula: str) -> str:
    """A formula with the numbers in it, and with each product as what it is."""
    numbers = parameters(node)
    if "n" in numbers and "d" in numbers:
        formula = formula.replace("n - d", _exact(numbers["n"] - numbers["d"]))
    if numbers.get("k") == 0:  # the diagonal itself
        formula = formula.replace(" + k", "").replace(" - k", "")
    if numbers:
        formula = rewrite(formula, {a: Symbol(_exact(v)) for a, v in numbers.items()})
    formula = _SCRIPT.sub(_computed, formula)
    if node.primitive.name in LETTERED:
        formula = _told_apart(node, naming, formula)
    if node.primitive.name in _MATRICES or node.primitive.name == "einsum" or r"\top" in formula:
        return formula
    known = [(naming.of(x), value_of(x)) for x in (node, *node.sources)]
    arrays = arrays_among([*known, (naming.bar(node), node.out)])
    return explicit(formula, arrays | ({"u"} if "_u(" in formula else set()))


def _told_apart(node: Node, naming: Naming, formula: str) -> str:
    """A formula whose own letters are numbered, where there are other decompositions."""
    alike = [other for other in naming.nodes if other.primitive.name in LETTERED]
    if len(alike) == 1:
        return formula
    number = str(next(k for k, other in enumerate(alike, 1) if other is node))
    letters = {letter: Symbol(letter, number) for letter in "UVQRFSMHLws"}
    for letter in "UVQRws":
        letters[rf"\bar{{{letter}}}"] = Symbol(rf"\bar{{{letter}}}", number)
    return rewrite(formula, letters)


def _computed(found: re.Match[str]) -> str:
    """An exponent or index that is a sum of two numbers."""
    sign, a, operator, b = found.groups()
    value = float(a) + float(b) if operator == "+" else float(a) - float(b)
    return "" if sign == "^" and value == 1 else f"{sign}{{{decimal(value)}}}"


def _exact(value: float) -> str:
    """A parameter with all of its digits: what is multiplied out is rounded at the end."""
    text = f"{float(value):.17g}"
    return text if "e" not in text else f"{float(value):.30f}".rstrip("0")


def _summed(text: str, out: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """A sum over the axes along which an input was broadcast."""
    rows = len(out) == 2 and out[1:] == shape[-1:] and shape in (out[1:], (1, *out[1:]))
    over = r"_{\text{rows}}" if rows else "" if not np.prod(shape) > 1 else r"_{\text{broadcast}}"
    sign = ""
    if text.startswith("-") and not is_sum(text[1:]):
        sign, text = "-", text[1:]
    apart = is_sum(text) or "?" in text
    return rf"{sign}\textstyle\sum{over} " + (f"({text})" if apart else text)


def derive(naming: Naming, found: Pass) -> tuple[list[Quantity], list[Step]]:
    """The inputs and the operations of a graph, with all their equations."""
    terms: dict[int, list[Term]] = {}
    for part in found.parts:
        terms.setdefault(id(part.source), []).append(term(part, naming))
    inputs = [_quantity(x, _role(x, naming), naming, found, terms) for x in naming.leaves.values()]
    steps = []
    for node in naming.nodes:
        role = "loss" if node is naming.nodes[-1] else "intermediate"
        quantity = _quantity(node, role, naming, found, terms)
        symbols = tuple(naming.of(x).latex() for x in node.sources)
        name, path = node.primitive.name, node.mode.path()
        steps.append(Step(name, forward(node, naming), quantity, symbols, node.params, path))
    return inputs, steps


def _quantity(
    x: Any, role: str, naming: Naming, found: Pass, terms: Mapping[int, Sequence[Term]]
) -> Quantity:
    symbol = naming.of(x).latex()
    gradient = None if role == "constant" or not _owned(x) else found.of(x)
    bar = "" if gradient is None else naming.bar(x).latex()
    sent = tuple(terms.get(id(x), ()))
    return Quantity(symbol, bar, role, naming.name(x), value_of(x), gradient, sent)


def _owned(x: Any) -> bool:
    return isinstance(x, Node) or hasattr(x, "requires_grad")


def _role(x: Any, naming: Naming) -> str:
    if not getattr(x, "requires_grad", False):
        return "constant"
    return "parameter" if id(x) in naming.modules.parameters else "input"
