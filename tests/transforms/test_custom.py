from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.transforms import checkpoint, custom_vjp, grad, hessian, jvp, value_and_grad, vjp

X = np.array([0.3, -1.2, 2.0])


def make(f, forward, backward):
    function = custom_vjp(f)
    function.defvjp(forward, backward)
    return function


def softplus():
    @custom_vjp
    def softplus(x):
        """log(1 + exp x)."""
        return np.logaddexp(0.0, x)

    softplus.defvjp(lambda x: (softplus(x), x), lambda x, g: (g / (1 + np.exp(-x)),))
    return softplus


def test_the_rule_that_was_written_is_the_one_that_is_used():
    ten = make(lambda x: x * 1.0, lambda x: (x * 1.0, None), lambda r, g: (10.0 * g,))
    np.testing.assert_array_equal(grad(lambda x: np.sum(ten(x)))(X), 10.0)
    x = tg.Tensor(X, requires_grad=True)
    np.sum(ten(x)).backward()
    np.testing.assert_array_equal(x.grad.data, 10.0)


def test_a_straight_through_estimator():
    rounded = make(np.round, lambda x: (np.round(x), None), lambda r, g: (g,))
    v, g = value_and_grad(lambda x: np.sum(rounded(x) * X))(X * 3)
    assert v.item() == np.sum(np.round(X * 3) * X)
    np.testing.assert_array_equal(g, X)


def test_all_orders():
    f = softplus()
    s = 1 / (1 + np.exp(-0.3))
    assert grad(f)(0.3).item() == pytest.approx(s)
    assert grad(grad(f))(0.3).item() == pytest.approx(s * (1 - s))
    assert grad(grad(grad(f)))(0.3).item() == pytest.approx(s * (1 - s) * (1 - 2 * s))
    assert jvp(f, (0.3,), (2.0,))[1].item() == pytest.approx(2 * s)
    h = hessian(lambda x: np.sum(f(x)))(X)
    np.testing.assert_allclose(np.diag(h), np.exp(-X) / (1 + np.exp(-X)) ** 2)


def test_an_output_among_the_residuals_has_the_written_derivative_too():
    @custom_vjp
    def e(x):
        return np.exp(x)

    def forward(x):
        y = e(x)
        return y, y

    e.defvjp(forward, lambda y, g: (g * y * 2.0,))  # wrong by 2 on purpose, at each order
    assert grad(e)(0.0).item() == 2.0
    assert grad(grad(e))(0.0).item() == 4.0


def test_it_is_one_node_with_the_name_of_the_function():
    f = softplus()
    y = f(tg.Tensor(X, requires_grad=True))
    assert y.node.primitive.name == "softplus"
    assert "made by softplus" in repr(y)
    assert (f.__name__, f.__doc__) == ("softplus", "log(1 + exp x).")


def test_without_a_gradient_the_function_itself_runs():
    def forward(x):
        raise AssertionError

    f = make(lambda x: x * 2, forward, lambda r, g: (g,))
    np.testing.assert_array_equal(np.asarray(f(X)), 2 * X)
    with tg.no_grad():
        f(tg.Tensor(X, requires_grad=True))


def test_several_arguments_containers_and_keywords():
    def f(p, scale, power=2):
        return {"y": p["a"] ** power * scale, "z": (p["b"] * 1.0, "text")}

    def forward(p, scale, power=2):
        return f(p, scale, power), (p, scale, power)

    def backward(residuals, g):
        p, scale, power = residuals
        a = g["y"] * scale * power * p["a"] ** (power - 1)
        return {"a": a, "b": g["z"][0], "n": None}, np.sum(g["y"] * p["a"] ** power), None

    custom = make(f, forward, backward)

    def total(p, scale, f):
        out = f(p, scale=scale, power=3)
        assert out["z"][1] == "text"
        return np.sum(out["y"]) + out["z"][0]

    p = {"a": X, "b": 5.0, "n": 7}
    for expected, found in zip(
        grad(lambda p, s: total(p, s, f), (0, 1))(p, 2.0),
        grad(lambda p, s: total(p, s, custom), (0, 1))(p, 2.0),
        strict=True,
    ):
        if isinstance(expected, dict):
            np.testing.assert_allclose(found["a"], expected["a"])
            assert found["b"] == expected["b"]
        else:
            np.testing.assert_allclose(found, expected)


