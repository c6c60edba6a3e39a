from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms import (
    elementwise_grad,
    grad,
    hvp,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -1.2, 2.0])


def value(t):
    """The array of what is no tensor, or a constant one."""
    return np.asarray(t)


def test_gradients_of_numbers_arrays_and_tensors():
    assert value(grad(np.sin)(0.3)) == np.cos(0.3)
    np.testing.assert_allclose(value(grad(lambda x: np.sum(x**3))(X)), 3 * X**2, rtol=1e-15)
    np.testing.assert_allclose(value(grad(lambda x: np.sum(x**3))(tg.Tensor(X))), 3 * X**2)


def test_value_and_gradient_come_together_with_what_comes_beside():
    assert value_and_grad(lambda x: x**2)(3.0) == (9.0, 6.0)
    (v, aux), g = value_and_grad(lambda x: (x**2, {"twice": 2 * x}), has_aux=True)(3.0)
    assert (value(v), value(aux["twice"]), value(g)) == (9.0, 6.0, 6.0)
    g, aux = grad(lambda x: (x**2, "text"), has_aux=True)(3.0)
    assert (value(g), aux) == (6.0, "text")


@pytest.mark.parametrize(("argnums", "expected"), [(0, 4.0), (1, 12.0), (-1, 12.0)])
def test_argnums_names_an_argument(argnums, expected):
    assert value(grad(lambda x, y: x * y**2, argnums)(3.0, 2.0)) == expected


def test_a_tuple_of_argnums_gives_a_tuple():
    assert grad(lambda x, y: x * y**2, (1, 0))(3.0, 2.0) == (12.0, 4.0)
    assert isinstance(grad(lambda x: x**2, [0])(3.0), tuple)


def test_keyword_arguments_are_handed_on():
    assert value(grad(lambda x, *, power: x**power)(3.0, power=2)) == 6.0


