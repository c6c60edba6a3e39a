"""Norms: zeros, ties, orders that there are not, and condition numbers of singular matrices."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, AxisError, LinAlgError, ShapeError

ORDERS = (None, 1, 2, 3, 4, 0.5, 1.5, -1, -2, np.inf, -np.inf)
MATRIX_ORDERS = (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def slope(function, x, dtype=np.float64):
    t = tg.Tensor(x, requires_grad=True, dtype=dtype)
    z = function(t)
    z.sum().backward()
    assert z.dtype == t.grad.dtype == dtype
    return t.grad.data


@pytest.mark.parametrize("order", ORDERS)
def test_the_derivative_of_a_norm_at_0_is_0(order):
    for dtype in (np.float32, np.float64):
        found = slope(lambda x: np.linalg.norm(x, order), np.zeros(3), dtype)
        np.testing.assert_array_equal(found, 0)
    found = slope(lambda x: np.linalg.norm(x, order, axis=1), [[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(found[0], 0)
    assert np.abs(found[1]).max() > 0
    assert "0" in PRIMITIVES["norm"].kinks


@pytest.mark.parametrize("order", MATRIX_ORDERS)
def test_the_derivative_of_a_matrix_norm_at_0_is_0(order):
    for shape in ((2, 2), (3, 2)):
        found = slope(lambda x: np.linalg.norm(x, order, axis=(0, 1)), np.zeros(shape))
        np.testing.assert_array_equal(found, 0)


def test_all_higher_derivatives_at_0_are_0_too():
    x = tg.Tensor(np.zeros(2), requires_grad=True)
    y = np.linalg.norm(x)
    for _ in range(3):
        y.backward(create_graph=True)
        y, x.grad = (x.grad * [1.0, 2.0]).sum(), None
        assert y.item() == 0


@pytest.mark.parametrize("p", [3, 1.5, 0.5, -1, 4])
def test_elements_that_are_0_among_others_give_no_warning_and_no_nan(p):
    x = tg.Tensor([0.0, 1.0, -2.0], requires_grad=True)
    np.linalg.norm(x, p).backward(create_graph=True)
    assert x.grad.data[0] == 0
    slope, x.grad = x.grad, None
    slope.sum().backward()
    assert np.isfinite(x.grad.data).all()


def test_even_orders_are_right_at_0_at_every_order():
    """‖(x, 1)‖₄⁴ = x⁴ + 1, of which the fourth derivative is 24."""
    x = tg.Tensor(0.0, requires_grad=True)
    y = np.linalg.norm(np.stack([x, 1.0]), 4) ** 4
    found = []
    for _ in range(4):
        y.backward(create_graph=True)
        y, x.grad = x.grad, None
        found.append(y.item())
    np.testing.assert_allclose(found, [0, 0, 0, 24], atol=1e-12)


def test_ties_share_evenly():
    x = [3.0, -3.0, 1.0]
    np.testing.assert_array_equal(slope(lambda t: np.linalg.norm(t, np.inf), x), [0.5, -0.5, 0])
    np.testing.assert_array_equal(
        slope(lambda t: np.linalg.norm(t, 1), np.ones((2, 2))), np.full((2, 2), 0.5)
    )
    np.testing.assert_allclose(
        slope(lambda t: np.linalg.norm(t, 2), np.eye(2)), np.eye(2) / 2, atol=1e-12
    )


def test_the_number_of_elements_that_are_not_0_is_a_constant():
    x = tg.Tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True, dtype=np.float32)
    z = np.linalg.norm(x, 0, axis=1)
    np.testing.assert_array_equal(z.data, [1, 2])
    assert z.dtype == np.float32
    assert not z.requires_grad


def test_norms_of_nothing():
    x = tg.Tensor(np.zeros((0, 3)), requires_grad=True)
    for order in (None, 1, 2, np.inf, 3):
        assert np.linalg.norm(x, order, axis=0).tolist() == [0.0, 0.0, 0.0]
    for order in ("fro", "nuc", 2, np.inf, 1):
        assert np.linalg.norm(x, order).item() == 0.0
    with pytest.raises(ArgumentError, match="zero-size"):
        np.linalg.norm(x, -np.inf, axis=0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: np.linalg.norm(x, "fro", axis=0), r"ord='fro' (.|\n)*vectors: a number"),
        (lambda x: np.linalg.norm(x, 3), r"ord=3 (.|\n)*matrices: fro, nuc"),
        (lambda x: np.linalg.norm(x, "nuclear"), "ord='nuclear'"),
        (lambda x: np.linalg.norm(x, 0), "ord=0"),
        (lambda x: np.linalg.vector_norm(x, ord="fro"), "np.linalg.vector_norm with ord='fro'"),
        (lambda x: np.linalg.matrix_norm(x, ord=5), "np.linalg.matrix_norm with ord=5"),
        (lambda x: np.linalg.cond(x, 3), "np.linalg.cond with ord=3"),
    ],
)
def test_orders_that_there_are_not_are_named(call, words):
    with pytest.raises(ArgumentError, match=words) as error:
        call(tg.Tensor(np.ones((2, 2))))
    assert "Fix: " in str(error.value)


def test_axes_that_do_not_fit_are_named():
    x = tg.Tensor(np.ones((2, 2, 2)))
    with pytest.raises(AxisError, match="there are 3 axes"):
        np.linalg.norm(x, 2)
    with pytest.raises(AxisError, match="one of them twice"):
        np.linalg.norm(x, axis=(0, 0))
    with pytest.raises(AxisError, match="there is no axis 3"):
        np.linalg.norm(x, axis=3)
    with pytest.raises(ShapeError, match="needs a matrix"):
        np.linalg.matrix_norm(x[0, 0])


def test_integers_have_a_norm_too():
    assert np.linalg.norm(tg.Tensor([3, 4])).item() == 5.0


@pytest.mark.parametrize("p", [None, -2, 1, "fro", "nuc"])
def test_the_condition_of_a_singular_matrix_is_infinite_without_a_gradient(p):
    x = tg.Tensor(np.stack([np.diag([2.0, 1.0]), np.zeros((2, 2))]), requires_grad=True)
    z = np.linalg.cond(x, p)
    np.testing.assert_allclose(z.data[0], np.linalg.cond(x.data[0], p))
    assert z.data[1] == np.inf
    z.sum().backward()
    assert np.abs(x.grad.data[0]).max() > 0
    np.testing.assert_array_equal(x.grad.data[1], 0)


def test_the_condition_of_nothing_is_an_error():
    with pytest.raises(LinAlgError, match="nothing to measure"):
        np.linalg.cond(tg.Tensor(np.zeros((2, 0))))
