r"""The formulas of primitives, with the names of a graph put in place of their own.

A formula is LaTeX in letters of its own: ``\bar{z} \, y \, x^{y-1}``. `rewrite` puts symbols in
place of these letters, token by token, and keeps what is written above and below a letter apart
from what belongs to the name: ``X W^\top`` with `W` as :math:`W^{1}` is :math:`X W^{1\top}`, and
``x^2`` with `x` as :math:`a^{1}` is :math:`(a^{1})^2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_WORDS = {r"\text", r"\operatorname"}  # what follows in braces is no formula
_SPACES = {r"\,", r"\;", r"\!", r"\quad"}
_OPENING = {"", "(", "[", "{", "|", "+", "-", "=", "<", ">", ",", "/", "^", "_"}


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
        text = self.base + (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else "")
        if upper and self.base.startswith("-"):
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
        below, above, i = _scripts(tokens, end, names)
        if symbol.number and _last(out) not in _OPENING:
            out.append(r"\cdot ")
        text = symbol.latex(below, above)
        negative = text.startswith("-") and _last(out) not in {"", "(", "="}
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
    """The last character that is not a space."""
    for token in reversed(out):
        if token.strip() and token not in _SPACES:
            return token.strip()[-1]
    return ""
