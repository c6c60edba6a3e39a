"""A line search for a step that fulfils the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tinygrad_bp.optim.flat import Array


@dataclass
class Point:
    """A place along a direction.

    Attributes
    ----------
    t : float
        How far along.
    f : float
        The value there.
    g : ndarray
        The gradient there.
    slope : float
        The derivative along the direction.
    """

    t: float
    f: float
    g: Array
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    length: float,
    tolerance: float,
    most: int,
    c1: float = 1e-4,
    c2: float = 0.9,
) -> tuple[Point, int]:
    r"""A point with :math:`f(t) \le f(0) + c_1 t f'(0)` and :math:`|f'(t)| \le c_2 |f'(0)|`.

    J. Nocedal, S. Wright, *Numerical optimization*, algorithms 3.5 and 3.6, with the cubic
    interpolation of (3.59) and the safeguards of PyTorch's search, whose choices these are.

    Parameters
    ----------
    evaluate : callable
        The point that is `t` along the direction.
    start : Point
        Where t is 0; its slope is negative.
    t : float
        Where to look first.
    length : float
        The largest element of the direction.
    tolerance : float
        The bracket is small enough where it is this times `length`.
    most : int
        Limit of evaluations after the first.
    c1, c2 : float
        Of the conditions.

    Returns
    -------
    (Point, int)
        The best point that was found, and how many were evaluated.

    Examples
    --------
    >>> import numpy as np
    >>> def along(t):
    ...     return Point(t, (t - 3) ** 2, np.array([2 * (t - 3)]), 2 * (t - 3))
    >>> point, count = strong_wolfe(along, along(0.0), 1.0, 1.0, 1e-9, 25)
    >>> point.t, count
    (1.0, 1)
    """
    before, point, count = start, evaluate(t), 1
    while count <= most:
        too_high = point.f > start.f + c1 * point.t * start.slope
        if too_high or (count > 2 and point.f >= before.f):
            break
        if abs(point.slope) <= -c2 * start.slope:
            return point, count
        if point.slope >= 0:
            break
        bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(_cubic(before, point, *bounds))
        count += 1
    else:
        before = start
    return _zoom(evaluate, start, [before, point], count, length, tolerance, most, c1, c2)


def _zoom(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    count: int,
    length: float,
    tolerance: float,
    most: int,
    c1: float,
    c2: float,
) -> tuple[Point, int]:
    """Make a bracket smaller, until one of its ends fulfils the conditions."""
    low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
    stuck = False
    while count <= most and abs(bracket[1].t - bracket[0].t) * length >= tolerance:
        left, right = sorted(point.t for point in bracket)
        t = _cubic(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        near = min(right - t, t - left) < margin
        # Near an end twice, or on it: a tenth of the bracket away, for progress.
        if near and (stuck or not left < t < right):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            near = False
        stuck = near
        point = evaluate(t)
        count += 1
        if point.f > start.f + c1 * t * start.slope or point.f >= bracket[low].f:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
            continue
        if abs(point.slope) <= -c2 * start.slope:
            return point, count
        if point.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
    return bracket[low], count


def _cubic(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is least, within bounds."""
    a, b = (a, b) if a.t <= b.t else (b, a)
    if a.t < b.t and math.isfinite(a.f) and math.isfinite(b.f):
        d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
        square = d1 * d1 - a.slope * b.slope
        below = b.slope - a.slope + 2 * math.sqrt(square) if square >= 0 else 0.0
        if below:
            t = b.t - (b.t - a.t) * ((b.slope + math.sqrt(square) - d1) / below)
            return min(max(t, least), most)
    return (least + most) / 2
