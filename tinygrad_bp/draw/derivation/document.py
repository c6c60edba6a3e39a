"""A derivation as sections of lines, before it is written in any format."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.draw.derivation.equations import Quantity, Step
from tinygrad_bp.draw.derivation.naming import symbol_for
from tinygrad_bp.draw.derivation.products import decimal

_SMALL = 16  # elements of an array that is written in full
_WORDS = {
    "parameter": "parameter",
    "input": "input",
    "constant": "constant",
    "loss": "the loss",
}


@dataclasses.dataclass(frozen=True)
class Line:
    """An equation.

    Attributes
    ----------
    latex : str
        The equation.
    shape : str
        Of its sides, as ``128 x 10``.
    label : str
        Its number, as ``BP1``.
    note : str
        What else is to be said, in plain words.
    value : array or None
        What both sides are.
    """

    latex: str
    shape: str = ""
    label: str = ""
    note: str = ""
    value: Any = None


@dataclasses.dataclass(frozen=True)
class Section:
    """A title, some words, and lines; `text` has formulas between dollar signs.

    Attributes
    ----------
    title : str
    text : str
    lines : tuple of Line
    names : tuple of (symbol, shape, meaning, name)
        A table of symbols; a name is whatever the user has called it.
    """

    title: str
    text: str = ""
    lines: tuple[Line, ...] = ()
    names: tuple[tuple[str, str, str, str], ...] = ()


def dimensions(shape: Sequence[int]) -> str:
    """A shape in few characters.

    Examples
    --------
    >>> dimensions((128, 10)), dimensions((3,)), dimensions(())
    ('128 × 10', '3', '')
    """
    return " × ".join(map(str, shape))


def names_section(inputs: Sequence[Quantity], more: Sequence[tuple[str, str, str, str]]) -> Section:
    """The table of what goes in."""
    rows = []
    for q in inputs:
        own = symbol_for(q.name)
        said = own is not None and own.latex() == q.symbol  # the symbol says it
        rows.append((q.symbol, dimensions(q.shape), _WORDS[q.role], "" if said else q.name))
    return Section("Names", names=(*rows, *more))


def given(inputs: Sequence[Quantity]) -> Section:
    """What goes in, with its numbers."""
    lines = [Line(q.symbol, dimensions(q.shape), value=q.value) for q in inputs]
    return Section("Given", lines=tuple(lines))


def general(inputs: Sequence[Quantity], steps: Sequence[Step], bars: bool) -> list[Section]:
    """The sections of a derivation of any graph."""
    loss = steps[-1].quantity
    symbol = r"\bar{v}" if bars else r"\partial \mathcal{L} / \partial v"
    forward = [
        Line(s.forward, dimensions(s.quantity.shape), note=_note(s), value=s.quantity.value)
        for s in steps
    ]
    backward = [
        Line(
            q.cotangent,
            dimensions(q.shape),
            value=q.gradient if q.terms else None,
            note=_meeting(q),
        )
        for q in (s.quantity for s in reversed(steps))
        if q.bar
    ]
    wanted = [q for q in inputs if q.bar]
    gradients = [
        Line(final(q), dimensions(q.shape), value=q.gradient, note=_meeting(q)) for q in wanted
    ]
    return [
        names_section(inputs, ()),
        Section("Forward", "Each operation in the order in which it ran.", tuple(forward)),
        Section(
            "Backward",
            f"From the loss back: ${symbol}$ is the derivative of ${loss.symbol}$ with respect to "
            "$v$. Each operation sends to its inputs what arrives at its output, times its "
            r"derivative; where several use a value, what they send is added. $\odot$ multiplies "
            "element by element.",
            tuple(backward),
        ),
        Section("Gradients", "What was wanted:", tuple(gradients)),
    ]


def final(q: Quantity) -> str:
    """The equation of a gradient, which begins with what it is."""
    whole = rf"\frac{{\partial \mathcal{{L}}}}{{\partial {q.symbol}}}"
    return q.cotangent if q.bar == whole else f"{whole} = {q.cotangent}"


def _note(step: Step) -> str:
    return "; ".join(part for part in (step.where, step.note) if part)


def _meeting(q: Quantity) -> str:
    """Where paths meet."""
    return f"{len(q.terms)} paths meet" if len(q.terms) > 1 else ""


def value_latex(value: Any) -> str:
    r"""An array in LaTeX: in full if it is small, else its norm.

    Examples
    --------
    >>> print(value_latex(np.array([[1.0, 0.5]])))
    \begin{pmatrix} 1 & 0.5 \end{pmatrix}
    >>> print(value_latex(np.ones(100)))
    \lVert \cdot \rVert = 10
    """
    a = np.asarray(value)
    if a.ndim == 0:
        return _number(a)
    if a.ndim <= 2 and 0 < a.size <= _SMALL and a.shape[-1] <= 8:
        rows = r" \\ ".join(" & ".join(map(_number, row)) for row in np.atleast_2d(a))
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    return rf"\lVert \cdot \rVert = {_number(norm(a))}"


def value_text(value: Any) -> str:
    """An array in plain text: in full if it is small, else its norm.

    Examples
    --------
    >>> print(value_text(np.array([[1.0, 0.5]])), "and", value_text(np.ones(100)))
    [[1, 0.5]] and norm 10
    """
    a = np.asarray(value)
    if a.ndim == 0:
        return _short(a)
    if a.size <= _SMALL:
        return np.array2string(
            a, separator=", ", formatter={"all": _short}, max_line_width=10**6
        ).replace("\n", "")
    return f"norm {_short(norm(a))}"


def norm(a: Any) -> float:
    """The root of the sum of squares."""
    return float(np.linalg.norm(np.asarray(a, float).ravel()))


def _short(x: Any) -> str:
    return f"{float(x):.4g}" if np.asarray(x).dtype.kind == "f" else str(x)


def _number(x: Any) -> str:
    return decimal(float(f"{float(x):.4g}"))
