"""What losses refuse, and what they then say."""

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
ELEMENTWISE = ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits")


@pytest.mark.parametrize("name", [*ELEMENTWISE, "half_squared_error"])
def test_shapes_that_differ_are_never_broadcast(name):
    loss = getattr(functional, name)
    with pytest.raises(
        ShapeError,
        match=rf"{name} at test_targets.py:\d+: the prediction has shape \(4, 1\) and the "
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


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i8", ">i8", ">i4", "u8"])
def test_labels_of_every_integer_dtype_are_held_against_the_classes(dtype):
    logits = np.zeros((3, 3), np.float32)
    good = np.array([2, 0, 1], dtype)
    assert functional.cross_entropy(logits, good).item() == pytest.approx(np.log(3))
    for wrong in [3] + [-1] * (good.dtype.kind == "i"):
        with pytest.raises(ArgumentError, match=f"label at index 1 is {wrong}"):
            functional.cross_entropy(logits, np.array([2, wrong, 1], dtype))


def test_float_labels_of_the_shape_of_classes_are_refused():
    with pytest.raises(
        DTypeError, match=r"labels of shape \(2,\).*integers, not float64.\nFix: labels.astype"
    ):
        functional.cross_entropy(X, LABELS.astype(float))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (X[0], [2, 1], r"labels of shape \(2,\) do not fit logits of shape \(3,\)"),
        (X[None], LABELS, r"labels of shape \(2,\) do not fit logits of shape \(1, 2, 3\)"),
        (X[None], LABELS[None], r"Fix: the classes are axis 1: np.moveaxis\(logits, -1, 1\)"),
        (np.zeros(()), 0, r"not \(\).\nFix: use reshape"),
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

    with pytest.raises(ShapeError, match=r"mse_loss in Net.loss at test_targets.py"):
        Net()(X)
