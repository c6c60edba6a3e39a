"""`scipy.special` at zeros, poles and ends, and far out: first and second derivatives.

What is expected was computed with 60 digits by mpmath's numerical derivatives.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import special

import tinygrad_bp as tg


def derivatives(function, *values):
    """The gradient, and the gradients of its parts, one after another."""
    leaves = [tg.Tensor(v, requires_grad=True, dtype=float) for v in values]
    function(*leaves).backward(create_graph=True)
    first, second = [leaf.grad for leaf in leaves], []
    for part in first:
        for leaf in leaves:
            leaf.grad = None
        part.backward(create_graph=True)
        second += [leaf.grad.item() for leaf in leaves]
    return [part.item() for part in first], second


@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (special.i0e, 1e4, -1.9947862106984187e-07, 2.992254131753587e-11),
        (special.i0e, 1e8, -1.9947114094873313e-13, 2.9920671217111648e-21),
        (special.i0e, -1e8, 1.9947114094873313e-13, 2.9920671217111648e-21),
        (special.i1e, 1e4, -1.9944869852852436e-07, 2.991506049515319e-11),
        (special.i1e, 1e8, -1.99471137956666e-13, 2.9920670469094864e-21),
        (special.i1e, -1e8, -1.99471137956666e-13, -2.9920670469094864e-21),
        (lambda x: special.ive(2.5, x), 1e8, -1.9947112224831402e-13, 2.99206665420069e-21),
        (special.k0e, 1e4, -6.266335712204455e-07, 9.399268615958125e-11),
        (special.k0e, 1e8, -6.266570663077861e-13, 9.399855971117152e-21),
        (special.k1e, 1e4, -6.267275639066051e-07, 9.401618374378432e-11),
        (special.k1e, 1e8, -6.266570757076421e-13, 9.39985620611355e-21),
        (lambda x: special.kve(2.5, x), 1e8, -6.266571250568873e-13, 9.399857439844689e-21),
    ],
)
def test_scaled_bessel_functions_keep_their_digits_far_out(function, x, first, second):
    found = derivatives(function, x)
    np.testing.assert_allclose(found, [[first], [second]], rtol=1e-13)


@pytest.mark.parametrize("x", [1e10, 1e16])
def test_they_have_derivatives_where_scipy_knows_no_neighbours(x):
    """All fall like the root of x there."""
    assert np.isnan(special.ive(2, x))
    for function in (special.i0e, special.i1e, special.k0e, special.k1e):
        z = function(x)
        expected = [[-z / (2 * x)], [3 * z / (4 * x**2)]]
        np.testing.assert_allclose(derivatives(function, x), expected, rtol=1e-9)


@pytest.mark.parametrize("order", [0.0, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("function", [special.ive, special.kve])
def test_the_series_of_scaled_bessel_functions_joins_the_difference_of_neighbours(function, order):
    seam = 100 + 5 * order**2
    sides = np.nextafter(seam, 0), np.nextafter(seam, 1e9)
    below, above = (derivatives(lambda t: function(order, t), x) for x in sides)
    np.testing.assert_allclose(below[0], above[0], rtol=1e-11)
    np.testing.assert_allclose(below[1], above[1], rtol=1e-8)


@pytest.mark.parametrize(
    ("order", "first", "second"),
    [
        (1, 0.003647095923438113, -0.0070967073911651565),
        (1.5, 0.009591446079058635, -0.002440069088736845),
    ],
)
def test_struve_keeps_its_digits_far_out(order, first, second):
    found = derivatives(lambda x: special.struve(order, x), 1e4)
    np.testing.assert_allclose(found, [[first], [second]], rtol=1e-9)


@pytest.mark.parametrize("function", [special.struve, special.modstruve])
def test_struve_of_order_0_has_a_second_derivative_at_0(function):
    assert derivatives(lambda x: function(0, x), 0.0) == ([2 / np.pi], [0.0])


# The densities x**(a-1) of whole a have finite slopes at the ends.
@pytest.mark.parametrize(
    ("function", "x", "first", "second"),
    [
        (lambda x: special.gammainc(1.0, x), 0.0, 1.0, -1.0),
        (lambda x: special.gammainc(2.0, x), 0.0, 0.0, 1.0),
        (lambda x: special.gammainc(2.5, x), 0.0, 0.0, 0.0),
        (lambda x: special.gammainc(200.0, x), 0.0, 0.0, 0.0),
        (lambda x: special.gammaincc(2.0, x), 0.0, 0.0, -1.0),
        (lambda x: special.gammaincc(0.5, x), 0.0, -np.inf, np.inf),
        (lambda x: special.chdtr(4.0, x), 0.0, 0.0, 0.25),
        (lambda x: special.pdtr(1.0, x), 0.0, 0.0, -1.0),
        (lambda x: special.betainc(2.0, 3.0, x), 0.0, 0.0, 12.0),
        (lambda x: special.betainc(1.0, 2.0, x), 1.0, 0.0, -2.0),
        (lambda x: special.betaincc(2.0, 3.0, x), 1.0, 0.0, 0.0),
        (lambda x: special.fdtr(4.0, 4.0, x), 0.0, 0.0, 6.0),
        (lambda x: special.fdtr(4.0, 4.0, x), 1e8, 5.99999976e-24, -1.799999904e-31),
        (lambda x: special.expn(4, x), 0.0, -0.5, 1.0),
    ],
)
def test_distributions_have_both_derivatives_at_the_ends(function, x, first, second):
    with np.errstate(divide="ignore"):
        found = derivatives(function, x)
    np.testing.assert_allclose(found, [[first], [second]], rtol=1e-13)


@pytest.mark.parametrize(
    ("shape", "first", "second"),
    [
        (0.5, [0.0, np.inf], None),
        (1.0, [0.0, 2.0], [0.0, 1.0, 1.0, -4.0]),
        (2.0, [0.0, 0.0], [0.0, 0.0, 0.0, 4.0]),
        (2.5, [0.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_the_gamma_distribution_at_0_does_not_depend_on_its_rate(shape, first, second):
    with np.errstate(divide="ignore", invalid="ignore"):
        found = derivatives(lambda a, x: special.gdtr(a, shape, x), 2.0, 0.0)
    assert found[0] == first
    assert second is None or found[1] == pytest.approx(second, rel=1e-14)


@pytest.mark.parametrize(
    ("function", "values", "first", "second"),
    [
        (
            special.beta,
            (1e8, 2.0),
            [-1.9999999700000002e-24, -1.7997896243874938e-15],
            [
                5.999999880000002e-32,
                3.499579233277091e-23,
                3.499579233277091e-23,
                3.24569206494929e-14,
            ],
        ),
        (special.beta, (1e-8, 1.0), [-1e16, -1.6449340548276574], None),
        (
            special.betaln,
            (1e8, 0.5),
            [-5.0000000125e-09, -20.384190769973788],
            [5.000000025e-17, -1e-08, -1e-08, 4.934802190544679],
        ),
        (
            special.poch,
            (1e8, 2.0),
            [200000001.0, 1.8420680943159174e17],
            [2.0, 3784136169.711154, 3784136169.711154, 3.393214830264527e18],
        ),
        (
            special.poch,
            (-1.0, 0.5),
            [3.544907701811032, 0.0],
            [-2.738755711800145, 0.12935358979554004, 0.12935358979554004, 0.0],
        ),
        (lambda x: special.poch(x, -1.0), (1e-8,), [-1.0000000200000003], [-2.0000000600000014]),
        (lambda x: special.poch(x, 3.0), (-3.0,), [11.0], [-12.0]),
        (lambda x: special.poch(x, 3.0), (-1.0,), [-1.0], [0.0]),
        (
            special.binom,
            (1e8, 2.0),
            [99999999.5, 8.748948109437467e16],
            [1.0, 1799789630.8864417, 1799789630.8864417, 1.528907205376913e18],
        ),
        (lambda x: special.binom(x, 2.0), (1e-8,), [-0.49999999], [1.0]),
        (special.binom, (2.0, 3.0), [1 / 3, -1 / 3], [1.0, -10 / 9, -10 / 9, 11 / 9]),
        (
            special.binom,
            (5.0, 7.0),
            [-1 / 42, 1 / 42],
            [-0.06111111111111111, 0.06848072562358276, 0.06848072562358276, -0.07585034013605442],
        ),
        (special.binom, (0.5, -1.0), [0.0, 2 / 3], [0.0, -4 / 9, -4 / 9, 1.707163074062368]),
        (
            special.binom,
            (200.0, -1.0),
            [0.0, 1 / 201],
            [0.0, -2.475186257765897e-05, -2.475186257765897e-05, 0.05853737385571695],
        ),
    ],
)
def test_quotients_of_gamma_functions_at_their_zeros_and_far_out(function, values, first, second):
    found = derivatives(function, *values)
    np.testing.assert_allclose(found[0], first, rtol=1e-11, atol=0)
    if second is not None:
        noise = 1e-15 * np.max(np.abs([*first, *second]))
        np.testing.assert_allclose(found[1], second, rtol=1e-9, atol=noise)


@pytest.mark.parametrize("y", [0.25, 0.5])
@pytest.mark.parametrize("x", [-3.7, -1e-3, 0.6, 14.9, 15.1, 300.0])
def test_the_derivative_of_betaln_is_the_difference_of_digammas(x, y):
    expected = [special.psi(t) - special.psi(x + y) for t in (x, y)]
    found, _ = derivatives(special.betaln, x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


def test_psi_far_below_0_is_quick_and_right():
    begun = time.process_time()
    found = derivatives(special.psi, -1e8 + 0.25)
    assert time.process_time() - begun < 0.5  # it took seconds
    np.testing.assert_allclose(found, [[19.73920879217872], [-124.02510672119928]], rtol=1e-14)


def test_the_inverse_of_boxcox_keeps_the_digits_of_small_numbers():
    first, second = derivatives(special.inv_boxcox, 1e-6, 1e-6)
    np.testing.assert_allclose(first, [1.0000009999995, -5.000004999995833e-13], rtol=1e-14)
    assert second[3] == pytest.approx(6.666675833324166e-19, rel=1e-9)
    first, second = derivatives(special.inv_boxcox, 0.3, 1e-6)
    assert first[1] == pytest.approx(-0.060743619310007414, rel=1e-14)
    assert second[3] == pytest.approx(0.027030902817772314, rel=1e-12)
