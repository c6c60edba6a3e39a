from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing.strategies import arrays, dtypes, elements, shapes, tensors


@given(
    st.data(),
    dtypes("f"),
    st.floats(-100, 100),
    st.floats(0.5, 100),
    st.lists(st.floats(-100, 100), max_size=4),
)
def test_elements_lie_in_the_range_and_away_from_points(data, dtype, low, width, points):
    points = [p for p in points if p - 0.05 > low or p + 0.05 < low + width]
    low, high = np.float64(low), np.float64(low + width)
    try:
        strategy = elements(dtype, min_value=low, max_value=high, away_from=points)
    except ArgumentError:
        assert points
        return
    x = data.draw(strategy)
    assert low <= x <= high
    assert dtype.type(x) == x
    assert x == 0 or abs(x) >= 2.0**-10 or (low > -(2.0**-10) and high < 2.0**-10)
    assert all(abs(x - p) >= 0.05 - 1e-12 for p in points)


@given(arrays(dtypes("fiub"), shapes(min_side=0)))
def test_arrays_are_small_bounded_and_finite(a):
    assert a.ndim <= 3
    assert a.size <= 27
    assert np.all(np.abs(a.astype(float)) <= 3)


@given(arrays("f4", (3, 2), allow_nan=True, allow_infinity=True))
def test_the_dtype_is_kept_where_anything_goes(a):
    assert a.dtype == np.float32


@pytest.mark.parametrize("special", [np.isnan, np.isposinf, np.isneginf])
def test_nan_and_infinities_come_where_they_are_asked_for(special):
    found = find(arrays(shape=2, allow_nan=True, allow_infinity=True), lambda a: special(a).any())
    assert special(found).sum() == 1


@pytest.mark.parametrize(
    ("layout", "is_so"),
    [
        ("C", lambda a: a.flags.c_contiguous),
        ("F", lambda a: a.flags.f_contiguous and not a.flags.c_contiguous),
        ("reversed", lambda a: min(a.strides) < 0),
        ("strided", lambda a: not a.flags.forc),
    ],
)
def test_arrays_lie_in_memory_as_asked(layout, is_so):
    @given(arrays(shape=(2, 3), layout=layout))
    def each(a):
        assert is_so(a)

    each()
    find(arrays(shape=(2, 3), layout="any"), is_so)


@given(arrays(shape=(2, 4), distinct=True, min_value=0.3, max_value=1.2, away_from=[0.5]))
def test_distinct_elements_keep_apart(a):
    flat = np.sort(a, axis=None)
    assert np.all(np.diff(flat) >= 0.05)
    assert np.all(np.abs(flat - 0.5) >= 0.05)


def test_elements_are_independent():
    find(arrays(shape=(4,)), lambda a: len(set(a.tolist())) == 4)


def test_arrays_shrink_to_zeros_ones_and_halves():
    assert find(arrays(shape=2), lambda a: True).tolist() == [0, 0]
    assert find(arrays(shape=2), lambda a: a[1] > 0.7).tolist() == [0, 1]
    assert find(arrays(shape=(), max_value=-0.1), lambda a: True) == -1
    assert find(arrays(), lambda a: a.ndim == 2).shape == (1, 1)


@pytest.mark.parametrize("distinct", [False, 0.01])
def test_nothing_is_thrown_away(distinct):
    """A draw that begins also ends, but where Hypothesis comes upon one that it has seen."""
    begun, ended = [], []

    @st.composite
    def counted(draw):
        begun.append(1)
        return draw(tensors(away_from=[0, 1, 2], distinct=distinct, layout="any"))

    @settings(max_examples=100, database=None)
    @given(counted())
    def each(t):
        ended.append(t)

    each()
    assert len(ended) >= 0.75 * len(begun)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_value": 2, "max_value": 1}, "no float64 lies in"),
        ({"min_value": 0, "max_value": 0.05, "away_from": [0.02]}, "at a distance of 0.05 from"),
        ({"layout": "f"}, "there is no layout 'f'"),
        ({"distinct": 5}, "no room for 4 elements that differ by 5.0"),
        ({"dtype": "c8"}, "draws real numbers of 64 bits at most, not complex64"),
    ],
)
def test_what_cannot_be_had_is_an_error(options, message):
    with pytest.raises(ArgumentError, match=message):
        find(arrays(shape=4, **options), lambda a: True)


def test_dtypes_of_unknown_kinds_are_refused():
    with pytest.raises(ArgumentError, match="knows the kinds f, i, u, b"):
        dtypes("c")


@given(tensors(layout="strided", shape=(2, 2), name="w"))
def test_tensors_are_leaves_in_the_layout_asked_for(t):
    assert isinstance(t, Tensor)
    assert t.requires_grad
    assert t.name == "w"
    assert not t.data.flags.forc
    (t * t).sum().backward()
    np.testing.assert_array_equal(t.grad.data, 2 * t.data)


@given(tensors(requires_grad=False, dtype="f4"))
def test_tensors_may_be_constants(t):
    assert not t.requires_grad
    assert t.dtype == np.float32
