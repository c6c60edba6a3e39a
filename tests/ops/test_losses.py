"""Losses far from zero and against independent formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

import tinygrad_bp as tg
from tinygrad_bp.ops import losses

RNG_SHAPE = (50, 7)


def logits_and_labels(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, RNG_SHAPE).astype(dtype), rng.integers(0, RNG_SHAPE[1], RNG_SHAPE[0])


def gradient(loss, x, *rest):
    leaf = tg.Tensor(x, requires_grad=True)
    value = loss(leaf, *rest)
    value.backward()
    return value.item(), leaf.grad.data


def test_cross_entropy_agrees_with_scikit_learn():
    x, labels = logits_and_labels()
    expected = metrics.log_loss(labels, special.softmax(x, axis=1), labels=range(RNG_SHAPE[1]))
    ours = losses.cross_entropy_labels(x, labels, scale=1 / len(x)).item()
    assert ours == pytest.approx(expected, rel=1e-14)
    one_hot = np.eye(RNG_SHAPE[1])[labels]
    assert losses.cross_entropy(x, one_hot, scale=1 / len(x)).item() == pytest.approx(
        expected, rel=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_cross_entropy_is_softmax_less_one_hot(dtype):
    x, labels = logits_and_labels(dtype=dtype)
    one_hot = np.eye(RNG_SHAPE[1], dtype=dtype)[labels]
    expected = (special.softmax(x.astype(float), axis=1) - one_hot) / len(x)
    for loss, y in ((losses.cross_entropy_labels, labels), (losses.cross_entropy, one_hot)):
        _, g = gradient(lambda x, y, loss=loss: loss(x, y, scale=1 / len(x)), x, y)
        assert g.dtype == dtype
        np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-9)


def test_many_classes_take_the_same_value_as_few():
    x, labels = logits_and_labels()
    padded = np.concatenate([x, np.full((len(x), 200), -1e4)], axis=1)
    few, g_few = gradient(lambda x: losses.cross_entropy_labels(x, labels, scale=1.0), x)
    many, g_many = gradient(lambda x: losses.cross_entropy_labels(x, labels, scale=1.0), padded)
    assert few == pytest.approx(many, rel=1e-14)
    np.testing.assert_allclose(g_many[:, : x.shape[1]], g_few, rtol=1e-12, atol=1e-15)
    assert not g_many[:, x.shape[1] :].any()


def test_labels_may_be_an_integer_tensor_of_any_width():
    x, labels = logits_and_labels()
    expected = gradient(lambda x: losses.cross_entropy_labels(x, labels, scale=1.0), x)
    for kind in (np.uint8, np.int32):
        y = tg.Tensor(labels.astype(kind))
        leaf = tg.Tensor(x, requires_grad=True)
        value = losses.cross_entropy_labels(leaf, y, scale=1.0)
        value.backward(create_graph=True)
        assert value.item() == expected[0]
        np.testing.assert_allclose(leaf.grad.data, expected[1], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_and_both_derivatives_are_finite_far_from_zero(dtype):
    x = np.array([[-1e4, 1e4], [1e4, -1e4], [1e4, 1e4]], dtype)
    y = np.array([[1, 0], [1, 0], [0, 1]], dtype)
    labels = y.argmax(axis=1)
    calls = {
        "squared_error": lambda x: losses.squared_error(x, y, scale=0.5),
        "absolute_error": lambda x: losses.absolute_error(x, y, scale=0.5),
        "huber": lambda x: losses.huber(x, y, delta=1.0, scale=0.5),
        "cross_entropy": lambda x: losses.cross_entropy(x, y, scale=0.5),
        "cross_entropy_labels": lambda x: losses.cross_entropy_labels(x, labels, scale=0.5),
        "binary_cross_entropy": lambda x: losses.binary_cross_entropy(x, y, scale=0.5),
    }
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for name, call in calls.items():
            leaf = tg.Tensor(x, requires_grad=True)
            value = call(leaf)
            value.backward(create_graph=True)
            first, leaf.grad = leaf.grad, None
            assert value.dtype == first.dtype == dtype, name
            assert np.isfinite(value.data), name
            assert np.isfinite(first.data).all(), name
            if first.requires_grad:  # that of the absolute error is constant
                (first * first).sum().backward()
                assert np.isfinite(leaf.grad.data).all(), name


def test_cross_entropy_of_a_hopeless_sample_is_the_distance_of_its_logits():
    x = np.array([[-1e4, 1e4]])
    assert losses.cross_entropy_labels(x, np.array([0]), scale=1.0).item() == 2e4
    assert losses.cross_entropy(x, np.array([[1.0, 0.0]]), scale=1.0).item() == 2e4


def test_binary_cross_entropy_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 3, 60), rng.integers(0, 2, 60)
    expected = metrics.log_loss(y, special.expit(x))
    ours = losses.binary_cross_entropy(x, y.astype(float), scale=1 / 60).item()
    assert ours == pytest.approx(expected, rel=1e-13)


def test_binary_cross_entropy_keeps_the_digits_of_a_certain_and_right_answer():
    for x, y in ((60.0, 1.0), (-60.0, 0.0)):
        value = losses.binary_cross_entropy(np.array([x]), np.array([y]), scale=1.0).item()
        assert value == pytest.approx(np.exp(-60), rel=1e-14, abs=0)


def test_gradient_of_binary_cross_entropy_is_sigmoid_less_target():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 300, 60), rng.uniform(0, 1, 60)
    _, g = gradient(lambda x: losses.binary_cross_entropy(x, y, scale=1.0), x)
    np.testing.assert_allclose(g, special.expit(x) - y, rtol=1e-13, atol=1e-300)


def test_huber_agrees_with_scipy_on_both_sides_of_delta():
    d = np.linspace(-3, 3, 61)
    for delta in (0.5, 1.0, 2.0):
        ours, g = gradient(
            lambda x, delta=delta: losses.huber(x, np.zeros(61), delta=delta, scale=1.0), d
        )
        assert ours == pytest.approx(special.huber(delta, d).sum(), rel=1e-14)
        np.testing.assert_allclose(g, np.clip(d, -delta, delta), atol=1e-15)


def test_derivative_of_the_absolute_error_is_zero_where_it_is_zero():
    x = np.array([-1.0, 0.0, 2.0])
    _, g = gradient(lambda x: losses.absolute_error(x, np.zeros(3), scale=1.0), x)
    assert g.tolist() == [-1, 0, 1]


def test_targets_that_require_a_gradient_get_one():
    x, labels = logits_and_labels()
    y = tg.Tensor(np.eye(RNG_SHAPE[1])[labels], requires_grad=True)
    losses.cross_entropy(x, y, scale=1.0).backward()
    np.testing.assert_allclose(y.grad.data, -special.log_softmax(x, axis=1), rtol=1e-13)
