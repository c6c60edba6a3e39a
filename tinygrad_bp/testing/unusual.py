"""The battery's checks at unusual inputs: large ones, small ones, coarse ones, and at ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core import Tensor, no_grad
from tinygrad_bp.errors import TgError
from tinygrad_bp.testing.catalogue.ties import ties_of
from tinygrad_bp.testing.check import check_gradients
from tinygrad_bp.testing.setting import (
    Draw,
    Setting,
    Shape,
    gradients_of,
    laid_out,
    require,
    require_close,
    values_of,
    weights,
)

if TYPE_CHECKING:
    from tinygrad_bp.testing.catalogue.case import Case

Array = npt.NDArray[Any]

#: How many times as large as in the domains inputs are made. A thousandth would make periods of 2,
#: as of a remainder, ones of the steps of `check_gradients`, which are powers of 2.
LARGE, SMALL = 5.0, 7e-4

# So small that one of them does not reach over a kink, even where inputs are small.
_STEPS = (2.0**-17, 2.0**-24, 2.0**-31)


def gradients_are_the_derivatives_at_large_and_small_inputs(case: Case, draw: Draw) -> None:
    """Five times as large as usual, and hardly any; all or one of them, if the function takes it.

    A reference holds within the domains alone, so that the function itself is differentiated; by
    small steps, which is quick. What that finds is put to `check_gradients`, which takes more, and
    knows noise and kinks. Nothing is rounded, as it is not known where poles and ties lie there.
    """
    full = [shapes for shapes in case.shapes if all(np.prod(s) for s in shapes)]
    if not full:
        return
    shapes, draw = full[draw.seed % len(full)], Draw(draw.seed)
    rng = np.random.default_rng(draw.seed)
    chosen = int(rng.integers(len(shapes) + 1))
    for factor in (LARGE, SMALL):
        which = None if len(shapes) == 1 or chosen == len(shapes) else chosen
        arrays = stretched(case, shapes, factor, draw, which)
        if arrays is not None and not _agrees(case, arrays, rng):
            check_gradients(case.call, *arrays, order=1)


def stretched(
    case: Case, shapes: tuple[Shape, ...], factor: float, draw: Draw, only: int | None = None
) -> list[Array] | None:
    """Inputs so many times as large, one only or all; None where the function is not defined.

    Examples
    --------
    >>> from tinygrad_bp.testing.catalogue.case import Case
    >>> stretched(Case("arcsin", np.arcsin, ()), ((3,),), 20.0, Draw()) is None
    True
    """
    arrays = [
        np.asarray(a if case.bounded(i) or only not in (None, i) else factor * a)
        for i, a in enumerate(values_of(case, shapes, draw))
    ]
    value = _value(case, arrays)
    return arrays if value.dtype.kind == "f" and np.all(np.isfinite(value)) else None


def _value(case: Case, arrays: list[Array]) -> Array:
    """What the function gives; not a number where it refuses, as a matrix without inverse."""
    try:
        with no_grad(), np.errstate(all="ignore"):
            if case.reference is None:  # NumPy's own function, or one that takes arrays as well
                return np.asarray(case.call(*arrays))
            return np.asarray(case.call(*map(Tensor, arrays)).data)
    except (TgError, ValueError):
        return np.array(np.nan)


def _agrees(case: Case, arrays: list[Array], rng: np.random.Generator) -> bool:
    """Whether elements, four of each input, are the 5-point differences of one of the steps."""
    v = weights(rng, _value(case, arrays).shape)
    for i, exact in enumerate(gradients_of(case.call, arrays, v)):

        def projected(x: Array, i: int = i) -> float:
            return float(np.sum(v * _value(case, [*arrays[:i], x, *arrays[i + 1 :]])))

        for k in rng.permutation(exact.size)[:4]:
            slope = exact.flat[k]
            if not any(_is_slope(slope, projected, arrays[i], k, step) for step in _STEPS):
                return False
    return True


def _is_slope(slope: float, f: Callable[[Array], float], x: Array, k: int, step: float) -> bool:
    """Whether it is the derivative by element k, to seven digits and the rounding of values."""
    values = []
    for steps in (1, -1, 2, -2):
        moved = np.array(x)
        moved.flat[k] += steps * step
        values.append(f(moved))
    right, left, far_right, far_left = values
    numerical = (8 * (right - left) - (far_right - far_left)) / (12 * step)
    # The values' rounding by the larger one of the steps, and that of a gradient which is 0.
    rounding = 4e-11 * (abs(right) + abs(left)) + 1e-12
    return bool(abs(slope - numerical) <= max(1e-7 * abs(numerical), rounding))


def gradients_in_float32_are_those_in_float64(case: Case, draw: Draw) -> None:
    """Of the same numbers, relative to the largest element of each."""
    for shapes in case.shapes:
        setting = Setting(case, shapes, Draw(draw.seed, (np.float32,), draw.layout))
        v = setting.cotangent(case.call(*setting.inputs)).astype(np.float32)
        coarse = gradients_of(case.call, setting.arrays, v)
        fine = gradients_of(case.call, setting.doubles, v)
        for i, (g, expected) in enumerate(zip(coarse, fine, strict=True)):
            require(g.dtype == np.float32, f"{setting}: the gradient of input {i} is {g.dtype}")

            def noise(i: int = i, setting: Setting = setting, v: Array = v) -> Array:
                return setting.noise(v)[i]

            require_close(g, expected, 2e-5, f"{setting}: the gradient of input {i}", noise)


def gradients_at_ties_and_kinks_are_those_of_the_convention(case: Case, draw: Draw) -> None:
    """Where there is no derivative, what the table of conventions promises, in both precisions."""
    for tie in ties_of(case.primitive):
        arrays = [laid_out(np.asarray(a, draw.dtypes[0]), draw.layout) for a in tie.inputs]
        tie.require(arrays)