def test_a_module_as_an_argument_has_a_dict_as_its_cotangent():
    model = tg.nn.Linear(3, 2).astype(float)

    def backward(residuals, g):
        x, weight = residuals
        return {"weight": np.outer(g, x), "bias": g}, g @ weight

    f = make(lambda m, x: m(x), lambda m, x: (m(x), (x, m.weight)), backward)
    x = tg.Tensor(X, requires_grad=True)
    np.sum(f(model, x) ** 2).backward()
    found = [t.grad.data for t in (model.weight, model.bias, x)]
    model.zero_grad()
    x.grad = None
    np.sum(model(x) ** 2).backward()
    for a, t in zip(found, (model.weight, model.bias, x), strict=True):
        np.testing.assert_allclose(a, t.grad.data)
    g = grad(lambda m: np.sum(f(m, X) ** 2))(model)
    np.testing.assert_allclose(g["weight"].data, found[0])
    twice = hessian(lambda m: np.sum(f(m, X) ** 2))(model)
    plain = hessian(lambda m: np.sum(m(X) ** 2))(model)
    np.testing.assert_allclose(twice["weight"]["bias"].data, plain["weight"]["bias"].data)


def test_a_module_among_the_residuals_is_differentiated_again():
    model = tg.nn.Linear(3, 2).astype(float)

    def backward(residuals, g):
        m, x = residuals
        return {"weight": np.outer(g, x), "bias": g}, g @ m.weight

    f = make(lambda m, x: m(x), lambda m, x: (m(x), (m, x)), backward)

    def squares(f):
        return lambda m: np.sum(grad(lambda x: np.sum(f(m, x) ** 2))(X) ** 2)

    found, expected = grad(squares(f))(model), grad(squares(lambda m, x: m(x)))(model)
    for name, g in expected.items():
        np.testing.assert_allclose(found[name].data, g.data, err_msg=name)


def test_a_module_among_the_residuals_is_what_it_was_when_it_was_given():
    """A pullback is called when the module's parameters are themselves again."""
    model = tg.nn.Linear(3, 2).astype(float)
    f = make(
        lambda m, x: m(x),
        lambda m, x: (m(x), (m, x)),
        lambda r, g: ({"weight": np.outer(g, r[1]), "bias": g}, g @ r[0].weight),
    )
    _, pullback = vjp(f, model, X)
    u = tg.Tensor(np.ones(2), requires_grad=True)
    np.sum(pullback(u)[1]).backward()
    np.testing.assert_allclose(u.grad.data, model.weight.data.sum(axis=1))
    assert model.weight.grad is None


def test_requires_grad_may_change_before_the_backward_pass():
    f = make(lambda x, y: x * y, lambda x, y: (x * y, (x, y)), lambda r, g: (g * r[1], g * r[0]))
    x, y = (tg.Tensor(v, requires_grad=True) for v in (2.0, 3.0))
    z = f(x, y)
    x.requires_grad_(False)
    z.backward()
    assert y.grad.item() == 2.0


def test_a_parameter_that_changed_since_is_an_error():
    w = tg.Tensor(2.0, requires_grad=True)
    z = softplus()(w)
    w.assign(3.0)
    with pytest.raises(errors.InplaceError, match="'softplus' used"):
        z.backward()


def test_none_stands_for_zero():
    f = make(lambda x, y: x * y, lambda x, y: (x * y, y), lambda y, g: (g * y, None))
    x, y = (tg.Tensor(v, requires_grad=True) for v in (2.0, 3.0))
    f(x, y).backward()
    assert x.grad.item() == 3.0
    assert y.grad is None or y.grad.item() == 0.0


def test_gradients_share_no_memory_with_residuals_or_each_other():
    f = make(lambda x, y: x + y, lambda x, y: (x + y, x), lambda x, g: (g, g))
    x, y = (tg.Tensor(X, requires_grad=True) for _ in range(2))
    u = np.ones(3)
    f(x, y).backward(u)
    assert not np.shares_memory(x.grad.data, y.grad.data)
    assert not np.shares_memory(x.grad.data, u)


