"""Indexing: what indexes, what does not, and how the gradient comes back."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES, Sparse
from tinygrad_bp.errors import IndexingError, InplaceError, OperationError

X = np.arange(12.0).reshape(3, 4)


@pytest.fixture
def t():
    return tg.Tensor(X, requires_grad=True)


def test_tensors_index_like_arrays(t):
    places = tg.Tensor([2, 0, 2])
    np.testing.assert_array_equal(t[places].data, X[[2, 0, 2]])
    np.testing.assert_array_equal(t[places, 1].data, X[[2, 0, 2], 1])
    np.testing.assert_array_equal(t[tg.Tensor(1)].data, X[1])
    np.testing.assert_array_equal(t[tg.Tensor(1) : tg.Tensor(3)].data, X[1:3])
    np.testing.assert_array_equal(t[t > 5].data, X[X > 5])
    np.testing.assert_array_equal(t[np.argmax(t, axis=0), [0, 1, 2, 3]].data, X[2])
    np.testing.assert_array_equal(t[[tg.Tensor(1), 0]].data, X[[1, 0]])


def test_elements_that_are_read_twice_receive_the_sum(t):
    t[[0, 0, 2], [1, 1, 3]].backward(np.array([1.0, 10.0, 100.0]))
    expected = np.zeros((3, 4))
    expected[0, 1], expected[2, 3] = 11, 100
    np.testing.assert_array_equal(t.grad.data, expected)


def test_a_mask_selects_the_gradient(t):
    (t[t > 5] ** 2).sum().backward()
    np.testing.assert_array_equal(t.grad.data, np.where(X > 5, 2 * X, 0))


def test_iteration_and_unpacking_stay_in_the_graph(t):
    a, b, c = t
    (a + 2 * b - c).sum().backward()
    np.testing.assert_array_equal(t.grad.data, np.outer([1, 2, -1], np.ones(4)))


def test_the_rule_carries_back_no_more_than_was_read(t):
    for index in (1, [0, 2]):
        node = t[index].node
        part = node.primitive.vjps[0](np.ones_like(node.out), node.out, t.data, index=index)
        assert isinstance(part, Sparse)


def test_a_loop_over_elements_costs_no_array_for_each():
    import tracemalloc

    n = 400
    x = tg.Tensor(np.ones(n), requires_grad=True)
    total = x[0]
    for i in range(1, n):
        total = total + x[i]
    tracemalloc.start()
    total.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(x.grad.data, np.ones(n))
    assert peak < n * n * 8 / 4


def test_the_backward_pass_of_a_read_is_a_scatter_that_can_be_differentiated():
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[[0, 0, 1]] ** 3).sum().backward(create_graph=True)
    assert x.grad.node.primitive.name == "scatter"
    first, x.grad = x.grad, None
    np.testing.assert_array_equal(first.data, [6, 12, 0])
    first.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [12, 12, 0])


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (3, r"getitem .*\(3, 4\) float64 \(at test_indexing.py:\d+\): index 3 is out of bounds"),
        ((0, 4), "index 4 is out of bounds for axis 1 with size 4"),
        ((0, 0, 0), "too many indices"),
        ([0, 3], "index 3 is out of bounds for axis 0"),
        (np.array([True, False]), "boolean index did not match"),
        (1.0, "an index of type float cannot index a tensor"),
        ("a", "an index of type str cannot index"),
        ((0, 1.5), "an index of type float"),
        (np.array([0.0]), "an index of dtype float64 cannot index .*\nFix: .*astype"),
        (tg.Tensor([0.0], requires_grad=True), "an index of dtype float64"),
        ([slice(1)], "an index of dtype object"),
    ],
)
def test_wrong_indices_are_named(t, index, words):
    with pytest.raises(IndexingError, match=words):
        t[index]


def test_a_number_has_no_elements():
    with pytest.raises(IndexingError, match="invalid index to scalar"):
        tg.Tensor([1.0, 2.0]).sum()[0]


def test_only_basic_indices_share_memory(t):
    assert np.shares_memory(t[1:].data, t.data)
    assert not np.shares_memory(t[[1, 2]].data, t.data)
    read = tg.Tensor(X)[[1, 2]]
    read.assign(np.zeros((2, 4)))
    np.testing.assert_array_equal(read.data, np.zeros((2, 4)))


def test_a_change_behind_a_view_is_noticed(t):
    row = t[0]
    square = (row * row).sum()
    t.assign(X + 1)
    with pytest.raises(InplaceError):
        square.backward()


def test_take_refuses_what_has_no_rule(t):
    with pytest.raises(OperationError, match="mode='clip'"):
        np.take(t, [9], mode="clip")
    with pytest.raises(OperationError, match="out="):
        np.take(t, [0], out=np.zeros(1))
    with pytest.raises(IndexingError, match=r"no axis 2 in shape \(3, 4\)"):
        np.take(t, [0], axis=2)


def test_take_accepts_a_tensor_of_places(t):
    np.testing.assert_array_equal(np.take(t, tg.Tensor([1, 0]), axis=1).data, X[:, [1, 0]])


def test_scatter_keeps_the_dtype():
    out = PRIMITIVES["scatter"](np.ones(2, np.float32), index=[0, 0], shape=(2,))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out.data, [2, 0])


def test_take_along_an_axis_that_is_not_there_says_where():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(IndexingError, match=r"test_indexing\.py:\d+\)\.\nFix: name"):
        np.take(x, 0, axis=1)
