from __future__ import annotations

import dataclasses
import gc
import threading
import warnings
import weakref
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from catalogue.numerical import five_point
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms import (
    IndependentWarning,
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


# Closed forms


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


# What results are


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


# Nesting


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


# Both directions


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    shape=st.sampled_from([(), (3,), (2, 3)]),
)
def test_forward_and_backward_are_adjoint_and_agree_with_differences(seed, steps, shape):
    rng = np.random.default_rng(seed)
    x, y, v, w = (rng.uniform(-1, 1, shape) for _ in range(4))
    functions = [
        lambda x, y: (np.sin(x) * y, x),
        lambda x, y: (x + y, np.exp(x) * 0.5),
        lambda x, y: (np.tanh(y), x * y),
        lambda x, y: (x / (2 + y * y), y),
        lambda x, y: (np.sum(x) * y, x - np.mean(y)),
        lambda x, y: (np.sqrt(1 + x * x), y * y),
        lambda x, y: (y, x),
        lambda x, y: (np.logaddexp(x, y), x[..., ::-1] if np.ndim(x) else x),
    ]

    def f(x, y):
        for k in steps:
            x, y = functions[k](x, y)
        return {"x": x * 1.0, "y": (y * 1.0,)}

    out, pullback = vjp(f, x, y)
    cotangent = {"x": rng.normal(size=out["x"].shape), "y": (rng.normal(size=out["y"][0].shape),)}
    back = pullback(cotangent)
    same, forward = jvp(f, (x, y), (v, w))
    np.testing.assert_array_equal(same["x"], out["x"])
    left = np.sum(forward["x"] * cotangent["x"])
    left += np.sum(forward["y"][0] * cotangent["y"][0])
    right = np.sum(back[0] * v) + np.sum(back[1] * w)
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)

    def projected(x, y):
        out = f(x, y)
        return np.sum(out["x"] * cotangent["x"]) + np.sum(out["y"][0] * cotangent["y"][0])

    for g, numerical in zip(back, five_point(projected, [x, y]), strict=True):
        np.testing.assert_allclose(g, numerical, rtol=1e-6, atol=1e-7)


test_forward_and_backward_are_adjoint_and_agree_with_differences = pytest.mark.filterwarnings(
    "ignore::tinygrad_bp.transforms.IndependentWarning"  # a composition may drop an argument
)(test_forward_and_backward_are_adjoint_and_agree_with_differences)


def test_a_pullback_may_be_called_often_and_keeps_its_values():
    x = X.copy()
    out, pullback = vjp(np.square, x)
    x[:] = 0.0
    for k in (1.0, 2.0):
        np.testing.assert_allclose(value(pullback(np.full(3, k))[0]), 2 * X * k)
    np.testing.assert_allclose(value(out), X**2)


def test_a_pullback_after_an_assignment_is_an_error_that_names_both():
    w = tg.Tensor([1.0, 2.0], name="w")
    model = tg.nn.Linear(2, 1)
    _, pullback = vjp(lambda m: np.sum(m(np.ones(2)) ** 2), model)
    model.weight.assign(0.0)
    with pytest.raises(errors.InplaceError, match=r"assigned a new value at test_first.py:\d+"):
        pullback(1.0)
    _, pullback = vjp(np.square, w)  # of tensors, vjp keeps copies
    w.assign(0.0)
    np.testing.assert_array_equal(value(pullback(np.ones(2))[0]), [2.0, 4.0])


def test_vjp_hands_through_what_comes_beside():
    out, _pullback, aux = vjp(lambda x: (x * 2, x + 1), 3.0, has_aux=True)
    assert (value(out), value(aux)) == (6.0, 4.0)


def test_a_pullback_is_differentiable_by_its_cotangent():
    u = tg.Tensor(X, requires_grad=True)
    _, pullback = vjp(np.sin, X)
    np.sum(pullback(u)[0] * 2.0).backward()
    np.testing.assert_allclose(u.grad.data, 2 * np.cos(X))


def test_a_pullback_made_without_recording_gives_constants_and_says_so():
    u = tg.Tensor(X, requires_grad=True)
    with tg.no_grad():
        _, pullback = vjp(np.sin, X)
    pulled = pullback(u)[0]
    np.testing.assert_allclose(value(pulled), np.cos(X) * X)
    with pytest.raises(errors.NoGradPathError, match=r"cut off by no_grad\(\) around vjp of 'sin'"):
        np.sum(pulled).backward()


