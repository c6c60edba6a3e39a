"""Functions whose results are constants."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import OperationError, ShapeError
from tinygrad_bp.ops import constants

X = np.array([[-1.5, 0.0, 2.5], [np.inf, np.nan, -0.0]])
Y = np.array([0.0, 0.0, 3.0])


@pytest.fixture
def t():
    return tg.Tensor(X, requires_grad=True, name="t")


def assert_constant(result, expected):
    assert isinstance(result, tg.Tensor)
    assert not result.requires_grad
    assert result.node is None
    np.testing.assert_array_equal(result.data, expected)
    assert result.dtype == np.asarray(expected).dtype


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_broadcast_and_are_constants_on_either_side(t, name):
    compare = getattr(operator, name)
    assert_constant(compare(t, Y), compare(X, Y))
    assert_constant(compare(Y, t), compare(Y, X))
    assert_constant(compare(t, tg.Tensor(Y)), compare(X, Y))
    assert_constant(compare(t, 0), compare(X, 0))


@pytest.mark.parametrize(
    "function",
    [
        np.isfinite,
        np.isnan,
        np.isinf,
        np.isposinf,
        np.isneginf,
        np.signbit,
        np.logical_not,
        np.sign,
        np.floor,
        np.ceil,
        np.rint,
        np.trunc,
        np.round,
        np.all,
        np.any,
        np.count_nonzero,
        np.argsort,
        np.zeros_like,
        np.ones_like,
    ],
)
def test_functions_of_one_array_are_constants_equal_to_numpy(t, function):
    expected = function(X)
    result = function(t)
    if isinstance(expected, int) and not isinstance(expected, np.generic):
        assert result == expected
    else:
        assert_constant(result, expected)


def test_axes_and_keywords_reach_numpy(t):
    finite = tg.Tensor([[3.14159, 1.0], [0.5, 2.71828]], requires_grad=True)
    assert_constant(np.round(finite, 2), np.round(finite.data, 2))
    assert_constant(np.argmax(finite, axis=1, keepdims=True), [[0], [1]])
    assert_constant(finite.argmin(axis=0), [1, 0])
    assert_constant((finite > 1).any(axis=0), [True, True])
    assert_constant((finite > 1).all(), np.False_)
    assert np.empty_like(finite).shape == (2, 2)
    assert_constant(np.searchsorted(tg.Tensor([1.0, 2.0]), [0.0, 1.5]), [0, 1])
    assert_constant(np.digitize(tg.Tensor([0.5, 1.5]), [1.0]), [0, 1])
    assert_constant(np.bincount(tg.Tensor([0, 1, 1])), [1, 2])
    assert_constant(np.unique(tg.Tensor([2.0, 1.0, 2.0])), [1.0, 2.0])
    assert_constant(finite // 1, np.floor_divide(finite.data, 1))
    assert_constant(1 // finite, np.floor_divide(1, finite.data))


def test_truth_values_combine_with_operators():
    a, b = tg.Tensor([True, True, False]), np.array([True, False, False])
    assert_constant(a & b, [True, False, False])
    assert_constant(a | b, [True, True, False])
    assert_constant(b ^ a, [False, True, False])
    assert_constant(~a, [False, False, True])
    assert_constant(np.logical_and(a, b), [True, False, False])
    assert_constant(np.logical_or(a, b), [True, True, False])
    assert_constant(np.logical_xor(a, b), [False, True, False])


def test_facts_about_a_tensor_are_plain_values(t):
    assert np.shape(t) == (2, 3)
    assert np.ndim(t) == 2
    assert np.size(t) == 6
    assert np.result_type(t, np.float32) == np.float64
    assert not np.iscomplexobj(t)
    assert np.isrealobj(t)
    assert np.allclose(tg.Tensor([1.0]), [1.0 + 1e-12])
    assert np.array_equal(tg.Tensor([1.0]), tg.Tensor([1.0]))
    assert_constant(np.isclose(tg.Tensor([1.0, 2.0]), [1.0, 3.0]), [True, False])
    assert np.shares_memory(t, t)
    assert not np.may_share_memory(t, X)
    assert np.array_repr(tg.Tensor([1.0])) == "array([1.])"
    assert np.array2string(tg.Tensor([1.0])) == np.array_str(tg.Tensor([1.0])) == "[1.]"


def test_positions_come_as_arrays(t):
    mask = tg.Tensor([[0, 1], [1, 0]])
    assert [a.tolist() for a in np.nonzero(mask)] == [[0, 1], [1, 0]]
    assert np.flatnonzero(mask).tolist() == [1, 2]
    assert np.argwhere(mask).tolist() == [[0, 1], [1, 0]]


def test_orders_and_indices_are_constants():
    t, x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True), np.array([3.0, 1.0, 2.0])
    assert_constant(np.argpartition(t, 1), np.argpartition(x, 1))
    assert_constant(np.lexsort((t, t)), np.lexsort((x, x)))
    assert_constant(np.nanargmax(t), np.nanargmax(x))
    assert_constant(np.nanargmin(t), np.nanargmin(x))
    assert [a.tolist() for a in np.ix_(tg.Tensor([0, 2]), [1])] == [[[0], [2]], [[1]]]
    assert [a.tolist() for a in np.unravel_index(tg.Tensor([5, 3]), (2, 3))] == [[1, 1], [2, 0]]
    assert_constant(np.ravel_multi_index((tg.Tensor([1]), [2]), (2, 3)), [5])
    square = tg.Tensor(np.eye(2), requires_grad=True)
    for function in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
        assert [a.tolist() for a in function(square)] == [a.tolist() for a in function(np.eye(2))]


def test_sets_are_constants(t):
    a, b = tg.Tensor([3.0, 1.0, 1.0], requires_grad=True), [1.0, 5.0]
    for function in (np.intersect1d, np.setdiff1d, np.setxor1d, np.union1d, np.isin):
        assert_constant(function(a, b), function(a.data, b))
    assert np.unique_counts(a).counts.tolist() == [2, 1]
    assert_constant(np.unique_values(a), np.unique_values(a.data))


def test_whole_numbers_are_constants():
    a = tg.Tensor([4, 6])
    assert_constant(np.gcd(a, 6), [2, 6])
    assert_constant(np.lcm(a, 6), [12, 6])
    assert_constant(np.bitwise_count(a), np.bitwise_count(a.data))
    bits = np.packbits(tg.Tensor([1, 0, 1], dtype=np.uint8))
    assert_constant(bits, np.array([160], np.uint8))
    assert_constant(np.unpackbits(bits, count=3), np.array([1, 0, 1], np.uint8))


def test_kinds_of_numbers_are_facts(t):
    assert_constant(np.isreal(t), np.ones((2, 3), bool))
    assert_constant(np.iscomplex(t), np.zeros((2, 3), bool))
    assert np.common_type(t) is np.float64
    assert np.min_scalar_type(tg.Tensor(3)) == np.uint8
    assert np.einsum_path("ij,jk", t, t.data.T)[0] == ["einsum_path", (0, 1)]
    assert_constant(np.spacing(tg.Tensor(1.0)), np.spacing(1.0))


def test_tensors_are_saved_as_their_values(t, tmp_path):
    np.save(tmp_path / "a.npy", t)
    np.savez(tmp_path / "b.npz", t, name=t)
    np.savez_compressed(tmp_path / "c.npz", t)
    np.savetxt(tmp_path / "d.txt", t)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), X)
    with np.load(tmp_path / "b.npz") as saved:
        np.testing.assert_array_equal(saved["arr_0"], X)
        np.testing.assert_array_equal(saved["name"], X)
    with np.load(tmp_path / "c.npz") as saved:
        np.testing.assert_array_equal(saved["arr_0"], X)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "d.txt"), X)


def test_comparisons_of_numpys_testing_say_what_to_pass(t):
    with pytest.raises(tg.errors.ConversionError, match=r"use t\.data for its values"):
        np.testing.assert_allclose(t, X)
    np.testing.assert_array_equal(t.detach(), X)


def test_what_only_a_constant_leads_to_says_where_the_graph_was_cut(t):
    with pytest.raises(tg.errors.NoGradPathError, match=r"'t' was cut off by sign at test_const"):
        (np.sign(t) * 2.0).backward(np.ones((2, 3)))


def test_shapes_that_do_not_broadcast_are_named(t):
    with pytest.raises(ShapeError, match=r"less .*\(2, 3\) float64, \(2,\) float64"):
        np.less(t, np.zeros(2))


def test_out_is_refused(t):
    with pytest.raises(OperationError, match="argmax with out="):
        np.argmax(t, axis=0, out=np.zeros(3, int))


def test_each_function_has_its_reason():
    from tinygrad_bp.core import FUNCTIONS

    groups = [constants._COMPARISONS, constants._STEPS, constants._POSITIONS, constants._SETS]
    for function in [
        f
        for group in (*groups, constants._FACTS, constants._TEXTS, constants._FILES)
        for f in group
    ]:
        assert FUNCTIONS[function].why
