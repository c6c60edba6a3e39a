from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.testing import check_gradients
from tinygrad_bp.testing.strategies import INDEX_KINDS, indices, shapes


def parts(index):
    return index if isinstance(index, tuple) else (index,)


def is_mask(part):
    return isinstance(part, np.ndarray) and part.dtype == bool


def is_integers(part):
    return isinstance(part, np.ndarray) and part.dtype == np.int64


@settings(max_examples=200)
@given(st.data(), shapes(min_side=0))
def test_arrays_of_the_shape_have_the_index(data, shape):
    a = np.arange(int(np.prod(shape))).reshape(shape)
    a[data.draw(indices(shape))]


@settings(max_examples=60)
@given(st.data(), shapes(max_side=2), st.sets(st.sampled_from(INDEX_KINDS), min_size=1))
def test_an_index_has_the_parts_asked_for(data, shape, kinds):
    index = data.draw(indices(shape, sorted(kinds)))
    np.zeros(shape)[index]
    for part in parts(index):
        if part is None:
            assert "newaxis" in kinds
        elif part is Ellipsis:
            assert "ellipsis" in kinds
        elif is_mask(part):
            assert "mask" in kinds
        elif is_integers(part):
            assert kinds & {"integers", "repeated"}
        else:
            assert ("slice" if isinstance(part, slice) else "integer") in kinds


@pytest.mark.parametrize(
    "kind",
    [
        lambda i: isinstance(i, int),
        lambda i: any(isinstance(p, slice) and p.step == -2 for p in parts(i)),
        lambda i: any(p is None for p in parts(i)),
        lambda i: any(p is Ellipsis for p in parts(i)),
        lambda i: sum(is_integers(p) for p in parts(i)) == 2,
        lambda i: is_mask(i) and i.ndim == 2,
        lambda i: any(is_mask(p) and p.ndim == 1 for p in parts(i)),
        lambda i: any(is_mask(p) for p in parts(i)) and any(is_integers(p) for p in parts(i)),
        lambda i: any(is_integers(p) and p.size > np.unique(p).size for p in parts(i)),
        lambda i: any(p is None for p in parts(i)) and any(is_integers(p) for p in parts(i)),
    ],
)
def test_every_kind_of_index_is_met(kind):
    find(indices((2, 3)), kind, settings=settings(max_examples=3000, database=None))


@settings(max_examples=20)
@given(st.data())
def test_gradients_of_indexing(data):
    shape = data.draw(shapes(1, 2))
    index = data.draw(indices(shape))
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    check_gradients(lambda x: np.sum(x[index] ** 2) + np.sum(x), x)


def test_repeated_places_are_there():
    @given(indices((3,), ["repeated"]))
    def each(index):
        (places,) = index
        assert np.unique(places).size < places.size

    each()


def test_unknown_kinds_are_refused():
    with pytest.raises(ArgumentError, match="did you mean 'newaxis'"):
        find(indices((2,), ["newaxes"]), lambda index: True)
