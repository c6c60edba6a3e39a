r"""LaTeX as one line of plain text, for terminals: :math:`W^{1\top}` is ``W¹ᵀ``."""

from __future__ import annotations

import re

from tinygrad_bp.draw.derivation.products import group_end, tokens_of

_ABOVE = dict(zip("0123456789+-=()niTᵀLlabcdefghjkmoprstuvwxyz", (
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵀᵀᴸˡᵃᵇᶜᵈᵉᶠᵍʰʲᵏᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
), strict=True))  # fmt: skip
_BELOW = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_GREEK = {
    rf"\{name}": letter
    for name, letter in zip(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Phi",
            "Psi",
        ],
        "αβγδεζηθκλμνξπρστφχψωΓΦΨ",
        strict=True,
    )
}
_SIGNS = {
    r"\odot": "⊙", r"\times": "×", r"\cdot": "·", r"\circ": "∘", r"\partial": "∂", r"\nabla": "∇",
    r"\sum": "Σ", r"\prod": "Π", r"\int": "∫", r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\in": "∈",
    r"\infty": "∞", r"\top": "ᵀ", r"\perp": "⊥", r"\dots": "…", r"\lfloor": "⌊", r"\rfloor": "⌋",
    r"\lVert": "‖", r"\rVert": "‖", r"\,": " ", r"\;": " ", r"\!": "", r"\quad": "  ",
    r"\qquad": "    ", r"\textstyle": "", r"\left": "", r"\right": "", r"\{": "{", r"\}": "}",
    r"\_": "_",
}  # fmt: skip
_SCRIPTS = "".join({*_ABOVE.values(), *_BELOW.values()}) + "\u0304',"
_ONE = re.compile(rf"\d+(?:\.\d+)?|[A-Za-z]+|∂?[^\W\d_][{re.escape(_SCRIPTS)}]*")
_WORDS = {r"\text", r"\operatorname", r"\mathit", r"\mathbf", r"\mathcal", r"\mathbb", r"\mathrm"}


def plain(latex: str) -> str:
    r"""One line of text for a formula.

    Examples
    --------
    >>> print(plain(r"\delta^{1} = (\delta^{2} W^{2}) \odot \sigma'(z^{1})"))
    δ¹ = (δ² W²) ⊙ σ'(z¹)
    >>> print(plain(r"\frac{\partial \mathcal{L}}{\partial W^{1}} = \delta^{1\top} x"))
    ∂L/∂W¹ = δ¹ᵀ x
    >>> print(plain(r"\bar{v}_{12} = \frac{1}{1 + e^{-v_{1}}} \odot \text{mask}"))
    v̄₁₂ = 1/(1 + e^(-v₁)) ⊙ mask
    >>> print(plain(r"\frac{x}{2\pi} + \sqrt{2\pi} + \frac{1}{W^{1\top}}"))
    x/(2π) + √(2π) + 1/W¹ᵀ
    """
    text = _plain(tokens_of(latex))
    return " ".join(text.replace("( ", "(").replace("∂ ", "∂").replace(" / ∂", "/∂").split())


def _plain(tokens: list[str]) -> str:
    out, i = "", 0
    while i < len(tokens):
        token = tokens[i]
        end = i + 1
        if token in (r"\frac", r"\tfrac", r"\binom"):
            upper, end = _argument(tokens, end)
            lower, end = _argument(tokens, end)
            sign = "/" if token != r"\binom" else " over "
            out += f"{_grouped(upper)}{sign}{_grouped(lower)}"
        elif token == r"\sqrt":
            root = ""
            if tokens[end : end + 1] == ["["]:
                stop = group_end(tokens, end)
                root, end = _script("".join(tokens[end + 1 : stop - 1]), _ABOVE, ""), stop
            inner, end = _argument(tokens, end)
            out += f"{root}√{_grouped(inner)}"
        elif token == r"\bar":
            inner, end = _argument(tokens, end)
            out += f"{inner}\u0304" if len(inner) == 1 else f"bar({inner})"
        elif token in _WORDS:
            inner, end = _argument(tokens, end)
            out += inner
        elif token in ("_", "^"):
            inner, end = _argument(tokens, end)
            out += _script(inner, _BELOW if token == "_" else _ABOVE, token)
        elif token in ("{", "}"):
            pass
        elif token[0] == "\\":
            known = _SIGNS.get(token, _GREEK.get(token, token[1:]))
            out += known if len(known) < 2 or not known.isalpha() else _apart(out, known)
        else:
            out += token
        i = end
    return out


def _apart(before: str, word: str) -> str:
    """A word with a space before it, where letters would run together."""
    return f" {word}" if before[-1:].isalnum() else word


def _argument(tokens: list[str], i: int) -> tuple[str, int]:
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    end = group_end(tokens, i)
    inner = tokens[i + 1 : end - 1] if tokens[i : i + 1] == ["{"] else tokens[i:end]
    return _plain(inner).strip().replace("∂ ", "∂"), end


def _grouped(text: str) -> str:
    """In brackets, unless it is one number, word, or letter with what stands above and below it."""
    bracketed = text[:1] == "(" and text[-1:] == ")" and text.count("(") == 1
    return text if bracketed or _ONE.fullmatch(text) else f"({text})"


def _script(text: str, table: dict[str, str], sign: str) -> str:
    """Above or below the line, where there are such characters for all of it."""
    text = text.replace(" ", "") if len(text) < 8 else text
    if all(c in table for c in text):
        return "".join(table[c] for c in text)
    if sign == "_" and "," in text and all(c in table or c == "," for c in text):
        return ",".join("".join(table[c] for c in part) for part in text.split(","))
    raised = any(c in _ABOVE.values() for c in text) and sign == "^"
    return f"{sign}({text})" if raised else sign + _grouped(text)
