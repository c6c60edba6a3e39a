from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DTypeError
from tinygrad_bp.nn import Buffer, Parameter


def test_a_parameter_is_a_leaf_tensor_that_requires_a_gradient():
    p = Parameter([1.0, 2.0], name="w")
    assert isinstance(p, tg.Tensor)
    assert p.requires_grad
    assert p.is_leaf
    assert p.name == "w"
    (p * p).sum().backward()
    np.testing.assert_array_equal(p.grad.data, [2.0, 4.0])


def test_a_parameter_copies_its_data_and_keeps_or_takes_a_dtype():
    source = np.zeros(2, np.float32)
    p = Parameter(source)
    p.assign(1)
    assert p.dtype == np.float32
    assert not source.any()
    assert Parameter([1, 2], dtype=np.float64).dtype == np.float64


def test_integers_cannot_be_trained():
    with pytest.raises(DTypeError, match="dtype int64 cannot require a gradient"):
        Parameter([1, 2])


def test_computing_with_a_parameter_gives_a_plain_tensor():
    assert type(Parameter([1.0]) * 2) is tg.Tensor


def test_a_buffer_is_a_constant():
    assert not Buffer([1.0]).requires_grad


@pytest.mark.parametrize("kind", [Parameter, Buffer])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_keep_the_class(kind, duplicate):
    original = kind([1.0, 2.0], name="n")
    twin = duplicate(original)
    assert type(twin) is kind
    assert twin.name == "n"
    assert twin.requires_grad == original.requires_grad
    assert not np.shares_memory(twin.data, original.data)
