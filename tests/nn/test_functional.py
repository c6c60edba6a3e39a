"""What `nn.functional` accepts, what it refuses, and what it then says."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
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
    assert {
        name
        for name, value in vars(functional).items()
        if callable(value)
        and value.__module__ in ("tinygrad_bp.nn.functional", "tinygrad_bp.nn.loss_functions")
    } == set(functional.__all__)


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


# ---------------------------------------------------------------- reductions and values


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


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", [*ELEMENTWISE, "half_squared_error"])
def test_shapes_that_differ_are_never_broadcast(name):
    loss = getattr(functional, name)
    with pytest.raises(
        ShapeError,
        match=rf"{name} at test_functional.py:\d+: the prediction has shape \(4, 1\) and the "
        r"target \(4,\); they are not broadcast.\nFix: target.reshape\(\(4, 1\)\)",
    ):
        loss(np.zeros((4, 1)), np.zeros(4))
    with pytest.raises(ShapeError, match=r"Fix: for class labels, one-hot rows: np.eye\(3\)"):
        loss(X, LABELS)
    with pytest.raises(ShapeError, match=r"Fix: np.broadcast_to\(target, \(2, 3\)\)"):
        loss(X, 0.0)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "cross_entropy"])
def test_misspelt_reductions_are_told_the_nearest(name):
    with pytest.raises(ArgumentError, match=f"{name}.*no reduction 'man': did you mean 'mean'?"):
        getattr(functional, name)(X, ONE_HOT, reduction="man")


@pytest.mark.parametrize("name", [*ELEMENTWISE, "cross_entropy"])
def test_the_mean_over_nothing_is_refused(name):
    loss = getattr(functional, name)
    empty = np.zeros((0, 3))
    with pytest.raises(ShapeError, match=f"{name}.*empty batch has no value.\nFix: pass at least"):
        loss(empty, empty)
    assert loss(empty, empty, reduction="sum").item() == 0
    assert loss(empty, empty, reduction="none").shape[0] == 0


@pytest.mark.parametrize(
    ("labels", "index", "value", "fix"),
    [
        ([0, 3], 1, 3, "give the network 4 outputs"),
        ([5, 9], 0, 5, "give the network 10 outputs"),
        ([0, -1], 1, -1, "leave out the samples"),
    ],
)
def test_labels_out_of_range_are_named_with_their_index(labels, index, value, fix):
    with pytest.raises(ArgumentError, match=rf"label at index {index} is {value}, but(.|\n)*{fix}"):
        functional.cross_entropy(X, np.array(labels))


def test_float_labels_of_the_shape_of_classes_are_refused():
    with pytest.raises(
        DTypeError, match=r"labels of shape \(2,\).*integers, not float64.\nFix: labels.astype"
    ):
        functional.cross_entropy(X, LABELS.astype(float))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (X[0], 2, r"not \(3,\).\nFix: logits\[None\]"),
        (X[None], LABELS, r"not \(1, 2, 3\).\nFix: use reshape"),
        (X, LABELS[:, None], r"labels of shape \(2, 1\)(.|\n)*here, labels.ravel\(\)"),
        (X, np.zeros(5, int), r"labels of shape \(5,\) do not fit logits of shape \(2, 3\)"),
        (X, np.eye(4)[LABELS], r"shape \(2, 4\)(.|\n)*or one-hot rows(.|\n)*\(2, 3\)"),
    ],
)
def test_logits_and_labels_of_shapes_that_do_not_fit(logits, labels, message):
    with pytest.raises(ShapeError, match=message):
        functional.cross_entropy(logits, labels)


def test_rows_of_labels_that_are_no_distribution_are_named():
    rows = ONE_HOT.copy()
    rows[1] = [1, 1, 0]
    with pytest.raises(ArgumentError, match=r"row 1 sums to 2.0(.|\n)*binary_cross_entropy_with"):
        functional.cross_entropy(X, rows)
    rows[1] = [2, -1, 0]
    with pytest.raises(ArgumentError, match=r"index \(1, 0\) is 2.0"):
        functional.cross_entropy(X, rows)


@pytest.mark.parametrize("value", [-1.0, 2.0, np.nan])
def test_targets_of_binary_cross_entropy_lie_between_0_and_1(value):
    with pytest.raises(ArgumentError, match=rf"at index \(1,\) is {value}"):
        functional.binary_cross_entropy_with_logits(np.zeros(2), np.array([0.0, value]))


def test_probabilities_in_place_of_logits_are_found_under_detect_anomaly_alone():
    p = functional.softmax(X)
    assert np.isfinite(functional.cross_entropy(p, LABELS).item())
    with tg.detect_anomaly():
        with pytest.raises(ArgumentError, match="are probabilities already(.|\n)*leave the soft"):
            functional.cross_entropy(p, LABELS)
        functional.cross_entropy(X, LABELS)


@pytest.mark.parametrize("delta", [0, -1.0, np.inf, np.nan])
def test_huber_needs_a_positive_delta(delta):
    with pytest.raises(ArgumentError, match="huber_loss at .*delta is .*\nFix: delta > 0"):
        functional.huber_loss(X, X, delta=delta)


def test_a_refused_call_leaves_the_gradients_alone():
    x = tg.Tensor(X, requires_grad=True)
    functional.cross_entropy(x, LABELS).backward()
    before = x.grad.data.copy()
    with pytest.raises(ArgumentError):
        functional.cross_entropy(x, np.array([0, 7])).backward()
    np.testing.assert_array_equal(x.grad.data, before)


def test_messages_name_the_module_at_work():
    class Net(nn.Module):
        def __init__(self):
            self.loss = nn.MSELoss()

        def forward(self, x):
            return self.loss(x, np.zeros(5))

    with pytest.raises(ShapeError, match=r"mse_loss in Net.loss at test_functional.py"):
        Net()(X)


# ---------------------------------------------------------------- dropout


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
    for p in (-0.1, 1.0, 2):
        with pytest.raises(ArgumentError, match=rf"probability p is {p}"):
            functional.dropout(X, p, True, np.random.default_rng(0))
