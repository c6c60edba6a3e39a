from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_bp.errors import ShapeError
from tinygrad_bp.testing import numerical_gradient, numerical_jacobian, numerical_vjp

SMOOTH = {
    "sine": (np.sin, np.cos),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "exponential": (lambda x: np.exp(3 * x), lambda x: 3 * np.exp(3 * x)),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
}


def softmax_loss(x):
    shifted = x - x.max()
    return np.log(np.exp(shifted).sum()) - shifted[0]


def softmax_loss_gradient(x):
    p = np.exp(x - x.max())
    p /= p.sum()
    p[0] -= 1
    return p


@pytest.mark.parametrize("name", SMOOTH)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_the_error_bar_holds_the_true_derivative(name, seed, scale):
    function, derivative = SMOOTH[name]
    x = np.random.default_rng(seed).normal(size=7) * scale
    gradient, error = numerical_gradient(lambda x: np.sum(function(x)), x)
    assert np.all(np.abs(gradient - derivative(x)) <= error)


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([5, 200]))
def test_the_error_bar_knows_of_cancellation_inside_the_function(seed, size):
    x = np.random.default_rng(seed).normal(size=size)
    gradient, error = numerical_gradient(
        lambda x: np.sum(1e3 * np.sin(x)) - np.sum(999 * np.sin(x)), x
    )
    assert np.all(np.abs(gradient - np.cos(x)) <= error)
    assert np.max(error) < 1e-6


def test_a_softmax_loss_is_differentiated_to_eleven_digits():
    x = np.random.default_rng(0).normal(size=10)
    gradient, error = numerical_gradient(softmax_loss, x)
    np.testing.assert_allclose(gradient, softmax_loss_gradient(x), rtol=0, atol=2e-12)
    assert np.max(error) < 1e-11


def test_steps_grow_with_the_size_of_an_element():
    x = np.array([1e6, -1e-6])
    gradient, error = numerical_gradient(lambda x: np.sum(x**2), x)
    assert abs(gradient[0] - 2e6) <= error[0] < 1
    assert abs(gradient[1] + 2e-6) <= error[1]


def test_a_given_step_is_taken():
    seen = set()
    numerical_gradient(lambda x: seen.add(float(x[0])) or 0.0, [0.0], step=0.25)
    assert {0.25, 0.5, 1.0, -0.25, -0.5, -1.0} <= seen


def test_a_kink_within_the_step_shows_in_the_error_bar():
    gradient, error = numerical_gradient(lambda x: np.sum(np.abs(x)), [1e-3])
    assert abs(gradient[0] - 1.0) <= error[0]
    assert error[0] > 1e-2


def test_a_step_out_of_the_domain_is_an_infinite_error_without_a_warning():
    gradient, error = numerical_gradient(lambda x: np.sum(np.log(x)), [1e-4, 1.0])
    assert np.isinf(error[0])
    assert abs(gradient[1] - 1.0) <= error[1] < 1e-10


def test_a_function_in_float32_has_the_wide_error_bar_of_float32():
    x = np.linspace(0.1, 1.0, 5)
    gradient, error = numerical_gradient(lambda x: np.sum(np.sin(x.astype(np.float32))), x)
    assert np.all(np.abs(gradient - np.cos(x)) <= error)
    assert np.min(error) > 1e-5


def test_the_function_gets_copies_and_the_point_stays():
    x = np.array([[1.0, 2.0]])
    kept = []

    def keeps_and_writes(values):
        kept.append(values)
        result = values.sum()
        values += 100
        return result

    gradient, _ = numerical_gradient(keeps_and_writes, x)
    np.testing.assert_array_equal(x, [[1.0, 2.0]])
    np.testing.assert_allclose(gradient, [[1.0, 1.0]], atol=1e-10)
    assert len({id(k) for k in kept}) == len(kept)


@pytest.mark.parametrize("x", [np.array(2.0), np.zeros((0, 3)), np.ones((2, 3, 1)).T[:, ::2]])
def test_any_shape_is_kept(x):
    gradient, error = numerical_gradient(lambda x: np.sum(x * x), x)
    assert gradient.shape == error.shape == x.shape
    np.testing.assert_allclose(gradient, 2 * x, atol=1e-9)


def test_integers_are_differentiated_as_float64():
    gradient, _ = numerical_gradient(lambda x: x.prod(), [2, 3])
    np.testing.assert_allclose(gradient, [3.0, 2.0], atol=1e-9)


def test_only_the_elements_asked_for_are_known():
    gradient, error = numerical_gradient(np.sum, np.zeros((2, 2)), elements=[1, 2])
    np.testing.assert_array_equal(np.isfinite(error), [[False, True], [True, False]])
    np.testing.assert_allclose(gradient.ravel()[[1, 2]], 1.0)


def test_a_function_of_several_numbers_is_refused():
    with pytest.raises(ShapeError, match=r"(?s)one number, not of shape \(3,\).*Fix: reduce it"):
        numerical_gradient(lambda x: x, np.zeros(3))


def test_the_jacobian_and_the_vector_jacobian_product_agree():
    a = np.random.default_rng(0).normal(size=(2, 3))
    x, cotangent = np.ones((3, 2)), np.arange(4.0).reshape(2, 2)
    jacobian, error = numerical_jacobian(lambda x: a @ x, x)
    assert jacobian.shape == error.shape == (2, 2, 3, 2)
    np.testing.assert_allclose(jacobian, np.einsum("ij,kl->ikjl", a, np.eye(2)), atol=1e-11, rtol=0)
    product, _ = numerical_vjp(lambda x: a @ x, x, cotangent)
    np.testing.assert_allclose(product, a.T @ cotangent, atol=1e-10)


def test_the_module_shares_no_code_with_the_engine():
    import tinygrad_bp.testing.numerical as module

    code = (
        "import sys, types, pathlib\n"
        "package = types.ModuleType('tinygrad_bp')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "testing = types.ModuleType('tinygrad_bp.testing')\n"
        "testing.__path__ = [sys.argv[1] + '/testing']\n"
        "sys.modules.update({'tinygrad_bp': package, 'tinygrad_bp.testing': testing})\n"
        "import tinygrad_bp.testing.numerical\n"
        "print(sorted(m for m in sys.modules if m.startswith('tinygrad_bp.')))\n"
    )
    folder = module.__file__.rsplit("/", 2)[0]
    result = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    own = ["tinygrad_bp.testing.arguments", "tinygrad_bp.testing.numerical"]
    expected = ["tinygrad_bp.errors", "tinygrad_bp.testing", *own]
    assert result.stdout.strip() == str(expected)
