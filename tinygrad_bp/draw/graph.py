"""`draw`: the computation graph behind tensors, or a module, as a picture."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor, enable_grad, record_grads
from tinygrad_bp.draw.annotate import annotate
from tinygrad_bp.draw.modules import tree
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import Scene
from tinygrad_bp.errors import ArgumentError, nearest, user_line
from tinygrad_bp.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_bp.draw.picture import Picture

LEVELS = ("module", "operation", "full")


def draw(
    *what: Any,
    level: str = "operation",
    depth: int | None = None,
    budget: int | None = 150,
    theme: str = "light",
    values: bool = False,
    gradients: bool | record_grads = False,
    backward: str | None = None,
    image_shape: tuple[int, int] | None = None,
    legend: bool = False,
    shapes: bool = False,
    lines: bool = True,
) -> Picture:
    """Draw the graph from which tensors were computed, from the inputs down to the outputs.

    Rounded boxes are operations, with the shape and dtype of what comes out; an arrow is an input,
    with its position where there are several. Parameters, other inputs, constants and outputs have
    colours and outlines of their own. The operations of a call of a module lie in a frame with its
    name. The same graph gives the same text, byte for byte.

    Four or more identical blocks in a row, each fed by the one before, are drawn once, as "× 12".
    What has more boxes than `budget` is folded further: modules become boxes, the innermost first,
    then repeated operations are drawn once, and at last stretches of operations become boxes.

    Parameters
    ----------
    *what : Tensor, or Module and its inputs
        Tensors, before their graph is freed by `backward`. Or a module and what it is to be called
        with; it is called once. Or a module alone, whose parts and parameters are drawn.
    level : {"operation", "module", "full"}
        Whether the boxes are operations; or the innermost calls of modules; or operations, with
        all parameters, the memory that each keeps, what it saved, and the line it came from.
    depth : int, optional
        Calls of modules within so many others become boxes; all others are frames.
    budget : int or None, default 150
        How many boxes there may be before more is folded. None folds nothing; Graphviz then takes
        minutes for thousands of boxes.
    theme : {"light", "dark"}
    values : bool, default False
        Whether boxes show the numbers: small arrays in full, of large ones range, mean and norm.
    gradients : bool or record_grads, default False
        Whether boxes show gradients, and arrows their size by their width: those of a backward
        pass from the sum of the tensors, which writes nothing and runs no hook; or those that were
        recorded by `record_grads`, with what hooks did.
    backward : {"over", "alone"}, optional
        Lay the backward pass over the graph, or draw it alone.
    image_shape : tuple of int, optional
        Height and width: inputs and parameters of which each row is such an image are shown as
        images in SVG, PNG and PDF.
    legend : bool, default False
        Whether a corner of the picture says what the roles in it look like.
    shapes : bool, default False
        Whether arrows show the shape of what flows along, where the operation changes it.
    lines : bool, default True
        Whether ``level="full"`` says which line of yours each operation comes from.

    Returns
    -------
    Picture
        A `graphviz.Digraph`. Its ``source`` is DOT; Jupyter shows it; `save` writes it as SVG,
        PNG, PDF, DOT, Mermaid or text.

    Raises
    ------
    GraphError
        There is nothing to draw, or the graph has been freed.
    ArgumentError
        An option has a value that it cannot have.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from tinygrad_bp.draw import draw
    >>> x = tg.Tensor(2.0, requires_grad=True, name="x")
    >>> picture = draw(x * x + 3.0)
    >>> print(picture.text())
    n2 = add(n1, 3.0)  () float64
    n1 = multiply(x, x)  () float64
    x: () float64 (input)
    <BLANKLINE>
    """
    from tinygrad_bp.draw.dot import to_dot
    from tinygrad_bp.draw.themes import theme_named

    theme_named(theme)
    _check(level, depth, budget)
    if len(what) == 1 and isinstance(what[0], Module):
        return to_dot(tree(what[0], depth, budget), theme, legend)
    outputs = _outputs(what)
    each = values or gradients is not False or backward is not None
    scene = read(outputs, level, depth, budget, each, lines)
    scene = annotate(scene, outputs, values, gradients, backward, image_shape)
    if shapes:
        _add_shapes(scene)
    return to_dot(scene, theme, legend)


def _check(level: str, depth: int | None, budget: int | None) -> None:
    """Options that make sense, or an error."""
    if level not in LEVELS:
        raise ArgumentError(
            f"draw knows no level {level!r} (at {user_line()}): {nearest(level, LEVELS)}\n"
            "Fix: 'module', 'operation' or 'full'."
        )
    for name, value, least in (("depth", depth, 0), ("budget", budget, 1)):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            raise ArgumentError(
                f"{name} is {value!r} (at {user_line()}).\n"
                f"Fix: a whole number from {least} on, or None."
            )


def _outputs(what: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors to draw, which a module may have to compute first."""
    if not what or not isinstance(what[0], Module):
        return what
    module, *inputs = what
    names = list(inspect.signature(module.forward).parameters)
    tensors = []
    for k, x in enumerate(inputs):
        t = as_tensor(x) if isinstance(x, (np.ndarray, list, tuple, float, int)) else x
        if isinstance(t, Tensor) and t is not x:
            t.name = names[k] if k < len(names) else "input"
            # What a layer makes of it before the first weight is then in the picture too.
            t.requires_grad = t.dtype.kind == "f"
        tensors.append(t)
    with enable_grad():
        return tuple(_tensors(module(*tensors)))


def _tensors(result: Any) -> Iterator[Any]:
    """The tensors in what a module returned."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from _tensors(part)
    else:
        yield result


def _add_shapes(scene: Scene) -> None:
    """Write shapes on the arrows along which they differ from that of what comes out."""
    for k, arrow in enumerate(scene.arrows):
        shape = np.shape(_value(arrow.source))
        head = scene.boxes[arrow.head]
        if arrow.source is not None and (head.value is None or np.shape(head.value) != shape):
            scene.arrows[k] = arrow._replace(label=str(shape))


def _value(source: Any) -> Any:
    out = getattr(source, "out", source)
    return out.data if isinstance(out, Tensor) else out
