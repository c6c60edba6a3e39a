"""What the catalogue cannot say of arithmetic: values at kinks, numbers, mixed types, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg


def slopes(function, *values, dtype=np.float64):
    """The gradients of the sum of a function at the given values."""
    leaves = [tg.Tensor(v, requires_grad=True, dtype=dtype) for v in values]
    function(*leaves).sum().backward()
    return [leaf.grad.data for leaf in leaves]


def curvature(function, value):
    """The second derivative of a function of one number."""
    x = tg.Tensor(value, requires_grad=True, dtype=float)
    function(x).backward(create_graph=True)
    slope, x.grad = x.grad, None
    slope.backward()
    return x.grad.item()


BOTH_WAYS = (
    lambda x, n: x + n,
    lambda x, n: n - x,
    lambda x, n: x * n,
    lambda x, n: n / x,
    lambda x, n: x**n,
    lambda x, n: n**x,
    lambda x, n: x % n,
)


@pytest.mark.parametrize("operation", BOTH_WAYS)
@pytest.mark.parametrize("number", [2, 1.5, True])
def test_python_numbers_are_weak(operation, number):
    x = tg.Tensor([1.25, 2.25], requires_grad=True, dtype=np.float32)
    z = operation(x, number)
    z.sum().backward()
    assert z.dtype == x.grad.dtype == np.float32


def test_numpy_scalars_are_strong_as_in_numpy_itself():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    z = x * np.float64(2)
    assert z.dtype == np.float64
    z.sum().backward()
    assert x.grad.dtype == np.float32


def test_integer_tensors_are_constants_beside_floating_ones():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    z = x ** tg.Tensor([2, 3])
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [2.0, 12.0])


@pytest.mark.parametrize("base", [-2.0, 0.0, 3.0])
def test_zeroth_power_is_one_with_derivative_zero(base):
    assert slopes(lambda x: x**0, base) == [0.0]
    assert slopes(lambda x: x**0.0, base) == [0.0]
    assert slopes(lambda x: x ** np.array(0.0), base) == [0.0]
    assert curvature(lambda x: x**0, base) == 0.0


def test_power_of_tensors_has_finite_derivatives_at_a_base_of_zero():
    of_base, of_exponent = slopes(np.power, [0.0, 0.0, 0.0], [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(of_base, [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(of_exponent, [0.0, 0.0, 0.0])


def test_power_of_the_number_zero_has_derivative_zero_in_the_exponent():
    assert slopes(lambda y: 0**y, 2.0) == [0.0]
    assert slopes(lambda y: np.power(0.0, y), 0.0) == [0.0]


def test_negative_base_takes_whole_exponents_that_are_constant():
    assert slopes(lambda x: x**3, -2.0) == [12.0]
    assert slopes(lambda x: np.power(x, -2), -2.0) == [0.25]
    assert curvature(lambda x: x**2, 0.0) == 2.0
    assert curvature(lambda x: x**3, 0.0) == 0.0


def test_exponent_of_a_negative_base_has_no_derivative_and_says_nan():
    assert np.isnan(slopes(lambda y: (-2.0) ** y, 2.0)[0])


def test_square_root_by_power_is_infinitely_steep_at_zero():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert slopes(lambda x: x**0.5, 0.0) == [np.inf]


def test_mixed_second_derivative_of_power_where_the_exponent_is_zero():
    x = tg.Tensor(2.0, requires_grad=True)
    y = tg.Tensor(0.0, requires_grad=True)
    (x**y).backward(create_graph=True)
    slope, x.grad, y.grad = x.grad, None, None
    slope.backward()
    assert y.grad.item() == pytest.approx(0.5, abs=1e-15)


def test_float_power_gives_float64_and_a_gradient_of_the_inputs_type():
    x = tg.Tensor([1.5], requires_grad=True, dtype=np.float32)
    z = np.float_power(x, 2)
    z.sum().backward()
    assert z.dtype == np.float64
    assert x.grad.dtype == np.float32
    assert x.grad.item() == 3.0


def test_fmod_keeps_the_right_quotient_where_division_rounds_up():
    x, y = 3.4999999999999996, 0.7
    assert x / y == 5.0
    assert np.fmod(x, y) == pytest.approx(0.7)
    assert slopes(np.fmod, x, y) == [1.0, -4.0]


def test_negated_quotients_round_down_in_remainder_and_to_zero_in_fmod():
    assert slopes(np.remainder, -4.5, 2.0) == [1.0, 3.0]
    assert slopes(np.fmod, -4.5, 2.0) == [1.0, 2.0]


def test_in_place_operators_make_new_tensors():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x
    y *= 3
    assert y is not x
    np.testing.assert_array_equal(x.data, [1.0, 2.0])


def test_copy_lies_in_its_own_memory_and_in_the_graph():
    x = tg.Tensor([[1.0, 2.0]], requires_grad=True)
    z = np.copy(x, order="F")
    assert not np.shares_memory(z.data, x.data)
    assert z.requires_grad


def test_copy_refuses_subclasses():
    with pytest.raises(tg.errors.OperationError, match="subok=True is not available"):
        np.copy(tg.Tensor([1.0]), subok=True)


def test_shapes_that_do_not_fit_are_named_with_the_operation():
    with pytest.raises(tg.errors.ShapeError, match=r"multiply .*\(2,\) float64, \(3,\) float64"):
        tg.Tensor([1.0, 2.0]) * tg.Tensor([1.0, 2.0, 3.0])
