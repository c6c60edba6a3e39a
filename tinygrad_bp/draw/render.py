"""Layout: by the `dot` program, or by the Graphviz that comes with pygraphviz."""

from __future__ import annotations

import base64
import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_bp.draw.scene import printable
from tinygrad_bp.draw.thumbnails import put_images
from tinygrad_bp.errors import ArgumentError, MissingExtraError, OutputError, nearest
from tinygrad_bp.files import write_atomically

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture
    from tinygrad_bp.draw.scene import Scene

_PNG_DPI = 144  # sharp on a wall; the 96 of Graphviz are not
FORMATS = ("svg", "png", "pdf", "dot", "mmd", "txt")


def save(picture: Picture, path: str | Path) -> Path:
    """Write a picture to a file, in the format that its ending names.

    Parameters
    ----------
    picture : Picture
        What `draw` returned.
    path : str or Path
        A file that ends in ``.svg``, ``.png``, ``.pdf``, ``.dot``, ``.mmd`` for Mermaid, or
        ``.txt``; its folder must exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        The ending is none of these.
    MissingExtraError
        There is no Graphviz to lay the picture out; the last three need none.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ArgumentError(
            f"a picture cannot be written to {path.name!r}: {nearest(kind, FORMATS)}\n"
            "Fix: end the name in .svg, .png, .pdf, .dot, .mmd or .txt."
        )
    write_atomically(path, render(picture, kind))
    return path


def render(picture: Picture, kind: str) -> bytes:
    """A picture in one of the `FORMATS`, as the bytes of a file.

    Raises
    ------
    MissingExtraError
        There is no Graphviz to lay the picture out.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> render(tg.draw(x * x), "txt").decode().splitlines()
    ['n1 = multiply(x, x)  () float64', 'x: () float64 (input)']
    """
    written = {"dot": lambda: picture.source, "mmd": picture.mermaid, "txt": picture.text}
    if kind in written:
        text: str = written[kind]()
        return text.encode()
    content = layout(picture.source, kind, picture.scene.images())
    return _titled(content.decode(), picture.scene).encode() if kind == "svg" else content


def _titled(svg: str, scene: Scene) -> str:
    """SVG whose titles, which a pointer and a screen reader find, say what things are."""
    names = {f"cluster_{frame.key}": frame.title for frame in scene.frames.values()}
    for box in scene.boxes.values():
        names[box.key] = ", ".join((box.title, *box.lines))
    for arrow in scene.arrows:
        tail, head = scene.boxes[arrow.tail], scene.boxes[arrow.head]
        names[f"{arrow.tail}->{arrow.head}"] = f"{tail.title} → {head.title}"
    names["%3"] = "computation graph"  # what Graphviz calls a graph without a name

    def title(found: re.Match[str]) -> str:
        key = html.unescape(found[1])
        return f"<title>{html.escape(printable(names.get(key, key)))}</title>"

    return re.sub("<title>(.*?)</title>", title, svg)


def layout(source: str, kind: str, images: Mapping[str, bytes] | None = None) -> bytes:
    """DOT laid out and written as ``"svg"``, ``"png"`` or ``"pdf"``.

    Parameters
    ----------
    source : str
        DOT.
    kind : str
    images : dict of str to bytes, optional
        PNG files, by the keys of the boxes that have a place for them. SVG holds them inside.

    Raises
    ------
    MissingExtraError
        There is no Graphviz.
    """
    if not images:
        return _laid_out(source, kind)
    with tempfile.TemporaryDirectory() as folder:
        files = {key: str(Path(folder, f"{key}.png")) for key in images}
        for key, file in files.items():
            Path(file).write_bytes(images[key])
        content = _laid_out(put_images(source, files), kind)
    if kind == "svg":
        for key, file in files.items():
            data = f"data:image/png;base64,{base64.b64encode(images[key]).decode()}"
            content = content.replace(html.escape(file).encode(), data.encode())
    return content


def _laid_out(source: str, kind: str) -> bytes:
    options = [f"-Gdpi={_PNG_DPI}"] if kind == "png" else []
    program = shutil.which("dot")
    if program is not None:
        command = [program, f"-T{kind}", *options]
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
        if done.returncode:
            raise OutputError(
                f"Graphviz could not lay the picture out: {done.stderr.decode().strip()}\n"
                "Fix: a smaller budget; or .dot, .mmd or .txt, which need no Graphviz."
            )
        return done.stdout
    try:
        import pygraphviz
    except ImportError as error:
        raise MissingExtraError(
            "a picture needs Graphviz to lay it out, and neither its `dot` program nor the "
            "package pygraphviz is installed.\n"
            "Fix: apt install graphviz (Debian, Ubuntu), brew install graphviz (macOS), winget "
            "install graphviz (Windows), or pip install 'tinygrad-bp[draw]'. Text needs neither: "
            "picture.source, picture.mermaid(), picture.text(), or a file that ends in .dot, .mmd "
            "or .txt."
        ) from error
    graph = pygraphviz.AGraph(string=source)
    drawn: bytes = graph.draw(format=kind, prog="dot", args=" ".join(options))
    return drawn
