"""Values and gradients in words, and how much gradient flows along each arrow."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.draw.backward import Pass
from tinygrad_bp.draw.scene import Box, Scene

#: Arrays of at most so many elements are written out.
IN_FULL = 6


class Sizes(NamedTuple):
    """Range, mean and norm of the finite numbers of an array, without overflow on the way."""

    low: float
    high: float
    mean: float
    norm: float


def in_figures(value: Any) -> tuple[str, ...]:
    """An array in words: in full where it is small, and else its range, mean and norm.

    Returns
    -------
    tuple of str
        Lines. Numbers are rounded to four digits; range, mean and norm are those of the finite
        elements.

    Examples
    --------
    >>> in_figures(np.array([[1.0, 2.5], [1 / 3, -4.0]]))
    ('[[1, 2.5], [0.3333, -4]]',)
    >>> in_figures(np.arange(100.0))
    ('0 … 99', 'mean 49.5, norm 573')
    >>> in_figures(np.arange(8) > 2), in_figures(np.ones((4, 4)))
    (('5 of 8 true',), ('all 1',))
    """
    array = np.asarray(value)
    if array.size <= IN_FULL:
        return (written(array.tolist()),)
    if array.dtype.kind == "b":
        return (f"{np.count_nonzero(array)} of {array.size} true",)
    if array.dtype.kind == "c":
        return (f"norm {sizes(np.abs(array)).norm:.4g}",)
    found = sizes(array)
    if math.isnan(found.mean):
        return ("no finite number",)
    whole = array.dtype.kind in "iu"
    low, high = (f"{int(x)}" if whole else written(x) for x in (found.low, found.high))
    if low == high and np.isfinite(array).all():
        return (f"all {low}",)
    return (f"{low} … {high}", f"mean {found.mean:.4g}, norm {found.norm:.4g}")


def written(value: Any) -> str:
    """A number, or numbers in lists, with four digits each.

    Examples
    --------
    >>> written([[1.23456, float("nan")], [True, 7]])
    '[[1.235, nan], [true, 7]]'
    """
    if isinstance(value, list):
        return f"[{', '.join(written(x) for x in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**9 else f"{value:.4g}"
    return f"{value + 0.0:.4g}"  # no number is -0


def sizes(array: np.ndarray[Any, Any]) -> Sizes:
    """Range, mean and norm of the finite numbers; NaN where there is none.

    Examples
    --------
    >>> f"{sizes(np.array([3e200, 4e200, np.inf])).norm:.6g}"
    '5e+200'
    """
    numbers = array[np.isfinite(array)].astype(np.float64)
    if not numbers.size:
        return Sizes(math.nan, math.nan, math.nan, math.nan)
    low, high = float(numbers.min()), float(numbers.max())
    scale = max(-low, high, 0.0) or 1.0  # neither squares nor sums leave the range of numbers
    numbers /= scale
    mean, norm = float(numbers.mean()) * scale, math.sqrt(float(np.vdot(numbers, numbers))) * scale
    return Sizes(low, high, mean, norm)


def handed_on(box: Box, found: Pass | None = None) -> tuple[Any, Any]:
    """What comes out of a box, and the gradient of it where the backward pass is known.

    A box of many operations hands on what the youngest of them made.
    """
    owner = box.nodes[-1] if box.nodes else box.tensor
    value = box.nodes[-1].out if box.nodes else box.value
    return value, None if found is None or owner is None else found.of(owner)


def repeated(box: Box) -> bool:
    """Whether a box stands for an operation that is repeated, once in each of identical blocks."""
    return len(box.nodes) > 1 and box.role in ("operation", "output")


def add_values(scene: Scene) -> None:
    """Write on each box of a scene what came out of it; numbers that are titles need no more."""
    for box in scene.boxes.values():
        value, _ = handed_on(box)
        if repeated(box):
            box.numbers = (_first_and_last(box.nodes[0].out, value),)
        elif np.ndim(value) or (value is not None and box.role != "constant"):
            box.numbers = in_figures(value)


def add_gradients(scene: Scene, found: Pass) -> None:
    """Write on each box of a scene the cotangent that arrives at it."""
    for box in scene.boxes.values():
        _, g = handed_on(box, found)
        first = found.of(box.nodes[0]) if box.nodes else g
        if g is not None and first is not None:
            lines = (_first_and_last(first, g),) if repeated(box) else in_figures(g)
            box.gradient = (f"grad {lines[0]}", *lines[1:])


def _first_and_last(first: Any, last: Any) -> str:
    """The sizes of what is repeated."""
    norms = [sizes(np.asarray(np.abs(x))).norm for x in (first, last)]
    return f"norm {norms[0]:.4g} in the first, {norms[1]:.4g} in the last"


def add_widths(scene: Scene, found: Pass) -> None:
    """Give each arrow the width of the gradient that flows along, on a logarithmic scale.

    The widest arrow carries the largest norm and has the width 1; one that carries 1/1000 of it or
    less has the width 0. Arrows that carry none have no width, nor have those that are repeated.
    What the widths mean is written into the signs of the scene.
    """
    norms = {
        k: sizes(np.asarray(g)).norm
        for k, g in along_arrows(scene, found).items()
        if not repeated(scene.boxes[scene.arrows[k].head])
    }
    largest = max((norm for norm in norms.values() if math.isfinite(norm)), default=0.0)
    if not largest:
        return
    for k, norm in norms.items():
        if not math.isnan(norm):
            width = 1 + math.log10(norm / largest) / 3 if norm else 0.0
            scene.arrows[k] = scene.arrows[k]._replace(width=min(1.0, max(0.0, width)))
    scene.signs += (
        "width of an arrow: norm of the gradient that flows back,",
        f"{largest:.2g} for the widest, {largest / 1000:.2g} and less for the narrowest",
    )


def along_arrows(scene: Scene, found: Pass) -> dict[int, Any]:
    """The cotangents that flow back along the arrows of a scene, by their places in its list.

    Arrows from constants, along which nothing flows, are not among them.
    """
    heads = {id(node): box.key for box in scene.boxes.values() for node in box.nodes}
    places: dict[tuple[int, str, int | None], list[int]] = {}
    for k, arrow in enumerate(scene.arrows):
        places.setdefault((id(arrow.source), arrow.head, arrow.position), []).append(k)
    sent: dict[int, Any] = {}
    for node, position, source, g, _ in found.parts:
        head = heads.get(id(node), "")
        for key in ((id(source), head, position), (id(source), head, None)):
            for k in places.get(key, ()):
                sent[k] = sent[k] + g if k in sent else g
    return dict(sorted(sent.items()))
