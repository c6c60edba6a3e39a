"""What units look for, as images: their weights, and the inputs that excite them most."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor, enable_grad, no_grad
from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.errors import ArgumentError, ShapeError, missing_extra, user_line
from tinygrad_bp.nn import Module

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]


def hidden_units(
    weights: Any, image_shape: tuple[int, int] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the weights of a layer, one image for each unit.

    Red pulls the unit up, blue pulls it down, and white has no weight. One scale serves all
    units; it ends at the 99.5th percentile, so that single large weights do not pale the rest.

    Parameters
    ----------
    weights : Module, Tensor or array_like
        A row for each unit, of shape (units, features), or an image, (units, height, width). Of a
        module, its first parameter with two axes.
    image_shape : (int, int), optional
        Height and width of the image that a row is; square unless given.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones unless given.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in; ``ax.images[0]`` is the sheet, for a colorbar.

    Raises
    ------
    ArgumentError
        The module has no parameter with two axes.
    ShapeError
        The rows are no images of that shape.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(64, 10, generator=0), tg.nn.ReLU())
    >>> ax = tg.draw.hidden_units(model, (8, 8))
    >>> ax.images[0].get_array().shape  # 5 by 2 images, with a line around each
    (19, 46)
    """
    pictures = as_images(_rows(weights), image_shape)
    count, height, width = pictures.shape
    columns = _columns(count)
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (height + 1) + 1, i % columns * (width + 1) + 1
        sheet[top : top + height, left : left + width] = picture
    limit = float(np.nanpercentile(np.abs(pictures), 99.5)) or 1.0
    wide = min(9.0, 1.0 + columns)
    size = (wide, wide * sheet.shape[0] / sheet.shape[1] + 0.3)
    ax = bare(ax or new_axes("hidden_units", size))
    ax.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set_facecolor("#555555")
    return ax


def preferred_input(
    model: Module,
    unit: int | tuple[int, ...],
    inputs: Any,
    image_shape: tuple[int, int] | None = None,
    *,
    steps: int = 0,
    rate: float = 0.05,
    bounds: tuple[float, float] = (0.0, 1.0),
    ax: Axes | None = None,
) -> Axes:
    """Draw what a unit responds to: the input that excites it most, and what is uphill of it.

    Without steps, it is one of the inputs given. With them it is where gradient ascent leads from
    there: each step goes along the gradient of the unit's output by the input, and back into the
    bounds. (D. Erhan et al., "Visualizing higher-layer features of a deep network", 2009.) No
    parameter and no gradient of the model changes.

    Parameters
    ----------
    model : Module
        Called on a batch of inputs. The units of a hidden layer are the outputs of the layers up to
        it: of a `Sequential`, ``model[:2]``. It is called as it is: put one with dropout into
        ``eval()`` first.
    unit : int or tuple of int
        Which of its outputs, as an index behind the batch axis.
    inputs : array_like
        The data, of shape (n, ...); or a single start, as ``np.full((1, 784), 0.5)``.
    image_shape : (int, int), optional
        Height and width of the image that an input is; square unless given.
    steps : int, default 0
        How many steps to climb.
    rate : float, default 0.05
        How far the pixel moves that moves most in a step, as a part of the way between the bounds.
    bounds : (float, float), default (0, 1)
        The values of white and of black.
    ax : matplotlib.axes.Axes, optional
        Where to draw; new ones unless given.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn in; its title is the unit and what it puts out.

    Raises
    ------
    ArgumentError
        The model has no such unit, or there are no inputs.
    ShapeError
        The inputs are no images of that shape.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(4, 3, generator=0), tg.nn.ReLU())
    >>> grey = np.full((1, 4), 0.5)
    >>> tg.draw.preferred_input(model, 1, grey, steps=20).get_title()
    'unit 1: 0.0647 → 0.57'
    """
    start = np.asarray(inputs.data if isinstance(inputs, Tensor) else inputs)
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float64))
    start = start.astype(dtype) if start.dtype.kind in "iub" else start
    as_images(start, image_shape)  # an error now, and not after the climb
    with no_grad():
        responses = _response(model, unit, start).data
    best = int(np.argmax(responses))
    x, value = start[best : best + 1], float(responses[best])
    title = f"unit {unit}: {value:.3g}"
    if steps:
        x, value = _climb(model, unit, x, steps, rate, bounds)
        title += f" → {value:.3g}"
    ax = bare(ax or new_axes("preferred_input", (3.2, 3.4)))
    picture = as_images(x, image_shape)[0]
    ax.imshow(picture, cmap="gray_r", vmin=bounds[0], vmax=bounds[1], interpolation="nearest")
    ax.set_title(title, fontsize="medium")
    return ax


