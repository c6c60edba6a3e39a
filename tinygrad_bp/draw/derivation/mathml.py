"""Formulas as MathML, which browsers show by themselves."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET

from tinygrad_bp.errors import missing_extra

_TAGS = {"math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot"}
_TAGS |= {"mrow", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext"}
_TAGS |= {"mtr", "munder", "munderover"}
_KEPT = {"accent", "displaystyle", "fence", "form", "scriptlevel", "stretchy", "width"}
_KEPT |= {"columnalign", "linethickness", "mathvariant"}
_TOP, _PRIME = "\N{DOWN TACK}", "\N{PRIME}"


@functools.lru_cache(maxsize=4096)
def mathml(latex: str, display: str = "inline") -> str:
    r"""A formula as MathML; what is no LaTeX is shown as it is.

    Parameters
    ----------
    latex : str
        The formula. Whatever it is, nothing but MathML comes out.
    display : {"inline", "block"}
        In a line of text, or on a line of its own.

    Raises
    ------
    MissingExtraError
        latex2mathml is not installed.

    Examples
    --------
    >>> mathml("x^2")
    '<math><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>'
    >>> mathml(r"\text{<b>}")
    '<math><mtext>\\text{&lt;b&gt;}</mtext></math>'
    """
    try:
        from latex2mathml.converter import convert
    except ImportError as error:
        raise missing_extra("latex2mathml", "draw", "a formula as MathML") from error
    try:
        tree = ET.fromstring(convert(latex))
        # The converter lets tags in a text through.
        strange = any(e.tag.rpartition("}")[2] not in _TAGS for e in tree.iter())
    except Exception:  # whatever a formula of the user's own makes of the converter
        strange = True
    if strange:
        tree = ET.Element("math")
        ET.SubElement(tree, "mtext").text = "".join(c for c in latex if c.isprintable())
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name not in _KEPT]:
            del element.attrib[name]  # links and styles among them
    for parent in list(tree.iter()):
        _set(parent)
    if display == "block":
        tree.set("display", "block")
    return ET.tostring(tree, encoding="unicode")


def _set(parent: ET.Element) -> None:
    """Space where a printer would put it, and none where he would not."""
    text = parent.text or ""
    if text == _TOP or (parent.tag == "mo" and text.isalpha() and len(text) > 1):
        parent.tag = "mi"  # an operator would have space around it
    if parent.tag == "msup" and len(parent) == 2 and parent[1].text == _PRIME:
        parent.tag = "mrow"  # a prime is raised and small by itself
    for k in range(len(parent) - 2, -1, -1):
        name, after = parent[k], parent[k + 1]
        if parent.tag in ("mrow", "mstyle") and name.tag in ("mi", "mo"):
            word = (name.text or "").isalpha() and len(name.text or "") > 1
            if word and after.tag != "mspace" and (after.text or "")[:1] not in ("(", "[", _PRIME):
                parent.insert(k + 1, ET.Element("mspace", width="0.167em"))