def test_outputs_that_are_no_real_numbers_are_handed_through():
    out, pullback = vjp(lambda x: {"y": x * 2, "label": "a", "n": 3, "mask": x > 0}, X)
    assert (out["label"], out["n"]) == ("a", 3)
    assert out["mask"].dtype == bool
    np.testing.assert_array_equal(value(pullback({"y": X})[0]), 2 * X)
    out, tangent = jvp(lambda x: [x * 2, None], (X,), (X,))
    assert (out[1], tangent[1]) == (None, None)


def test_a_tangent_of_none_is_zero_and_a_single_argument_needs_no_tuple():
    _, t = jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, None))
    assert value(t) == 3.0
    _, t = jvp(np.sin, X, X)
    np.testing.assert_allclose(value(t), np.cos(X) * X)


def test_large_values_do_not_overflow_where_several_outputs_are_joined():
    _out, pullback = vjp(lambda x: (x * 2, x * 3), 1e200)
    assert value(pullback((1e200, 0.0))[0]) == 2e200


def test_outputs_of_different_dtypes():
    x = np.array([1.0, 2.0], np.float32)
    (a, b), pullback = vjp(lambda x: (x * 2, x.astype(np.float64) * 3), x)
    assert (a.dtype, b.dtype) == (np.float32, np.float64)
    g = pullback((np.ones(2), np.ones(2)))[0]
    assert g.dtype == np.float32
    _, (ta, tb) = jvp(lambda x: (x * 2, x.astype(np.float64) * 3), (x,), (x,))
    assert (ta.dtype, tb.dtype) == (np.float32, np.float64)


# Containers


Pair = namedtuple("Pair", "w b")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    slope: object
    offset: object
    label: str = "line"

    def __post_init__(self):
        if self.slope is None:
            raise AssertionError("a gradient does not go through the checks of the class")


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda w, b: {"w": w, "b": b}, lambda t: (t["w"], t["b"])),
        (lambda w, b: OrderedDict(w=w, b=b), lambda t: (t["w"], t["b"])),
        (lambda w, b: defaultdict(list, w=w, b=b), lambda t: (t["w"], t["b"])),
        (lambda w, b: [w, [b]], lambda t: (t[0], t[1][0])),
        (lambda w, b: (w, {"b": (b,)}), lambda t: (t[0], t[1]["b"][0])),
        (Pair, lambda t: (t.w, t.b)),
        (Line, lambda t: (t.slope, t.offset)),
    ],
)
def test_gradients_have_the_structure_of_their_argument(make, read):
    tree = make(X, 2.0)

    def f(tree):
        w, b = read(tree)
        return np.sum(w**2) * b

    g = grad(f)(tree)
    assert type(g) is type(tree)
    w, b = read(g)
    np.testing.assert_allclose(value(w), 4 * X)
    assert value(b) == pytest.approx(np.sum(X**2))
    assert read(tree)[0] is X
    _, t = jvp(f, (tree,), (make(X, 1.0),))
    assert value(t) == pytest.approx(5 * np.sum(X**2))


def test_members_that_are_no_real_numbers_are_handed_on_and_have_no_gradient():
    tree = {
        "x": 2.0,
        "n": 3,
        "name": "a",
        "none": None,
        "mask": np.array([True]),
        "i": np.arange(2),
    }

    def f(tree):
        assert isinstance(tree["n"], int)
        assert tree["name"] == "a"
        assert tree["none"] is None
        assert tree["i"] is given_["i"]
        return tree["x"] ** tree["n"]

    given_ = tree
    g = grad(f)(tree)
    assert value(g.pop("x")) == 12.0
    assert set(g.values()) == {None}


def test_an_empty_container_has_an_empty_gradient():
    assert grad(lambda x, p: x**2, (0, 1))(3.0, {}) == (6.0, {})


# Modules


