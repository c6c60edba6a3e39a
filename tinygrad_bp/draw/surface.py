"""The loss landscape around a network, along two directions of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor, no_grad
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.draw.weights import new_axes
from tinygrad_bp.errors import ArgumentError, ShapeError, nearest, user_line
from tinygrad_bp.nn import Module

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
Direction = Mapping[str, Any]


def landscape(
    loss: Callable[[Any], Any],
    model: Module,
    directions: Sequence[Direction] | None = None,
    *,
    extent: float = 1.0,
    points: int = 25,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the loss over a plane through the parameters of a network.

    The network itself stands in the middle. Unless directions are given, they are random and
    filter-normalised: the weights of each unit move as far, at 1, as they are long, and biases
    stay. So pictures of networks with other scales can be compared. (H. Li et al., "Visualizing the
    loss landscape of neural nets", 2018.)

    The parameters are exchanged for others while the loss is computed, and are the same arrays
    afterwards, even if the loss raises an error. Each value is computed with the same random
    numbers, as of Dropout, and those that come after are what they would have been.

    Parameters
    ----------
    loss : callable
        ``loss(model)`` gives one number, as ``lambda m: cross_entropy(m(x), labels)``.
    model : Module
        The network.
    directions : two mappings of str to array_like, optional
        By the names of parameters, as differences of `state_dict`; parameters that are not named
        stay.
    extent : float, default 1
        How far to go each way, in lengths of the directions.
    points : int, default 25
        How many values along each direction; an odd number has the network among them.
    seed : int, default 0
        Of the random directions.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones unless given.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in. A logarithmic scale of colours is chosen where the losses are positive
        and the greatest is more than 20 times the least; what is not finite stays blank.

    Raises
    ------
    ArgumentError
        There are not two directions, a name is not known, or there is nothing to see: `loss` is
        the same everywhere, or nowhere finite.
    ShapeError
        A direction does not have the shape of its parameter, or `loss` gives several numbers.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> model = tg.nn.Linear(1, 1, generator=0)
    >>> x = np.linspace(-1, 1, 9)[:, None]
    >>> along = [{"weight": [[1.0]]}, {"bias": [1.0]}]
    >>> ax = tg.draw.landscape(lambda m: ((m(x) - x) ** 2).mean(), model, along, points=5)
    >>> ax.get_xlabel()
    'weight'
    """
    named = dict(model.named_parameters())
    if directions is None:
        rng = np.random.default_rng(seed)
        directions = [_filter_normalised(named, rng) for _ in range(2)]
        titles = ["a random direction", "another random direction"]
    else:
        directions = _checked(named, directions)
        titles = [", ".join(d) if len(d) <= 2 else "given direction" for d in directions]
    steps = np.linspace(-extent, extent, points)
    values = _values(loss, model, directions, steps)
    finite = values[np.isfinite(values)]
    if not finite.size or finite.min() == finite.max():
        what = f"{finite[0]:.6g} everywhere" if finite.size else "nowhere finite"
        raise ArgumentError(
            f"the loss is {what} within {extent} of the network (at {user_line()}).\n"
            "Fix: compute it with the model that the function is given; or another extent."
        )
    ax = ax or new_axes("landscape", (6.4, 5.2))
    _draw(ax, steps, values)
    ax.set_xlabel(printable(titles[0]), parse_math=False)
    ax.set_ylabel(printable(titles[1]), parse_math=False)
    return ax


def _filter_normalised(named: Mapping[str, Tensor], rng: np.random.Generator) -> dict[str, Array]:
    """Random numbers, of which each row has the length of the row of weights that it moves."""
    found = {}
    for name, parameter in named.items():
        if parameter.ndim < 2:
            continue
        random = rng.standard_normal(parameter.shape)
        axes = tuple(range(1, parameter.ndim))
        lengths = [np.sqrt((a**2).sum(axes, keepdims=True)) for a in (parameter.data, random)]
        found[name] = random * (lengths[0] / lengths[1])
    return found


