"""Chains, powers and tensors as matrices: what the catalogue does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError, LinAlgError, OperationError, ShapeError

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


def products_of(z):
    """The shapes of all matrix products behind a tensor."""
    shapes, todo = [], [z]
    while todo:
        node = todo.pop().node
        if node is not None:
            if node.primitive.name == "matmul":
                shapes.append(tuple(x.shape for x in node.inputs))
            todo += [x for x in node.inputs if isinstance(x, tg.Tensor)]
    return shapes


def test_multi_dot_multiplies_in_the_cheapest_order():
    a, b, c = leaf(1, 50), leaf(50, 50), leaf(50, 50)
    assert ((1, 50), (50, 50)) in products_of(np.linalg.multi_dot([a, b, c]))
    assert ((50, 50), (50, 50)) not in products_of(np.linalg.multi_dot([a, b, c]))
    assert ((50, 50), (50, 1)) in products_of(np.linalg.multi_dot([c, b, leaf(50, 1)]))


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3)], [(2, 3), (4, 2)], [(2, 2), (2,), (2, 2)], [(2, 2, 2), (2, 2), (2, 2)], [(), ()]],
)
def test_multi_dot_says_what_makes_no_chain(shapes):
    with pytest.raises(ShapeError, match="do not make a chain"):
        np.linalg.multi_dot([leaf(*s) for s in shapes])


def test_multi_dot_refuses_out():
    with pytest.raises(OperationError, match="multi_dot with out="):
        np.linalg.multi_dot([leaf(2, 2), leaf(2, 2)], out=np.zeros((2, 2)))


@pytest.mark.parametrize("n", [2, 3, 7, -2])
def test_matrix_power_has_the_gradient_of_repeated_products(n):
    """The sum over k of (xᵀ)ᵏ g (xᵀ)ⁿ⁻¹⁻ᵏ."""
    x, power = leaf(3, 3), np.linalg.matrix_power
    g = RNG.normal(size=(3, 3))
    power(x, n).backward(g)
    t = x.data.T
    if n > 0:
        expected = sum(power(t, k) @ g @ power(t, n - 1 - k) for k in range(n))
    else:
        expected = -sum(power(t, -k) @ g @ power(t, n - 1 + k) for k in range(1, 1 - n))
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-8)


def test_the_power_zero_is_constant_and_takes_any_matrix():
    z = np.linalg.matrix_power(tg.Tensor(np.zeros((2, 3, 3)), requires_grad=True), 0)
    np.testing.assert_array_equal(z.data, np.stack([np.eye(3)] * 2))
    assert not z.requires_grad


def test_the_power_one_is_a_node_of_its_own():
    x = leaf(2, 2)
    z = np.linalg.matrix_power(x, 1)
    z.sum().backward()
    assert z is not x
    np.testing.assert_array_equal(x.grad.data, np.ones((2, 2)))


def test_matrix_power_says_what_is_wrong():
    with pytest.raises(DTypeError, match=r"to the power 0.5"):
        np.linalg.matrix_power(leaf(2, 2), 0.5)
    with pytest.raises(ShapeError, match=r"of shape \(2, 3\).*square"):
        np.linalg.matrix_power(leaf(2, 3), 2)
    with pytest.raises(LinAlgError, match="Singular"):
        np.linalg.matrix_power(tg.Tensor(np.ones((2, 2))), -1)


def test_tensors_that_make_no_square_matrix_are_named():
    with pytest.raises(ShapeError, match="hold 6 elements, the others 5"):
        np.linalg.tensorsolve(leaf(2, 3, 5), leaf(2, 3))
    with pytest.raises(ShapeError, match="first 2 axes hold 12 elements, the others 3"):
        np.linalg.tensorinv(leaf(6, 2, 3))
    with pytest.raises(ArgumentError, match="ind=0"):
        np.linalg.tensorinv(leaf(2, 2), ind=0)


def test_the_names_of_the_array_api_check_as_numpy_does():
    with pytest.raises(ShapeError, match="needs vectors"):
        np.linalg.outer(leaf(2, 2), leaf(2))
    for function in (np.linalg.diagonal, np.linalg.trace, np.linalg.matrix_transpose):
        with pytest.raises(ShapeError, match="needs a matrix"):
            function(leaf(3))


def test_trace_adds_in_the_dtype_that_is_asked_for():
    x = leaf(3, 3, dtype=np.float32)
    z = np.linalg.trace(x, dtype=np.float64)
    z.backward()
    assert z.dtype == np.float64
    assert x.grad.dtype == np.float32
    np.testing.assert_array_equal(x.grad.data, np.eye(3))
