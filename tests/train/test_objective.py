"""The losses that a recipe declares are those of `nn.functional`, with their options."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, RecipeError
from tinygrad_bp.nn import functional as F  # noqa: N812 - as users write it
from tinygrad_bp.train.by_hand import ByHand
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.tables import Loss

X = np.random.default_rng(0).normal(size=(5, 3))
LABELS = np.array([0, 2, 1, 1, 2])
ONE_HOT = np.eye(3)[LABELS]


def objective(**settings):
    return Objective(Loss(**settings), nn.Linear(2, 3), samples=5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "cross_entropy"}, F.cross_entropy(X, LABELS)),
        (
            {"name": "cross_entropy", "label_smoothing": 0.2},
            F.cross_entropy(X, LABELS, label_smoothing=0.2),
        ),
        ({"name": "focal_loss"}, F.focal_loss(X, LABELS)),
        ({"name": "focal_loss", "gamma": 0.5}, F.focal_loss(X, LABELS, gamma=0.5)),
        ({"name": "l1_loss"}, F.l1_loss(X, ONE_HOT)),
        ({"name": "huber_loss"}, F.huber_loss(X, ONE_HOT)),
        ({"name": "smooth_l1_loss", "outputs": "sum"}, F.smooth_l1_loss(X, ONE_HOT, "sum") / 5),
    ],
)
def test_a_declared_loss_is_that_of_its_name(settings, expected):
    ours = objective(**settings)
    targets = ours.targets(LABELS, 3, float)
    assert ours(X, targets).item() == pytest.approx(expected.item(), rel=1e-14)
    assert ours.reported(X, targets) == pytest.approx(expected.item(), rel=1e-14)


def test_probabilities_are_a_softmax_where_the_loss_has_one():
    expected = F.softmax(X).data
    for name in ("cross_entropy", "focal_loss"):
        np.testing.assert_array_equal(objective(name=name).probabilities(X), expected)
    assert objective(name="huber_loss").probabilities(X) is X


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "mse", "label_smoothing": 0.1}, "label_smoothing is for cross_entropy alone"),
        ({"name": "cross_entropy", "gamma": 1.0}, "gamma is for focal_loss alone"),
        ({"name": "focal_loss", "outputs": "sum"}, "outputs is not for focal_loss"),
        ({"name": "cross_entropy", "label_smoothing": 1.5}, "label_smoothing = 1.5"),
        ({"name": "focal"}, "did you mean 'focal_loss'"),
    ],
)
def test_options_of_another_loss_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        Loss(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "focal_loss", "gamma": 1.0}, "its loss is focal_loss, gamma=1.0"),
        ({"name": "cross_entropy", "label_smoothing": 0.1}, "cross_entropy, label_smoothing=0.1"),
        ({"name": "huber_loss"}, "its loss is huber_loss"),
    ],
)
def test_the_equations_by_hand_say_which_losses_they_are_for(settings, words):
    with pytest.raises(ArgumentError, match=words):
        ByHand(nn.Linear(2, 3), objective(**settings))
