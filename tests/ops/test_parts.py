"""Parts of numbers: at jumps, at zero, of infinities, and what is constant."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import DTypeError, NoGradPathError, OperationError, TgError


def slopes(function, values, dtype=np.float64):
    x = tg.Tensor(values, requires_grad=True, dtype=dtype)
    function(x).sum().backward()
    assert x.grad.dtype == dtype
    return x.grad.data.tolist()


def test_heaviside_has_a_derivative_in_its_value_at_zero_alone():
    assert slopes(lambda y: np.heaviside([-1.0, 0.0, 2.0], y), [5.0, 5.0, 5.0]) == [0, 1, 0]
    x = tg.Tensor([-1.0, 0.0], requires_grad=True)
    np.heaviside(x, x).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [0.0, 1.0])


def test_copysign_is_flat_in_zero_by_convention_and_minds_the_sign_of_zero():
    assert slopes(lambda x: np.copysign(x, -1.0), [-2.0, 0.0, 3.0]) == [1.0, 0.0, -1.0]
    assert slopes(lambda x: np.copysign(x, -0.0), [2.0], np.float32) == [-1.0]
    x, y = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([-3.0], requires_grad=True)
    np.copysign(x, y).sum().backward()
    np.testing.assert_array_equal(x.grad.data, [-1.0, -1.0])
    assert y.grad is None


def test_ldexp_scales_by_powers_of_two_exactly():
    assert slopes(lambda x: np.ldexp(x, [3, -1]), [1.0, 1.0], np.float32) == [8.0, 0.5]
    with pytest.raises(DTypeError, match="ldexp"):
        np.ldexp(tg.Tensor([1.0], requires_grad=True), 0.5)


def test_modf_gives_a_fraction_with_a_gradient_and_a_constant():
    x = tg.Tensor([-2.5, 3.0, np.inf], requires_grad=True, name="x")
    fraction, whole = np.modf(x)
    for ours, numpys in zip((fraction, whole), np.modf(x.data), strict=True):
        np.testing.assert_array_equal(ours.data, numpys)
    fraction.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1.0, 1.0, 1.0])
    with pytest.raises(NoGradPathError, match="'x' was cut off by modf"):
        whole.sum().backward()


def test_frexp_gives_a_mantissa_with_a_gradient_and_a_constant():
    x = tg.Tensor([6.0, -0.25, 0.0], requires_grad=True)
    mantissa, exponent = np.frexp(x)
    for ours, numpys in zip((mantissa, exponent), np.frexp(x.data), strict=True):
        np.testing.assert_array_equal(ours.data, numpys)
        assert ours.dtype == numpys.dtype
    mantissa.sum().backward()
    np.testing.assert_array_equal(x.grad.data, [1 / 8, 2.0, 1.0])


def test_divmod_gives_a_constant_and_a_remainder_with_gradients():
    x, y = tg.Tensor(7.5, requires_grad=True), tg.Tensor(2.0, requires_grad=True)
    quotient, remainder = np.divmod(x, y)
    assert not quotient.requires_grad
    assert (quotient.item(), remainder.item()) == (3.0, 1.5)
    remainder.backward()
    assert (x.grad.item(), y.grad.item()) == (1.0, -3.0)


@pytest.mark.parametrize("function", [np.real, np.real_if_close, np.conjugate, np.conj])
def test_real_numbers_are_their_own_real_part_and_conjugate(function):
    x = tg.Tensor([1.0, -2.0], requires_grad=True)
    np.testing.assert_array_equal(function(x).data, x.data)
    assert slopes(function, [1.0, -2.0], np.float32) == [1.0, 1.0]


@pytest.mark.parametrize("function", [np.imag, np.angle, np.spacing, np.fix])
def test_what_has_no_derivative_gives_constants_equal_to_numpy(function):
    values = np.array([1.5, -2.5])
    out = function(tg.Tensor(values, requires_grad=True))
    assert not out.requires_grad
    np.testing.assert_array_equal(out.data, function(values))


def test_the_next_number_is_refused_where_a_gradient_would_be_lost():
    x = tg.Tensor([1.5], requires_grad=True)
    with pytest.raises(TgError, match=r"np.nextafter .*\n.*Fix: "):
        np.nextafter(x, 9.0)
    assert np.nextafter(x.detach(), 9.0).item() == np.nextafter(1.5, 9.0)


@pytest.mark.parametrize("function", [np.real, np.conjugate, np.imag, np.angle])
def test_complex_numbers_on_the_way_give_an_error_and_no_gradient(function):
    x = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(TgError, match="complex"):
        abs(function(x * 1j)).sum().backward()
    assert x.grad is None
    z = tg.Tensor([1 + 2j])
    np.testing.assert_array_equal(function(z).data, function(z.data))


def test_nan_to_num_keeps_the_gradient_from_what_it_replaced():
    x = tg.Tensor([1.0, np.nan, np.inf, -np.inf], requires_grad=True)
    out = np.nan_to_num(x, nan=7.0, posinf=8.0)
    np.testing.assert_array_equal(out.data, [1.0, 7.0, 8.0, -np.finfo(float).max])
    out.backward(np.array([3.0, np.nan, np.inf, 1.0]))
    np.testing.assert_array_equal(x.grad.data, [3.0, 0.0, 0.0, 0.0])


def test_nan_to_num_refuses_what_it_cannot_do():
    x = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(OperationError, match=r"(?s)copy=False would write.*Fix: leave copy="):
        np.nan_to_num(x, copy=False)
    with pytest.raises(OperationError, match=r"(?s)numbers in, not tensors.*Fix: np\.where"):
        np.nan_to_num(x, nan=x)


def test_the_bessel_function_keeps_its_digits_near_zero_and_far_out():
    from tinygrad_bp.ops.parts import _bessel

    special = pytest.importorskip("scipy.special")
    x = np.array([-600.0, -3.0, -1e-20, 0.0, 1e-9, 0.5, 40.0, 700.0])
    np.testing.assert_allclose(_bessel(x, order=1), special.i1(x), rtol=1e-13)
    second = (special.iv(0, x) + special.iv(2, x)) / 2
    np.testing.assert_allclose(_bessel(x, order=2), second, rtol=1e-13)
    assert slopes(np.i0, [0.0]) == [0.0]
    assert slopes(np.i0, [0.5], np.float32) == [np.float32(special.i1(0.5))]
