"""`draw`: the computation graph behind a tensor as a Graphviz picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_bp.core import Tensor
from tinygrad_bp.draw.scene import read

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture


def draw(*what: Tensor, theme: str = "light", legend: bool = False) -> Picture:
    """Draw the graph from which tensors were computed, from the inputs down to the outputs.

    Rounded boxes are operations, with the shape and dtype of what comes out; an edge is an input,
    and carries its position where there are several. Parameters, other leaves that require a
    gradient, and constants have colours of their own. The operations of a module lie in a frame
    with its name. The same graph gives the same text, byte for byte.

    Parameters
    ----------
    *what : Tensor
        What to draw, before its graph is freed by `backward`.
    theme : {"light", "dark"}
    legend : bool, default False
        Whether a corner of the picture says what the roles in it look like.

    Returns
    -------
    Picture
        A `graphviz.Digraph`. Its ``source`` is DOT; Jupyter shows it; `save` writes it as SVG,
        PNG, PDF, DOT, Mermaid or text.

    Raises
    ------
    GraphError
        There is nothing to draw, or the graph has been freed.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.draw import draw
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> picture = draw(x * 3.0)
    >>> [line.strip() for line in picture.source.splitlines() if "->" in line]
    ['v1 -> n1 [headlabel="0"]', 'v2 -> n1 [headlabel="1"]']
    """
    from tinygrad_bp.draw.dot import to_dot

    return to_dot(read(what), theme, legend)
