"""Products of vectors: what the catalogue does not ask."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import AxisError, OperationError, ShapeError
from tinygrad_bp.ops.products import matvec, vecdot, vecmat

RNG = np.random.default_rng(0)


def leaf(*shape, dtype=np.float64):
    return tg.Tensor(RNG.normal(size=shape), requires_grad=True, dtype=dtype)


@pytest.mark.parametrize(
    "options",
    [
        {"axis": 0},
        {"axis": 1, "keepdims": True},
        {"keepdims": True},
        {"axes": [0, 0]},
        {"axes": [(0,), (0,), ()]},
        {"dtype": np.float32},
    ],
    ids=str,
)
def test_vecdot_has_the_options_of_the_ufunc(options):
    x, y = leaf(3, 3), leaf(3, 3)
    z = vecdot(x, y, **options)
    expected = np.vecdot(x.data, y.data, **{"casting": "same_kind", **options})
    np.testing.assert_allclose(z.data, expected, rtol=1e-6)
    assert z.shape == expected.shape
    assert z.dtype == expected.dtype
    z.sum().backward()
    np.testing.assert_allclose(x.grad.data, y.data, rtol=1e-6)


def test_matvec_and_vecmat_take_axes():
    x, y = leaf(3, 4), leaf(4, 5)
    product = x.data @ y.data
    z = matvec(x, y, axes=[(0, 1), (0,), (1,)])
    np.testing.assert_allclose(z.data, product.T, rtol=1e-12)
    z = vecmat(y, x.T, axes=[(0,), (0, 1), (0,)])
    np.testing.assert_allclose(z.data, product, rtol=1e-12)
    z.sum().backward()
    np.testing.assert_allclose(y.grad.data, np.tile(x.data.sum(0)[:, None], 5))


@pytest.mark.parametrize("function", [vecdot, matvec, vecmat])
def test_options_without_a_rule_are_refused_with_a_remedy(function):
    x = leaf(3, 3)
    with pytest.raises(OperationError, match=r"with out= .*test_products.py(.|\n)*Fix: "):
        function(x, x, out=np.zeros(3))
    with pytest.raises(OperationError, match="with casting= is not available"):
        function(x, x, casting="no")
    with pytest.raises(AxisError, match="with axes="):
        function(x, x, axes=[(0, 1, 2)])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: np.inner(leaf(2, 3), leaf(2)), r"np.inner of \(2, 3\) and \(2,\) .*differ in le"),
        (lambda: np.vdot(leaf(2, 3), leaf(5)), "they have 6 and 5 elements"),
        (lambda: vecdot(leaf(2, 3), leaf(2)), "the lengths 3 and 2"),
        (lambda: vecdot(leaf(2, 3), leaf()), "needs 1 axes of the first, 1 of the second"),
        (lambda: matvec(leaf(2, 3), leaf(2)), "the lengths 3 and 2"),
        (lambda: vecmat(leaf(2, 3), leaf(2)), "needs 1 axes of the first, 2"),
        (lambda: np.cross(leaf(4), leaf(3)), "vectors of lengths 4 and 3, not 2, 3"),
        (lambda: np.linalg.cross(leaf(2), leaf(2)), r"vectors of lengths \[2, 2\], not 3"),
        (lambda: np.cross(leaf(3), leaf(3), axis=1), "there is no axis 1"),
        (lambda: np.cross(leaf(), leaf(3)), "there is no axis -1"),
    ],
)
def test_shapes_that_do_not_fit_are_named(call, words):
    with pytest.raises(ShapeError, match=words) as error:
        call()
    assert "Fix: " in str(error.value)


def test_cross_is_a_determinant():
    """x · (y × z) has the gradient y × z in x, and the cyclic ones in the others."""
    x, y, z = leaf(3), leaf(3), leaf(3)
    np.dot(x, np.cross(y, z)).backward()
    np.testing.assert_allclose(x.grad.data, np.cross(y.data, z.data))
    np.testing.assert_allclose(y.grad.data, np.cross(z.data, x.data))
    np.testing.assert_allclose(z.grad.data, np.cross(x.data, y.data))


@pytest.mark.parametrize("function", [np.inner, np.vdot, np.vecdot, np.cross, np.kron])
def test_float32_stays_float32(function):
    x, y = leaf(3, dtype=np.float32), leaf(3, dtype=np.float32)
    z = function(x, y)
    z.sum().backward()
    assert z.dtype == x.grad.dtype == y.grad.dtype == np.float32


@pytest.mark.parametrize("function", [np.inner, np.vdot, np.vecdot, np.cross, np.kron])
def test_integers_give_constants(function):
    z = function(tg.Tensor([1, 2, 3]), tg.Tensor([4, 5, 6]))
    assert z.dtype == np.int64
    assert not z.requires_grad


def test_lists_and_arrays_go_on_either_side():
    x = leaf(3)
    for function in (np.inner, np.vdot, np.cross, np.kron):
        np.testing.assert_allclose(
            function([1.0, 2.0, 3.0], x).data, function([1.0, 2.0, 3.0], x.data)
        )