def test_gradients_have_the_dtype_of_their_argument():
    f = make(lambda x: x * 2, lambda x: (x * 2, None), lambda r, g: g.astype(np.float64) * 2)
    assert grad(lambda x: np.sum(f(x)))(X.astype(np.float32)).dtype == np.float32


def test_inside_of_a_checkpoint():
    f = checkpoint(softplus())
    assert grad(grad(f))(0.0).item() == 0.25


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda r, g: (g,), "returned 1 for 2 arguments"),
        (lambda r, g: g, "for 2 arguments"),
        (lambda r, g: (g, g, g), "returned 3 for 2 arguments"),
        (lambda r, g: (np.sum(g), g), r"returned shape \(\) for argument 0 of shape \(3,\)"),
        (lambda r, g: (g, "x"), "returned 'x' for argument 1"),
        (lambda r, g: (g * 1j, g), "dtype complex128 for argument 0"),
        (lambda r, g: ([g], g), r"does not fit an argument: .*\n.*Unexpected|Missing"),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_backward_function_that_is_wrong_is_named(backward, words, create_graph):
    def product(x, y):
        return x * y

    f = make(product, lambda x, y: (x * y, None), backward)
    x, y = (tg.Tensor(X, requires_grad=True) for _ in range(2))
    with pytest.raises(errors.VJPError, match=f"(?s)backward function of 'product' .*{words}"):
        np.sum(f(x, y)).backward(create_graph=create_graph)
    assert x.grad is None


def test_a_forward_function_that_returns_no_pair_is_named():
    f = make(np.sin, lambda x: np.sin(x), lambda r, g: g)
    with pytest.raises(errors.VJPError, match="forward function of 'sin' returned a tensor"):
        f(tg.Tensor(X, requires_grad=True))
    f = make(np.sin, lambda x: (3, None), lambda r, g: g)
    with pytest.raises(errors.VJPError, match="'sin' .* returned 3"):
        f(tg.Tensor(X, requires_grad=True))


def test_a_function_without_rules_says_how_to_give_it_some():
    @custom_vjp
    def f(x):
        return x

    with pytest.raises(errors.ArgumentError, match=r"no derivative yet.*\n.*f.defvjp\(forward"):
        f(X)


def test_a_closed_over_tensor_would_lose_its_gradient_which_is_an_error():
    w = tg.Tensor(2.0, requires_grad=True)
    f = make(lambda x: x * w, lambda x: (x * w, None), lambda r, g: (g,))
    with pytest.raises(errors.GraphError, match=r"none of its arguments.*\n.*pass it as an arg"):
        f(tg.Tensor(X, requires_grad=True))
    f = make(lambda x: x, lambda x: (x * 1.0, w * 2.0), lambda r, g: (g * r,))
    with pytest.raises(errors.GraphError, match="none of its arguments"):
        f(tg.Tensor(X, requires_grad=True))


def test_keywords_reach_the_function_and_defaults_count_as_arguments():
    @custom_vjp
    def scaled(x, y=2.0, *, k=1.0):
        return x * y * k

    scaled.defvjp(
        lambda x, y, *, k=1.0: (x * y * k, (x, y, k)),
        lambda kept, g: (g * kept[1] * kept[2], g * kept[0] * kept[2]),
    )
    assert scaled(5.0, k=3.0) == 30.0
    x = tg.Tensor(5.0, requires_grad=True)
    for keywords, value, slope in (
        ({}, 10.0, 2.0),
        ({"k": 3.0}, 30.0, 6.0),
        ({"y": 4.0}, 20.0, 4.0),
        ({"k": 3.0, "y": 4.0}, 60.0, 12.0),
    ):
        x.grad = None
        out = scaled(x, **keywords)
        out.backward()
        assert (out.item(), x.grad.item()) == (value, slope)
        with tg.no_grad():
            assert scaled(x, **keywords).item() == value
    with pytest.raises(errors.GraphError, match="none of its arguments"):
        scaled(x, k=tg.Tensor(3.0, requires_grad=True))