class Net(tg.nn.Module):
    """Parameters in a list, in a tuple and as a plain leaf."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.layers = [tg.nn.Linear(2, 3, generator=rng).astype(float)]
        self.pair = (tg.nn.Parameter(rng.normal(size=3)),)
        self.plain = tg.Tensor(0.5, requires_grad=True)

    def forward(self, x):
        return np.tanh(self.layers[0](x)) @ self.pair[0] * self.plain


def loss(model, x):
    return np.mean(model(x) ** 2)


INPUTS = np.random.default_rng(2).normal(size=(4, 2))


def test_the_gradient_of_a_module_is_a_dict_and_leaves_no_trace():
    model = Net()
    v, g = value_and_grad(loss)(model, INPUTS)
    assert list(g) == [name for name, _ in model.named_parameters()]
    assert all(p.grad is None and p.is_leaf for p in model.parameters())
    expected = loss(model, INPUTS)
    expected.backward()
    assert value(v) == expected.item()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(value(g[name]), p.grad.data, rtol=1e-14, err_msg=name)


def test_frozen_parameters_are_constants():
    model = Net()
    model.plain.requires_grad_(False)
    model.layers[0].bias.requires_grad_(False)
    assert list(grad(loss)(model, INPUTS)) == ["layers.0.weight", "pair.0"]


def test_modules_inside_of_containers_and_with_other_arguments():
    model = Net()
    g = grad(lambda t, x: loss(t["net"], x) * t["scale"], (0, 1))(
        {"net": model, "scale": 2.0}, INPUTS
    )
    assert set(g[0]["net"]) == {"layers.0.weight", "layers.0.bias", "pair.0", "plain"}
    assert value(g[0]["scale"]) == pytest.approx(loss(model, INPUTS).item())
    assert g[1].shape == INPUTS.shape


def test_a_closure_over_a_parameter_that_is_exchanged_counts_as_well():
    model = Net()
    g = grad(lambda m: m.plain * 2 + model.plain * 3)
    with pytest.warns(IndependentWarning, match=r"argument 0\['pair.0'\]"):
        assert value(g(model)["plain"]) == 5.0


@pytest.mark.filterwarnings("ignore::tinygrad_bp.transforms.IndependentWarning")
def test_a_function_may_return_a_parameter_itself():
    model = Net()
    assert grad(lambda m: m.plain)(model)["plain"].item() == 1.0
    (v, aux), g = value_and_grad(lambda m: (m.plain * 2, {"p": m.plain}), has_aux=True)(model)
    assert (value(v), value(aux["p"]), value(g["plain"])) == (1.0, 0.5, 2.0)
    _, pullback = vjp(lambda m: [m.plain, m.pair[0]], model)
    assert pullback([3.0, np.ones(3)])[0]["plain"].item() == 3.0
    second = grad(lambda m: grad(lambda m: m.plain**3)(m)["plain"])(model)["plain"]
    assert second.item() == pytest.approx(3.0)


def test_second_derivatives_of_modules():
    model = Net()

    def squares(m):
        return sum(np.sum(g**2) for g in grad(loss)(m, INPUTS).values())

    g = grad(squares)(model)
    for name, p in model.named_parameters():
        start = p.data

        def at(values, p=p):
            p.data = values
            return np.asarray(squares(model))

        numerical = five_point(at, [np.asarray(start)])[0]
        p.data = start
        np.testing.assert_allclose(value(g[name]), numerical, rtol=1e-6, atol=1e-9, err_msg=name)


def test_an_exception_leaves_the_module_as_it_was():
    model = Net()

    def broken(m):
        m(INPUTS)
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        grad(broken)(model)
    with pytest.raises(KeyError):
        grad(lambda m: np.sum(sum(grad(broken)(m).values())))(model)
    assert all(p.is_leaf for p in model.parameters())
    assert len(list(model.parameters())) == 4


def test_the_gradient_of_a_module_does_not_reach_its_leaves_and_says_so():
    g = grad(loss)(Net(), INPUTS)
    words = "takes modules as plain values"
    with pytest.raises(errors.NoGradPathError, match=words):
        np.sum(g["pair.0"]).backward()


def test_a_module_given_twice_is_refused():
    model = Net()
    with pytest.raises(errors.ArgumentError, match="two arguments share a parameter"):
        grad(lambda a, b: loss(a, INPUTS) + loss(b, INPUTS), (0, 1))(model, model)


def test_threads_do_not_disturb_each_other():
    model, shared = Net(), tg.Tensor(2.0, requires_grad=True)
    wanted = {name: g.data for name, g in grad(loss)(model, INPUTS).items()}
    failures = []

    def work():
        try:
            for k in range(20):
                g = grad(loss)(model, INPUTS)
                for name, expected in wanted.items():
                    np.testing.assert_array_equal(g[name].data, expected)
                second = grad(grad(lambda x: x**3 * shared.detach()))(float(k))
                assert second.item() == 12.0 * k
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(p.is_leaf for p in model.parameters())


# stop_gradient


def test_stop_gradient_makes_constants_of_whole_containers():
    assert value(grad(lambda x: x * stop_gradient(x))(3.0)) == 3.0
    p = grad(lambda p: p["a"] * stop_gradient(p)["a"])({"a": 3.0})
    assert value(p["a"]) == 3.0
    assert stop_gradient([1, "a", None]) == [1, "a", None]
    with pytest.raises(errors.ArgumentError, match="no constant module"):
        stop_gradient(Net())


# Independence


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: 3.0, r"returned 3.0, which is no tensor"),
        (lambda x: float(x) ** 2, r"which is no tensor"),
        (lambda x: x.detach() * 2.0, r"'argument 0' was cut off by detach\(\) at test_first.py"),
        (lambda x: np.sign(x) * 2.0, r"cut off by sign"),
        (lambda x: tg.Tensor(3.0), r"does not depend on argument 0; that derivative is zero"),
    ],
)
def test_an_output_that_does_not_depend_on_the_argument_gives_zeros_and_a_warning(f, words):
    with pytest.warns(IndependentWarning, match=words) as caught:
        g = grad(f)(2.0)
    assert value(g) == 0.0
    assert caught[0].filename == __file__


def test_the_warning_names_the_place_and_the_tensor():
    x = {"w": [1.0, 2.0], "b": tg.Tensor(3.0, name="bias")}
    with pytest.warns(IndependentWarning, match=r"depend on argument 0\['w'\]\[1\], bias; "):
        g = grad(lambda p: p["w"][0] ** 2)(x)
    assert [value(t) for t in (*g["w"], g["b"])] == [2.0, 0.0, 0.0]


def test_one_argument_of_two_is_named():
    with pytest.warns(IndependentWarning, match="depend on argument 1; "):
        assert grad(lambda x, y: x**2, (0, 1))(3.0, 4.0) == (6.0, 0.0)


def test_the_warning_comes_once_where_gradients_are_nested():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grad(grad(lambda x: tg.Tensor(2.0)))(1.0)
        vjp(lambda x: tg.Tensor(2.0), 1.0)[1](1.0)
        _, t = jvp(lambda x: tg.Tensor(2.0), (1.0,), (1.0,))
    assert [w.category for w in caught] == [IndependentWarning] * 3
    assert value(t) == 0.0


# Errors


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: x * np.ones(3), errors.ShapeError, r"returned shape \(3,\).*\n.*jacobian.*\n?"),
        (lambda x: x > 0, errors.DTypeError, "tensor of shape .* and dtype bool"),
        (lambda x: np.argmax(x), errors.DTypeError, "dtype int64.*\n.*no derivative"),
        (lambda x: None, errors.DTypeError, "returned None"),
        (lambda x: 3, errors.DTypeError, "returned 3 "),
        (lambda x: (x, x), errors.DTypeError, "container of a tensor.*\n.*has_aux"),
        (lambda x: np.asarray(x), errors.ConversionError, "'argument 0'"),
    ],
)
def test_outputs_without_a_gradient_are_errors_that_say_what_to_use(f, error, words):
    with pytest.raises(error, match=words):
        grad(f)(2.0)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (3, "argument 0 is 3 .*\n.*use a float, as 2.0"),
        (True, "argument 0 is True"),
        (np.arange(3), r"an array of shape \(3,\) and dtype int64"),
        (tg.Tensor([1, 2]), r"a tensor of shape \(2,\) and dtype int64"),
        (1j, "argument 0 is 1j"),
        ("text", "argument 0 is 'text'"),
        (None, "argument 0 is None"),
        ({"a": 1, "b": "c"}, "nothing in argument 0 is a real number"),
    ],
)
def test_arguments_that_are_no_real_numbers_are_refused(x, words):
    with pytest.raises(errors.DTypeError, match=words):
        grad(lambda x: 1.0)(x)


@pytest.mark.parametrize("argnums", [2, -3, (0, 0), (0, -2), (), "x", 1.5])
def test_argnums_that_name_no_argument_are_refused_before_anything_runs(argnums):
    def never(x, y):
        raise AssertionError

    with pytest.raises(errors.ArgumentError, match="argnums=.* 2 positional arguments"):
        grad(never, argnums)(1.0, 2.0)


def test_a_missing_pair_is_an_error():
    with pytest.raises(errors.ArgumentError, match="pair .value, aux., but '<lambda>' returned"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_cotangents_and_tangents_that_do_not_fit_are_refused():
    _, pullback = vjp(lambda x: {"a": x, "b": np.sum(x)}, X)
    with pytest.raises(errors.ArgumentError, match=r"Missing: the output\['b'\]"):
        pullback({"a": X})
    with pytest.raises(errors.ArgumentError, match=r"Unexpected: the output\['c'\]"):
        pullback({"a": X, "b": 1.0, "c": 1.0})
    with pytest.raises(errors.ShapeError, match=r"has shape \(2,\), .* of shape \(3,\)"):
        pullback({"a": X[:2], "b": 1.0})
    with pytest.raises(errors.DTypeError, match="not real numbers"):
        pullback({"a": X * 1j, "b": 1.0})
    with pytest.raises(errors.ArgumentError, match="has 2 arguments, but as tangents it got 1"):
        jvp(np.multiply, (1.0, 2.0), (1.0,))
    with pytest.raises(errors.ShapeError, match=r"tangent of argument 0\['w'\] has shape \(2,\)"):
        jvp(lambda p: p["w"] * 2, ({"w": X},), ({"w": X[:2]},))
