r"""Products in LaTeX: which factors there are, and what kind of product it is.

The formulas of primitives write every product as one thing beside the other. Among arrays that are
multiplied element by element, `explicit` puts :math:`\odot` between them, so that what is left is a
product of matrices; and it multiplies out the numbers at the front of a term.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from fractions import Fraction

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_GAPS = {r"\,", r"\;", r"\!", r"\quad", r"\textstyle", r"\cdot"}
_OPERATORS = {*"+-=<>,;:?/", r"\le", r"\ge", r"\ne", r"\in", r"\times", r"\circ", r"\odot"}
_CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", r"\lfloor": r"\rfloor", r"\lVert": r"\rVert"}
_ARGUMENTS = {r"\frac": 2, r"\tfrac": 2, r"\binom": 2, r"\sqrt": 1, r"\bar": 1}
_FACES = {r"\text", r"\operatorname", r"\mathbf", r"\mathit", r"\mathcal", r"\mathbb"}
_BIG = {r"\sum", r"\prod", r"\int"}
_FUNCTIONS = {
    rf"\{name}"
    for name in ["sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan"]
}
_FUNCTIONS |= {
    rf"\{name}" for name in ["log", "ln", "max", "min", "det", "nabla", "partial", "operatorname"]
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\\t?frac\{?(\d+)\}?\{?(\d+)\}?")


def tokens_of(latex: str) -> list[str]:
    """Commands, numbers, spaces, and single characters."""
    return TOKEN.findall(latex)


def group_end(tokens: list[str], i: int) -> int:
    """The index behind a bracket that opens at i and its contents, or behind a single token."""
    if i >= len(tokens):
        return i
    if tokens[i] == r"\left":
        depth = 0
        for k in range(i, len(tokens)):
            depth += {r"\left": 1, r"\right": -1}.get(tokens[k], 0)
            if not depth:
                return k + 2
        return len(tokens)
    close = _CLOSING.get(tokens[i])
    if close is None:
        return i + 1
    k = i + 1
    while k < len(tokens) and tokens[k] != close:
        k = group_end(tokens, k)
    return k + 1


def _argument_end(tokens: list[str], i: int) -> int:
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    return group_end(tokens, i) if i < len(tokens) and tokens[i] == "{" else i + 1


def atom_end(tokens: list[str], i: int) -> int:
    """The index behind a letter, number, bracket, fraction or the like, with its scripts."""
    token, end = tokens[i], group_end(tokens, i)
    if token == r"\sqrt" and tokens[end : end + 1] == ["["]:
        end = group_end(tokens, end)
    for _ in range(1 if token in _FACES else _ARGUMENTS.get(token, 0)):
        end = _argument_end(tokens, end)
    while end < len(tokens) and tokens[end] in ("_", "^", "'"):
        end = end + 1 if tokens[end] == "'" else _argument_end(tokens, end + 1)
    return end


def factor_end(tokens: list[str], i: int) -> int:
    """The index behind a factor: an atom, a function with its argument, or a sum with its term."""
    end = atom_end(tokens, i)
    if tokens[end : end + 1] == ["("] and _is_called(tokens[i]):  # K(x)
        return atom_end(tokens, end)
    if tokens[i] in _BIG:
        while end < len(tokens) and tokens[end] not in _OPERATORS and tokens[end] != r"\;":
            end = atom_end(tokens, end)
        return end
    if tokens[i] in _FUNCTIONS:
        start = _past_gaps(tokens, end)
        if start < len(tokens) and tokens[start] not in _OPERATORS:
            end = factor_end(tokens, start)
            while _is_number(tokens[start:end]) or tokens[start:end] == [r"\pi"]:  # sin π x
                if r"\," in tokens[end : (start := _past_gaps(tokens, end))]:
                    break
                if start >= len(tokens) or tokens[start] in _OPERATORS:
                    break
                end = factor_end(tokens, start)
    return end


def _is_called(token: str) -> bool:
    """Whether a bracket right behind it holds its arguments."""
    return token.isalpha() or token in _FACES or (token[0] == "\\" and token[1:].isalpha())


def _past_gaps(tokens: list[str], i: int) -> int:
    while i < len(tokens) and (tokens[i].isspace() or tokens[i] in _GAPS):
        i += 1
    return i


def _is_number(tokens: list[str]) -> bool:
    return bool(_NUMBER.fullmatch("".join(tokens)))


def factors(term: str) -> list[str]:
    r"""The factors of a term without sums at its top.

    Examples
    --------
    >>> factors(r"2 s \, (x - y) \, \bar{z}")
    ['2', 's', '(x - y)', '\\bar{z}']
    """
    tokens = tokens_of(term)
    found, i = [], _past_gaps(tokens, 0)
    while i < len(tokens):
        end = factor_end(tokens, i)
        found.append("".join(tokens[i:end]).strip())
        i = _past_gaps(tokens, end)
    return found


def parts(latex: str, separators: Collection[str]) -> Iterator[tuple[str, str]]:
    r"""What stands between separators, outside of all brackets, each with the one before it.

    Examples
    --------
    >>> list(parts(r"x - f(y - 1), \; y = 2", ",-"))
    [('', 'x'), ('-', 'f(y - 1)'), (',', 'y = 2')]
    """
    tokens = tokens_of(latex)
    i, before, start = 0, "", 0
    while i < len(tokens):
        if tokens[i] in separators:
            text = _trimmed(tokens[start:i])
            if text or before:
                yield before, text
            before, i = tokens[i], i + 1
            start = i
        else:
            i = atom_end(tokens, i)
    yield before, _trimmed(tokens[start:])


def _trimmed(tokens: list[str]) -> str:
    """Without the gaps at both ends."""
    while tokens and (tokens[-1].isspace() or tokens[-1] in (r"\;", r"\quad", r"\,")):
        tokens = tokens[:-1]
    while tokens and (tokens[0].isspace() or tokens[0] in (r"\;", r"\quad", r"\,")):
        tokens = tokens[1:]
    return "".join(tokens)


def is_sum(latex: str) -> bool:
    """Whether there is a plus or minus outside of all brackets, one at the front included.

    Examples
    --------
    >>> is_sum("x - y"), is_sum("(x - y)^2")
    (True, False)
    """
    return any(sign for sign, _ in parts(latex, "+-"))


def explicit(latex: str, arrays: Collection[str]) -> str:
    r"""Products of arrays with :math:`\odot`, and the numbers of a term multiplied out.

    Parameters
    ----------
    latex : str
        A formula whose products are all element by element.
    arrays : collection of str
        The symbols in it, as they are written there, that have axes.

    Examples
    --------
    >>> print(explicit(r"2 \cdot 0.5 \, (x - y) \, \bar{z}", {"x", "y", r"\bar{z}"}))
    (x - y) \odot \bar{z}
    >>> print(explicit(r"\frac{1}{2} x y + \sin(x y)", {"x", "y"}))
    \frac{1}{2} x \odot y + \sin(x \odot y)
    """
    tokens = tokens_of(latex)
    out: list[str] = []
    term: list[tuple[str, str]] = []  # factors, each with the gap before it
    i = 0
    while i < len(tokens):
        start = i
        i = _past_gaps(tokens, i)
        gap = "".join(tokens[start:i])
        if i >= len(tokens) or tokens[i] in _OPERATORS or _is_words(tokens, i):
            out.append(_product(term, arrays) + gap)
            term = []
            end = atom_end(tokens, i) if i < len(tokens) and tokens[i] == r"\text" else i + 1
            out += tokens[i:end]
            i = end
        else:
            end = factor_end(tokens, i)
            term.append((gap, _inside(tokens[i:end], arrays)))
            i = end
    out.append(_product(term, arrays))
    return re.sub(r"(^|[=(,] ?)- ", r"\1-", "".join(out))


def _is_words(tokens: list[str], i: int) -> bool:
    """Whether there are words between two formulas, and no name."""
    return tokens[i] == r"\text" and tokens[i + 2 : i + 3] in ([" "], [","])


def _inside(factor: list[str], arrays: Collection[str]) -> str:
    """A factor with the products in its brackets made explicit."""
    if factor[0] in _BIG:
        head = atom_end(factor, 0)
        return "".join(factor[:head]) + explicit("".join(factor[head:]), arrays)
    out, i = [], 0
    while i < len(factor):
        token = factor[i]
        if token in _FACES or token == "_":
            end = _argument_end(factor, i + 1)
            out += factor[i:end]
        elif token in _CLOSING:
            end = group_end(factor, i)
            inner = explicit("".join(factor[i + 1 : end - 1]), arrays)
            out += [token, inner, *factor[end - 1 : end]]  # which a user's formula may not close
        elif token == r"\left":
            end = group_end(factor, i)
            inner = explicit("".join(factor[i + 2 : end - 2]), arrays)
            out += [*factor[i : i + 2], inner, *factor[end - 2 : end]]
        else:
            end = i + 1
            out.append(token)
        i = end
    return "".join(out)


def _product(term: list[tuple[str, str]], arrays: Collection[str]) -> str:
    """Factors as one product, a number first."""
    numbers = [factor for _, factor in term if _NUMBER.fullmatch(factor)]
    rest = [(gap, factor) for gap, factor in term if not _NUMBER.fullmatch(factor)]
    lead = math.prod(map(_value, numbers), start=Fraction(1))
    before = re.sub(r"\\,|\\cdot\s*", "", term[0][0]) if term else ""
    if not rest:
        return before + fraction(lead) if numbers else before
    out, running = before, False
    if numbers and lead != 1:
        wide = r"\," in rest[0][0] or rest[0][1].startswith("(")
        out += fraction(lead) + (r" \, " if wide else " ")
    for k, (gap, factor) in enumerate(rest):
        array = has_array(factor, arrays)
        style = r"\textstyle" if r"\textstyle" in gap and r"\textstyle" not in out else ""
        if k == 0:
            out += style + factor
        elif array and running:
            out += rf" \odot {style}{factor}"
        else:
            out += (gap if gap.strip() != r"\cdot" else " ") + factor
        running = running or array
    return out


def _value(number: str) -> Fraction:
    found = _NUMBER.fullmatch(number)
    if found and found[1]:
        return Fraction(int(found[1]), int(found[2]))
    return Fraction(number)


def fraction(value: Fraction) -> str:
    r"""A positive rational number in LaTeX.

    Examples
    --------
    >>> print(*(fraction(Fraction(text)) for text in ("3", "0.5", "0.05", "1/30", "0.3141592")))
    3 \frac{1}{2} 0.05 \frac{1}{30} 0.3141592
    """
    if value.denominator == 1:
        return str(value.numerator)
    near = value.limit_denominator(10**6)  # as 1/3, from the digits of a float
    if abs(near / value - 1) < Fraction(1, 10**15):
        value = near
    text = decimal(float(value))
    if value in (Fraction(1, 2), Fraction(1, 4)) or (value.numerator <= 99 and len(text) > 4):
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return text


def decimal(value: float) -> str:
    r"""A number in LaTeX, to 13 digits.

    Examples
    --------
    >>> print(decimal(3.0), decimal(-0.25), decimal(1e-8), decimal(float("inf")))
    3 -0.25 10^{-8} \infty
    """
    text = f"{value:.13g}"
    special = {"nan": r"\text{NaN}", "inf": r"\infty", "-inf": r"-\infty"}
    if text in special:
        return special[text]
    digits, _, power = text.partition("e")
    if not power:
        return digits
    lead = {"1": "", "-1": "-"}.get(digits, rf"{digits} \cdot ")
    return f"{lead}10^{{{int(power)}}}"


def has_array(latex: str, arrays: Collection[str]) -> bool:
    r"""Whether a whole array is in a factor, not one of its elements; sums over an axis are.

    Examples
    --------
    >>> [has_array(f, {"v_{1}", "x"}) for f in (r"v_{1}^{2}", r"\frac{1}{x}", "v_{1,j}", "v_{2}")]
    [True, True, False, False]
    """
    tokens = tokens_of(latex)
    big = any(token in _BIG for token in tokens)
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token in _FACES or token == r"\bar":
            end = _argument_end(tokens, i + 1)
        elif token.isalpha() or (token[0] == "\\" and token[1:].isalpha()):
            end = i + 1
        else:
            i = _argument_end(tokens, i + 1) if token == "_" else i + 1
            continue
        base, below, above = "".join(tokens[i:end]), "", ""
        i = end
        while i < len(tokens) and tokens[i] in ("_", "^", "'"):
            if tokens[i] == "'":
                i += 1
                continue
            end = _argument_end(tokens, i + 1)
            script = "".join(tokens[i + 1 : end]).strip()
            if tokens[i] == "_":
                below = "_" + script
            else:
                above = "^" + script
            i = end
        names = {base + below + above.replace(r"\top}", "}"), base + below}
        if big:  # one element under a sum
            numbered = below.rpartition(",")[0]
            names |= {base + above, base, base + (f"{numbered}}}" if numbered else "") + above}
        scripts = [script[1:] for script in (below, above) if script]
        if names & set(arrays) or any(has_array(script, arrays) for script in scripts):
            return True
    return False
