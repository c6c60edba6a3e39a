"""Einsum: its errors, and what the catalogue does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError, OperationError, ShapeError

X = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: np.einsum("ij,jk", X, np.ones((4, 2))),
            r"'ij,jk' does not fit \(at test_einsum.py:\d+\): 'j' has length 3 in operand 0 and 4 "
            "in operand 1",
        ),
        (lambda: np.einsum("ii", X), "'i' has length 2 in operand 0 and 3 in operand 0"),
        (lambda: np.einsum("ii", X[:, :1]), "'i' has length 2 in operand 0 and 1 in operand 0"),
        (lambda: np.einsum("...i,...i", X, np.ones((4, 3))), "an axis of ... has length 2 in op"),
        (lambda: np.einsum("ijk", X), r"operand 0 of shape \(2, 3\) has other axes than 'ijk'"),
        (lambda: np.einsum("i", X), r"operand 0 of shape \(2, 3\) has other axes than 'i'"),
        (lambda: np.einsum("ij,jk", X), "it names 2 operands, and there are 1"),
        (lambda: np.einsum("...j->j", X), r'the output has no "..." for the remaining axes'),
        (lambda: np.einsum("ij->k", X), "output subscript 'k' which never appeared"),
        (lambda: np.einsum("ij->jj", X), "output subscript 'j' multiple times"),
    ],
)
def test_subscripts_that_do_not_fit_are_explained(call, words):
    with pytest.raises(ShapeError, match=words):
        call()


@pytest.mark.parametrize("subscripts", ["i$", "i..j->i", "ij->i->j", "i1"])
def test_subscripts_that_are_not_well_formed_are_refused(subscripts):
    with pytest.raises(ArgumentError, match="is not well formed"):
        np.einsum(subscripts, X)


def test_out_is_refused():
    with pytest.raises(OperationError, match=r"(?s)np.einsum with out= cannot .*Fix: leave out="):
        np.einsum("ij", X, out=np.zeros((2, 3)))


Y = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("lists", "letters"),
    [
        ((X, [0, 1], Y, [1, 2], [0, 2]), "ab,bc->ac"),
        ((X, [0, 1], Y, [1, 2]), "ab,bc"),
        ((X, [1, 0]), "ba"),
        ((X, [30, 2]), "eC"),
        ((X, [Ellipsis, 1], Y, [1, Ellipsis]), "...b,b..."),
        ((X, [Ellipsis, 1], [1, Ellipsis]), "...b->b..."),
        ((X, [0, 1], []), "ab->"),
        ((X, (np.int64(0), 1), (1,)), "ab->b"),
    ],
)
def test_labels_may_be_lists_of_numbers(lists, letters):
    arrays = [x for x in lists if hasattr(x, "ndim")]
    expected = np.einsum(letters, *(np.asarray(getattr(a, "data", a)) for a in arrays))
    out = np.einsum(*lists)
    np.testing.assert_array_equal(out.data, expected)
    plain = [x.data if isinstance(x, tg.Tensor) else x for x in lists]
    np.testing.assert_array_equal(out.data, np.einsum(*plain))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: np.einsum(X, ["i", "j"]), r"\['i', 'j'\] is no list of labels"),
        (lambda: np.einsum(X, [0, 99]), r"whole numbers from 0 to 51"),
        (lambda: np.einsum(X), "needs an operand and its labels"),
    ],
)
def test_labels_that_are_none_are_refused(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()


def test_a_dtype_is_cast_to_before_the_products_and_gradients_keep_their_own():
    x = tg.Tensor([[1.0, 2.0]], requires_grad=True, dtype=np.float32)
    out = np.einsum("ij,ij->i", x, x, dtype=np.float64)
    assert out.dtype == np.float64
    out.sum().backward()
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad.data, [[2.0, 4.0]])
    with pytest.raises(DTypeError, match=r"cast float64 to float32 with casting='safe'"):
        np.einsum("ij", X, dtype=np.float32)
    assert np.einsum("ij", X, dtype=np.float32, casting="same_kind").dtype == np.float32


def test_an_order_is_that_of_the_memory():
    for order in ("C", "F"):
        out = np.einsum("ij->ij", X, order=order)
        assert out.data.flags[f"{order}_CONTIGUOUS"]
        np.testing.assert_array_equal(out.data, X.data)


def test_the_path_is_a_constant():
    path, text = np.einsum_path("ij,jk,kl->il", X, np.ones((3, 4)), np.ones((4, 2)))
    assert path[0] == "einsum_path"
    assert "FLOP" in text


def test_spaces_capitals_and_lists_are_accepted():
    out = np.einsum(" iJ , J ", X, [1.0, 0.0, 2.0])
    np.testing.assert_allclose(out.data, X.data @ [1, 0, 2])


def test_a_path_is_used_forwards_and_replaced_backwards():
    operands = [tg.Tensor(np.ones(s), requires_grad=True) for s in [(2, 3), (3, 4), (4, 2)]]
    path = ["einsum_path", (1, 2), (0, 1)]
    np.einsum("ij,jk,kl->il", *operands, optimize=path).sum().backward()
    np.testing.assert_array_equal(operands[0].grad.data, np.full((2, 3), 8.0))


def test_the_result_lies_in_memory_of_its_own():
    x = tg.Tensor(np.ones((2, 2)), requires_grad=True)
    for subscripts in ("ij->ji", "ii->i", "ij"):
        assert not np.shares_memory(np.einsum(subscripts, x).data, x.data)
