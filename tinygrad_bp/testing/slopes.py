"""Slopes along lines, by several steps each: the evidence from which a check draws its verdicts.

One step is not enough. Where a function bends within it (a pole near by, a kink, a sine at 1e8) the
step is too large, and where its values are rounded (float32 inside) it is too small. So a line is
tried with steps of several sizes until one of them settles the matter, and what the others found is
kept: a gradient is called wrong only where no step speaks for it. Pure NumPy.

The noise of a function is estimated from the high differences of its values at points that lie
close together, in which whatever is smooth cancels [1]_.

References
----------
.. [1] J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33, 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_EXPONENTS = (10, 16, 22, 28, 6, 34)
_POINTS = 7
_SAFETY = 4.0


class Slope(NamedTuple):
    """The derivative of each output along a line, as one step finds it.

    Attributes
    ----------
    step : float
        The step.
    value, error : ndarray
        The central 5-point derivative and its error bar, infinite where nothing is known.
    jump, jump_error : ndarray
        By how much the one-sided derivatives differ, and how exact that is.
    moved : ndarray of bool
        Whether any value was another than in the middle.
    """

    step: float
    value: Array
    error: Array
    jump: Array
    jump_error: Array
    moved: NDArray[np.bool_]


class Field:
    """A function of one flat array, of which slopes are taken around one point.

    Parameters
    ----------
    f : callable
        Takes a flat float64 array, returns a flat float64 array. It may keep what it gets.
    x : ndarray
        The point.
    rounding : ndarray, optional
        What each value is rounded by at least, where that is more than float64 does.

    Examples
    --------
    >>> field = Field(lambda x: np.array([np.sum(x**3)]), np.array([1.0, 2.0]))
    >>> slope = next(field.slopes(1))
    >>> round(float(slope.value[0]), 9), bool(slope.error[0] < 1e-9)
    (12.0, True)
    """

    def __init__(
        self, f: Callable[[Array], Array], x: Array, rounding: Array | None = None
    ) -> None:
        self.f, self.x = f, x
        self.center = f(x.copy())
        self._rounding = 2 * np.finfo(np.float64).eps * np.abs(self.center)
        self._all_single = np.ones(self.center.shape, bool)
        if rounding is not None:
            self._rounding = np.maximum(self._rounding, rounding)
        size = np.abs(x)
        self._wide = _power_of_two(np.maximum(1.0, size))
        self._own = _power_of_two(np.where(size > 0, np.minimum(1.0, size), 1.0))
        self._spacing = np.spacing(np.maximum(size, 2.0**-60))

    def slopes(self, along: int | Array, wanted: Array | float = 0.0) -> Iterator[Slope]:
        """The slope along a coordinate or a direction, by one step after the other.

        A direction is one of signs, or zero, for each element; each element then moves in
        proportion to its own size. Where an error bar is larger than what is wanted, the same step
        comes a second time, with the noise along this line alone.
        """
        scales: tuple[float, ...]
        if isinstance(along, (int, np.integer)):
            i = int(along)
            unit = np.zeros(self.x.shape)
            unit[i] = 1.0
            scales = (float(self._wide[i]), float(self._own[i]))
            smallest = float(_power_of_two(32 * self._spacing[i]))
        else:
            unit, scales, smallest = self.moves(along), (1.0,), 0.0
        tried: set[float] = set()
        for exponent in _EXPONENTS:
            for scale in scales:
                h = max(scale * 2.0**-exponent, smallest)
                if h in tried:
                    continue
                yield from self._at(unit, h, wanted)
                tried.add(h)

    def moves(self, signs: Array) -> Array:
        """The direction in which each element moves in proportion to its own size."""
        moves: Array = signs * self._wide
        return moves

    @cached_property
    def noise(self) -> Array:
        """How far rounding puts each value off, as all elements move together."""
        rng = np.random.default_rng(0)
        delta = self._wide * 2.0 ** -(_EXPONENTS[0] + 2) * rng.uniform(0.5, 1.0, self.x.shape)
        return self._noise_along(delta * rng.choice([-1.0, 1.0], self.x.shape))

    def _noise_along(self, delta: Array) -> Array:
        """Noise on the quieter side of the point, since a kink on the other looks like noise."""
        delta = np.round(delta / self._spacing) * self._spacing
        sides = []
        with np.errstate(all="ignore"):
            for sign in (1, -1):
                values = [self.f(self.x + sign * k * delta) for k in range(1, _POINTS)]
                table = np.array([self.center, *values])
                squares = []
                for order in range(1, _POINTS):
                    table = np.diff(table, axis=0)
                    if order >= 5:
                        gamma = factorial(order) ** 2 / factorial(2 * order)
                        squares.append(gamma * np.mean(table**2, axis=0))
                sides.append(np.sqrt(np.mean(squares, axis=0)))
                self._all_single = self._all_single & _are_single(values, self.center)
            quiet, loud = np.fmin(*sides), np.fmax(*sides)
            even = loud <= 100 * quiet
            steady = np.asarray(np.where(even, loud, quiet), np.float64)
            single = np.where(self._all_single, np.abs(self.center), 0.0)
            rounding = np.maximum(self._rounding, 2 * np.finfo(np.float32).eps * single)
            found: Array = rounding + _SAFETY * steady
        return found

    def _at(self, unit: Array, h: float, wanted: Array | float) -> Iterator[Slope]:
        """The slope by one step; at first with the noise of all elements, which costs nothing."""
        # A step may leave the domain of f; what comes of it is in the error bar, not in a warning.
        with np.errstate(all="ignore"):
            right, left = (
                [self.f(self.x + sign * k * h * unit) for k in (1, 2, 4)] for sign in (1, -1)
            )
        slope = self._slope(h, right, left, self.noise)
        yield slope
        if not np.all(slope.error <= wanted):
            # Values that stand still do not show what they are rounded by, as where a step is lost
            # beside a larger number.
            still = np.all([v == self.center for v in (*right, *left)], axis=0)
            noise = np.where(still, self.noise, self._noise_along(unit * (h / 4)))
            yield self._slope(h, right, left, noise)

    def _slope(self, h: float, right: list[Array], left: list[Array], noise: Array) -> Slope:
        with np.errstate(all="ignore"):
            f0 = self.center
            near, middle, far = (a - b for a, b in zip(right, left, strict=True))
            value = (8 * near - middle) / (12 * h)
            coarse = (8 * middle - far) / (24 * h)
            # The weights of the values, times 12 h, sum up to 18, and to 66 for a single side.
            error = np.abs(value - coarse) + 18 / 12 * noise / h
            sides, sides_error = [], 66 / 12 * 2 * noise / h
            for a, b, c in (right, left):
                third = (-21 * f0 + 32 * a - 12 * b + c) / (12 * h)
                second = (-3 * f0 + 4 * a - b) / (2 * h)
                sides.append(third)
                sides_error = sides_error + np.abs(third - second)
            jump = np.abs(sides[0] + sides[1])
            # Values that stand still lie on a step of a staircase, if larger steps move them.
            moved = np.any([v != f0 for v in (*right, *left)], axis=0)
        return Slope(h, value, _known(error), jump, _known(sides_error), moved)


def is_kink(slopes: list[Slope], k: int, tolerance: float) -> bool:
    """Whether the one-sided derivatives of output k differ by more than a tolerance.

    They must do so at two steps at least, and at the smallest that can tell, not less than at
    larger ones: the sides of a smooth function come together with the step.
    """
    told = sorted(
        (s.step, float(s.jump[k]))
        for s in slopes
        if np.isfinite(s.jump[k]) and s.jump[k] > max(10 * s.jump_error[k], tolerance)
    )
    if len(told) < 2 or told[0][1] <= 0.5 * told[-1][1]:
        return False
    small = 0.1 * told[0][1]
    return not any(
        s.step < told[0][0] and s.jump[k] < small and s.jump_error[k] < small for s in slopes
    )


def _are_single(values: list[Array], center: Array) -> NDArray[np.bool_]:
    """Whether values that move look as if float32 had rounded them all."""
    single = np.all([v == v.astype(np.float32) for v in [center, *values]], axis=0)
    moved = np.any([v != center for v in values], axis=0)
    found: NDArray[np.bool_] = single & moved
    return found


def _known(error: Any) -> Array:
    return np.where(np.isfinite(error), error, np.inf)


def _power_of_two(size: Array) -> Array:
    """The next power of two, so that what is added to a number is added without rounding."""
    powers: Array = 2.0 ** np.ceil(np.log2(size))
    return powers
