r"""The formulas of primitives, with the names of a graph put in place of their own.

A formula is LaTeX in letters of its own: ``\bar{z} \, y \, x^{y-1}``. `rewrite` puts symbols in
place of these letters, token by token, and keeps what is written above and below a letter apart
from what belongs to the name: ``X W^\top`` with `W` as :math:`W^{1}` is :math:`X W^{1\top}`, and
``x^2`` with `x` as :math:`a^{1}` is :math:`(a^{1})^2`. `forward_formula` and `vjp_formula` do so
for an operation of a graph.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from tinygrad_bp.core import Node

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_WORDS = {
    r"\text",
    r"\operatorname",
    r"\mathbb",
    r"\mathit",
    r"\mathbf",
    r"\mathcal",
}  # what follows in braces is no formula
_COMMAND = re.compile(r"\\[A-Za-z]+")
_SPACES = {r"\,", r"\;", r"\!", r"\quad"}
_ENDING = re.compile(r"[\w)\]}!]|\\(?:alpha|delta|mu|pi|sigma|Phi|top|bar|infty)")  # ends a factor
_NORMALISATIONS = ("batch_norm", "group_norm", "layer_norm")
_LETTERS = {"linear": ("X", "W", "b"), "polyval": ("x", "y")}
_LETTERS |= dict.fromkeys(("var", "std"), ("x", r"\mu"))
_LETTERS |= {"lstm": ("x", "W", "s", "q"), "gru": ("x", "W", "b", "s")}
_LETTERS |= dict.fromkeys(("rnn_tanh", "rnn_relu"), ("x", "W", "s"))
_LETTERS |= dict.fromkeys(_NORMALISATIONS, ("x", r"\gamma", r"\beta"))
_LETTERS |= {"embedding": ("W", "I")}
_LETTERS |= {f"special.{name}": ("v", "x") for name in ("chdtr", "chdtrc")}
_LETTERS |= {f"special.{name}": ("a", "b", "x") for name in ("gdtr", "gdtrc")}
_LETTERS |= {f"special.{name}": ("k", "x") for name in ("pdtr", "pdtrc")}
_LETTERS |= {f"special.{name}": ("m", "n", "x") for name in ("fdtr", "fdtrc")}
_LETTERS |= {f"special.{name}": (r"\nu", "x") for name in ("stdtr", "stdtrit")}
_LETTERS |= {
    f"special.eval_{name}": ("n", r"\alpha", "x") for name in ("genlaguerre", "gegenbauer")
}
_LETTERS |= {"special.eval_jacobi": ("n", r"\alpha", r"\beta", "x")}
_SETTINGS = {"scale": "s", "alpha": r"\alpha", "slope": r"\alpha", "delta": r"\delta", "p": "p"}
_SETTINGS |= {"low": "p", "high": "q", "limit": r"\lambda", "other": r"\eta"}
_SETTINGS |= {"ddof": "d", "offset": "k", "k": "k"}
_COUNTED = {"mean", "var", "std"}
_WITH_BIAS = ("linear", "convolution", "transposed_convolution")
_FROM_ZERO = {"lstm": 2, "gru": 3, "rnn_tanh": 2, "rnn_relu": 2}


class Symbol(NamedTuple):
    r"""A name: a letter, or a number, and what stands below and above it.

    Examples
    --------
    >>> Symbol("W", above="2").latex(), Symbol("v", below="1").latex()
    ('W^{2}', 'v_{1}')
    >>> Symbol("-2").latex(above="2")
    '(-2)^{2}'
    >>> Symbol("W", above="2").latex(above=r"\top"), Symbol("a", above="1").latex(above="2")
    ('W^{2\\top}', '(a^{1})^{2}')
    """

    base: str
    below: str = ""
    above: str = ""

    def latex(self, below: str = "", above: str = "") -> str:
        """The symbol in LaTeX, with more below and above."""
        lower = ",".join(part for part in (self.below, below) if part)
        if above in ("", r"\top") or not self.above:
            upper, power = self.above + above, ""
        else:
            upper, power = self.above, above
        base = self.base
        if base.startswith(r"\frac") and (lower or upper):
            base = rf"\left({base}\right)"
        text = base + (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else "")
        if upper and (self.base.startswith("-") or "^" in self.base):
            text, power = self.base, upper
        return f"({text})^{{{power}}}" if power else text

    @property
    def number(self) -> bool:
        """Whether it is a number."""
        return self.base[:1].isdigit() or self.base[:1] in "-."


def rewrite(formula: str, names: Mapping[str, Symbol]) -> str:
    r"""Put symbols in place of the letters of a formula.

    Parameters
    ----------
    formula : str
        LaTeX, such as ``\bar{z} \, \cos x``.
    names : dict of str to Symbol
        By the letters that they replace: ``"x"``, ``"W"``, ``r"\mu"``, and ``r"\bar{z}"``.

    Examples
    --------
    >>> names = {"x": Symbol("v", "1"), r"\bar{z}": Symbol(r"\bar{v}", "2")}
    >>> print(rewrite(r"\bar{z} \, \cos x + x^2", names))
    \bar{v}_{2} \, \cos v_{1} + v_{1}^{2}
    """
    tokens = _TOKEN.findall(formula)
    out: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token in _WORDS:
            end = _group_end(tokens, i + 1)
            out.append("".join(tokens[i:end]))
            i = end
            continue
        key, end = token, i + 1
        if token == r"\bar":
            end = _group_end(tokens, i + 1)
            key = "".join(tokens[i:end])
        symbol = names.get(key)
        if symbol is None:
            out.append(token)
            i += 1
            continue
        before = _last(out)
        if before in ("_", "^"):  # the letter alone is a script: e^x
            out.append(f"{{{symbol.latex()}}}")
            i = end
            continue
        below, above, i = _scripts(tokens, end, names)
        text = symbol.latex(below, above)
        if symbol.number and _ENDING.fullmatch(before):
            out.append(r" \cdot ")
        negative = text.startswith("-") and before not in ("", "(", "=")
        out.append(f"({text})" if negative else text)
    return "".join(out)


def _group_end(tokens: list[str], start: int) -> int:
    """The index behind a group in braces, or behind a single token."""
    while start < len(tokens) and tokens[start].isspace():
        start += 1
    if start >= len(tokens) or tokens[start] != "{":
        return start + 1
    depth = 0
    for k in range(start, len(tokens)):
        depth += {"{": 1, "}": -1}.get(tokens[k], 0)
        if not depth:
            return k + 1
    raise ValueError(f"a brace is not closed in {''.join(tokens)!r}")


def _scripts(tokens: list[str], i: int, names: Mapping[str, Symbol]) -> tuple[str, str, int]:
    """What stands below and above the letter that ends before i, and the index behind it."""
    found = {"_": "", "^": ""}
    while i < len(tokens) and tokens[i] in found:
        end = _group_end(tokens, i + 1)
        group = "".join(tokens[i + 1 : end]).strip()
        inner = group[1:-1] if group.startswith("{") else group
        found[tokens[i]] = rewrite(inner, names)
        i = end
    return found["_"], found["^"], i


def _last(out: list[str]) -> str:
    """The last command, word, or other character that is not a space."""
    for token in reversed(out):
        token = token.strip()
        if token and token not in _SPACES:
            whole = _COMMAND.fullmatch(token) or token.startswith(tuple(_WORDS))
            return token if whole else token[-1]
    return ""


def letters(node: Node) -> tuple[str, ...]:
    r"""The letters by which an operation's formulas call its inputs, in their order.

    Where there are any number of inputs, as of `concatenate`, each letter is that of its place.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, -1.0], requires_grad=True)
    >>> letters((x * 2.0).node), letters(np.where([True, False], x, 0.0).node)
    (('x', 'y'), ('c', 'x', 'y'))
    """
    count, name = len(node.sources), node.primitive.name
    if name in ("concatenate", "stack", "choose", "einsum"):
        return tuple(f"x_{i}" for i in range(1, count + 1))
    if name in _LETTERS:
        return _LETTERS[name][:count]
    # As in the rules, where the formula has such a letter, and else x and y.
    rule = next((rule for rule in node.primitive.vjps if rule is not None), None)
    called = list(inspect.signature(rule).parameters)[2 : 2 + count] if rule else []
    used = set(_TOKEN.findall(node.primitive.formula))
    usual = ["x", "y", *(f"x_{i}" for i in range(3, count + 1))]
    return tuple(a if a in used else b for a, b in zip_longest(called, usual[:count]))


def forward_formula(node: Node, inputs: Sequence[Symbol], out: Symbol) -> str:
    r"""What an operation computes, as an equation in LaTeX.

    Parameters
    ----------
    node : Node
        The operation.
    inputs : sequence of Symbol
        What its inputs are called, in their order.
    out : Symbol
        What its output is called.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> print(forward_formula((x / 3.0).node, [Symbol("x"), Symbol("3")], Symbol("v", "1")))
    v_{1} = \frac{x}{3}
    """
    name, formula = node.primitive.name, node.primitive.formula
    if name == "einsum":
        return _einsum(node, None, inputs, out)
    if name in ("concatenate", "stack"):
        return f"{out.latex()} = ({', '.join(x.latex() for x in inputs)})"
    if name == "choose":  # which of the others, by the first
        others = ", ".join(x.latex() for x in inputs[1:])
        return f"{out.latex()} = ({others})_{{{inputs[0].latex()}}}"
    if name in ("checkpoint", "custom_vjp"):
        return f"{out.latex()} = f({', '.join(x.latex() for x in inputs)})"
    if name in _WITH_BIAS and len(inputs) == 2:
        formula = formula.rpartition(" + b")[0]
    formula = _without_affine(name, formula, len(inputs))
    if name in _FROM_ZERO and len(inputs) == _FROM_ZERO[name]:  # the first states are zeros
        formula = formula.rpartition(r", \;")[0]
    if _is_turned(node):
        formula = formula.replace("i, i + k", "i + k, i")
    if name == "diff" and node.params["n"] != 1:
        formula = rf"\Delta^{{{node.params['n']}}} x, \; (\Delta x)_i = x_{{i+1}} - x_i"
    if name in ("max", "min") and len(inputs) == 2:  # the second is the value to start from
        formula = rf"\{name}(y, {formula})"
    if name in ("var", "std") and len(inputs) == 2:  # the mean is given, whatever it is
        formula = formula.partition(r", \;")[0]
    if not _is_formula(formula):  # an operation of the user's own may have none
        return f"{out.latex()} = {_called(name)}({', '.join(x.latex() for x in inputs)})"
    names = _names(node, inputs) | dict.fromkeys("zZ", out)
    text = rewrite(formula, names)
    return text if _is_equation(formula, names) else f"{out.latex()} = {text}"


def vjp_formula(node: Node, i: int, inputs: Sequence[Symbol], out: Symbol, bar: Symbol) -> str:
    r"""What an operation sends back to one of its inputs, in LaTeX.

    Parameters
    ----------
    node : Node
        The operation.
    i : int
        Which input.
    inputs : sequence of Symbol
        What its inputs are called, in their order.
    out, bar : Symbol
        What its output is called, and the cotangent of the output.

    Returns
    -------
    str
        A formula; ``""`` where the input has no derivative. Of an operation of the user's own that
        has a rule, but no formula for it, :math:`J_x^\top` times what arrives.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> v, bar = Symbol("v", "1"), Symbol(r"\bar{v}", "1")
    >>> print(vjp_formula(np.sin(x).node, 0, [Symbol("x")], v, bar))
    \bar{v}_{1} \cos x
    """
    name, formulas = node.primitive.name, node.primitive.vjp_formulas
    if name == "einsum":
        return _einsum(node, i, inputs, bar)
    formula = formulas[min(i, len(formulas) - 1)] if formulas else ""
    formula = _without_affine(name, formula, len(inputs))
    if name == "concatenate":
        part = inputs[i].latex() if inputs.count(inputs[i]) == 1 else str(i + 1)
        return bar.latex(f"[{part}]")
    if name == "stack":
        return bar.latex(str(i + 1))
    if name == "choose":
        return rf"[{inputs[0].latex()} = {i - 1}] \, {bar.latex()}" if i else ""
    if _is_turned(node):
        formula = formula.replace("[j = i + k]", "[i = j + k]").replace("_k", "_{-k}")
    if name == "diff" and node.params["n"] != 1:
        twice = rf"(\Delta^\top)^{{{node.params['n']}}} \, \bar{{z}}"
        formula = twice + r", \; (\Delta^\top \bar{z})_i = \bar{z}_{i-1} - \bar{z}_i"
    if name in ("var", "std") and len(inputs) == 2:
        formula = formula.partition(r", \;")[0]
    if name in ("max", "min") and len(inputs) == 2:  # the second is the value to start from
        formula = formula.replace("x_0", "y").replace("[x_i = z]", "[x_i = z] + [y = z]")
    if not _is_formula(formula):
        rule = node.primitive.vjps[i]
        return "" if rule is None else rf"J_{{{inputs[i].latex()}}}^\top \, {bar.latex()}"
    names = _names(node, inputs) | dict.fromkeys("zZ", out)
    return rewrite(formula, names | dict.fromkeys((r"\bar{z}", r"\bar{Z}"), bar))


def parameters(node: Node) -> dict[str, float]:
    r"""The numbers for which letters of an operation's formula stand, beside its inputs.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> parameters(tg.Tensor([1.0, 2.0, 6.0], requires_grad=True).var(ddof=1).node)
    {'d': 1, 'n': 3}
    """
    found = {
        letter: node.params[name]
        for name, letter in _SETTINGS.items()
        if isinstance(node.params.get(name), (int, float))
    }
    if node.primitive.name in _COUNTED and node.params.get("where") is None and np.size(node.out):
        found["n"] = np.size(node.values[0]) // np.size(node.out)
    return found


def _without_affine(name: str, formula: str, count: int) -> str:
    """What a normalisation does without a bias, or a weight either."""
    if name in _NORMALISATIONS:
        formula = formula if count > 2 else formula.replace(r" + \beta", "")
        formula = formula if count > 1 else formula.replace(r"\gamma \, ", "")
    return formula


def _is_turned(node: Node) -> bool:
    """Whether the diagonal is one of the transpose."""
    if node.primitive.name not in ("diagonal", "trace"):
        return False
    first, second = (node.params[name] % np.ndim(node.values[0]) for name in ("axis1", "axis2"))
    return bool(first > second)


def _is_formula(text: str) -> bool:
    """Whether there is a formula, and its braces are closed."""
    depth = 0
    for token in _TOKEN.findall(text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth < 0:
            return False
    return depth == 0 and text.strip() != ""


def _called(name: str) -> str:
    """The name of an operation, as a function in a formula."""
    text = re.sub(r"[^A-Za-z0-9.]+", r"\\_", name).strip(r"\_")
    return rf"\operatorname{{{text or 'f'}}}"


def _names(node: Node, inputs: Sequence[Symbol]) -> dict[str, Symbol]:
    """What stands for the letters of a formula; matrices are written large in some."""
    p, names = node.primitive, dict(zip(letters(node), inputs, strict=True))
    small = set(_TOKEN.findall(" ".join((p.formula, *p.vjp_formulas))))
    return names | {a.upper(): names[a] for a in "xy" if a in names and a not in small}


def _is_equation(formula: str, names: Mapping[str, Symbol]) -> bool:
    """Whether a formula has its result on its left side already, as in Q R = X."""
    left: list[str] = []
    depth = 0
    for token in _TOKEN.findall(formula):
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(token, 0)
        if not depth and token in ("=", ","):
            inputs = set(names) - {"z", "Z"}
            return left[:1] in (["z"], ["Z"]) or (token == "=" and not inputs & set(left))
        left.append(token)
    return left[:1] in (["Z"], ["z"])


def _einsum(node: Node, wrt: int | None, inputs: Sequence[Symbol], z: Symbol) -> str:
    """A sum of products over named axes, or what it sends back to one of its factors."""
    before, _, after = node.params["subscripts"].partition("->")
    terms = before.split(",")
    kept = after if wrt is None else terms[wrt]
    factors = [x.latex(term) for x, term in zip(inputs, terms, strict=True)]
    if wrt is not None:
        factors = [z.latex(after), *factors[:wrt], *factors[wrt + 1 :]]
        terms = [after, *terms[:wrt], *terms[wrt + 1 :]]
    summed = "".join(dict.fromkeys(c for term in terms for c in term if c not in kept))
    text = (rf"\textstyle\sum_{{{summed}}} " if summed else "") + r" \, ".join(factors)
    return text if wrt is not None else f"{z.latex(after)} = {text}"