def _response(model: Module, unit: int | tuple[int, ...], x: Any) -> Tensor:
    """What the unit puts out, for each input."""
    index = unit if isinstance(unit, tuple) else (unit,)
    out: Tensor = model(x)
    lengths = out.shape[1:]
    inside = len(index) == len(lengths) and all(
        -length <= i < length for i, length in zip(index, lengths, strict=True)
    )
    if not inside or not len(out):
        raise ArgumentError(
            f"unit {unit} of {len(out)} outputs of shape {lengths} that {type(model).__name__} "
            f"gives (at {user_line()}).\nFix: an index of that shape, and one input at least."
        )
    response: Tensor = out[(slice(None), *index)]
    return response


def _climb(
    model: Module,
    unit: int | tuple[int, ...],
    x: Array,
    steps: int,
    rate: float,
    bounds: tuple[float, float],
) -> tuple[Array, float]:
    """The best input on the way uphill, and the response to it."""
    low, high = bounds
    best, value = x, -np.inf
    for step in range(steps + 1):
        leaf = Tensor(x, requires_grad=True)
        with enable_grad():
            response = _response(model, unit, leaf).sum()
        if response.item() > value:
            best, value = x, response.item()
        if step == steps or not response.requires_grad:
            break
        found = backward_pass(response, np.ones_like(response.data), wrt=[leaf]).leaves
        slope = found[0][1] if found else np.zeros_like(x)
        if not np.any(slope):
            break
        move = rate * (high - low) * slope / np.max(np.abs(slope))
        x = np.clip(x + move, low, high).astype(x.dtype)
    return best, value


def as_images(rows: Array, image_shape: tuple[int, int] | None) -> Array:
    """Rows of features as images, (n, height, width)."""
    shape = image_shape
    if shape is None and rows.ndim == 2:
        side = math.isqrt(rows.shape[1])
        shape = (side, side)
    if rows.ndim == 3 and shape in (None, rows.shape[1:]):
        return rows
    if shape is None or rows.ndim != 2 or shape[0] * shape[1] != rows.shape[1] or not rows.size:
        wanted = "square images" if image_shape is None else f"images of shape {image_shape}"
        raise ShapeError(
            f"an array of shape {rows.shape} has no rows that are {wanted} (at {user_line()}).\n"
            "Fix: one row for each image, (n, height·width), and image_shape=(height, width)."
        )
    return rows.reshape(-1, *shape)


def _rows(weights: Any) -> Array:
    """The rows to draw."""
    if isinstance(weights, Module):
        found = next((p for p in weights.parameters() if p.ndim == 2), None)
        if found is None:
            raise ArgumentError(
                f"{type(weights).__name__} has no parameter with two axes (at {user_line()}).\n"
                "Fix: pass a layer with weights, or the weights themselves."
            )
        weights = found
    return np.asarray(weights.data if isinstance(weights, Tensor) else weights)


def _columns(count: int) -> int:
    """How many pictures stand side by side: the last row is full where that is possible."""
    ideal = min(16.0, math.sqrt(count * 1.6))
    near = range(max(1, math.floor(0.7 * ideal)), math.ceil(1.4 * ideal) + 1)
    return min(near, key=lambda n: (-count % n, abs(n - ideal)))


def new_axes(purpose: str, size: tuple[float, float]) -> Axes:
    """Axes in a figure of their own, of a size in inches, in the user's style."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise missing_extra("matplotlib", "train", purpose) from error
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def bare(ax: Axes) -> Axes:
    """The same axes without ticks, grid or frame, as for an image."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return ax
