"""Sections as Markdown, LaTeX, HTML and plain text."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata
from collections.abc import Callable, Sequence

from tinygrad_bp.draw.derivation.document import Line, Section, value_latex, value_text
from tinygrad_bp.draw.derivation.mathml import mathml
from tinygrad_bp.draw.derivation.plain import plain

_MATH = re.compile(r"\$([^$]+)\$")
_SPECIAL = {c: rf"\{c}" for c in "#$%&_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def shown(name: str) -> str:
    """A name on one line, with what cannot be seen written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def to_markdown(title: str, sections: Sequence[Section], numbers: bool) -> str:
    """As Markdown with LaTeX between dollar signs, as GitHub and Jupyter show it."""
    out = [f"# {title}"]
    for section in sections:
        out.append(f"## {section.title}")
        if section.text:
            out.append(section.text)
        if section.names:
            rows = ["| symbol | shape | what it is |", "| --- | --- | --- |"]
            for symbol, shape, meaning, name in section.names:
                code = f" {_code(name, in_table=True)}" if name else ""
                rows.append(f"| ${_bar(symbol)}$ | {shape} | {_bar(meaning)}{code} |")
            out.append("\n".join(rows))
        out += [_markdown_line(line, numbers) for line in section.lines]
    return "\n\n".join(out) + "\n"


def _markdown_line(line: Line, numbers: bool) -> str:
    text = line.latex
    if numbers and line.value is not None:
        text += f" {_joined(value_latex(line.value))}"
    if line.shape:
        text += rf" \qquad {{\scriptstyle({_times(line.shape)})}}"
    text = f"$${_angles(text)}" + (rf" \tag{{{line.label}}}" if line.label else "") + "$$"
    return text + (f"\n\n{_code(line.note)}" if line.note else "")


def _angles(text: str) -> str:
    """Without what a reader of Markdown might take for a tag, or for the end of the formula."""
    return text.replace("<", r"\lt ").replace(">", r"\gt ").replace("$", r"\$")


def _times(shape: str) -> str:
    return shape.replace("×", r"\times")


def _joined(value: str) -> str:
    """A value behind an equation."""
    return rf"\quad ({value})" if "Vert" in value else f"= {value}"


def _bar(text: str) -> str:
    """In a table, where a bar would end the cell."""
    return text.replace("|", r"\vert ") if "$" not in text else text


def _code(name: str, in_table: bool = False) -> str:
    """Any text as it is, between as many backticks as it takes."""
    text = shown(name)
    text = text.replace("|", r"\|") if in_table else text
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def to_latex(title: str, sections: Sequence[Section], numbers: bool) -> str:
    """As a LaTeX document."""
    out = [
        r"\documentclass{article}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{amsmath,amssymb}",
        r"\begin{document}",
        rf"\section*{{{_escaped(title)}}}",
    ]
    for section in sections:
        out.append(rf"\subsection*{{{_escaped(section.title)}}}")
        if section.text:
            out.append(_with_math(section.text, _escaped, lambda m: f"${m}$"))
        if section.names:
            out.append(r"\noindent\begin{tabular}{lll}")
            for symbol, shape, meaning, name in section.names:
                size = f"${_times(shape)}$" if shape else ""
                words = _with_math(meaning, _escaped, lambda m: f"${m}$")
                code = rf" \texttt{{{_escaped(shown(name))}}}" if name else ""
                out.append(rf"${symbol}$ & {size} & {words}{code} \\")
            out.append(r"\end{tabular}")
        out += [_latex_line(line, numbers) for line in section.lines]
    return "\n".join([*out, r"\end{document}"]) + "\n"


def _latex_line(line: Line, numbers: bool) -> str:
    text = line.latex
    if numbers and line.value is not None:
        text += f" {_joined(value_latex(line.value))}"
    if line.shape:
        text += rf" \qquad {{\scriptstyle({_times(line.shape)})}}"
    text = rf"\[ {text}" + (rf" \tag{{{line.label}}}" if line.label else "") + r" \]"
    return text + (rf"{{\small \texttt{{{_escaped(shown(line.note))}}}}}" if line.note else "")


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in text)


def _with_math(text: str, words: Callable[[str], str], math: Callable[[str], str]) -> str:
    """Text with the formulas between dollar signs treated apart."""
    pieces = _MATH.split(text)
    return "".join(math(p) if k % 2 else words(p) for k, p in enumerate(pieces))


def to_text(title: str, sections: Sequence[Section], numbers: bool) -> str:
    """As plain text, for a terminal."""
    out = [title, "=" * len(title)]
    for section in sections:
        out += ["", section.title, "-" * len(section.title)]
        if section.text:
            out += [textwrap.fill(_with_math(section.text, str, plain), 80), ""]
        rows = [
            (plain(symbol), shape, _with_math(words, str, plain) + (f" ({shown(n)})" if n else ""))
            for symbol, shape, words, n in section.names
        ]
        rows += [(plain(x.latex), x.shape, x.label or shown(x.note)) for x in section.lines]
        values = ["" for _ in section.names] + [
            value_text(x.value) if numbers and x.value is not None else "" for x in section.lines
        ]
        first = max((min(_width(a), 72) for a, _, _ in rows), default=0)
        second = max((len(b) for _, b, _ in rows), default=0)
        for (a, b, c), value in zip(rows, values, strict=True):
            out.append(f"  {_padded(a, first)}  {b:{second}}  {c}".rstrip())
            out += [f"      {'' if value.startswith('norm') else '= '}{value}"] if value else []
    return "\n".join(out) + "\n"


def _width(text: str) -> int:
    """How many columns a text takes: bars above letters take none."""
    return sum(not unicodedata.combining(c) for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def to_html(title: str, sections: Sequence[Section], numbers: bool) -> str:
    """As a page of its own, with MathML."""
    from tinygrad_bp.draw.derivation.style import PAGE

    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        if section.text:
            body.append(f"<p>{_with_math(section.text, html.escape, mathml)}</p>")
        if section.names:
            rows = []
            for symbol, shape, meaning, name in section.names:
                words = _with_math(meaning, html.escape, mathml)
                code = f" <code>{html.escape(shown(name))}</code>" if name else ""
                rows.append(
                    f"<tr><th scope='row'>{mathml(symbol)}</th><td class='shape'>{shape}</td>"
                    f"<td>{words}{code}</td></tr>"
                )
            head = "<tr><th>symbol</th><th>shape</th><th>what it is</th></tr>"
            body.append(f"<table class='names'>{head}{''.join(rows)}</table>")
        if section.lines:
            rows = [_html_line(line, numbers) for line in section.lines]
            body.append(f"<table class='lines'>{''.join(rows)}</table>")
    return PAGE.replace("TITLE", html.escape(title)).replace("BODY", "\n".join(body))


def _html_line(line: Line, numbers: bool) -> str:
    value = ""
    if numbers and line.value is not None:
        found = value_latex(line.value)
        value = f"<div class='value'>{mathml(found if 'Vert' in found else f'= {found}')}</div>"
    note = f"<div class='note'>{html.escape(shown(line.note))}</div>" if line.note else ""
    kind = " class='labelled'" if line.label else ""
    return (
        f"<tr{kind}><td><div class='equation'>{mathml(line.latex, 'block')}</div>{value}{note}</td>"
        f"<td class='shape'>{line.shape}</td><td class='label'>{html.escape(line.label)}</td></tr>"
    )
