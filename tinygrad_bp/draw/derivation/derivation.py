"""`explain`: the derivatives of a loss, derived on paper from its graph."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.derivation import writing
from tinygrad_bp.draw.derivation.document import Section, general, given
from tinygrad_bp.draw.derivation.equations import Quantity, Step, derive
from tinygrad_bp.draw.derivation.naming import Naming
from tinygrad_bp.draw.derivation.perceptron import Perceptron
from tinygrad_bp.draw.derivation.textbook import Textbook
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.errors import ArgumentError, nearest, user_line
from tinygrad_bp.files import write_atomically

Notation = Literal["bars", "derivatives"]
#: The formats by the endings of files.
ENDINGS = {".md": "markdown", ".tex": "latex", ".html": "html", ".txt": "text"}


@dataclasses.dataclass(frozen=True)
class Derivation:
    """The chain rule written out for one graph; ``str()`` is plain text, Jupyter shows formulas.

    Attributes
    ----------
    title : str
    inputs : tuple of Quantity
        What goes into the graph, each with its gradient.
    steps : tuple of Step
        The operations in the order in which they ran, each with what it computes and with its
        cotangent.
    sections : tuple of Section
        What is written.
    numbers : bool
        Whether values stand beside the symbols.
    """

    title: str
    inputs: tuple[Quantity, ...]
    steps: tuple[Step, ...]
    sections: tuple[Section, ...]
    numbers: bool = False

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All values of the graph: inputs, then the outputs of operations."""
        return (*self.inputs, *(step.quantity for step in self.steps))

    def markdown(self) -> str:
        """As Markdown with LaTeX."""
        return writing.to_markdown(self.title, self.sections, self.numbers)

    def latex(self) -> str:
        """As a LaTeX document."""
        return writing.to_latex(self.title, self.sections, self.numbers)

    def html(self) -> str:
        """As a page of HTML with MathML; needs latex2mathml, which the extra ``draw`` has."""
        return writing.to_html(self.title, self.sections, self.numbers)

    def text(self) -> str:
        """As plain text."""
        return writing.to_text(self.title, self.sections, self.numbers)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Derivation {self.title!r}: {len(self.steps)} operations>"

    def _repr_markdown_(self) -> str:
        """What Jupyter shows."""
        return self.markdown()

    def save(self, path: str | Path) -> Path:
        """Write to a file that ends in ``.md``, ``.tex``, ``.html`` or ``.txt``.

        Raises
        ------
        ArgumentError
            The ending is none of these.
        """
        path = Path(path)
        if path.suffix not in ENDINGS:
            raise ArgumentError(
                f"a derivation cannot be written to {path.name!r} (at {user_line()}): "
                f"{nearest(path.suffix, ENDINGS)}\nFix: end the name in .md, .tex, .html or .txt."
            )
        write_atomically(path, getattr(self, ENDINGS[path.suffix])().encode())
        return path


def explain(loss: Tensor, *, numbers: bool = False, notation: Notation = "bars") -> Derivation:
    r"""Derive the gradients of a loss, from its graph, as a person would on paper.

    Every value gets a name, every operation is an equation with the formula that its primitive
    carries, and so is what it sends back. For a perceptron (linear maps with an activation behind
    each) the result is the four equations of backpropagation in their textbook form, with the names
    of ``docs/backpropagation.md``. Hooks are not part of it.

    Parameters
    ----------
    loss : Tensor
        Of one element, with its graph, which is kept; no gradient is written.
    numbers : bool, default False
        Whether to put values beside the symbols: small arrays in full, large ones as norms.
    notation : {"bars", "derivatives"}
        Whether a cotangent is written :math:`\bar{v}` or :math:`\partial \mathcal{L} / \partial v`.

    Returns
    -------
    Derivation
        With ``markdown()``, ``latex()``, ``html()``, ``text()`` and ``save(path)``, and the steps
        as data.

    Raises
    ------
    GraphError
        There is no graph, or it has been freed.
    ShapeError
        The loss has several elements.
    ArgumentError
        There is no such notation.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> derivation = explain(np.sin(x) * x)
    >>> [step.forward for step in derivation.steps]
    ['v_{1} = \\sin x', '\\mathcal{L} = v_{1} \\, x']
    >>> print(derivation.inputs[0].cotangent)
    \bar{x} = \bar{\mathcal{L}} \, v_{1} + \bar{v}_{1} \cos x
    """
    if notation not in ("bars", "derivatives"):
        raise ArgumentError(
            f"there is no notation {notation!r} (at {user_line()}): "
            f"{nearest(notation, ('bars', 'derivatives'))}"
        )
    nodes = nodes_behind([loss])
    found = pull_back([loss])
    naming = Naming(nodes, notation)
    perceptron = Perceptron.find(nodes)
    if perceptron is not None:
        perceptron.give_names(naming)
    naming.complete()
    inputs, steps = derive(naming, found)
    if perceptron is None:
        title = f"The chain rule through {_words(len(steps))}"
        sections = general(inputs, steps, notation == "bars")
    else:
        title = perceptron.title
        sections = Textbook(perceptron, naming, inputs, steps).sections()
    if numbers:
        sections.insert(1, given(inputs))
    return Derivation(title, tuple(inputs), tuple(steps), tuple(sections), numbers)


def _words(count: int) -> str:
    return "one operation" if count == 1 else f"{count} operations"
