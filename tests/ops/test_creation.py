"""Arrays that are made like a tensor, which is the only way in which NumPy asks one."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ConversionError, DTypeError, OperationError


@pytest.fixture
def t():
    return tg.Tensor(2.0, requires_grad=True)


@pytest.fixture
def v():
    return tg.Tensor([1.0, 3.0], requires_grad=True)


def test_nested_lists_of_tensors_and_numbers_become_one_tensor(t):
    made = np.array([[t, 1], [2, t * t]], like=t)
    assert made.data.tolist() == [[2.0, 1.0], [2.0, 4.0]]
    made.sum().backward()
    assert t.grad.item() == 5.0


def test_without_like_numpy_asks_no_tensor_and_the_gradient_is_not_lost_in_silence(t):
    with pytest.raises(ConversionError, match=r"np\.stack or np\.concatenate"):
        np.array([t, t])
    with pytest.raises(ConversionError):
        np.full(3, t)


def test_array_copies_and_asarray_does_not(v):
    assert np.asarray(v, like=v) is v
    assert np.array(v, copy=None, like=v) is v
    copied = np.array(v, like=v)
    assert copied is not v
    assert not np.shares_memory(copied, v)
    copied.sum().backward()
    assert v.grad.data.tolist() == [1.0, 1.0]


def test_dtype_and_ndmin(v):
    made = np.array([v, v], dtype=np.float32, ndmin=3, like=v)
    assert made.shape == (1, 2, 2)
    assert made.dtype == np.float32
    assert np.asarray(v, np.float32, like=v).dtype == np.float32


def test_numbers_become_constants(t):
    for made, expected in (
        (np.array([1, 2], like=t), np.array([1, 2])),
        (np.zeros((2, 3), np.float32, like=t), np.zeros((2, 3), np.float32)),
        (np.ones(2, like=t), np.ones(2)),
        (np.eye(2, dtype=int, like=t), np.eye(2, dtype=int)),
        (np.identity(2, like=t), np.identity(2)),
        (np.tri(2, like=t), np.tri(2)),
        (np.arange(3, like=t), np.arange(3)),
        (np.full(2, 7, like=t), np.full(2, 7)),
        (np.full(2, 7, dtype=float, like=t), np.full(2, 7.0)),
    ):
        assert isinstance(made, tg.Tensor)
        assert not made.requires_grad
        np.testing.assert_array_equal(made.data, expected)
        assert made.dtype == expected.dtype
    assert np.empty(3, like=t).shape == (3,)


def test_full_broadcasts_its_value(v):
    made = np.full((3, 2), v, like=v)
    np.testing.assert_array_equal(made.data, np.full((3, 2), v.data))
    made.sum().backward()
    assert v.grad.data.tolist() == [3.0, 3.0]


def test_what_tensors_do_not_have_is_refused(t, v):
    with pytest.raises(
        OperationError, match=r"np.array with order='F' (.|\n)*Fix: leave order away"
    ):
        np.array(v, order="F", like=t)
    with pytest.raises(OperationError, match="np.full with order='F'"):
        np.full(3, t, order="F", like=t)
    with pytest.raises(DTypeError, match="a tensor holds numbers"):
        np.array(["a"], like=t)
