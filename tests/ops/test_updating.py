"""``x.at[index]``: repeated places, ties, what does not fit, and that nothing is written to."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DTypeError, IndexingError, ShapeError


@pytest.fixture
def x():
    return tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


def test_of_several_values_for_one_element_the_last_one_is_kept_and_gets_the_gradient(x):
    v = tg.Tensor([10.0, 20.0, 30.0], requires_grad=True)
    y = x.at[[0, 1, 0]].set(v)
    np.testing.assert_array_equal(y.data, [30, 20, 3])
    (y * np.array([1.0, 2.0, 3.0])).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0, 3])
    np.testing.assert_array_equal(v.grad.data, [0, 2, 1])


def test_an_element_that_is_named_twice_is_multiplied_twice(x):
    v = tg.Tensor([10.0, 5.0], requires_grad=True)
    y = x.at[[2, 2]].multiply(v)
    np.testing.assert_array_equal(y.data, [1, 2, 150])
    y[2].backward()
    np.testing.assert_array_equal(x.grad.data, [0, 0, 50])
    np.testing.assert_array_equal(v.grad.data, [15, 30])


def test_ties_share_the_gradient_evenly(x):
    v = tg.Tensor(2.0, requires_grad=True)
    x.at[1:].max(v).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1, 0.5, 1])
    assert v.grad.item() == 0.5


@pytest.mark.parametrize("how", ["set", "add", "multiply", "max"])
def test_nothing_is_written_to_and_nothing_is_shared(x, how):
    before = x.data.copy()
    for index in (0, [0, 0], slice(0, 0)):
        y = getattr(x.at[index], how)(7.0)
        assert not np.shares_memory(y.data, x.data)
    np.testing.assert_array_equal(x.data, before)


def test_the_dtype_stays_that_of_x():
    x = tg.Tensor([1.0, 2.0], dtype=np.float32, requires_grad=True)
    v = tg.Tensor([3.0], requires_grad=True)
    y = x.at[0:1].add(v)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, v.grad.dtype) == (np.float32, np.float32, np.float64)
    counts = tg.Tensor([1, 2]).at[0].add(5)
    assert counts.dtype.kind == "i"
    assert not counts.requires_grad
    np.testing.assert_array_equal(counts.data, [6, 2])


def test_get_reads_and_an_index_may_be_a_tensor(x):
    assert x.at[tg.Tensor([2])].get().tolist() == [3.0]


def test_what_does_not_fit_is_refused_with_its_shapes(x):
    with pytest.raises(ShapeError, match=r"shape \(2,\), and values of shape \(3,\) do not"):
        x.at[:2].set(np.ones(3))
    with pytest.raises(ShapeError, match=r"shape \(\), and values of shape \(1,\)"):
        x.at[0].set([1.0])
    with pytest.raises(IndexingError, match="index 3 is out of bounds"):
        x.at[3].set(0.0)
    with pytest.raises(IndexingError, match="index of dtype float64"):
        x.at[[0.5]].set(0.0)
    with pytest.raises(DTypeError, match=r"dtype int64 cannot take values of dtype float64"):
        tg.Tensor([1, 2]).at[0].set(0.5)


def test_writing_to_an_element_is_an_error_that_names_this_way(x):
    with pytest.raises(tg.errors.InplaceError, match=r"(?s)Nothing was changed.*t\.at\[index\]"):
        x[0] = 5.0
