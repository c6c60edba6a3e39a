"""The nuclear norm and the polar factor: zeros, ties, ranks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import ShapeError

RNG = np.random.default_rng(0)


def leaf(values, dtype=np.float64):
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def rotation(n):
    return np.linalg.qr(RNG.normal(size=(n, n)))[0]


def slopes(x, direction, orders):
    """The derivatives of the nuclear norm along a line."""
    x, found = leaf(x), []
    y = np.linalg.norm(x, "nuc")
    for _ in range(orders):
        y.backward(create_graph=True)
        y, x.grad = (x.grad * direction).sum(), None
        found.append(y.item())
    return found


def test_the_gradient_is_the_polar_factor_also_of_equal_singular_values():
    for values in ((2.0, 2.0, 2.0), (3.0, 1.0, 1.0), (3.0, 2.0, 1.0)):
        u, v = rotation(3), rotation(3)
        x = leaf(u @ np.diag(values) @ v)
        np.linalg.norm(x, "nuc").backward()
        np.testing.assert_allclose(x.grad.data, u @ v, atol=1e-12)


def test_all_derivatives_at_equal_singular_values_are_right():
    """Of 1 + h K, K = (0, -1; 1, 0), both are the root of 1 + h²: 2, 0, 2, 0, -6."""
    found = slopes(np.eye(2), np.array([[0.0, -1.0], [1.0, 0.0]]), 4)
    np.testing.assert_allclose(found, [0, 2, 0, -6], atol=1e-12)
    symmetric = np.array([[1.0, 2.0], [2.0, -3.0]])
    np.testing.assert_allclose(slopes(np.eye(2), symmetric, 3), [-2, 0, 0], atol=1e-12)


def test_singular_values_of_0_have_the_derivative_0():
    x = leaf(np.outer([1.0, 2.0, 2.0], [3.0, 4.0]))
    np.linalg.norm(x, "nuc").backward(create_graph=True)
    np.testing.assert_allclose(x.grad.data, x.data / 15, atol=1e-12)
    gradient, x.grad = x.grad, None
    gradient.sum().backward()
    assert np.isfinite(x.grad.data).all()


@pytest.mark.parametrize("shape", [(0, 0), (2, 0), (0, 2)])
def test_of_nothing_it_is_0(shape):
    x = leaf(np.zeros(shape))
    z = np.linalg.norm(x, "nuc")
    z.backward()
    assert z.item() == 0.0
    assert x.grad.shape == shape


def test_second_derivatives_of_a_long_matrix_make_no_large_square():
    for shape in ((5000, 3), (3, 5000)):
        x = leaf(RNG.normal(size=shape))
        tracemalloc.start()
        np.linalg.norm(x, "nuc").backward(create_graph=True)
        gradient, x.grad = x.grad, None
        (gradient * RNG.normal(size=shape)).sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1e7


def test_float32_stays_float32():
    x = leaf(RNG.normal(size=(3, 2)), np.float32)
    z = np.linalg.norm(x, "nuc")
    z.backward()
    assert z.dtype == x.grad.dtype == np.float32


def test_a_vector_has_none():
    with pytest.raises(ShapeError, match="needs a matrix"):
        PRIMITIVES["nuclear_norm"](leaf([1.0, 2.0]))
