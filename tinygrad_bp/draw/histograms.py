"""What flows through the layers of a graph, as histograms: activations forward, gradients back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.draw.scene import Names, nodes_behind, printable
from tinygrad_bp.draw.weights import new_axes
from tinygrad_bp.errors import ArgumentError, ShapeError, user_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
_MOST = 32  # rows
_BINS = 60


def activations(output: Tensor, *, ax: Axes | None = None) -> Axes:
    """Draw what each layer puts out, as a row of histograms on one scale.

    A row belongs to a call of a module, the first on top; where no module was called, to an
    operation. Beside it stands the part of its values that are exactly 0, as of units that ReLU
    has switched off, and how many are not finite. Of more than 32 rows, 32 are drawn that are
    evenly spaced.

    Parameters
    ----------
    output : Tensor
        The end of a graph that `backward` has not freed yet: a loss, or what a network gives.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones unless given.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    GraphError
        There is no graph behind the tensor, or it has been freed.
    ArgumentError
        No layer puts out more than one number.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> nn = tg.nn
    >>> model = nn.Sequential(nn.Linear(4, 9, generator=0), nn.ReLU(), nn.Linear(9, 2, generator=1))
    >>> ax = tg.draw.activations(model(np.ones((5, 4))))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0: Linear', '1: ReLU', '2: Linear']
    """
    rows = [(title, np.asarray(node.out)) for title, node in _layers(output)]
    ax = _draw(rows, _even(rows), ax, "activations")
    ax.set_xlabel("activation")
    return ax


def gradients(
    loss: Tensor,
    of: Literal["activations", "parameters"] = "activations",
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the sizes of the gradients of a loss by layers, on a logarithmic scale.

    Where gradients vanish or explode, the rows drift to the left or to the right. Beside each
    stands the part of its gradients that are exactly 0, which have no place on the scale; the least
    1 % of the others may stand at its left end, so that they do not stretch it. The backward pass
    is one of its own: no `.grad` changes, and the graph is kept.

    Parameters
    ----------
    loss : Tensor
        Of one element, before `backward` frees its graph.
    of : {"activations", "parameters"}
        What the gradients belong to: to what the layers put out, or to the parameters.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones unless given.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in.

    Raises
    ------
    GraphError
        There is no graph behind the tensor, or it has been freed.
    ShapeError
        The tensor has several elements.
    ArgumentError
        There is nothing of that kind.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> nn = tg.nn
    >>> model = nn.Sequential(nn.Linear(4, 9, generator=0), nn.ReLU(), nn.Linear(9, 2, generator=1))
    >>> ax = tg.draw.gradients((model(np.ones((5, 4))) ** 2).mean(), "parameters")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """
    if loss.size != 1:
        raise ShapeError(
            f"gradients are those of one number, not of a tensor {loss.shape} (at {user_line()}).\n"
            "Fix: pass the loss, as its mean() or sum()."
        )
    if of == "activations":
        named = [(title, x.primitive.as_tensor(x.out, x)) for title, x in _layers(loss)]
    elif of == "parameters":
        named = _parameters(loss)
    else:
        raise ArgumentError(f"of={of!r}, but it is 'activations' or 'parameters'.")
    start = np.ones_like(loss.data)
    found = backward_pass(loss, start, wrt=[x for _, x in named]).leaves
    reached = {id(x): g for x, g, _ in found}
    rows = [(title, np.abs(reached[id(x)])) for title, x in named if id(x) in reached]
    ax = _draw(rows, _logarithmic(rows), ax, "gradients")
    ax.set_xscale("log")
    ax.set_xlabel("size of the gradient of each " + of.removesuffix("s"))
    return ax


def _layers(output: Tensor) -> list[tuple[str, Node]]:
    """For each call of a module, the last operation of its own; without any, each operation."""
    nodes = nodes_behind([output])
    last = {id(node.mode.call): node for node in nodes if node.mode.call is not None}
    outer = {id(node.mode.call.parent) for node in last.values() if node.mode.call is not None}
    names, rows = Names(nodes), []
    for node in last.values() or nodes:
        call = node.mode.call
        title = node.primitive.name if call is None else names.of(call.module)
        if id(call) in outer:  # what it puts out may come from an inner module
            title += f" ({node.primitive.name})"
        if np.size(node.out) > 1:
            rows.append((title, node))
    return rows


def _parameters(loss: Tensor) -> list[tuple[str, Tensor]]:
    """The leaves that require a gradient, each once, in the order of their use."""
    nodes = nodes_behind([loss])
    found = {id(x): x for node in nodes for x in node.sources if isinstance(x, Tensor)}
    names = Names(nodes).parameters
    return [(names.get(k) or x.name or "leaf", x) for k, x in found.items() if x.requires_grad]


def _even(rows: list[tuple[str, Array]]) -> Array:
    """Edges of bins that hold all values."""
    finite = np.concatenate([a[np.isfinite(a)] for _, a in rows] or [np.ones(0)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return np.linspace(low, high, _BINS + 1) if low < high else np.array([low - 0.5, low + 0.5])


def _logarithmic(rows: list[tuple[str, Array]]) -> Array:
    """Edges of bins for values above 0; the first is also for the least 1 % of each row."""
    positive = [a[np.isfinite(a) & (a > 0)] for _, a in rows]
    filled = [a for a in positive if a.size]
    if not filled:
        return np.array([0.5, 2.0])
    low = min(float(np.quantile(a, 0.01)) for a in filled)
    high = max(float(a.max()) for a in filled)
    return np.geomspace(low, high, _BINS + 1) if low < high else np.array([low / 2, 2 * high])


def _draw(rows: list[tuple[str, Array]], edges: Array, ax: Axes | None, purpose: str) -> Axes:
    """One above the other, the first on top, each as high as its fullest bin."""
    if not rows:
        raise ArgumentError(
            f"{purpose} found no layer with more than one number behind the tensor (at "
            f"{user_line()}).\nFix: pass the loss of a network on a batch."
        )
    total = len(rows)
    if total > _MOST:
        rows = [rows[i] for i in np.linspace(0, total - 1, _MOST).round().astype(int)]
    ax = ax or new_axes(purpose, (7.0, 1.1 + 0.55 * len(rows)))
    for place, (_, values) in enumerate(rows):
        inside = values[np.isfinite(values) & ((values != 0) | (purpose == "activations"))]
        counts = np.histogram(inside.clip(edges[0], edges[-1]), edges)[0]
        heights = 0.85 * counts / max(1, counts.max())
        ax.stairs(heights - place, edges, baseline=-place, fill=True, alpha=0.75, color="C0")
        ax.axhline(-place, color="0.5", linewidth=0.6)
        ax.text(1.01, -place, _notes(values), transform=ax.get_yaxis_transform(), fontsize="small")
    titles = [printable(title) for title, _ in rows]
    ax.set_yticks([-float(place) for place in range(len(rows))], titles, parse_math=False)
    ax.set_ylim(0.85 - len(rows), 1.0)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "left", "right"]].set_visible(False)
    if total > _MOST:
        ax.set_title(f"{_MOST} of {total} layers")
    return ax


def _notes(values: Array) -> str:
    """What a histogram does not show."""
    zeros, odd = np.mean(values == 0), np.count_nonzero(~np.isfinite(values))
    words = [f"{zeros:.0%} are 0"] if zeros else []
    return ", ".join([*words, f"{odd} not finite"] if odd else words)
