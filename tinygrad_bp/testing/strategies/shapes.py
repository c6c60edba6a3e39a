"""Shapes, shapes that go together, and axes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_bp.errors import ArgumentError

Shape = tuple[int, ...]
Axes = None | int | tuple[int, ...]


def shapes(
    min_dims: int = 0, max_dims: int = 3, *, min_side: int = 1, max_side: int = 3
) -> st.SearchStrategy[Shape]:
    """Shapes of small arrays. With ``min_side=0``, of empty ones too.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(shapes(min_dims=2), lambda shape: shape[0] > 1)
    (2, 1)
    """
    side = st.integers(min_side, max_side)
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable_shapes(
    n: int = 2, *, max_dims: int = 3, min_side: int = 1, max_side: int = 3
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """So many shapes that NumPy broadcasts to one.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(broadcastable_shapes(2), lambda pair: len(pair[0]) > len(pair[1]))
    ((1,), ())
    """
    found = hnp.mutually_broadcastable_shapes(
        num_shapes=n, max_dims=max_dims, min_side=min_side, max_side=max_side
    )
    return found.map(lambda result: result.input_shapes)


@st.composite
def broadcastable_tensors(
    draw: st.DrawFn, /, n: int = 2, *, max_dims: int = 3, max_side: int = 3, **more: Any
) -> tuple[Any, ...]:
    """So many tensors that NumPy broadcasts to one shape; all else as for `tensors`.

    Examples
    --------
    >>> from hypothesis import find
    >>> x, y = find(broadcastable_tensors(2), lambda pair: True)
    >>> x.shape, y.shape
    ((), ())
    """
    from tinygrad_bp.testing.strategies.arrays import tensors

    together = draw(broadcastable_shapes(n, max_dims=max_dims, max_side=max_side))
    return tuple(draw(tensors(shape=shape, **more)) for shape in together)


@st.composite
def axes(
    draw: st.DrawFn, /, ndim: int, *, allow_none: bool = True, allow_tuple: bool = True
) -> Axes:
    """What ``axis=`` of a reduction takes: None, an axis, or several, counted from either end.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(axes(3), lambda axis: isinstance(axis, tuple) and len(axis) == 2)
    (0, 1)
    """
    kinds = ["none"] * allow_none + ["axis"] * (ndim > 0) + ["axes"] * allow_tuple
    if not kinds:
        raise ArgumentError(
            f"there is no axis of an array of {ndim} axes.\n"
            "Fix: allow_none=True or allow_tuple=True, or shapes of one axis at least."
        )
    kind = draw(st.sampled_from(kinds))
    if kind == "none":
        return None
    if kind == "axis":
        return draw(st.integers(0, ndim - 1) | st.integers(-ndim, -1))
    some = draw(st.lists(st.sampled_from(range(ndim)), unique=True)) if ndim else []
    return tuple(axis - ndim * draw(st.booleans()) for axis in some)
