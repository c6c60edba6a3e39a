"""What the checks are called with that makes no sense: refused before anything is evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn, testing
from tinygrad_bp.errors import ShapeError, TgError

X = np.array([1.0, 2.0])
DATA = np.arange(8.0).reshape(4, 2), np.ones((4, 3))
NO_FUNCTION = [3, "x", None, 1j, [1], {}, np.ones(2), object()]
NO_NUMBER = [
    "x",
    -1.0,
    float("nan"),
    float("inf"),
    1j,
    [1],
    {},
    True,
    np.ones(2),
    object(),
    10**400,
]
NO_COUNT = ["x", -1, 7.5, 1j, [1], {}, True, np.ones(2), object()]
NO_ARRAY = ["x", 1j, {}, object(), [[1.0], []], None]


def loss(x):
    return np.sum(x * x)


def slope(x):
    return 2 * x


def graded(*, gradients=slope, model=None, function="mse_loss", data=DATA, **options):
    model = nn.Linear(2, 3) if model is None else model
    return testing.check_equivalent(gradients, model, function, data, **options)


CALLS = {
    "f of check_gradients": (lambda v: testing.check_gradients(v, X), NO_FUNCTION),
    "gradient": (lambda v: testing.check_gradients(loss, X, gradient=v), NO_FUNCTION),
    "order": (lambda v: testing.check_gradients(loss, X, order=v), NO_COUNT),
    "rtol": (lambda v: testing.check_gradients(loss, X, rtol=v), NO_NUMBER),
    "elements": (lambda v: testing.check_gradients(loss, X, elements=v), [*NO_COUNT, 0]),
    "argnums": (lambda v: testing.check_gradients(loss, X, argnums=v), [*NO_NUMBER, np.array("a")]),
    "float32": (lambda v: testing.check_gradients(loss, X, float32=v), NO_FUNCTION),
    "seed": (lambda v: testing.check_gradients(loss, X, seed=v), NO_COUNT),
    "op": (testing.check_primitive, NO_FUNCTION),
    "call": (lambda v: testing.check_primitive(np.square, v), NO_FUNCTION),
    "reference": (lambda v: testing.check_primitive(np.square, reference=v), NO_FUNCTION),
    "inputs": (lambda v: testing.check_primitive(np.square, inputs=v), [*NO_COUNT, 0]),
    "shapes": (lambda v: testing.check_primitive(np.square, shapes=v), NO_COUNT),
    "domains": (lambda v: testing.check_primitive(np.square, domains=v), [3, "x", [(2, 1)], [3]]),
    "kinks": (lambda v: testing.check_primitive(np.square, kinks=v), [3, "x", [3], [["a"]]]),
    "order of check_primitive": (lambda v: testing.check_primitive(np.square, order=v), NO_COUNT),
    "examples": (lambda v: testing.check_primitive(np.square, examples=v), [*NO_COUNT, 0]),
    "seed of check_primitive": (lambda v: testing.check_primitive(np.square, seed=v), NO_COUNT),
    "my_gradients": (lambda v: graded(gradients=v), NO_FUNCTION),
    "model": (lambda v: graded(model=v), [3, "x", [], loss]),
    "loss": (lambda v: graded(function=v), [3, None, [1], np.ones(2)]),
    "data": (lambda v: graded(data=v), [3, None, X[:1], (X,), "xy"]),
    "l2": (lambda v: graded(l2=v), NO_NUMBER),
    "rtol of check_equivalent": (lambda v: graded(rtol=v), NO_NUMBER),
    "f of numerical_gradient": (lambda v: testing.numerical_gradient(v, X), NO_FUNCTION),
    "x": (lambda v: testing.numerical_gradient(loss, v), NO_ARRAY),
    "step": (lambda v: testing.numerical_gradient(loss, X, step=v), NO_NUMBER),
    "positions": (lambda v: testing.numerical_gradient(loss, X, elements=v), [3, "x", [2], [0.5]]),
    "f of numerical_gradients": (lambda v: testing.numerical_gradients(v, [X]), NO_FUNCTION),
    "inputs of them": (
        lambda v: testing.numerical_gradients(loss, v),
        [*NO_ARRAY[:4], 3, [], np.array(1)],
    ),
    "f of numerical_jacobian": (lambda v: testing.numerical_jacobian(v, X), NO_FUNCTION),
    "f of numerical_vjp": (lambda v: testing.numerical_vjp(v, X, X), NO_FUNCTION),
    "cotangent": (
        lambda v: testing.numerical_vjp(slope, X, v),
        [*NO_ARRAY, np.ones(3), np.ones((2, 1))],
    ),
    "f of complex_step": (lambda v: testing.complex_step(v, [X]), NO_FUNCTION),
    "inputs of complex_step": (lambda v: testing.complex_step(loss, v), [*NO_ARRAY[:4], 3, []]),
    "f of taylor_test": (lambda v: testing.taylor_test(v, X), NO_FUNCTION),
    "halvings": (lambda v: testing.taylor_test(loss, X, halvings=v), [*NO_COUNT, 7]),
    "argnums of taylor_test": (lambda v: testing.taylor_test(loss, X, argnums=v), [*NO_NUMBER, 1]),
    "gradient_property": (lambda v: testing.gradient_property(order=1)(v), NO_FUNCTION),
    "max_examples": (lambda v: testing.gradient_property(loss, max_examples=v), [*NO_COUNT, 0]),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_that_makes_no_sense_is_refused_with_a_fix(name):
    call, values = CALLS[name]
    for value in values:
        if value is None and name in ("gradient", "call", "reference"):
            continue  # is their default
        with pytest.raises(TgError, match=r"\nFix: "):
            call(value)


@pytest.mark.parametrize("returned", [None, "x", 1j, object()])
@pytest.mark.parametrize("check", [testing.numerical_gradient, testing.numerical_jacobian])
def test_a_function_that_returns_no_real_number_is_told(check, returned):
    with pytest.raises(TgError, match=r"\nFix: "):
        check(lambda x: returned, X)
    if returned != 1j:
        with pytest.raises(TgError, match=r"\nFix: "):
            testing.complex_step(lambda x: returned, [X])


def test_a_gradient_of_another_shape_is_told_by_the_taylor_test():
    with pytest.raises(ShapeError, match=r"(?s)gradient of argument 0 has the shape \(3,\).*Fix: "):
        testing.taylor_test(loss, X, gradient=lambda x: np.ones(3))


def test_shapes_may_be_lists_and_be_made_one_by_one():
    found = testing.check_primitive(np.square, shapes=[(3,), (2, 3)], examples=1)
    assert testing.check_primitive(np.square, shapes=iter([[3], [[2, 3]]]), examples=1) == found
