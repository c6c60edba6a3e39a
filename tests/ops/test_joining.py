"""Joining and splitting: mixed lists, special arguments and errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError, DTypeError, OperationError, ShapeError


def leaf(*shape):
    return tg.Tensor(np.arange(1.0, np.prod(shape) + 1).reshape(shape), requires_grad=True)


def test_a_list_may_mix_tensors_arrays_lists_and_numbers():
    x = leaf(2)
    joined = np.concatenate([np.zeros(1), x, [5, 6]])
    np.testing.assert_array_equal(joined.data, [0, 1, 2, 5, 6])
    joined.backward(np.arange(5.0))
    np.testing.assert_array_equal(x.grad.data, [1, 2])
    np.testing.assert_array_equal(np.stack([x[0], 7.0]).data, [1, 7])


def test_a_tensor_stands_for_the_list_of_its_rows():
    x = leaf(2, 3)
    np.testing.assert_array_equal(np.concatenate(x).data, x.data.ravel())
    np.testing.assert_array_equal(np.stack(x, axis=1).data, x.data.T)
    np.testing.assert_array_equal(np.vstack(x).data, x.data)


def test_the_same_tensor_twice_receives_both_parts():
    x = leaf(2)
    np.concatenate([x, x]).backward(np.array([1.0, 2.0, 30.0, 40.0]))
    np.testing.assert_array_equal(x.grad.data, [31, 42])


def test_dtypes_promote_and_gradients_keep_their_own():
    a = tg.Tensor([1.0], requires_grad=True, dtype=np.float32)
    b = tg.Tensor([1.0], requires_grad=True)
    out = np.concatenate([a, b, np.array([1], np.int8)])
    assert out.dtype == np.float64
    out.sum().backward()
    assert a.grad.dtype == np.float32
    assert b.grad.dtype == np.float64


def test_a_thousand_parts_find_their_gradients():
    parts = [tg.Tensor([float(i)], requires_grad=True) for i in range(1000)]
    np.concatenate(parts).backward(np.arange(1000.0))
    assert [p.grad.item() for p in parts] == list(range(1000))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: np.concatenate([leaf(2, 3), leaf(2, 4)]),
            r"concatenate .*\(2, 3\) float64, \(2, 4\) float64 .*along dimension 1",
        ),
        (lambda: np.concatenate([leaf(2, 3), leaf(3)]), "same number of dimensions"),
        (lambda: np.concatenate([leaf(2)[0], leaf(2)[0]]), "zero-dimensional"),
        (lambda: np.stack([leaf(2), leaf(3)]), r"stack .*\(2,\) float64, \(3,\) float64.*same sh"),
        (lambda: np.split(leaf(5), 2), r"cannot cut axis 0 of length 5 of shape \(5,\) into 2"),
        (lambda: np.array_split(leaf(5), 0), "cannot make 0 parts"),
        (lambda: np.vsplit(leaf(4), 2), r"np.vsplit of shape \(4,\).*needs 2 axes"),
        (lambda: np.dsplit(leaf(4, 4), 2), "it needs 3 axes"),
        (lambda: np.repeat(leaf(3), [1, 2]), r"repeats=\[1, 2\] does not fit axis 0"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, words):
    with pytest.raises(ShapeError, match=words):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: np.concatenate([leaf(2), leaf(2)], axis=1),
        lambda: np.stack([leaf(2), leaf(2)], axis=2),
        lambda: np.split(leaf(2), 2, axis=1),
        lambda: np.repeat(leaf(2), 2, axis=1),
    ],
)
def test_axes_that_are_not_there_are_named(call):
    with pytest.raises(AxisError, match=r"there is no axis .* for an array of shape \(2,\)"):
        call()


@pytest.mark.parametrize("join", [np.concatenate, np.stack])
def test_out_is_refused(join):
    with pytest.raises(
        OperationError, match=rf"(?s)np.{join.__name__} with out= .*Fix: leave out="
    ):
        join([leaf(2)], out=np.zeros(2))


@pytest.mark.parametrize("join", [np.concatenate, np.stack, np.vstack, np.hstack])
def test_a_dtype_is_cast_to_as_far_as_casting_allows(join):
    x = leaf(2)
    out = join([x, np.zeros(2, np.float32)], dtype=np.float32)
    assert out.dtype == np.float32
    out.sum().backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad.data, [1.0, 1.0])
    with pytest.raises(DTypeError, match=r"cannot cast float64 to float32 with casting='safe'"):
        join([x], dtype=np.float32, casting="safe")
    with pytest.raises(DTypeError, match=r"(?s)to int64 with casting='same_kind'.*Fix: "):
        join([x], dtype=np.int64)
    assert join([x], dtype=np.int64, casting="unsafe").dtype == np.int64


def test_a_number_can_be_repeated():
    x = leaf()
    for axis in (None, 0, -1):
        np.testing.assert_array_equal(np.repeat(x, 3, axis).data, [1.0, 1.0, 1.0])
    with pytest.raises(AxisError, match="np.repeat: there is no axis"):
        np.repeat(x, 3, 1)


def test_parts_of_a_split_add_up_to_the_whole_gradient():
    x = leaf(5)
    first, second = np.array_split(x, 2)
    (first.sum() + (second * 2).sum()).backward()
    np.testing.assert_array_equal(x.grad.data, [1, 1, 1, 2, 2])


def test_split_at_places_beyond_the_end_gives_empty_parts():
    parts = np.split(leaf(3), [1, 5])
    assert [p.shape for p in parts] == [(1,), (2,), (0,)]
