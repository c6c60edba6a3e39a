from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms import (
    grad,
    jvp,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -1.2, 2.0])


def value(t):
    """The array of what is no tensor, or a constant one."""
    return np.asarray(t)


def test_perturbations_are_not_confused():
    assert value(grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert value(grad(lambda x: x * grad(lambda y: x * y)(1.0))(3.0)) == 6.0
    # The same variable at two levels: d/dx (x * (2x + x)) at x, the inner one taken at y = x.
    assert value(grad(lambda x: x * grad(lambda y: y * y + x * y)(x))(2.0)) == 12.0


def test_perturbations_of_three_levels_are_not_confused():
    def f(x):
        def g(y):
            return y * grad(lambda z: x * y * z * z)(x + y)

        return grad(g)(2 * x)

    # inner: 2xy(x + y); g = 2xy²(x + y); dg/dy = 4x²y + 6xy²; at y = 2x: 8x³ + 24x³
    assert value(grad(f)(1.5)) == pytest.approx(3 * 32 * 1.5**2)


def test_captured_variables_of_outer_levels_and_of_inner_functions():
    def f(x):
        captured = []

        def inner(y):
            captured.append(y * x)
            return y * y * x

        slope = grad(inner)(x * x)
        return slope * x  # 2x³ · x

    assert value(grad(f)(2.0)) == pytest.approx(8 * 2.0**3)


def test_a_forward_derivative_inside_of_a_backward_one_and_the_reverse():
    for x in (0.3, np.array(0.3)):
        inside = grad(lambda x: jvp(np.sin, (x,), (x,))[1])(x)  # d/dx x cos x
        assert value(inside) == pytest.approx(np.cos(0.3) - 0.3 * np.sin(0.3))
        _, outside = jvp(grad(lambda x: np.sin(x) * x), (x,), (1.0,))
        assert value(outside) == pytest.approx(2 * np.cos(0.3) - 0.3 * np.sin(0.3))
        _, twice = jvp(lambda y: jvp(np.sin, (y,), (1.0,))[1], (x,), (1.0,))
        assert value(twice) == pytest.approx(-np.sin(0.3))


def test_the_double_vjp_trick_by_hand():
    def along(x, v):
        out, pullback = vjp(np.sin, x)
        _, transposed = vjp(lambda u: pullback(u)[0], np.ones_like(out))
        return transposed(v)[0]

    np.testing.assert_allclose(along(X, X), np.cos(X) * X)
    np.testing.assert_allclose(grad(lambda x: np.sum(along(x, X)))(X), -np.sin(X) * X)


def test_a_gradient_inside_of_a_graph_is_part_of_it():
    x = tg.Tensor(X, requires_grad=True)
    w = tg.Tensor(2.0, requires_grad=True)
    g = grad(lambda x: np.sum(w * x**3))(x * 1.0)
    np.testing.assert_allclose(g.data, 6 * X**2)
    np.sum(g).backward()
    np.testing.assert_allclose(x.grad.data, 12 * X)
    assert w.grad.item() == pytest.approx(np.sum(3 * X**2))


def test_a_gradient_of_a_closed_over_tensor_alone_is_part_of_its_graph():
    w = tg.Tensor(2.0, requires_grad=True)
    g = grad(lambda x: np.sum(w * x))(X)
    np.sum(g).backward()
    assert w.grad.item() == 3.0


def test_value_and_aux_stay_in_the_graph_they_belong_to():
    w = tg.Tensor(2.0, requires_grad=True)
    (v, aux), _ = value_and_grad(lambda x: (w * x, [x * 5, w * 7]), has_aux=True)(3.0)
    assert value(aux[0]) == 15.0
    (v + aux[1]).backward()
    assert w.grad.item() == 10.0


def test_gradients_of_what_is_linear_are_zero_and_nobody_is_warned():
    assert value(grad(grad(lambda x: 3 * x))(2.0)) == 0.0
    assert value(grad(lambda x: grad(lambda y: x + y)(1.0))(2.0)) == 0.0
    assert value(grad(lambda x: jvp(lambda y: 2 * y, (x,), (1.0,))[1])(2.0)) == 0.0
    assert value(grad(grad(lambda x: np.maximum(x, 0.0)))(2.0)) == 0.0


def test_a_derivative_that_is_constant_says_why():
    x = tg.Tensor(2.0, requires_grad=True)
    words = "Closest: grad of '<lambda>', which is the same everywhere"
    with pytest.raises(errors.NoGradPathError, match=words):
        grad(lambda x: 3 * x)(x).backward()


def test_inside_no_grad_a_gradient_is_computed_but_is_constant():
    w = tg.Tensor(2.0, requires_grad=True)
    with tg.no_grad():
        g = grad(lambda x: w * x**2)(tg.Tensor(3.0, requires_grad=True))
        out, pullback = vjp(lambda x: w * x, 3.0)
        pulled = pullback(1.0)[0]
    assert value(g) == 12.0
    assert value(out) == 6.0
    assert value(pulled) == 2.0


def test_a_no_grad_inside_is_obeyed():
    def f(x):
        with tg.no_grad():
            factor = x * 3
        return factor * x

    assert value(grad(f)(2.0)) == 6.0


def test_hooks_see_each_gradient_once_and_those_outside_see_none():
    seen = []
    x = tg.Tensor(3.0, requires_grad=True)
    x.register_hook(lambda g: seen.append("leaf"))
    y = x * 2
    y.register_hook(lambda g: seen.append("outer"))

    def f(t):
        u = t * 5
        u.register_hook(lambda g: g * 10)
        u.register_hook(lambda g: seen.append("inner"))
        return u * 1.0

    for given_ in (3.0, y):
        assert grad(f)(given_).item() == 50.0
    assert seen == ["inner", "inner"]


def test_a_gradient_in_a_graph_that_was_freed_says_so():
    x = tg.Tensor(3.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(errors.GraphError, match="freed by the backward pass"):
        grad(lambda t: t * t)(y).backward()


def test_anomalies_are_found_inside_of_transforms():
    with (
        pytest.raises(errors.NonFiniteError, match="log made 1 of 1"),
        tg.detect_anomaly(),
        np.errstate(divide="ignore"),
    ):
        grad(np.log)(0.0)