def _checked(
    named: Mapping[str, Tensor], directions: Sequence[Direction]
) -> list[dict[str, Array]]:
    """The directions as arrays of the shapes of their parameters."""
    if len(directions) != 2:
        raise ArgumentError(
            f"a landscape lies along two directions, not {len(directions)} (at {user_line()}).\n"
            "Fix: pass two mappings from names of parameters to arrays."
        )
    found: list[dict[str, Array]] = [{}, {}]
    for k, direction in enumerate(directions):
        for name, move in direction.items():
            if name not in named:
                raise ArgumentError(
                    f"direction {k} names {name!r}, which is no parameter (at {user_line()}): "
                    f"{nearest(name, named)}\nFix: names as of model.named_parameters()."
                )
            found[k][name] = np.asarray(move.data if isinstance(move, Tensor) else move)
            if found[k][name].shape != named[name].shape:
                raise ShapeError(
                    f"direction {k} has shape {found[k][name].shape} for the parameter {name!r} of "
                    f"shape {named[name].shape} (at {user_line()}).\nFix: give both the same shape."
                )
    return found


def _values(
    loss: Callable[[Any], Any], model: Module, directions: Sequence[Direction], steps: Array
) -> Array:
    """The loss at each place, the second direction along the rows."""
    named = dict(model.named_parameters())
    along, across = directions
    moved = [name for name in named if name in along or name in across]
    start = {name: np.asarray(named[name].data) for name in moved}
    values = np.empty((len(steps), len(steps)))
    for (i, j), _ in np.ndenumerate(values):
        places = {
            name: start[name] + steps[j] * along.get(name, 0.0) + steps[i] * across.get(name, 0.0)
            for name in moved
        }
        with no_grad(), _exchanged(model, named, places), np.errstate(all="ignore"):
            values[i, j] = _number(loss(model))
    return values


def _number(value: Any) -> float:
    array = np.asarray(value.data if isinstance(value, Tensor) else value)
    if array.size != 1:
        raise ShapeError(
            f"the loss of a landscape is one number, not an array {array.shape} (at "
            f"{user_line()}).\nFix: return its mean() or sum()."
        )
    return float(array.item())


@contextmanager
def _exchanged(
    model: Module, named: Mapping[str, Tensor], values: Mapping[str, Array]
) -> Iterator[None]:
    """Other values in parameters, copies in buffers, and random numbers, for one evaluation."""
    # Not by `data`, which notes each change: what was recorded before is as it was afterwards.
    others = [(named[name], array) for name, array in values.items()]
    others += [(buffer, np.asarray(buffer.data)) for _, buffer in model.named_buffers()]
    before = [(tensor, tensor._data) for tensor, _ in others]
    states = [(generator, generator.bit_generator.state) for _, generator in model.generators()]
    try:
        for tensor, array in others:
            tensor._data = array.astype(tensor.dtype)[()]  # a copy
        yield
    finally:
        for tensor, data in before:
            tensor._data = data
        for generator, state in states:
            generator.bit_generator.state = state


def _draw(ax: Axes, steps: Array, values: Array) -> None:
    """Contours, the colours of which are darker where the loss is less; the network is a cross."""
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import Locator, LogLocator, MaxNLocator

    shown = np.ma.masked_invalid(values)
    low, high = float(shown.min()), float(shown.max())
    far = low > 0 and high > 20 * low
    levels = np.geomspace(low, high, 21) if far else np.linspace(low, high, 21)
    norm: Normalize = LogNorm(low, high) if far else Normalize(low, high)
    filled = ax.contourf(steps, steps, shown, levels, cmap="viridis", norm=norm)
    ax.contour(steps, steps, shown, levels[::2], colors="white", linewidths=0.5, alpha=0.6)
    ax.plot(0, 0, marker="+", markersize=12, markeredgewidth=2, color="white")
    ax.set_aspect("equal")
    round_numbers = LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1,))
    ticks: Locator = round_numbers if far else MaxNLocator(6)
    bar = ax.figure.colorbar(filled, ax=ax, label="loss", ticks=ticks, format="%.3g")
    bar.minorticks_off()
