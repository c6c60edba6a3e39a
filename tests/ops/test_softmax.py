"""Softmax and its relatives along every axis, against SciPy and at infinity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError
from tinygrad_bp.ops import softmax


@pytest.mark.parametrize("columns", [3, 200])
def test_softmax_and_its_logarithm_agree_with_scipy_along_every_axis(columns):
    x = np.random.default_rng(0).normal(0, 5, (4, columns, 2))
    for axis in (0, 1, 2, -1, -2):
        np.testing.assert_allclose(
            softmax.softmax(x, axis=axis).data, special.softmax(x, axis), rtol=1e-13
        )
        np.testing.assert_allclose(
            softmax.log_softmax(x, axis=axis).data, special.log_softmax(x, axis), rtol=1e-13
        )


def test_softmax_gives_masked_classes_nothing():
    assert softmax.softmax(np.array([0.0, -np.inf, 0.0]), axis=0).data.tolist() == [0.5, 0, 0.5]


def test_softmax_over_an_axis_that_is_not_there_names_the_shape():
    with pytest.raises(AxisError, match=r"softmax.*\(2, 3\).*axis 2 is out of bounds"):
        softmax.softmax(np.zeros((2, 3)), axis=2)


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), (0, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_agrees_with_scipy(axis, keepdims):
    x = np.random.default_rng(0).normal(0, 500, (4, 3, 2))
    ours = softmax.logsumexp(x, axis=axis, keepdims=keepdims).data
    expected = special.logsumexp(x, axis=axis, keepdims=keepdims)
    assert np.shape(ours) == np.shape(expected)
    np.testing.assert_allclose(ours, expected, rtol=1e-14)


def test_logsumexp_of_infinities():
    x = tg.Tensor([[-np.inf, -np.inf], [0.0, -np.inf]], requires_grad=True)
    y = softmax.logsumexp(x, axis=1, keepdims=False)
    assert y.data.tolist() == [-np.inf, 0.0]
    y.sum().backward()
    assert x.grad.data.tolist() == [[0, 0], [1, 0]]
    x = tg.Tensor([0.0, np.inf], requires_grad=True)
    y = softmax.logsumexp(x, axis=0, keepdims=False)
    assert y.item() == np.inf
    y.backward()
    assert x.grad.data.tolist() == [0, 1]


@pytest.mark.parametrize("at", [1e5, -1e5, 1e20])
def test_shares_of_a_log_sum_add_up_where_it_is_rounded(at):
    x = tg.Tensor([at, at, at, -np.inf], requires_grad=True, dtype=np.float32)
    softmax.logsumexp(x, axis=0, keepdims=False).backward()
    np.testing.assert_allclose(x.grad.data, [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)


def test_a_log_sum_that_is_not_a_number_has_no_gradient_that_is_one():
    x = tg.Tensor([1000.0, np.nan], requires_grad=True)
    softmax.logsumexp(x, axis=0, keepdims=False).backward()
    assert np.isnan(x.grad.data).all()


def test_a_log_sum_with_an_infinite_element_is_infinite_without_a_warning():
    assert softmax.logsumexp(np.array([1000.0, np.inf]), axis=0, keepdims=False).item() == np.inf
