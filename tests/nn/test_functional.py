"""What `nn.functional` computes, and what it accepts."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import functional

X = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
LABELS = np.array([2, 0])
ONE_HOT = np.eye(3)[LABELS]
ACTIVATIONS = ("relu", "sigmoid", "tanh", "softsign", "softplus", "log_sigmoid", "gelu", "silu")
ACTIVATIONS += ("leaky_relu", "elu", "softmax", "log_softmax", "logsumexp")
ELEMENTWISE = {
    "mse_loss": functional.mse_loss,
    "l1_loss": functional.l1_loss,
    "huber_loss": functional.huber_loss,
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
}


def test_every_function_is_listed():
    listed = set(functional.__all__)
    found = {name: value for name, value in vars(functional).items() if callable(value)}
    assert listed <= set(found)
    ours = {n for n, value in found.items() if value.__module__.startswith("tinygrad_bp.nn.")}
    assert ours <= listed


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_take_arrays_lists_and_tensors_alike(name):
    function = getattr(functional, name)
    expected = function(tg.Tensor(X)).data
    np.testing.assert_array_equal(function(X).data, expected)
    np.testing.assert_array_equal(function(X.tolist()).data, expected)


def test_linear_multiplies_by_the_transposed_weight():
    weight, bias = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0])
    np.testing.assert_array_equal(functional.linear(X, weight, bias).data, X @ weight.T + bias)
    np.testing.assert_array_equal(functional.linear(X, weight).data, X @ weight.T)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_reductions_of_one_loss_agree(name):
    loss, y = ELEMENTWISE[name], ONE_HOT
    each = loss(X, y, reduction="none").data
    assert each.shape == X.shape
    assert loss(X, y, reduction="sum").item() == pytest.approx(each.sum(), rel=1e-14)
    assert loss(X, y).item() == pytest.approx(each.mean(), rel=1e-14)


@pytest.mark.parametrize("labels", [LABELS, ONE_HOT, ONE_HOT.astype(int), ONE_HOT.astype(bool)])
def test_cross_entropy_takes_integer_and_one_hot_labels_and_reduces_over_samples(labels):
    each = -np.log((np.exp(X) / np.exp(X).sum(1, keepdims=True))[[0, 1], LABELS])
    none = functional.cross_entropy(X, labels, reduction="none").data
    np.testing.assert_allclose(none, each, rtol=1e-14)
    assert functional.cross_entropy(X, labels).item() == pytest.approx(each.mean(), rel=1e-14)
    total = functional.cross_entropy(X, labels, reduction="sum").item()
    assert total == pytest.approx(each.sum(), rel=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradients_of_all_reductions_of_binary_cross_entropy_agree_at_zero(reduction):
    x = tg.Tensor(np.zeros(4), requires_grad=True)
    y = np.array([0.0, 1.0, 0.25, 0.5])
    functional.binary_cross_entropy_with_logits(x, y, reduction=reduction).sum().backward()
    factor = 0.25 if reduction == "mean" else 1.0
    np.testing.assert_allclose(x.grad.data, factor * (0.5 - y), rtol=1e-15)


def test_half_squared_error_has_the_difference_as_gradient():
    x = tg.Tensor(X, requires_grad=True)
    loss = functional.half_squared_error(x, ONE_HOT)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * ((X - ONE_HOT) ** 2).sum(), rel=1e-15)
    np.testing.assert_allclose(x.grad.data, X - ONE_HOT, rtol=1e-15)


@pytest.mark.parametrize("target", [ONE_HOT.astype(int), ONE_HOT.astype(bool), ONE_HOT.tolist()])
def test_float32_predictions_with_integer_targets_stay_float32(target):
    target = np.asarray(target, int)
    for loss in (*ELEMENTWISE.values(), functional.half_squared_error, functional.cross_entropy):
        assert loss(X.astype(np.float32), target).dtype == np.float32


def test_targets_are_constants_unless_they_require_a_gradient():
    x, y = tg.Tensor(X, requires_grad=True), tg.Tensor(ONE_HOT * 0.8 + 0.1)
    functional.mse_loss(x, y).backward()
    assert y.grad is None
    y.requires_grad_()
    functional.mse_loss(x, y).backward()
    np.testing.assert_allclose(y.grad.data, -2 * (X - y.data) / X.size, rtol=1e-14)


def test_dropout_keeps_the_mean_and_drops_the_share():
    rng = np.random.default_rng(0)
    x = tg.Tensor(np.ones((100, 100), np.float32), requires_grad=True)
    y = functional.dropout(x, 0.3, True, rng)
    assert y.dtype == np.float32
    dropped = (y.data == 0).mean()
    assert 0.28 < dropped < 0.32
    np.testing.assert_allclose(y.data[y.data != 0], 1 / 0.7, rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_dropout_outside_of_training_is_the_identity():
    x = tg.Tensor(X)
    assert functional.dropout(x, 0.5, training=False) is x
    assert functional.dropout(x, 0.0, True) is x


def test_dropout_is_reproducible_from_its_generator():
    one, two = (functional.dropout(X, 0.5, True, np.random.default_rng(3)).data for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_dropout_needs_a_generator_and_a_probability():
    with pytest.raises(ArgumentError, match="has no generator.\nFix: generator=numpy.random"):
        functional.dropout(X, 0.5, True)
    for p in (-0.1, 1.5, 2):
        with pytest.raises(ArgumentError, match=rf"probability p is {p}"):
            functional.dropout(X, p, True, np.random.default_rng(0))


def test_an_error_names_the_module_at_work():
    layer = tg.nn.Dropout(0.5, generator=0)
    layer.generator = None
    with pytest.raises(ArgumentError, match="dropout in Dropout at .* has no generator"):
        layer(X)
