"""What the values of a graph are called on its page, as in its derivation, and MathML."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.draw.derivation.naming import Naming, is_number
from tinygrad_bp.draw.derivation.perceptron import Perceptron
from tinygrad_bp.draw.derivation.writing import mathml as convert
from tinygrad_bp.draw.formulas import Symbol
from tinygrad_bp.draw.scene import Box
from tinygrad_bp.errors import MissingExtraError

_KEPT = {"accent", "displaystyle", "fence", "form", "scriptlevel", "stretchy", "width"}
_KEPT |= {"columnalign", "linethickness", "mathvariant"}


def names(nodes: Sequence[Node]) -> Naming:
    """The names that a derivation has too: those of the textbooks, if it is a perceptron."""
    naming = Naming(nodes)
    perceptron = Perceptron.find(nodes)
    if perceptron is not None:
        perceptron.give_names(naming)
    naming.complete()
    return naming


def owner(box: Box) -> Any:
    """What a box stands for in the graph: a node, or what goes into one."""
    if box.node is not None:
        return box.node
    return box.tensor if box.tensor is not None else box.value


def is_literal(box: Box) -> bool:
    """Whether a box is a number that stands in the formulas itself."""
    return box.node is None and is_number(owner(box))


def symbol_of(naming: Naming, box: Box) -> Symbol:
    """What a box is called in formulas."""
    return naming.of(owner(box))


@functools.lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    r"""A formula as MathML, which browsers show by themselves; what is no LaTeX is shown as it is.

    Raises
    ------
    MissingExtraError
        latex2mathml is not installed.

    Examples
    --------
    >>> mathml("x^2")
    '<math><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    """
    try:
        tree = ET.fromstring(convert(latex))
    except MissingExtraError:
        raise
    except Exception:  # whatever a formula of the user's own makes of the converter
        tree = ET.Element("math")
        ET.SubElement(tree, "mtext").text = latex
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
        if element.text == "\N{DOWN TACK}":
            element.tag = "mi"  # an operator would have space around it
        for name in [name for name in element.attrib if name not in _KEPT]:
            del element.attrib[name]  # links and styles among them
    for parent in list(tree.iter()):
        _set_apart(parent)
    return ET.tostring(tree, encoding="unicode")


def _set_apart(parent: ET.Element) -> None:
    """Put a thin space between the name of a function and what it is applied to."""
    for k in range(len(parent) - 2, -1, -1):
        name, after = parent[k], parent[k + 1]
        if parent.tag in ("mrow", "mstyle") and name.tag in ("mi", "mo"):
            word = (name.text or "").isalpha() and len(name.text or "") > 1
            if word and after.tag != "mspace" and (after.text or "")[:1] not in ("(", "["):
                parent.insert(k + 1, ET.Element("mspace", width="0.167em"))


def facts_of(value: Any) -> str:
    """Shape and dtype in a few words."""
    array = np.asarray(value)
    shape = " \N{MULTIPLICATION SIGN} ".join(str(n) for n in array.shape)
    return f"{shape or 'number'} · {array.dtype}"
