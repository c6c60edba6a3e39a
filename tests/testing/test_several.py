from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.testing import complex_step, numerical_gradients

X, Y = np.array([[0.5, -1.0, 2.0], [0.3, 0.1, -0.7]]), np.array([1.5, 0.2, -0.4])


def f(x, y):
    return np.sum(np.exp(x) * np.sin(y)) + np.sum(x[0] * y)


EXACT = [
    np.exp(X) * np.sin(Y) + np.array([1.0, 0.0])[:, None] * Y,
    np.sum(np.exp(X), axis=0) * np.cos(Y) + X[0],
]


def test_differences_know_their_error():
    gradients, errors = numerical_gradients(f, [X, Y])
    for found, error, exact in zip(gradients, errors, EXACT, strict=True):
        assert found.shape == error.shape == exact.shape
        assert np.all(np.abs(found - exact) <= error)
        assert np.max(error) < 1e-9


def test_the_complex_step_is_exact_to_rounding():
    for found, exact in zip(complex_step(f, [X, Y]), EXACT, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-14)


@pytest.mark.parametrize("differentiate", [complex_step, lambda *a: numerical_gradients(*a)[0]])
def test_scalars_empty_arrays_and_inputs_as_they_were(differentiate):
    x, empty, number = np.array([1.0, 2.0]), np.zeros((0, 2)), 3.0
    before = x.copy()
    found = differentiate(lambda x, e, n: np.sum(x) * n + np.sum(e), [x, empty, number])
    assert [g.shape for g in found] == [(2,), (0, 2), ()]
    np.testing.assert_allclose(found[0], [3, 3])
    np.testing.assert_allclose(found[2], 3)
    np.testing.assert_array_equal(x, before)
