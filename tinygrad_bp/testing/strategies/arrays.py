"""Arrays and tensors: which numbers they hold, and how they lie in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, nearest
from tinygrad_bp.testing.setting import laid_out
from tinygrad_bp.testing.strategies.shapes import shapes as any_shapes

Strategy = st.SearchStrategy[Any]
Layout = Literal["C", "F", "reversed", "strided", "any"]

#: No element but 0 is smaller than this in size, so that products of some do not underflow.
SMALLEST = 2.0**-10
# Tried first, and what everything shrinks to, as far as the range allows.
_SIMPLE = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1.5, -1.5)


def dtypes(kinds: str = "f") -> st.SearchStrategy[np.dtype[Any]]:
    """Dtypes of the kinds that the letters name: "f"loats, "i"ntegers, "u"nsigned, "b"ooleans.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(dtypes(), lambda dtype: True)
    dtype('float64')
    """
    known = {
        "f": (np.float64, np.float32),
        "i": (np.int64, np.int32),
        "u": (np.uint8,),
        "b": (np.bool_,),
    }
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise ArgumentError(f"dtypes knows the kinds {', '.join(known)}, not {kinds!r}.")
    return st.sampled_from([np.dtype(kind) for letter in kinds for kind in known[letter]])


def elements(
    dtype: npt.DTypeLike = np.float64,
    *,
    min_value: float = -3.0,
    max_value: float = 3.0,
    away_from: Iterable[float] = (),
    margin: float = 0.05,
    allow_nan: bool = False,
    allow_infinity: bool = False,
) -> Strategy:
    """Numbers of a dtype in a range, none nearer than `margin` to a point of `away_from`.

    See `arrays`, which draws its elements from here.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(elements(min_value=-1, away_from=[0, 1]), lambda x: True)
    -1.0
    """
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return st.booleans()
    if kind.kind not in "fiu" or (kind.kind == "f" and kind.itemsize > 8):
        raise ArgumentError(f"elements draws real numbers of 64 bits at most, not {kind.name}.")
    parts = _intervals(kind, min_value, max_value, tuple(away_from), margin)
    if kind.kind in "iu":
        return st.one_of(*[st.integers(int(low), int(high)) for low, high in parts])
    simple = [x for x in _SIMPLE if any(low <= x <= high for low, high in parts)]
    width: Any = 8 * kind.itemsize
    exact: dict[str, Any] = {"width": width, "allow_subnormal": False, "allow_nan": False}
    drawn: list[Strategy] = [st.sampled_from(simple)] if simple else []
    for low, high in parts:
        for a, b in ((max(low, SMALLEST), high), (low, min(high, -SMALLEST))):
            if a <= b:
                drawn.append(st.floats(a, b, allow_infinity=False, **exact))
    if not drawn:  # a range within SMALLEST of 0
        drawn = [st.sampled_from(sorted({x for part in parts for x in part}))]
    special = [math.nan] * allow_nan + [math.inf, -math.inf] * allow_infinity
    return st.one_of(*drawn, st.sampled_from(special)) if special else st.one_of(*drawn)


def _intervals(
    kind: np.dtype[Any], low: float, high: float, holes: tuple[float, ...], margin: float
) -> list[tuple[float, float]]:
    """The range without the open intervals around the holes, its ends numbers of the dtype."""
    if kind.kind == "u":
        low = max(low, 0.0)
    parts, start = [], float(low)
    for hole in sorted(holes):
        parts.append((start, min(high, hole - margin)))
        start = max(start, hole + margin)
    parts.append((start, float(high)))
    inside = [(_inwards(kind, a, math.inf), _inwards(kind, b, -math.inf)) for a, b in parts]
    inside = [(a, b) for a, b in inside if a <= b]
    if not inside:
        raise ArgumentError(
            f"no {kind.name} lies in [{low}, {high}] at a distance of {margin} from "
            f"{', '.join(map(str, holes)) or 'nothing'}.\n"
            "Fix: a wider range, fewer points in away_from, or a smaller margin."
        )
    return inside


def _inwards(kind: np.dtype[Any], x: float, towards: float) -> float:
    """The number of the dtype next to x that does not leave the interval."""
    if kind.kind in "iu":
        return float(math.ceil(x) if towards > 0 else math.floor(x))
    near = kind.type(x)
    wrong = float(near) < x if towards > 0 else float(near) > x
    return float(np.nextafter(near, kind.type(towards)) if wrong else near)


@st.composite
def arrays(
    draw: st.DrawFn,
    /,
    dtype: npt.DTypeLike | Strategy = np.float64,
    shape: int | tuple[int, ...] | Strategy | None = None,
    *,
    min_value: float = -3.0,
    max_value: float = 3.0,
    away_from: Iterable[float] = (),
    margin: float = 0.05,
    distinct: bool | float = False,
    layout: Layout = "C",
    allow_nan: bool = False,
    allow_infinity: bool = False,
) -> npt.NDArray[Any]:
    """Arrays whose every element is drawn by itself; small, and bounded.

    Parameters
    ----------
    dtype : dtype or strategy, default float64
        See `dtypes` for a strategy.
    shape : int, tuple or strategy, optional
        `shapes()` unless given.
    min_value, max_value : float
        The range, its ends included. No element but 0 is smaller than 1/1024 in size.
    away_from : iterable of float
        Kinks and poles, to which elements keep the distance `margin`.
    distinct : bool or float
        Whether all elements differ, by the number given or by `margin` at least.
    layout : {"C", "F", "reversed", "strided", "any"}
        How the array lies in memory: an array in C order, in Fortran order, a view with negative
        strides, one with gaps, or any of these.
    allow_nan, allow_infinity : bool
        Whether to draw these too.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays(shape=(2,), min_value=0.5, away_from=[1]), lambda a: a.min() > 1.5)
    array([2., 2.])
    """
    kind = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    asked = any_shapes() if shape is None else shape
    size = draw(asked) if isinstance(asked, st.SearchStrategy) else asked
    size = (size,) if isinstance(size, int) else tuple(size)
    if layout != "any" and layout not in get_args(Layout):
        raise ArgumentError(f"there is no layout {layout!r}: {nearest(layout, get_args(Layout))}")
    if distinct:
        gap = margin if distinct is True else float(distinct)
        parts = _intervals(kind, min_value, max_value, tuple(away_from), margin)
        points = _points(parts, math.prod(size), gap, kind)
        chosen = draw(
            st.lists(
                st.sampled_from(points),
                min_size=math.prod(size),
                max_size=math.prod(size),
                unique=True,
            )
        )
        values = np.array(chosen, kind).reshape(size)
    else:
        numbers = elements(
            kind,
            min_value=min_value,
            max_value=max_value,
            away_from=away_from,
            margin=margin,
            allow_nan=allow_nan,
            allow_infinity=allow_infinity,
        )
        values = draw(hnp.arrays(kind, size, elements=numbers, fill=st.nothing()))
    order = draw(st.sampled_from(get_args(Layout)[:-1])) if layout == "any" else layout
    return laid_out(values, order)


def _points(
    parts: list[tuple[float, float]], count: int, gap: float, kind: np.dtype[Any]
) -> list[float]:
    """So many points at least, multiples of a power of two not below the gap, simple ones first."""
    step = 0.5 if kind.kind == "f" else 1.0
    points: list[float] = []
    while not points or len(points) < count:
        if step < gap or (step < 1 and kind.kind != "f"):
            raise ArgumentError(
                f"the range has no room for {count} elements that differ by {gap}: "
                + ", ".join(f"[{a:g}, {b:g}]" for a, b in parts)
                + ".\nFix: a wider range, a smaller shape, or distinct= a smaller number."
            )
        places = [range(math.ceil(a / step), math.floor(b / step) + 1) for a, b in parts]
        points = [step * k for place in places for k in place]
        step /= 2
    return sorted(points, key=lambda x: (abs(x), x < 0))


@st.composite
def tensors(
    draw: st.DrawFn,
    /,
    dtype: npt.DTypeLike | Strategy = np.float64,
    shape: int | tuple[int, ...] | Strategy | None = None,
    *,
    requires_grad: bool = True,
    name: str | None = None,
    **more: Any,
) -> Tensor:
    """Tensors, by default leaves that require a gradient; all else as for `arrays`.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(tensors(shape=(2, 1), min_value=1), lambda t: True)
    Tensor([[1.],
            [1.]], requires_grad=True)
    """
    array = draw(arrays(dtype, shape, **more))
    tensor = Tensor(np.zeros((), array.dtype), requires_grad=requires_grad, name=name)
    tensor.data = array  # as it lies in memory, which Tensor(array) would not keep
    return tensor
