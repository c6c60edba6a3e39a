from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.strategies import (
    axes,
    broadcastable_shapes,
    broadcastable_tensors,
    shapes,
)


@given(shapes(1, 2, min_side=0, max_side=2))
def test_shapes_keep_within_their_limits(shape):
    assert 1 <= len(shape) <= 2
    assert all(0 <= n <= 2 for n in shape)


def test_empty_shapes_come_where_they_are_asked_for():
    assert find(shapes(min_side=0), lambda shape: 0 in shape) == (0,)


@given(st.data(), st.integers(1, 4))
def test_shapes_broadcast_together(data, n):
    together = data.draw(broadcastable_shapes(n))
    assert len(together) == n
    assert all(side <= 3 for side in np.broadcast_shapes(*together))


@given(broadcastable_tensors(3, dtype="f4", min_value=1))
def test_tensors_broadcast_together(three):
    x, y, z = three
    assert (x + y + z).dtype == np.float32
    assert all(t.requires_grad and t.data.min() >= 1 for t in three)


def test_shapes_that_differ_are_found():
    x, y = find(broadcastable_tensors(2), lambda pair: pair[0].shape != pair[1].shape)
    assert {x.shape, y.shape} == {(), (1,)}


@given(st.data(), st.integers(0, 3))
def test_axes_are_those_of_the_array(data, ndim):
    axis = data.draw(axes(ndim))
    assert np.sum(np.ones((2,) * ndim), axis=axis).ndim <= ndim


@pytest.mark.parametrize(
    "kind",
    [
        lambda axis: axis is None,
        lambda axis: axis == -2,
        lambda axis: axis == (),
        lambda axis: isinstance(axis, tuple) and len(axis) == 2 and axis[0] < 0 <= axis[1],
    ],
)
def test_every_kind_of_axis_is_met(kind):
    find(axes(2), kind)


def test_a_scalar_has_no_axis():
    with pytest.raises(ArgumentError, match="there is no axis of an array of 0 axes"):
        find(axes(0, allow_none=False, allow_tuple=False), lambda axis: True)
