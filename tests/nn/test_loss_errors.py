"""What the losses of classes, likelihoods, margins and distances refuse, and what they then say."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_bp.nn import functional as F  # noqa: N812 - as users write it

X = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
P = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
LABELS = np.array([2, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.nll_loss(P, LABELS), r"logarithms(.|\n)*Fix: log_softmax in place of softmax"),
        (lambda: F.nll_loss(X, LABELS), r"\(0, 0\) is 1.0.\nFix: .*or cross_entropy, which takes"),
        (lambda: F.kl_div(P, P), r"kl_div at .*got the probabilities \(2, 3\) themselves"),
        (lambda: F.kl_div(np.log(P), np.log(P)), "log_target=True, where the target is log"),
        (
            lambda: F.binary_cross_entropy(X, P),
            r"index \(0, 1\) is 2.0.\nFix: for logits, binary_cross_entropy_with_logits",
        ),
        (lambda: F.binary_cross_entropy(P, X), r"targets are probabilities in \[0, 1\]"),
        (lambda: F.sigmoid_focal_loss(X, X), r"targets are probabilities in \[0, 1\]"),
        (lambda: F.sigmoid_focal_loss(X, P, alpha=2.0), r"alpha is 2.0.\nFix: 0 <= alpha <= 1"),
        (lambda: F.sigmoid_focal_loss(X, P, gamma=-1.0), r"gamma is -1.0.\nFix: gamma >= 0"),
        (lambda: F.gaussian_nll_loss(X, X, -P), r"variances are 0 or more.*index \(0, 0\) is -0.5"),
        (lambda: F.gaussian_nll_loss(X, X, P, eps=0.0), "Fix: eps > 0"),
        (lambda: F.poisson_nll_loss(X, -P), "counts are 0 or more"),
        (lambda: F.poisson_nll_loss(X, P, log_input=False), r"rates .*\n.*log_input=True"),
        (lambda: F.hinge_loss(X, X > 1), r"1 or -1, but .* is 0.0.\nFix: 2 \* target - 1"),
        (lambda: F.hinge_loss(X, X), r"index \(0, 1\) is 2.0.\nFix: pass 1 and -1"),
        (lambda: F.contrastive_loss(X, X, [1, -1]), r"0 or 1, but .* is -1.\nFix: target > 0"),
        (lambda: F.contrastive_loss(X, X, [1, 2]), "Fix: pass 0 and 1"),
        (lambda: F.contrastive_loss(X, X, [1, 0], margin=-1.0), "margin is -1.0"),
        (lambda: F.cosine_embedding_loss(X, X, [1, 0]), r"1 or -1, but the one at index \(1,\)"),
        (lambda: F.cosine_embedding_loss(X, X, [1, 1], margin=2.0), "Fix: from -1 to 1"),
        (lambda: F.triplet_margin_loss(X, X, X, margin=0.0), r"margin is 0.0.\nFix: margin > 0"),
        (lambda: F.multi_margin_loss(X, LABELS, p=3), "p is 3.\nFix: 1 or 2"),
        (lambda: F.multi_margin_loss(X, [0, 3]), r"index \(1,\) is 3.*labels 0 to 2"),
        (lambda: F.multilabel_margin_loss(X, [[0, -1, 0], [5, 0, 0]]), r"is 5, .* labels 0 to 2\."),
        (lambda: F.multilabel_margin_loss(X, [[0, -1, 0], [0, 1, -7]]), r"index \(1, 2\) is -7"),
        (lambda: F.cross_entropy(X, LABELS, "sum"), r"weight is 'sum'.\nFix: reduction='sum'"),
        (lambda: F.cross_entropy(X, LABELS, [1, -1, 1]), r"weights are .*index \(1,\) is -1.0"),
        (lambda: F.cross_entropy(X, LABELS, label_smoothing=2.0), "label_smoothing is 2.0"),
        (lambda: F.cross_entropy(X, [-1, 0]), r"leave out .*, or ignore_index=-1"),
        (lambda: F.cross_entropy(X, [-1, 0], ignore_index=0), r"index \(0,\) is -1"),
        (lambda: F.smooth_l1_loss(X, X, beta=-1.0), "beta is -1.0.\nFix: beta >= 0"),
    ],
)
def test_values_that_make_no_sense_are_named_with_the_fix(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.nll_loss(-P, P), r"do not fit .*\nFix: for one-hot rows, labels.argmax"),
        (lambda: F.nll_loss(-P, LABELS[:, None]), r"Fix: labels.reshape\(\(2,\)\)"),
        (lambda: F.nll_loss(-P, LABELS[:1]), r"Fix: pass integers of shape \(2,\)"),
        (lambda: F.focal_loss(np.zeros((2, 0)), LABELS), r"not \(2, 0\).\nFix: use reshape"),
        (lambda: F.cross_entropy(X, LABELS, [1, 2]), r"there are 3 classes.\nFix: pass one"),
        (lambda: F.cross_entropy(X, [-100, -100]), "all ignored(.|\n)*Fix: leave out such a batch"),
        (lambda: F.nll_loss(-P, [-100, -100]), "all ignored"),
        (lambda: F.cross_entropy(X, LABELS, [0, 1, 0]), "or of weight 0, has no value"),
        (lambda: F.binary_cross_entropy(P, P, [1, 2]), r"\(2,\).*not broadcast to \(2, 3\)"),
        (lambda: F.gaussian_nll_loss(X, X, np.ones(3)), r"var has shape \(3,\)"),
        (lambda: F.margin_ranking_loss(X, X[0], X), r"x1 \(2, 3\), x2 \(3,\) differ"),
        (lambda: F.margin_ranking_loss(X, X, [1, 1]), r"target has shape \(2,\)"),
        (lambda: F.triplet_margin_loss(X, X, X[:1]), r"negative \(1, 3\) differ"),
        (lambda: F.cosine_embedding_loss(X, X, [[1], [1]]), r"Fix: target.reshape\(\(2,\)\)"),
        (lambda: F.multi_margin_loss(X[None], LABELS), r"not \(1, 2, 3\)"),
        (lambda: F.hinge_loss(np.zeros((0, 3)), np.zeros((0, 3))), "mean over an empty batch"),
    ],
)
def test_shapes_that_do_not_fit_are_named_with_the_fix(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


@pytest.mark.parametrize("name", ["nll_loss", "focal_loss", "multi_margin_loss"])
def test_labels_are_integers(name):
    with pytest.raises(DTypeError, match=rf"{name}.*integers, not float64.\nFix: target.astype"):
        getattr(F, name)(-P, LABELS * 1.0)


def test_a_label_that_does_not_count_may_be_any_number_and_a_class():
    for ignored in (-100, -1, 1, 7):
        labels = np.where([True, False], 2, ignored)
        found = F.cross_entropy(X, labels, ignore_index=ignored).item()
        assert found == pytest.approx(F.cross_entropy(X[:1], [2]).item(), rel=1e-14)


def test_probabilities_in_place_of_logits_are_found_on_any_axes_under_detect_anomaly():
    p = np.moveaxis(np.stack([P, P]), -1, 1)
    with tg.detect_anomaly(), pytest.raises(ArgumentError, match="are probabilities already"):
        F.cross_entropy(p, [[0, 1], [2, 2]])


def test_a_sigmoid_before_a_loss_that_takes_one_is_found_under_detect_anomaly():
    x = tg.Tensor(X[:, :1], requires_grad=True)
    target = np.ones_like(X[:, :1])
    F.binary_cross_entropy_with_logits(F.sigmoid(x), target)
    with tg.detect_anomaly():
        F.binary_cross_entropy_with_logits(x, target)
        F.binary_cross_entropy_with_logits(F.sigmoid(x) - 0.5, target)
        with pytest.raises(ArgumentError, match=r"are probabilities already, made by a sigmoid"):
            tg.nn.BCEWithLogitsLoss()(F.sigmoid(x), target)
