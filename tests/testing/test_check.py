from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, NoGradPathError, TgError
from tinygrad_bp.testing import GradientError, check_gradients


@pytest.fixture
def make():
    """Primitives that are gone after the test."""
    names = []

    def primitive(forward, *vjps):
        name = f"test_primitive_{len(names)}"
        names.append(name)
        return tg.Primitive(name, forward, vjps, formula="", vjp_formulas=[""])

    yield primitive
    for name in names:
        del PRIMITIVES[name]


class Network:
    """What check_gradients knows of a module: its named parameters."""

    def __init__(self):
        self.weight = tg.Tensor([[1.0, -2.0, 0.5]], requires_grad=True, dtype=np.float32)
        self.bias = tg.Tensor([0.3], requires_grad=True, dtype=np.float32)

    def named_parameters(self):
        return iter([("layer.weight", self.weight), ("layer.bias", self.bias)])


def test_a_right_gradient_passes_at_both_orders():
    x, y = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([1.5, -0.5])
    check = check_gradients(lambda x, y: x * x * y + x / (y * y), x, y, order=2)
    assert check.difference < 1e-9
    assert set(check.arguments) == {
        "argument 0",
        "argument 1",
        "argument 0 (order 2)",
        "argument 1 (order 2)",
    }
    assert (check.elements, check.inconclusive) == (12, 0)


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
    assert isinstance(caught.value, AssertionError)


def test_the_error_tells_that_outputs_with_axes_were_weighted_and_summed(make):
    triple = make(lambda x: 3 * x, lambda g, out, x: g * 2)
    summed = "; both numbers are of the sum of the outputs (2, 3) times random weights.\nFix:"
    with pytest.raises(GradientError) as caught:
        check_gradients(triple, np.ones((2, 3)))
    assert summed in str(caught.value)
    for whole in (lambda x: np.sum(triple(x)), lambda x: triple(x)[1, 2]):
        with pytest.raises(GradientError) as caught:
            check_gradients(whole, np.ones((2, 3)))
        assert "random weights" not in str(caught.value)


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


def test_a_wrong_second_derivative_is_found_only_at_order_two(make):
    values = {}

    def rule(g, out, x):
        values["x"] = x.data if isinstance(x, tg.Tensor) else x
        return g * 2 * values["x"]  # a constant, so its own derivative is lost

    square = make(lambda x: x * x, rule)
    x = np.array([1.0, 2.0])
    check_gradients(square, x)
    with pytest.raises(GradientError, match=r"argument 0 \(order 2\) \(2,\) is wrong at 2 of 2"):
        check_gradients(square, x, order=2)


def test_a_gradient_that_is_not_a_number_is_wrong(make):
    broken = make(lambda x: x * x, lambda g, out, x: g * np.array([2.0, np.nan]) * x)
    with pytest.raises(GradientError, match=r"1 of 2 elements, most at index \(1,\).*gives nan"):
        check_gradients(broken, np.array([1.0, 2.0]))


def test_a_gradient_that_is_not_a_number_is_wrong_also_where_the_numerical_one_is_unknown(make):
    broken = make(np.log, lambda g, out, x: g * np.nan)
    right = make(np.log, lambda g, out, x: g / x)
    x = np.array([1e-4])  # a step leaves the domain
    assert check_gradients(right, x).inconclusive == 1
    with pytest.raises(GradientError, match="autograd gives nan"):
        check_gradients(broken, x)


def test_noise_makes_a_check_inconclusive_and_never_wrong(make):
    rng = np.random.default_rng(0)
    noisy = make(lambda x: x * x + 1e-3 * rng.normal(size=x.shape), lambda g, out, x: g * 2 * x)
    check = check_gradients(lambda x: np.sum(noisy(x)), np.array([1.0, 2.0]))
    assert check.inconclusive == 2


def test_a_kink_near_by_is_inconclusive(make):
    absolute = make(np.abs, lambda g, out, x: g * np.sign(x))
    assert check_gradients(absolute, np.array([1e-3, 1.0])).inconclusive >= 1


def test_float32_arguments_are_checked_in_float64_and_left_alone():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    x.grad = tg.Tensor([5.0, 5.0], dtype=np.float32)
    seen = []

    def f(x):
        seen.append(x.dtype)
        return x * x * x

    assert check_gradients(f, x).difference < 1e-9
    assert set(seen) == {np.dtype(np.float64)}
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.data, [1.0, 2.0])
    np.testing.assert_array_equal(x.grad.data, [5.0, 5.0])


def test_the_parameters_of_a_module_are_checked_by_name_on_a_copy():
    network, x = Network(), np.array([[0.5, 1.0, -1.0], [2.0, 0.0, 1.0]])
    network.bias.grad = tg.Tensor([7.0], dtype=np.float32)

    def loss(network, x):
        return np.sum((x * network.weight + network.bias) * network.bias)

    check = check_gradients(loss, network, x, order=2)
    assert {"layer.weight", "layer.bias", "argument 1"} < set(check.arguments)
    assert check.difference < 1e-9
    assert network.weight.dtype == np.float32
    np.testing.assert_array_equal(network.bias.grad.data, [7.0])


def test_integers_are_passed_on_and_not_differentiated_by():
    check = check_gradients(lambda x, n, k: x * n * k, 2.0, 3, np.array([1, 2]))
    assert set(check.arguments) == {"argument 0"}


def test_an_unused_argument_and_a_linear_function_pass():
    check = check_gradients(lambda x, y: 3 * x, np.ones(2), np.ones(3), order=2)
    assert check.arguments["argument 1"] == 0.0
    assert check.inconclusive == 0


def test_an_argument_that_was_cut_from_the_graph_is_wrong():
    with pytest.raises(GradientError, match=r"argument 1.*autograd gives 0,"):
        check_gradients(lambda x, y: x * y.detach(), 2.0, 3.0)
    with pytest.raises(NoGradPathError, match=r"detach\(\)"):
        check_gradients(lambda x: x.detach() * 2, 2.0)


@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x: np.sum(x).item(), "float"),
        (lambda x: 2 * x.data, "ndarray"),
        (lambda x: (x, x), "tuple"),
        (lambda x: None, "NoneType"),
    ],
)
def test_a_function_that_returns_no_tensor_is_told_so(f, kind):
    with pytest.raises(NoGradPathError) as caught:
        check_gradients(f, np.ones(2))
    message = str(caught.value)
    assert f"f returned a value of type {kind}: it does not depend on the arguments" in message
    assert "through tensors" in message
    assert "Fix: return one tensor" in message


def test_a_sample_of_the_elements_may_be_asked_for():
    check = check_gradients(lambda x: x * x, np.linspace(1, 2, 50), elements=5)
    assert check.elements == 5


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ArgumentError, match="orders 1 and 2, not 3"):
        check_gradients(lambda x: x, 1.0, order=3)
    with pytest.raises(ArgumentError, match=r"nothing to differentiate by .*: int, list"):
        check_gradients(lambda n, words: n, 3, ["a"])
