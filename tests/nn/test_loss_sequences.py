"""Connectionist temporal classification, against all ways one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_bp.nn import CTCLoss
from tinygrad_bp.nn import functional as F  # noqa: N812 - as users write it
from tinygrad_bp.testing import check_gradients


def read(way, blank):
    """What a way reads as: equal classes in a row are one, blanks are nothing."""
    return [c for c, _ in itertools.groupby(way) if c != blank]


def brute_force(p, labels, blank=0):
    """Minus the log of the sum over all ways of (T, C) probabilities that read as the labels."""
    total = sum(
        np.prod([p[t, c] for t, c in enumerate(way)])
        for way in itertools.product(range(p.shape[1]), repeat=len(p))
        if read(way, blank) == list(labels)
    )
    return -np.log(total) if total else np.inf


def probabilities(steps, samples, classes, seed=0):
    p = np.random.default_rng(seed).uniform(0.1, 1, (steps, samples, classes))
    return p / p.sum(axis=-1, keepdims=True)


P = probabilities(5, 6, 3)
LABELS = [[1, 2, 0], [2, 2, 0], [1, 0, 0], [1, 1, 1], [1, 2, 1], [0, 0, 0]]
LENGTHS, STEPS = [2, 2, 1, 3, 3, 0], [5, 4, 3, 5, 5, 2]
EXPECTED = [
    brute_force(P[:t, i], LABELS[i][:n])
    for i, (t, n) in enumerate(zip(STEPS, LENGTHS, strict=True))
]


def test_it_is_the_sum_over_all_ways():
    found = F.ctc_loss(np.log(P), LABELS, STEPS, LENGTHS, reduction="none")
    np.testing.assert_allclose(found.data, EXPECTED, rtol=1e-12)
    assert F.ctc_loss(np.log(P), LABELS, STEPS, LENGTHS, reduction="sum").item() == pytest.approx(
        np.sum(EXPECTED)
    )
    mean = np.mean(np.array(EXPECTED) / np.maximum(LENGTHS, 1))
    assert F.ctc_loss(np.log(P), LABELS, STEPS, LENGTHS).item() == pytest.approx(mean)
    together = [label for row, n in zip(LABELS, LENGTHS, strict=True) for label in row[:n]]
    assert F.ctc_loss(np.log(P), together, STEPS, LENGTHS).item() == pytest.approx(mean)


def test_any_class_may_be_the_blank_and_one_sample_needs_no_axis():
    for blank in range(3):
        labels = np.array([blank + 1, blank + 2]) % 3
        found = F.ctc_loss(np.log(P[:, 0]), labels, 5, 2, blank, "none")
        assert found.shape == ()
        assert found.item() == pytest.approx(brute_force(P[:, 0], labels, blank), rel=1e-12)


@pytest.mark.parametrize("samples", [slice(0, 2), slice(4, 6)])
def test_both_derivatives_are_the_numerical_ones(samples):
    x = np.log(P[:3, samples])
    rest = (LABELS[samples], np.minimum(STEPS, 3)[samples], LENGTHS[samples])
    assert check_gradients(lambda x: F.ctc_loss(x, *rest), x, order=2).passed


def test_too_few_steps_are_an_infinite_loss_or_none_and_have_no_gradient():
    for zero_infinity, value in [(False, np.inf), (True, 0.0)]:
        x = tg.Tensor(np.log(P[:3, :2]), requires_grad=True)
        loss = F.ctc_loss(
            x, [[1, 1], [1, 2]], [2, 3], [2, 2], reduction="none", zero_infinity=zero_infinity
        )
        assert loss.data[0] == value
        loss.sum().backward()
        assert not x.grad.data[:, 0].any()
        assert x.grad.data[:, 1].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_sequences_and_impossible_classes_are_finite(dtype):
    x = np.random.default_rng(0).normal(0, 10, (400, 2, 5))
    x[:, :, 4] = -np.inf
    leaf = tg.Tensor(F.log_softmax(np.where(np.isinf(x), -1e4, x)).data, dtype=dtype)
    leaf = tg.Tensor(np.where(np.isinf(x), -np.inf, leaf.data), requires_grad=True, dtype=dtype)
    labels = np.random.default_rng(1).integers(1, 4, (2, 60))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = F.ctc_loss(leaf, labels, [400, 300], [60, 40])
        loss.backward()
    assert loss.dtype == leaf.grad.dtype == dtype
    assert np.isfinite(loss.item())
    total = leaf.grad.data.sum(axis=-1)  # of each step, minus the probabilities of all states: 1
    expected = -np.array([1 / 60, 1 / 40]) / 2
    np.testing.assert_allclose(total[:300], np.broadcast_to(expected, (300, 2)), rtol=1e-3)
    assert not leaf.grad.data[300:, 1].any()


def test_steps_beyond_the_end_of_a_sample_are_not_read():
    x = np.log(P)
    for i, steps in enumerate(STEPS):
        x[steps:, i] = np.nan
    leaf = tg.Tensor(x, requires_grad=True)
    loss = F.ctc_loss(leaf, LABELS, STEPS, LENGTHS, reduction="none")
    loss.sum().backward()
    np.testing.assert_allclose(loss.data, EXPECTED, rtol=1e-12)
    assert np.isfinite(leaf.grad.data).all()


def test_the_module_hands_its_options_on():
    loss = CTCLoss(blank=2, reduction="sum", zero_infinity=True)
    assert repr(loss) == "CTCLoss(blank=2, reduction='sum', zero_infinity=True)"
    inputs = np.log(P), [[1, 1]] * 6, [2] * 6, [2] * 6
    assert loss(*inputs).item() == 0
    assert repr(CTCLoss()) == "CTCLoss()"


X = np.log(P)


@pytest.mark.parametrize(
    ("kind", "call", "message"),
    [
        (ArgumentError, lambda: F.ctc_loss(P, LABELS, STEPS, LENGTHS), "the probabilities"),
        (ArgumentError, lambda: F.ctc_loss(3 * P, LABELS, STEPS, LENGTHS), "not above 0"),
        (ArgumentError, lambda: F.ctc_loss(X, LABELS, STEPS, LENGTHS, 3), "classes are 0 to 2"),
        (ArgumentError, lambda: F.ctc_loss(X, LABELS, STEPS, LENGTHS, 2), "which is the blank"),
        (ArgumentError, lambda: F.ctc_loss(X, [[1, 3]] * 6, STEPS, [2] * 6), r"\(0, 1\) is 3"),
        (ArgumentError, lambda: F.ctc_loss(X, LABELS, STEPS, LENGTHS, 0, "men"), "no reduction"),
        (ShapeError, lambda: F.ctc_loss(X[0, 0], [1], [1], [1]), "where samples come first"),
        (ShapeError, lambda: F.ctc_loss(X, LABELS, STEPS[1:], LENGTHS), "there are 6 samples"),
        (ShapeError, lambda: F.ctc_loss(X, LABELS, [6] * 6, LENGTHS), "lengths from 1 to 5"),
        (ShapeError, lambda: F.ctc_loss(X, LABELS, STEPS, [4] * 6), "lengths from 0 to 3"),
        (
            ShapeError,
            lambda: F.ctc_loss(X, [1, 2, 1], STEPS, [1, 0, 0, 1, 0, 0]),
            "2 labels in all",
        ),
        (DTypeError, lambda: F.ctc_loss(X, np.array(LABELS) * 1.0, STEPS, LENGTHS), "integers"),
    ],
)
def test_what_does_not_fit_is_named_with_the_fix(kind, call, message):
    with pytest.raises(kind, match=rf"(?s)ctc_loss at .*{message}") as found:
        call()
    assert "\nFix: " in str(found.value)
