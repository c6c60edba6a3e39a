"""Gradients written by hand in plain NumPy, and what is said of those that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp.errors import ArgumentError, GradientError, ShapeError
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)), RNG.integers(0, 2, 12)
THETA = RNG.normal(size=3)
A, B = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))


def loss(theta, bias, x, y):
    """Logistic regression with a penalty."""
    p = 1 / (1 + np.exp(-(x @ theta + bias)))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.35 * np.sum(theta**2)


def dloss(theta, bias, x, y):
    p = 1 / (1 + np.exp(-(x @ theta + bias)))
    return x.T @ (p - y) / len(y) + 0.7 * theta, np.mean(p - y)


def failure(f, *args, gradient, **kwargs):
    with pytest.raises(GradientError) as caught:
        check_gradients(f, *args, gradient=gradient, **kwargs)
    assert len(str(caught.value).splitlines()) <= 5
    assert caught.value.check.blamed == []
    return caught.value.check


def changed(change):
    def gradient(*args):
        first, second = dloss(*args)
        return change(first, *args), second

    return gradient


def test_a_right_one_passes():
    check = check_gradients(loss, THETA, 0.3, X, Y, gradient=dloss, argnums=(0, 1))
    assert check.elements == 4
    assert check.difference < 1e-9
    assert check.by == "your gradient"
    assert str(check).startswith("4 derivatives agree")
    np.testing.assert_array_equal(X, np.array(X))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda g, *a: 2 * g, "Cause: it is twice too large."),
        (lambda g, *a: g / 2, "a factor 2 is missing"),
        (lambda g, *a: -g, "the sign is turned"),
        (lambda g, *a: 1.37 * g, "it is 1.37 times what it should be"),
        (
            lambda g, *a: 12 * g,
            "it is not divided by 12, the length of axis 0 of argument 2.",
        ),
        (
            lambda g, *a: g / 3,
            "it is divided by 3, the length of axis 0 of argument 0, once too often",
        ),
        (lambda g, *a: g * [1, 0, 1], "the gradient is 0 where there should be one at the index"),
        (lambda g, *a: g * 0, "there is no gradient at all where there should be one"),
        (lambda g, *a: g * [1, 1, 1.01], "it is wrong at the index (2,) alone"),
        (lambda g, *a: g[::-1], "reversed along axis 0"),
        (lambda g, *a: np.roll(g, 1), "shifted by 1 along axis 0"),
        (lambda g, *a: g + 0.01, "a term is too much: the same 0.01 everywhere"),
        (
            lambda g, theta, *a: g - 0.7 * theta,
            "missing: 0.7 times the argument itself, as of a pen",
        ),
        (lambda g, theta, *a: g + 0.7 * theta, "too much: 0.7 times the argument itself, as of a"),
        (lambda g, theta, *a: 0.7 * theta, "all terms are missing but 0.7 times the argument"),
        (
            lambda g, theta, *a: 12 * (g - 0.7 * theta) + 0.7 * theta,
            "not divided by 12, the length of axis 0 of argument 2, but for the term 0.7 times",
        ),
        (
            lambda g, theta, *a: 1.4 * theta - g,
            "the sign is turned, but for the term 0.7 times the argument itself",
        ),
        (lambda g, *a: g / 7, "it is 1/7 of what it should be"),
        (lambda g, *a: g * 1.000001, "it is 1.000001 times what it should be"),
        (lambda g, *a: g * [1, np.nan, 1], "not finite where the derivative is at the index (1,)"),
        (lambda g, *a: np.full(3, g.sum()), "summed over axis 0"),
        (lambda g, *a: np.full(3, g.mean()), "the mean over axis 0"),
    ],
)
def test_a_wrong_one_has_its_cause_told(change, cause):
    check = failure(loss, THETA, 0.3, X, Y, gradient=changed(change), argnums=(0, 1))
    assert cause in str(check)
    assert "your gradient gives" in str(check)
    assert check.arguments[1].passed


def test_an_argument_that_is_left_out_is_named():
    def without_bias(theta, bias, x, y):
        return dloss(theta, 0.0, x, y)

    check = failure(loss, THETA, 0.3, X, Y, gradient=without_bias, argnums=(0, 1))
    assert "does not change with argument 1, and the derivative does: a term with" in str(check)

    def penalty(theta, weight):
        return weight * np.sum(np.abs(theta)) + np.sum(theta**3)

    theta = np.array([0.5, -1.0, 2.0])
    check = failure(penalty, theta, 0.2, gradient=lambda t, w: 3 * t**2, argnums=0)
    sign = "0.2 times the sign of the argument, as of a penalty of 0.2 times the sum of its sizes"
    assert check.causes[0] == f"a term is missing: {sign}"
    assert "your gradient does not change with argument 1" in check.causes[1]

    check = failure(lambda t: np.sum(t**3), THETA, gradient=lambda t: np.ones(3))
    assert "your gradient does not change with argument 0, and the" in str(check)


def test_a_multiple_of_another_argument_that_is_missing_is_named():
    def f(a, b):
        return np.sum(a**3 + 0.5 * a * b)

    check = failure(f, A, B, gradient=lambda a, b: 3 * a**2, argnums=0)
    assert check.causes[0] == "a term is missing: 0.5 times argument 1"


@pytest.mark.parametrize(
    ("gradient", "cause"),
    [
        (lambda a, b: np.outer(np.ones(3), b.sum(axis=1)), "the transpose of what it should be"),
        (lambda a, b: a.T * 0 + b.sum(axis=1)[:, None], None),
    ],
)
def test_a_transpose_is_told(gradient, cause):
    def f(a, b):
        return np.sum(a.T @ b)

    if cause is None:
        assert check_gradients(f, A, B, gradient=gradient, argnums=0).passed
    else:
        assert cause in str(failure(f, A, B, gradient=gradient, argnums=0))


def test_a_wrong_row_is_told_and_where_arguments_are_negative():
    def f(x):
        return np.sum(x**2 * (x > 0) + x**4)

    def right(x):
        return 2 * x * (x > 0) + 4 * x**3

    x = RNG.normal(size=(5, 4))
    row = np.ones((5, 1))
    row[3] = 1.5
    mixed = row + np.arange(4) * (row > 1)
    assert "at index 3 of axis 0 alone" in str(failure(f, x, gradient=lambda x: right(x) * mixed))
    negative = failure(f, x, gradient=lambda x: np.where(x < 0, 4 * x**3 + 0.1 * x**2, right(x)))
    assert "where the argument is negative" in str(negative)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda g, x: np.ones((12, 3)), "shape (12, 3), not (3,): a broadcast was not undone, so"),
        (lambda g, x: np.sum(g), "shape (), not (3,): it was summed or reduced too far"),
        (lambda g, x: g * 1j, "dtype complex128"),
    ],
)
def test_a_shape_or_dtype_that_does_not_fit_is_of_dtype(wrong, words):
    gradient = changed(lambda g, theta, bias, x, y: wrong(g, x))
    check = failure(loss, THETA, 0.3, X, Y, gradient=gradient, argnums=(0, 1))
    assert {str(v) for v in check.arguments[0].verdicts} == {"DTYPE"}
    assert words in str(check)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.astype(np.float64), "in float32 the gradient of argument 0 is float64 (3,)"),
        (lambda g: g * (2 if g.dtype == np.float32 else 1), "run in float32, the gradient of"),
    ],
)
def test_a_gradient_that_is_another_in_float32_is_told_where_that_is_asked(change, words):
    def f(x, y, scale):
        return scale * np.sum(x * x * y)

    def right(x, y, scale):
        return 2 * scale * x * y, scale * x * x

    def wrong(*args):
        first, second = right(*args)
        return change(first), second

    arguments = (THETA, B[0], 0.5)
    assert check_gradients(f, *arguments, gradient=wrong, argnums=(0, 1)).passed
    assert check_gradients(f, *arguments, gradient=right, argnums=(0, 1), float32=True).passed
    check = failure(f, *arguments, gradient=wrong, argnums=(0, 1), float32=True)
    assert words in str(check)
    assert check.arguments[1].passed


def test_a_transposed_shape_is_told():
    check = failure(lambda w: np.sum(w * w), np.ones((2, 5)), gradient=lambda w: 2 * w.T)
    assert "has shape (5, 2), not (2, 5): it is transposed" in str(check)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ArgumentError, match=r"returned 2 arrays for 3 real arguments"):
        check_gradients(loss, THETA, 0.3, X, Y, gradient=dloss)
    with pytest.raises(ShapeError, match=r"one number, but f returned shape \(3,\)"):
        check_gradients(lambda x: x, THETA, gradient=lambda x: x)
    with pytest.raises(ArgumentError, match="at order 1, not 2"):
        check_gradients(loss, THETA, 0.3, X, Y, gradient=dloss, argnums=(0, 1), order=2)


def test_a_function_that_draws_numbers_is_nondeterministic():
    check = failure(lambda x: RNG.normal() * x.sum(), THETA, gradient=lambda x: x)
    assert {str(v) for v in check.arguments[0].verdicts} == {"NONDETERMINISTIC"}


def test_the_function_may_write_into_what_it_gets():
    def careless(x):
        x *= x
        return x.sum()

    x = np.array([1.0, 2.0])
    assert check_gradients(careless, x, gradient=lambda x: 2 * x).passed
    np.testing.assert_array_equal(x, [1.0, 2.0])
