from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core.graph import clock
from tinygrad_bp.testing import numerical_gradient
from tinygrad_bp.transforms import (
    IndependentWarning,
    checkpoint,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linear,
)

X = np.array([0.3, -1.2, 2.0])
MODES = [None, "reverse", "forward"]


def polar(x):
    return np.stack([x[0] * np.cos(x[1]), x[0] * np.sin(x[1])])


@pytest.mark.parametrize("mode", MODES)
def test_the_jacobian_of_polar_coordinates(mode):
    r, phi = 2.0, 0.3
    expected = [[np.cos(phi), -r * np.sin(phi)], [np.sin(phi), r * np.cos(phi)]]
    j = jacobian(polar, mode=mode)(np.array([r, phi]))
    np.testing.assert_allclose(j, expected, rtol=1e-15)
    assert type(j) is np.ndarray


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.sin, 0.3),
        (lambda x: np.outer(x, x) * x, X),
        (lambda x: np.sum(x), X.reshape(3, 1)),
        (lambda x: np.tanh(x[:2]), X),
        (lambda x: x[None, :0], X),
        (lambda x: x * 2, np.zeros((0, 2))),
    ],
)
def test_shape_and_values_of_jacobians(f, x, mode):
    j = jacobian(f, mode=mode)(x)
    out = np.asarray(f(x))
    assert j.shape == out.shape + np.shape(x)
    for place in np.ndindex(out.shape):
        row, _ = numerical_gradient(lambda x, place=place: np.asarray(f(x))[place], x)
        np.testing.assert_allclose(j[place], row, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_jacobians_of_containers_by_containers(mode):
    def f(p, y):
        return {"a": p["x"] * y, "b": [np.sum(p["x"]), "text"]}

    j = jacobian(f, (0, 1), mode)({"x": X, "n": 3}, 2.0)
    np.testing.assert_array_equal(j["a"][0]["x"], 2 * np.eye(3))
    np.testing.assert_array_equal(j["a"][1], X)
    np.testing.assert_array_equal(j["b"][0][0]["x"], np.ones(3))
    assert j["b"][0][1].item() == 0.0
    assert (j["a"][0]["n"], j["b"][1]) == (None, None)


@pytest.mark.parametrize("mode", MODES)
def test_jacobians_are_differentiable(mode):
    def f(x):
        return np.sum(jacobian(polar, mode=mode)(x) * np.array([[1.0, 2.0], [3.0, 4.0]]))

    x = np.array([2.0, 0.3])
    expected, _ = numerical_gradient(lambda x: np.asarray(f(x)), x)
    np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-9)
    leaf = tg.Tensor(x, requires_grad=True)
    f(leaf).backward()
    np.testing.assert_allclose(leaf.grad.data, expected, rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_jacobians_have_the_dtype_of_the_input(mode):
    x = np.array([1.0, 2.0], np.float32)
    j = jacobian(lambda x: x.astype(np.float64) * 2, mode=mode)(x)
    assert j.dtype == np.float32


def test_the_mode_is_chosen_by_the_sizes(monkeypatch):
    calls = []
    for name in ("pull", "push"):
        method = getattr(linear.Linear, name)

        def counted(self, *args, name=name, method=method, **kwargs):
            calls.append(name)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(linear.Linear, name, counted)
    jacobian(lambda x: np.sum(x))(np.ones(20))
    assert calls == ["pull"]
    calls.clear()
    jacobian(lambda x: x * np.ones(20))(1.0)
    assert "push" in calls


def test_a_jacobian_of_nothing_warns_and_is_zero():
    with pytest.warns(IndependentWarning, match="jacobian: .* argument 0"):
        j = jacobian(lambda x: tg.Tensor(X))(X)
    np.testing.assert_array_equal(j, np.zeros((3, 3)))


def test_errors_of_jacobians():
    with pytest.raises(errors.ArgumentError, match=r"no mode 'sideways' .*\n.*reverse"):
        jacobian(np.sin, mode="sideways")
    with pytest.raises(errors.DTypeError, match="jacobian needs a function that returns real"):
        jacobian(lambda x: x > 0)(X)
    with pytest.raises(errors.DTypeError, match="no real numbers in its container"):
        jacobian(lambda x: [x > 0, 3])(X)
    with pytest.raises(errors.ShapeError, match=r"hessian needs .* returned shape \(3,\)"):
        hessian(np.sin)(X)


# Hessians


def test_the_hessian_of_a_logistic_regression_of_20_parameters():
    rng = np.random.default_rng(0)
    inputs, w = rng.normal(size=(50, 20)), rng.normal(size=20)
    labels = rng.integers(0, 2, 50)

    def loss(w):
        z = inputs @ w
        return np.mean(np.logaddexp(0.0, z) - labels * z) + 0.05 * np.sum(w**2)

    p = 1 / (1 + np.exp(-inputs @ w))
    expected = inputs.T @ (inputs * (p * (1 - p))[:, None]) / 50 + 0.1 * np.eye(20)
    np.testing.assert_allclose(hessian(loss)(w), expected, rtol=0, atol=1e-10)
    v = rng.normal(size=20)
    np.testing.assert_allclose(hvp(loss, w, v), expected @ v, rtol=0, atol=1e-10)
    _, forward = jvp(grad(loss), (w,), (v,))
    np.testing.assert_allclose(forward, expected @ v, rtol=0, atol=1e-10)


def test_blocks_of_hessians():
    blocks = hessian(lambda x, y: np.sum(x**2) * y, (0, 1))(X, 3.0)
    np.testing.assert_allclose(blocks[0][0], 6 * np.eye(3))
    np.testing.assert_allclose(blocks[0][1], 2 * X)
    np.testing.assert_allclose(blocks[1][0], 2 * X)
    assert blocks[1][1].item() == 0.0


def test_hessians_of_containers():
    pair = namedtuple("pair", "w b")
    h = hessian(lambda p: p.w**2 * p.b)(pair(2.0, 3.0))
    assert [float(x) for row in h for x in row] == [6.0, 4.0, 4.0, 0.0]


def test_the_hessian_of_a_module():
    model = tg.nn.Linear(2, 1).astype(float)
    inputs = np.random.default_rng(0).normal(size=(5, 2))
    h = hessian(lambda m: np.sum(m(inputs) ** 2))(model)
    np.testing.assert_allclose(h["weight"]["weight"].data[0, :, 0], 2 * inputs.T @ inputs)
    np.testing.assert_allclose(h["weight"]["bias"].data[0, :, 0], 2 * inputs.sum(axis=0))
    np.testing.assert_allclose(h["bias"]["bias"].data, [[10.0]])
    assert all(p.is_leaf and p.grad is None for p in model.parameters())


def test_a_linear_function_has_a_hessian_of_zeros_without_a_warning():
    np.testing.assert_array_equal(hessian(lambda x: np.sum(3 * x))(X), np.zeros((3, 3)))
    np.testing.assert_array_equal(hvp(lambda x: np.sum(3 * x), X, X), np.zeros(3))


def test_hessians_are_differentiable():
    third = grad(lambda x: np.sum(hessian(lambda x: np.sum(x**4))(x)))(X)
    np.testing.assert_allclose(third, 24 * X)


# Products


def test_hvp_of_several_arguments_and_of_containers():
    product = hvp(lambda x, y: np.sum(x**2) * y, (X, 3.0), (X, None))
    np.testing.assert_allclose(product[0], 6 * X)
    assert product[1].item() == pytest.approx(2 * np.sum(X**2))
    product = hvp(lambda p: p["w"] ** 3, {"w": 2.0, "n": 1}, {"w": 10.0})
    assert (product["w"], product["n"]) == (120.0, None)
    assert isinstance(hvp(np.sin, (0.3,), (1.0,)), tuple)


def test_hvp_of_a_module_equals_its_hessian_times_the_vector():
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1)).astype(float)
    inputs = np.random.default_rng(0).normal(size=(5, 2))

    def loss(m):
        return np.mean(m(inputs) ** 2)

    vector = {n: np.ones(p.shape) for n, p in model.named_parameters()}
    product, h = hvp(loss, model, vector), hessian(loss)(model)
    for name, part in product.items():
        expected = sum(
            block.data.reshape(*part.shape, -1).sum(axis=-1) for block in h[name].values()
        )
        np.testing.assert_allclose(part.data, expected, rtol=1e-10, atol=1e-14)


