"""`page`: the graph as a page on which one steps through the forward and the backward pass."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from pathlib import Path

from tinygrad_bp.core import Tensor, record_grads
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import nodes_behind, printable
from tinygrad_bp.draw.stepping.layout import picture
from tinygrad_bp.draw.stepping.naming import names
from tinygrad_bp.draw.stepping.story import Story
from tinygrad_bp.draw.themes import THEMES
from tinygrad_bp.errors import GraphError, user_line
from tinygrad_bp.files import write_atomically

#: More operations and values would take long to lay out, and nobody would step through them.
MOST = 800
_SCRIPTS = ("stage", "steps", "tables", "controls")
_START = 'const story = JSON.parse(document.getElementById("data").textContent);\n'


def page(
    loss: Tensor,
    path: str | Path,
    *,
    title: str = "Backpropagation, step by step",
    image_shape: tuple[int, int] | None = None,
    tape: record_grads | None = None,
    lines: bool = True,
) -> Path:
    r"""Write a page on which one steps through the forward and the backward pass of a loss.

    It is one HTML file that needs nothing else, no network either. A slider and the arrow keys
    walk through the operations, first as they were computed and then as the backward pass visits
    them, with the formulas, the values, and the cotangents as they flow back and are added. A
    click on a module folds it, a table tells the same in words, and of a batch one sample can be
    chosen. Large arrays are summed up. No gradient is written to any tensor, and the graph stays.

    Parameters
    ----------
    loss : Tensor
        The last value, before its graph is freed by `backward`.
    path : str or Path
        The file; its folder must exist.
    title : str
        What the page is called.
    image_shape : tuple of int, optional
        Height and width of the images of which a sample, or a row of weights, consists.
    tape : record_grads, optional
        What recorded a backward pass of your own, with its hooks; else the page shows the pass that
        starts from 1 at a loss with one element.
    lines : bool, default True
        Whether the page says which line of yours each operation comes from.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    GraphError
        There is no graph, it has been freed, or it has more than 800 operations and values.
    ShapeError
        The loss has several elements, and there is no tape.
    MissingExtraError
        There is no Graphviz, or no latex2mathml.

    Examples
    --------
    >>> import tempfile, tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = tg.draw.page(x * x + 1.0, f"{folder}/backprop.html")
    ...     "<math>" in path.read_text()
    True
    """
    path = Path(path)
    nodes = nodes_behind([loss])
    _check_length(len(nodes))
    scene = read([loss], each=True)
    _check_length(len(scene.boxes))
    naming = names(nodes)
    story = Story(scene, pull_back([loss], tape), naming, image_shape, lines)
    content = {
        "TITLE": escape(printable(title)),
        "STYLE": _colours() + _text("style.css"),
        "PICTURE": picture(scene, naming),
        "DATA": _json(story.data()),
        "SCRIPT": _START + "\n".join(_text(f"{name}.js") for name in _SCRIPTS),
    }
    write_atomically(path, _filled(_text("template.html"), content))
    return path


def _check_length(count: int) -> None:
    if count > MOST:
        raise GraphError(
            f"a graph of {count:,} operations and values or more is too long to step through (at "
            f"{user_line()}): a page has at most {MOST}.\n"
            "Fix: make the page of a smaller network, or of fewer steps of the same; "
            "draw(loss) folds what is large."
        )


def _filled(template: str, content: dict[str, str]) -> str:
    """A template with its marks, as in ``%TITLE%``, replaced, whatever stands in what replaces."""
    pieces = template.split("%")
    return "".join(content.get(p, p) if k % 2 else p for k, p in enumerate(pieces))


def _text(name: str) -> str:
    return files("tinygrad_bp.draw.stepping").joinpath(name).read_text("utf-8")


def _json(data: object) -> str:
    """JSON in which nothing ends the script element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for c, escaped in (("<", "\\u003c"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(c, escaped)
    return text.encode("utf-8", "backslashreplace").decode()


def _colours() -> str:
    """The colours of both themes as variables of CSS."""
    blocks = {}
    for name, theme in THEMES.items():
        plain = {k: v for k, v in theme._asdict().items() if isinstance(v, str)}
        for role, look in theme.roles.items():
            plain |= {f"{role}-fill": look["fillcolor"], f"{role}-line": look["color"]}
        blocks[name] = " ".join(f"--{k}: {v};" for k, v in plain.items())
    return (
        f":root {{ color-scheme: light; {blocks['light']} }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark; {blocks['dark']} }}\n"
    )
