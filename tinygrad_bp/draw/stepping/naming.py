"""What the values of a graph are called on its page, as in its derivation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node
from tinygrad_bp.draw.derivation.naming import Naming, is_number
from tinygrad_bp.draw.derivation.perceptron import Perceptron
from tinygrad_bp.draw.formulas import Symbol
from tinygrad_bp.draw.scene import Box


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


def facts_of(value: Any) -> str:
    """Shape and dtype in a few words."""
    array = np.asarray(value)
    shape = " \N{MULTIPLICATION SIGN} ".join(str(n) for n in array.shape)
    return f"{shape or 'number'} · {array.dtype}"