def test_hvp_is_differentiable():
    x = tg.Tensor(X, requires_grad=True)
    v = tg.Tensor(X + 1, requires_grad=True)
    np.sum(hvp(lambda x: np.sum(x**4), x, v)).backward()
    np.testing.assert_allclose(x.grad.data, 24 * X * (X + 1))
    np.testing.assert_allclose(v.grad.data, 12 * X**2)


def test_hvp_warns_where_the_function_does_not_depend_on_an_argument():
    with pytest.warns(IndependentWarning, match="hvp: .* argument 1"):
        product = hvp(lambda x, y: x**2, (3.0, 1.0), (1.0, 1.0))
    assert product == (2.0, 0.0)


def test_hvp_costs_at_most_four_gradients(monkeypatch):
    """Counted are operations: nodes that are recorded, and nodes that passes go through.

    A recorded pass is counted by what it records.
    """
    passed = [0]
    backward_pass = linear.backward_pass

    def counted(root, cotangent, record=None, wrt=None):
        result = backward_pass(root, cotangent, record, wrt)
        passed[0] += len(result.visited) if record is None else 0
        return result

    def operations(run):
        start, passed[0] = next(clock), 0
        run()
        return next(clock) - start - 1 + passed[0]

    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(8, 8)) * 0.5 for _ in range(6)]
    inputs = rng.normal(size=(4, 8))

    def network(ws):
        a = inputs
        for w in ws:
            a = np.tanh(a @ w)
        return np.mean(a**2)

    monkeypatch.setattr(linear, "backward_pass", counted)
    gradient = operations(lambda: grad(network)(weights))
    product = operations(lambda: hvp(network, weights, weights))
    assert gradient > 2 * 12
    assert product <= 4 * gradient, product / gradient


def test_second_derivatives_through_a_checkpoint_in_a_module():
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1)).astype(float)
    inputs = np.random.default_rng(0).normal(size=(5, 2))

    def loss(m, wrap=lambda f: f):
        return np.mean(wrap(lambda x: wrap(m)(x) ** 2)(inputs))

    plain, again = hessian(loss)(model), hessian(lambda m: loss(m, checkpoint))(model)
    for a in plain:
        for b in plain:
            np.testing.assert_allclose(again[a][b].data, plain[a][b].data, rtol=1e-12, atol=1e-15)
    vector = {n: np.ones(p.shape) for n, p in model.named_parameters()}
    for name, part in hvp(lambda m: loss(m, checkpoint), model, vector).items():
        np.testing.assert_allclose(part.data, hvp(loss, model, vector)[name].data, rtol=1e-12)
