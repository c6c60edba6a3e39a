from __future__ import annotations

import numpy as np
import pytest
from testing.checks import Network, failure, verdicts

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import TgError
from tinygrad_bp.testing import GradientError, check_gradients


@pytest.fixture
def make():
    """Primitives that are gone after the test."""
    names = []

    def primitive(forward, *vjps, **options):
        name = f"test_primitive_{len(names)}"
        names.append(name)
        return tg.Primitive(name, forward, vjps, formula="", vjp_formulas=[""], **options)

    yield primitive
    for name in names:
        del PRIMITIVES[name]


def test_a_wrong_element_is_named_with_both_values_and_the_error_bar(make):
    factor = np.array([[2.0, 2.0], [2.0, 2.002]])
    wrong_square = make(lambda x: x * x, lambda g, out, x: g * factor * x)
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], name="pixels")
    with pytest.raises(GradientError) as caught:
        check_gradients(lambda x: np.sum(wrong_square(x)), x)
    message = str(caught.value)
    assert "the gradient of pixels (2, 2) is wrong at 1 of 4 elements" in message
    assert "index (1, 1): autograd gives 8.008" in message
    assert "numerical derivative is 8" in message
    assert "with an error of at most" in message
    assert "Fix:" in message
    assert isinstance(caught.value, TgError)
    assert [str(v) for v in caught.value.check.arguments[0].verdicts.ravel()] == ["OK"] * 3 + [
        "WRONG"
    ]
    assert isinstance(caught.value, AssertionError)


def test_a_relative_error_of_a_millionth_is_found(make):
    almost = make(lambda x: x * x, lambda g, out, x: g * 2.000002 * x)
    with pytest.raises(GradientError):
        check_gradients(almost, np.array([1.0, 2.0]))
    check_gradients(almost, np.array([1.0, 2.0]), rtol=1e-5)


def test_a_small_element_beside_large_ones_is_checked(make):
    slope = np.array([1e6, 1e-2])
    linear = make(lambda x: x * slope, lambda g, out, x: g * np.array([1e6, 2e-2]))
    with pytest.raises(GradientError, match=r"index \(1,\)"):
        check_gradients(linear, np.array([0.0, 0.0]))


def test_the_error_names_the_output_at_which_they_differ_most(make):
    triple = make(lambda x: 3 * x, lambda g, out, x: g * 2)
    check = failure(triple, np.ones((2, 3)))
    assert "both numbers are of the output (0, 0)" in str(check)
    large = failure(triple, np.ones((8, 8)))
    assert "of the sum of the outputs (8, 8) times random weights" in str(large)
    for whole in (lambda x: np.sum(triple(x)), lambda x: triple(x)[1, 2]):
        assert "both numbers" not in str(failure(whole, np.ones((2, 3))))


def test_a_wrong_second_derivative_is_found_only_at_order_two(make):
    values = {}

    def rule(g, out, x):
        values["x"] = x.data if isinstance(x, tg.Tensor) else x
        return g * 2 * values["x"]  # a constant, so its own derivative is lost

    square = make(lambda x: x * x, rule)
    x = np.array([1.0, 2.0])
    assert check_gradients(square, x, order=1).passed
    check = failure(square, x, order=2)
    assert "argument 0 (order 2) (2,) is wrong at 2 of 2" in str(check)
    assert check.causes[0] == "the derivatives of order 1 are right"
    assert len(check.blamed) == 1
    assert "'test_primitive_0' for its input 0 is wrong at second order at checks.py:" in str(
        check.blamed[0]
    )


def test_a_gradient_that_is_not_a_number_is_wrong(make):
    broken = make(lambda x: x * x, lambda g, out, x: g * np.array([2.0, np.nan]) * x)
    check = failure(lambda x: np.sum(broken(x)), np.array([1.0, 2.0]))
    assert verdicts(check) == ["OK", "WRONG"]
    assert "most at index (1,): autograd gives nan" in str(check)
    assert "not finite where the derivative is at the index (1,)" in str(check)
    assert "a number that is not finite" in check.blamed[0]


def test_an_infinite_gradient_is_wrong(make):
    broken = make(lambda x: x * x, lambda g, out, x: g * np.array([2.0, np.inf]) * x)
    assert verdicts(failure(lambda x: np.sum(broken(x)), np.array([1.0, 2.0]))) == ["OK", "WRONG"]


def test_a_gradient_that_is_not_a_number_is_wrong_also_where_no_step_stays_in_the_domain(make):
    x = np.array([0.0])
    broken = make(np.sqrt, lambda g, out, x: g * np.nan)
    assert verdicts(failure(broken, x, order=1)) == "WRONG"
    vertical = make(np.sqrt, lambda g, out, x: g * np.inf)
    assert verdicts(check_gradients(vertical, x, order=1)) == "NOISY"


def test_a_kink_is_told_and_is_no_failure(make):
    absolute = make(np.abs, lambda g, out, x: g * np.sign(x), analytic=False)
    check = check_gradients(absolute, np.array([0.0, 1.0, -3.0]))
    assert verdicts(check) == ["KINK", "OK", "OK"]
    assert check.inconclusive >= 1