def test_an_output_of_one_element_counts_as_a_number():
    g = value(grad(lambda x: x @ np.eye(2) @ x.T)(np.array([[1.0, 2.0]])))
    np.testing.assert_allclose(g, [[2.0, 4.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_dtype_of_their_argument(dtype):
    for x in (dtype(0.5), np.array([0.5, 1.0], dtype), np.array(0.5, dtype)):
        v, g = value_and_grad(lambda x: np.sum(np.tanh(x) * 2.0))(x)
        assert (v.dtype, g.dtype, g.shape) == (dtype, dtype, x.shape)


def test_third_derivatives_of_tanh_and_exp_of_sin():
    t = np.tanh(0.3)
    third = grad(grad(grad(np.tanh)))(0.3)
    assert value(third) == pytest.approx((1 - t**2) * (6 * t**2 - 2), rel=1e-12)
    s, c = np.sin(0.3), np.cos(0.3)
    third = grad(grad(grad(lambda x: np.exp(np.sin(x)))))(0.3)
    assert value(third) == pytest.approx(np.exp(s) * c * (c**2 - 3 * s - 1), rel=1e-12)


def test_third_derivatives_of_a_network_of_two_layers():
    rng = np.random.default_rng(0)
    inputs, hidden, out = rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)

    def loss(w):
        return np.mean(np.tanh(inputs @ w) @ out)

    u, v, w = (rng.normal(size=(3, 4)) for _ in range(3))

    def along(f, d):
        return lambda x: np.sum(grad(f)(x) * d)

    third = along(along(along(loss, u), v), w)(hidden)
    z = inputs @ hidden
    t = np.tanh(z)
    d3 = (1 - t**2) * (6 * t**2 - 2)
    expected = np.mean((d3 * (inputs @ u) * (inputs @ v) * (inputs @ w)) @ out)
    assert value(third) == pytest.approx(expected, rel=1e-12)


def test_elementwise_gradients():
    np.testing.assert_allclose(value(elementwise_grad(np.sin)(X)), np.cos(X), rtol=1e-15)
    second = elementwise_grad(elementwise_grad(np.sin))(X)
    np.testing.assert_allclose(value(second), -np.sin(X), rtol=1e-15)
    rows = value(elementwise_grad(lambda x: np.cumsum(x))(X))
    np.testing.assert_array_equal(rows, [3.0, 2.0, 1.0])


def test_arrays_give_arrays_and_tensors_give_tensors():
    for x in (0.3, np.float32(0.3), np.array(0.3), X):
        v, g = value_and_grad(lambda x: np.sum(np.sin(x)))(x)
        assert isinstance(v, np.generic)
        assert type(g) is (np.ndarray if np.ndim(x) else type(np.asarray(x)[()]))
    v, g = value_and_grad(lambda x: np.sum(np.sin(x)))(tg.Tensor(X))
    assert isinstance(v, tg.Tensor)
    assert isinstance(g, tg.Tensor)
    assert not g.requires_grad
    mixed = grad(lambda p: p[0] * np.sum(p[1]))([2.0, tg.Tensor(X)])
    assert [type(t) for t in mixed] == [tg.Tensor, tg.Tensor]
    out, pullback = vjp(np.sin, X)
    assert type(out) is np.ndarray
    assert type(pullback(X)[0]) is np.ndarray
    assert type(pullback(tg.Tensor(X))[0]) is tg.Tensor
    out, tangent = jvp(np.sin, (X,), (tg.Tensor(X),))
    assert (type(out), type(tangent)) == (np.ndarray, tg.Tensor)
    _, aux = grad(lambda x: (np.sum(x), {"y": x * 2, "n": np.argmax(x)}), has_aux=True)(X)
    assert type(aux["y"]) is np.ndarray
    assert aux["n"] == 2


def test_scipy_minimizes_with_them():
    optimize = pytest.importorskip("scipy.optimize")

    def rosenbrock(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    both = value_and_grad(rosenbrock)
    found = optimize.minimize(both, np.zeros(4), jac=True, method="L-BFGS-B", tol=1e-12)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-4)
    found = optimize.minimize(
        rosenbrock,
        np.zeros(4),
        jac=grad(rosenbrock),
        hessp=lambda x, p: hvp(rosenbrock, x, p),
        method="Newton-CG",
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-3)


def test_results_are_constants_that_numpy_takes_and_no_two_share_memory():
    x, y = np.ones(3), np.ones(3)
    v, (gx, gy) = value_and_grad(lambda x, y: np.sum(x + y), (0, 1))(x, y)
    assert float(v) == 6.0
    assert not np.shares_memory(gx, gy)
    gx[:] = 7.0
    np.testing.assert_array_equal(gy, 1.0)
    _out, pullback = vjp(lambda x: x, x)
    u = np.ones(3)
    assert not np.shares_memory(pullback(u)[0], u)


def test_recorded_derivatives_that_are_constants_share_no_memory_either():
    w = tg.Tensor(2.0, requires_grad=True)
    gx, gy = grad(lambda x, y: np.sum(x + y) + w, (0, 1))(X, X)
    assert not np.shares_memory(value(gx), value(gy))
    u = tg.Tensor(np.ones(3), requires_grad=True)
    _, pullback = vjp(lambda x: (x, x * w), X)
    pulled = pullback((u.detach(), u * 0.0))[0]
    assert not np.shares_memory(pulled.data, u.data)


def test_the_graph_dies_with_the_call():
    seen = []

    def f(x):
        y = np.sin(x)
        seen.append(weakref.ref(y))
        return np.sum(y)

    gc.disable()
    try:
        grad(f)(X)
        value_and_grad(f)(X)
        grad(lambda x: np.sum(grad(f)(x)))(X)
    finally:
        gc.enable()
    assert [ref() for ref in seen] == [None] * 3


def test_no_gradient_is_written_and_no_argument_is_changed():
    leaf = tg.Tensor(X, requires_grad=True)
    other = tg.Tensor(2.0, requires_grad=True)
    x = X.copy()
    with tg.no_grad():
        grad(lambda x: np.sum(x * leaf * other))(x)
    grad(lambda x: np.sum(x * other))(leaf)
    assert leaf.grad is None
    assert other.grad is None
    np.testing.assert_array_equal(x, X)


def test_the_transformed_function_has_a_name():
    def cost(x):
        """What it costs."""
        return x

    assert grad(cost).__name__ == "grad(cost)"
    assert grad(cost).__doc__ == "What it costs."


def test_stop_gradient_makes_constants_of_whole_containers():
    assert value(grad(lambda x: x * stop_gradient(x))(3.0)) == 3.0
    p = grad(lambda p: p["a"] * stop_gradient(p)["a"])({"a": 3.0})
    assert value(p["a"]) == 3.0
    assert stop_gradient([1, "a", None]) == [1, "a", None]
    with pytest.raises(errors.ArgumentError, match="no constant module"):
        stop_gradient(tg.nn.Linear(2, 1))
