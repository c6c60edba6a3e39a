"""What the values of a graph are called in its formulas, and formulas as MathML."""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection
from typing import Any

import numpy as np

from tinygrad_bp.draw.formulas import Symbol, number
from tinygrad_bp.draw.scene import Box, Scene
from tinygrad_bp.errors import missing_extra

_GREEK = "alpha beta gamma delta epsilon eta theta kappa lambda mu nu rho sigma tau phi psi omega"
_SIMPLE = re.compile(rf"([A-Za-df-uw-y]|{'|'.join(_GREEK.split())})_?(\d{{0,3}})")  # not e, v, z
_USUAL = {"weight": "W", "bias": "b"}
_OF_ROLE = {"parameter": r"\theta", "input": "x", "constant": "c"}
_KEPT = {"accent", "displaystyle", "fence", "form", "scriptlevel", "stretchy", "width"}
_KEPT |= {"columnalign", "linethickness", "mathvariant"}


def symbols(scene: Scene, samples: Collection[str] = ()) -> dict[str, Symbol]:
    r"""What each box of a scene is called in formulas: no two have the same symbol.

    Weights and biases are :math:`W^l` and :math:`b^l`, numbered as their modules come; a name that
    is one letter, with a number perhaps, is kept; results are :math:`v_1, v_2, \dots`, and the last
    is `L`. All other names are left to the legend.

    Parameters
    ----------
    scene : Scene
        With a box for each operation.
    samples : collection of str
        Keys of the values that hold a batch: `x`, and `y` if there are two.
    """
    found: dict[str, Symbol] = {}
    taken: set[str] = set()
    modules: dict[str, int] = {}
    batch = [key for key in samples if scene.boxes[key].role == "constant"]
    wishes = dict(zip(batch, "xy", strict=False)) if len(batch) <= 2 else {}
    for key, box in scene.boxes.items():
        if box.node is not None:
            continue
        symbol = _literal(box) or _wished(box, wishes.get(key, ""), modules)
        n = 0
        while symbol is None or (not symbol.number and symbol.latex() in taken):
            n += 1
            symbol = Symbol(_OF_ROLE.get(box.role, "c"), str(n))
        taken.add(symbol.latex())
        found[key] = symbol
    results = [box.key for box in scene.boxes.values() if box.node is not None]
    for n, key in enumerate(results, 1):
        last = key == results[-1] and "L" not in taken
        found[key] = Symbol("L") if last else Symbol("v", str(n))
    return found


def _literal(box: Box) -> Symbol | None:
    """A number that is no tensor is called what it is."""
    if box.tensor is None and np.ndim(box.value) == 0 and np.asarray(box.value).dtype.kind in "fiu":
        return Symbol(number(float(box.value)))
    return None


def _wished(box: Box, wish: str, modules: dict[str, int]) -> Symbol | None:
    """What a value should be called, by its own name or by its place in a module."""
    place, _, last = box.title.rpartition(".")
    if box.role == "parameter" and last in _USUAL:
        layer = modules.setdefault(place, len(modules) + 1)
        return Symbol(_USUAL[last], above=str(layer) if place else "")
    simple = _SIMPLE.fullmatch(box.title if box.role != "parameter" else last)
    if simple is None or place:
        return Symbol(wish) if wish else None
    letter, below = simple.groups()
    return Symbol(letter if len(letter) == 1 else rf"\{letter}", below)


def barred(symbol: Symbol) -> Symbol:
    """The cotangent of what a symbol stands for."""
    return symbol._replace(base=rf"\bar{{{symbol.base}}}")


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
        from latex2mathml.converter import convert
    except ImportError as error:
        raise missing_extra("latex2mathml", "draw", "draw.page") from error
    try:
        tree = ET.fromstring(convert(latex))
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


def plain(symbol: Symbol) -> str:
    r"""A symbol in letters alone, for those who listen: W^{1} is W1.

    Examples
    --------
    >>> plain(Symbol(r"\bar{v}", "2")), plain(Symbol("W", above="1"))
    ('v2', 'W1')
    """
    base = re.sub(r"\\bar\{(.*)\}", r"\1", symbol.base).replace("\\", "")
    return base + symbol.above + symbol.below if not symbol.number else base


def facts_of(value: Any) -> str:
    """Shape and dtype in a few words."""
    array = np.asarray(value)
    shape = " \N{MULTIPLICATION SIGN} ".join(str(n) for n in array.shape)
    return f"{shape or 'number'} · {array.dtype}"
