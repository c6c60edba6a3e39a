"""`scipy.special`: singular points, far out, refusals, and how the rules come to be loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate, special

import tinygrad_bp as tg
from tinygrad_bp.core.registry import FUNCTIONS, LATE
from tinygrad_bp.errors import ConversionError, OperationError
from tinygrad_bp.ops.special import load

load()


def slope(function, *values, dtype=np.float64):
    leaves = [tg.Tensor(v, requires_grad=True, dtype=dtype) for v in values]
    function(*leaves).sum().backward()
    return [leaf.grad.data for leaf in leaves]


def derivatives(function, value, orders):
    """The derivatives of a function of one number, up to an order."""
    x = tg.Tensor(value, requires_grad=True, dtype=float)
    z = function(x)
    found = [z.item()]
    for _ in range(orders):
        x.grad = None
        z.backward(create_graph=True)
        z = x.grad
        found.append(z.item())
    return found


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_no_scipy_and_loads_no_rule_for_it():
    program = (
        "import sys, tinygrad_bp as tg; tg.ops.special.load();"
        "print('scipy' in sys.modules, [n for n in tg.core.PRIMITIVES if 'special' in n])"
    )
    assert run(program) == "False []"


def test_the_first_ufunc_of_scipy_that_arrives_loads_the_rules():
    assert load in LATE
    program = (
        "import tinygrad_bp as tg; from scipy import special;"
        "x = tg.Tensor(0.0, requires_grad=True); special.expit(x).backward(); print(x.grad.item())"
    )
    assert run(program) == "0.25"


def test_what_a_user_has_registered_for_a_ufunc_stays():
    program = (
        "import tinygrad_bp as tg; from scipy import special;"
        "tg.implements(special.erf)(lambda x: 'mine');"
        "tg.ops.special.load(); print(special.erf(tg.Tensor(0.0)))"
    )
    assert run(program) == "mine"


def test_loading_again_changes_nothing():
    before = dict(FUNCTIONS)
    load()
    assert before == FUNCTIONS


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: special.jv(t, 1.0), r"special.jv: .* argument v, here a tensor 'order' \(2,\)"),
        (lambda t: special.gammainc(t, 1.0), "special.gammainc: .* argument a"),
        (lambda t: special.betainc(1.0, t, 0.5), "special.betainc: .* argument b"),
        (lambda t: special.hyp2f1(1.0, 1.0, t, 0.5), "special.hyp2f1: .* argument c"),
        (lambda t: special.zeta(t, 1.0), "special._zeta: .* argument x .the exponent"),
        (lambda t: special.gdtr(1.0, t, 1.0), "special.gdtr: .* argument b"),
        (lambda t: special.eval_jacobi(1, t, 1.0, 0.5), "special.eval_jacobi: .* argument alpha"),
    ],
)
def test_an_argument_without_a_known_derivative_is_refused_and_not_taken_as_constant(call, words):
    t = tg.Tensor([1.0, 2.0], requires_grad=True, name="order")
    with pytest.raises(OperationError, match=words + r"(.|\n)*Fix: .*detach"):
        call(t)
    call(t.detach())
    with tg.no_grad():
        call(t)


def test_functions_of_python_that_scipy_does_not_dispatch_raise_and_say_so():
    t = tg.Tensor([1.0, 2.0], requires_grad=True)
    for function in (special.logsumexp, special.softmax, special.log_softmax):
        with pytest.raises(ConversionError, match="would become a constant"):
            function(t)
    with pytest.raises(ConversionError):
        special.polygamma(1, t)


def test_ufuncs_without_a_rule_say_how_to_register_one():
    with pytest.raises(OperationError, match="mathieu_a cannot be differentiated"):
        special.mathieu_a(1.0, tg.Tensor([1.0], requires_grad=True))


def test_psi_gives_the_polygamma_functions():
    expected = [special.psi(1.7), *(special.polygamma(n, 1.7) for n in (1, 2, 3))]
    np.testing.assert_allclose(derivatives(special.psi, 1.7, 3), expected, rtol=1e-13)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_reciprocal_of_gamma_has_its_slopes_at_its_zeros(n):
    expected = (-1) ** n * special.factorial(n)
    assert slope(special.rgamma, float(-n))[0] == pytest.approx(expected, rel=1e-12)


def test_the_reciprocal_of_gamma_agrees_with_its_formula_on_both_sides_of_one_half():
    x = np.array([-3.3, -0.2, 0.2, 0.499, 0.5, 0.7, 4.0])
    expected = -special.rgamma(x) * special.psi(x)
    np.testing.assert_allclose(slope(special.rgamma, x)[0], expected, rtol=1e-12)


def test_erfcx_and_dawsn_keep_their_digits_far_out():
    x = np.array([24.9, 25.1, 1e3, 1e8])
    u = 1 / (2 * x**2)
    expected = (
        -2 * u / np.sqrt(np.pi) * (1 - 3 * u + 15 * u**2 - 105 * u**3 + 945 * u**4 - 10395 * u**5)
    )
    np.testing.assert_allclose(slope(special.erfcx, x)[0], expected, rtol=3e-12)
    expected = -u * (1 + 3 * u + 15 * u**2 + 105 * u**3 + 945 * u**4 + 10395 * u**5)
    np.testing.assert_allclose(slope(special.dawsn, x)[0], expected, rtol=3e-12)
    np.testing.assert_allclose(slope(special.dawsn, -x)[0], expected, rtol=3e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_log_ndtr_at_what_is_not_a_number_is_not_one(dtype):
    x = tg.Tensor([np.nan, 0.0], requires_grad=True, dtype=dtype)
    special.log_ndtr(x).sum().backward()
    assert np.isnan(x.grad.data).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_ndtr_is_right_to_second_order_from_end_to_end(dtype):
    x = tg.Tensor([-1e4, -40.0, 0.0, 12.0, 40.0, 1e4], requires_grad=True, dtype=dtype)
    special.log_ndtr(x).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    np.testing.assert_allclose(first.data[:2], [1e4 + 1e-4, 40.0249688], rtol=1e-6)
    assert first.data[2] == pytest.approx(np.sqrt(2 / np.pi), rel=1e-6)
    np.testing.assert_allclose(first.data[3:], 0, atol=1e-30)
    first.sum().backward()
    assert x.grad.dtype == dtype
    np.testing.assert_allclose(x.grad.data[[2, 3, 4, 5]], [-2 / np.pi, 0, 0, 0], atol=1e-6)
    if dtype == np.float64:
        assert x.grad.data[1] == pytest.approx(-1 + 1 / 1600, rel=1e-4)


def test_logistic_functions_keep_their_small_slopes():
    assert slope(special.expit, 40.0)[0] == pytest.approx(np.exp(-40.0), rel=1e-14)
    assert slope(special.log_expit, [-1e4, 1e4])[0].tolist() == [1.0, 0.0]


def test_exprel_is_smooth_through_zero():
    """Its derivatives at 0 are 1 / (n + 1)."""
    np.testing.assert_allclose(derivatives(special.exprel, 0.0, 4), 1 / np.arange(1, 6), rtol=1e-14)


def test_boxcox_at_the_exponent_zero_is_the_logarithm():
    x, y = slope(special.boxcox, 3.0, 0.0)
    assert x == pytest.approx(1 / 3)
    assert y == pytest.approx(np.log(3) ** 2 / 2)


@pytest.mark.parametrize("function", [special.i0e, lambda x: special.ive(0, x)])
def test_scaled_bessel_functions_have_the_slope_zero_at_their_kink(function):
    assert slope(function, 0.0)[0] == 0.0


def test_i1e_is_smooth_at_zero():
    assert slope(special.i1e, 0.0)[0] == 0.5


def test_bessel_functions_are_right_at_zero_to_third_order():
    np.testing.assert_allclose(derivatives(special.j0, 0.0, 3), [1, 0, -0.5, 0], atol=1e-15)
    np.testing.assert_allclose(derivatives(special.j1, 0.0, 3), [0, 0.5, 0, -0.375], atol=1e-15)
    np.testing.assert_allclose(derivatives(special.i0, 0.0, 3), [1, 0, 0.5, 0], atol=1e-15)


def test_xlogy_where_both_are_zero_has_the_gradient_zero_by_convention():
    assert slope(special.xlogy, 0.0, 0.0) == [0.0, 0.0]
    assert slope(special.xlog1py, 0.0, -1.0) == [0.0, 0.0]
    x, y = slope(special.xlogy, 0.0, 2.0)
    assert (x, y) == (np.log(2.0), 0.0)


def test_divergences_of_distributions_with_empty_cells():
    """Cells empty in both cost nothing, and growing q costs 1 in kl_div, which adds q."""
    p, q = np.array([0.0, 0.5]), tg.Tensor([0.0, 0.25], requires_grad=True)
    special.kl_div(p, q).sum().backward()
    np.testing.assert_allclose(q.grad.data, [1.0, -1.0])
    q.grad = None
    special.rel_entr(p, q).sum().backward()
    np.testing.assert_allclose(q.grad.data, [0.0, -2.0])


def test_entropy_is_infinitely_steep_at_zero():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert slope(special.entr, 0.0)[0] == np.inf


def test_huber_at_its_seams():
    for r in (1.0, -1.0, 0.0):
        delta, residual = slope(special.huber, 1.0, r)
        assert (delta, residual) == (0.0, r)


def test_distribution_functions_have_their_densities_as_slopes():
    """Densities integrate to the distribution again."""
    for function, a, b in (
        (lambda t: special.gammainc(2.5, t), 0.5, 3.0),
        (lambda t: special.betainc(2.5, 1.5, t), 0.2, 0.8),
        (lambda t: special.stdtr(3.0, t), -1.0, 2.0),
        (lambda t: special.fdtr(3.0, 4.0, t), 0.5, 2.0),
        (lambda t: special.chdtr(3.0, t), 0.5, 2.0),
    ):
        area, _ = integrate.quad(lambda x, f=function: slope(f, x)[0], a, b, epsabs=1e-12)
        assert area == pytest.approx(function(b) - function(a), rel=1e-10)


def test_the_gamma_density_at_zero():
    assert slope(lambda t: special.gammainc(1.0, t), 0.0)[0] == 1.0
    assert slope(lambda t: special.gammainc(2.0, t), 0.0)[0] == 0.0


def test_results_are_constants_for_signs_and_rounding():
    t = tg.Tensor([-0.5, 1.5], requires_grad=True)
    assert special.gammasgn(t).data.tolist() == [-1.0, 1.0]
    assert not special.round(t).requires_grad


def test_a_ufunc_with_several_results_gives_as_many_tensors():
    x = tg.Tensor([0.5, 1.0], requires_grad=True)
    parts = special.airy(x)
    np.testing.assert_array_equal([part.data for part in parts], special.airy(x.data))
    wronskian = parts[0] * parts[3] - parts[1] * parts[2]
    np.testing.assert_allclose(wronskian.data, 1 / np.pi)
    wronskian.sum().backward()
    np.testing.assert_allclose(x.grad.data, 0, atol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_polynomials_of_low_degree_lose_one_degree_with_each_derivative(n):
    for function in (special.eval_chebyt, special.eval_legendre, special.eval_hermite):
        found = derivatives(lambda t, f=function: f(n, t), 0.3, n)
        assert found[n] != 0
        x = tg.Tensor(0.3, requires_grad=True)
        z = function(n, x)
        for _ in range(n + 1):
            x.grad = None
            z.backward(create_graph=True)
            z = x.grad
        assert z.item() == 0


def test_elliptic_integrals_are_right_at_zero():
    np.testing.assert_allclose(slope(special.ellipk, 0.0)[0], np.pi / 8, rtol=1e-14)
    np.testing.assert_allclose(slope(special.ellipe, 0.0)[0], -np.pi / 8, rtol=1e-14)


def test_the_dilogarithm_is_smooth_at_one():
    """With z = 1 - w it is the sum of w**n / n**2."""
    expected = [0.0, -1.0, 1 / 2, -2 / 3, 6 / 4]
    np.testing.assert_allclose(derivatives(special.spence, 1.0, 4), expected, rtol=1e-13)


def test_powm1_keeps_the_digits_of_small_powers_and_has_the_conventions_of_power():
    x, y = 254.98, -4.616  # x**y is 8e-12, of which -1 takes twelve digits
    by_x, by_y = slope(special.powm1, [x, 0.0, 0.0], [y, 0.0, 2.0])
    np.testing.assert_allclose(by_x, [y * x ** (y - 1), 0.0, 0.0], rtol=1e-14)
    np.testing.assert_allclose(by_y, [x**y * np.log(x), 0.0, 0.0], rtol=1e-14)