def test_a_kink_near_by_is_kept_out_by_smaller_steps(make):
    absolute = make(np.abs, lambda g, out, x: g * np.sign(x), analytic=False)
    assert check_gradients(absolute, np.array([1e-3, 1e-5, 1.0])).inconclusive == 0
    turned = make(np.abs, lambda g, out, x: g * -np.sign(x), analytic=False)
    assert verdicts(failure(turned, np.array([1e-3, 1e-5]), order=1)) == "WRONG"


# Where the checkers of others fail.


def test_a_gradient_that_lacks_a_component_of_two_millionths_fails(make):
    slope = np.array([1.0, 2e-6])
    lacking = make(lambda x: x * slope, lambda g, out, x: g * np.array([1.0, 0.0]))
    check = failure(lambda x: np.sum(lacking(x)), np.array([0.3, 0.7]))
    assert verdicts(check) == ["OK", "WRONG"]
    assert "the gradient is 0 where there should be one at the index (1,)" in check.causes


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("name", ["log", "sin", "sqrt", "reciprocal", "square"])
def test_a_wrong_gradient_is_wrong_at_any_size(monkeypatch, name, scale):
    (right,) = PRIMITIVES[name].vjps
    monkeypatch.setattr(
        PRIMITIVES[name], "vjps", (lambda g, out, x, **p: right(g, out, x, **p) * 1.001,)
    )
    check = failure(getattr(np, name), scale * np.array([0.7, 1.3, 2.9]))
    assert verdicts(check) == "WRONG"


def test_a_single_fault_in_a_large_argument_is_found(make):
    x = np.random.default_rng(0).normal(size=(60, 50))
    factor = np.full(x.shape, 2.0)
    factor[17, 33] = 2.02
    square = make(lambda x: x * x, lambda g, out, x: g * factor * x)
    check = failure(lambda x: np.sum(square(x)), x, order=1)
    assert [tuple(i) for i in np.argwhere(check.arguments[0].failed)] == [(17, 33)]
    assert "at the index (17, 33)" in str(check)


def test_a_gradient_in_float32_that_is_another_is_of_dtype(make):
    def rule(g, out, x):
        return g * (2 * x if np.asarray(x).dtype == np.float64 else x)

    square = make(lambda x: x * x, rule)
    x = np.array([1.0, 2.0])
    assert check_gradients(square, x, order=1).passed
    check = failure(square, x.astype(np.float32), order=1)
    assert verdicts(check) == "DTYPE"
    told = "run in float32, the gradient of argument 0 has other numbers: 2 in place of 4 at index"
    assert f"{told} (1,)" in str(check)


def test_float32_is_checked_for_arguments_in_float64_where_that_is_asked(make):
    def rule(g, out, x):
        return g * (2 * x if np.asarray(x).dtype == np.float64 else 2.1 * x)

    square, network = make(lambda x: x * x, rule), Network()
    network.weight.data = network.weight.data.astype(np.float64)
    network.bias.data = network.bias.data.astype(np.float64)
    for f, *args in [
        (square, np.array([1.0, 2.0])),
        (lambda x, y: square(x) * y, 3.0, tg.Tensor([1.0, 2.0])),
        (lambda n, x: np.sum(square(x @ n.weight.T + n.bias)), network, np.ones((2, 3))),
    ]:
        assert check_gradients(f, *args, order=1).passed
        check = failure(f, *args, order=1, float32=True)
        assert "run in float32, the gradient of " in str(check)
        assert "does not have the shape, dtype or precision" in str(check)
    assert network.weight.dtype == np.float64
    assert check_gradients(np.sin, np.array([1.0, 2.0]), float32=True).passed


def test_a_rule_that_forgets_its_cotangent_when_recorded_is_not_the_adjoint(make):
    def rule(g, out, x):
        return np.asarray(g.data) * np.cos(x) if isinstance(g, tg.Tensor) else g * np.cos(x)

    check = failure(make(np.sin, rule), np.array([1.0, 2.0]))
    assert "not the transpose of the forward derivative" in str(check)


def test_a_rule_that_is_not_linear_in_its_cotangent_is_not_the_adjoint(make):
    def rule(g, out, x):
        return g * (1 + 1e-11 * g) * np.cos(x)

    check = failure(make(np.sin, rule), np.array([1.0, 2.0]))
    assert all(a.passed for a in check.arguments)
    assert 1e-12 < check.adjoint < 1e-10


def test_a_fault_is_not_taken_for_rounding(make):
    wrong = make(np.linalg.det, lambda g, out, x: 1e-12 * np.ones(x.shape) * g)
    assert verdicts(failure(wrong, np.ones((3, 3)), order=1)) == "WRONG"
    stale = [np.zeros(3)]

    def rule(g, out, x):
        stale.append(np.array(x))
        return g * 2 * stale[-2]

    remembers = make(lambda x: x * x, rule)
    assert not failure(remembers, np.array([1.0, 2.0, 3.0]), order=1).passed


def test_a_fault_at_second_order_is_found_beside_a_kink(make):
    def rule(g, out, x):
        return g * 2 * (x.data if isinstance(x, tg.Tensor) else x)

    square = make(lambda x: x * x, rule)
    check = failure(lambda x: np.sum(np.abs(x) ** 2 + square(x)), np.array([0.0, 1.0]))
    assert "'test_primitive_0' for its input 0 is wrong at second order" in check.blamed[0]
