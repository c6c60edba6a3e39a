"""Layout: by the `dot` program, or by the Graphviz that comes with pygraphviz."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_bp.errors import ArgumentError, MissingExtraError, nearest
from tinygrad_bp.files import write_atomically

if TYPE_CHECKING:
    import graphviz

FORMATS = ("svg", "png", "pdf", "dot")


def save(picture: graphviz.Digraph, path: str | Path) -> Path:
    """Write a picture to a file, in the format that its ending names.

    Parameters
    ----------
    picture : graphviz.Digraph
        What `draw` returned.
    path : str or Path
        A file that ends in ``.svg``, ``.png``, ``.pdf`` or ``.dot``; its folder must exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        The ending is none of these.
    MissingExtraError
        There is no Graphviz to lay the picture out; ``.dot`` needs none.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ArgumentError(
            f"a picture cannot be written to {path.name!r}: {nearest(kind, FORMATS)}\n"
            "Fix: end the name in .svg, .png, .pdf or .dot."
        )
    content = picture.source.encode() if kind == "dot" else _layout(picture, kind)
    write_atomically(path, content)
    return path


def _layout(picture: graphviz.Digraph, kind: str) -> bytes:
    if shutil.which("dot"):
        content: bytes = picture.pipe(format=kind)
        return content
    try:
        import pygraphviz
    except ImportError as error:
        raise MissingExtraError(
            "a picture needs Graphviz to lay it out, and neither its `dot` program nor the "
            "package pygraphviz is installed.\n"
            "Fix: apt install graphviz (Debian, Ubuntu), brew install graphviz (macOS), winget "
            "install graphviz (Windows), or pip install 'tinygrad-bp[draw]'. DOT text needs "
            "neither: picture.source, or a file that ends in .dot."
        ) from error
    drawn: bytes = pygraphviz.AGraph(string=picture.source).draw(format=kind, prog="dot")
    return drawn
