"""Each loss beside a loop of its formula over elements or samples, and numerical derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.nn import functional as F  # noqa: N812 - as users write it
from tinygrad_bp.testing import check_gradients


@dataclass
class Loss:
    """Inputs that are differentiated, constants, and the loss of one element or sample."""

    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    constants: tuple[Any, ...]
    each: Callable[..., float]
    options: dict[str, Any]


RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P = RNG.uniform(0.1, 0.9, (4, 3))
Q = RNG.uniform(0.1, 0.9, (4, 3))
SIGNS = np.where(RNG.random((4, 3)) < 0.5, 1, -1)
BITS = (SIGNS > 0) * 1
LABELS = np.array([2, 0, 1, 0])
SIGN = np.array([1, -1, -1, 1])
WEIGHT = np.array([0.5, 2.0, 1.5])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def log_softmax(x):
    return [v - math.log(sum(math.exp(u) for u in x)) for v in x]


def norm(x, p=2.0):
    return sum(abs(v) ** p for v in x) ** (1 / p)


def cosine(a, b):
    return float(np.dot(a, b)) / norm(a) / norm(b)


def focal(x, y):
    logs = log_softmax(x)
    return -((1 - math.exp(logs[y])) ** 2) * logs[y]


def sigmoid_focal(x, y):
    p, a = (sigmoid(x), 0.3) if y else (1 - sigmoid(x), 0.7)
    return -a * (1 - p) ** 1.5 * math.log(p)


def multilabel_margin(x, y):
    meant = []
    for label in y:
        if label < 0:
            break
        meant.append(label)
    others = [i for i in range(len(x)) if i not in meant]
    return sum(max(0, 1 - (x[j] - x[i])) for j in meant for i in others) / len(x)


def triplet(a, b, c, distance=lambda d: norm(d + 1e-6)):
    return max(0, 1 + distance(a - b) - min(distance(a - c), distance(b - c)))


def contrastive(a, b, y):
    d = norm(a - b)
    return 0.5 * (d * d if y else max(0, 2.5 - d) ** 2)


def element(name, inputs, constants, each, **options):
    return Loss(getattr(F, name), inputs, constants, np.vectorize(each), options)


def sample(name, inputs, constants, each, **options):
    def all_of_them(*arrays):
        return np.array([each(*rows) for rows in zip(*arrays, strict=True)])

    return Loss(getattr(F, name), inputs, constants, all_of_them, options)


LOSSES = {
    "smooth_l1": element(
        "smooth_l1_loss",
        (X, Y),
        (),
        lambda x, y: (x - y) ** 2 / 2 / 0.7 if abs(x - y) < 0.7 else abs(x - y) - 0.35,
        beta=0.7,
    ),
    "binary_cross_entropy": element(
        "binary_cross_entropy",
        (P, Q),
        (),
        lambda p, y: -y * math.log(p) - (1 - y) * math.log(1 - p),
    ),
    "weighed with logits": element(
        "binary_cross_entropy_with_logits",
        (X,),
        (Q,),
        lambda x, y: -3 * (2 * y * math.log(sigmoid(x)) + (1 - y) * math.log(1 - sigmoid(x))),
        weight=3.0,
        pos_weight=2.0,
    ),
    "sigmoid_focal": element(
        "sigmoid_focal_loss", (X,), (BITS,), sigmoid_focal, alpha=0.3, gamma=1.5
    ),
    "kl_div": element(
        "kl_div", (-P,), (np.where(BITS, Q, 0),), lambda x, y: y * (math.log(y or 1) - x)
    ),
    "kl_div of logarithms": element(
        "kl_div", (-P, -Q), (), lambda x, y: math.exp(y) * (y - x), log_target=True
    ),
    "gaussian_nll": element(
        "gaussian_nll_loss",
        (X, Y, P),
        (),
        lambda x, y, v: 0.5 * math.log(2 * math.pi * v) + (x - y) ** 2 / 2 / v,
        full=True,
    ),
    "poisson_nll": element(
        "poisson_nll_loss",
        (X,),
        (BITS * np.arange(3),),
        lambda x, y: (
            math.exp(x) - y * x + (2 * math.log(y) - y + math.log(4 * math.pi) / 2 if y > 1 else 0)
        ),
        full=True,
    ),
    "poisson_nll of rates": element(
        "poisson_nll_loss",
        (P,),
        (BITS,),
        lambda x, y: x - y * math.log(x + 0.1),
        log_input=False,
        eps=0.1,
    ),
    "hinge": element("hinge_loss", (X,), (SIGNS,), lambda x, y: max(0, 1 - x * y)),
    "squared hinge": element(
        "hinge_loss", (X,), (SIGNS,), lambda x, y: max(0, 1 - x * y) ** 2, squared=True
    ),
    "hinge_embedding": element(
        "hinge_embedding_loss",
        (X,),
        (SIGNS,),
        lambda x, y: x if y == 1 else max(0, 0.6 - x),
        margin=0.6,
    ),
    "soft_margin": element(
        "soft_margin_loss", (X,), (SIGNS,), lambda x, y: math.log(1 + math.exp(-x * y))
    ),
    "margin_ranking": element(
        "margin_ranking_loss",
        (X, Y),
        (SIGNS,),
        lambda a, b, y: max(0, -y * (a - b) + 0.2),
        margin=0.2,
    ),
    "smoothed cross_entropy": sample(
        "cross_entropy",
        (X,),
        (LABELS,),
        lambda x, y: -0.9 * log_softmax(x)[y] - 0.1 / 3 * sum(log_softmax(x)),
        label_smoothing=0.1,
    ),
    "nll": sample("nll_loss", (-P,), (LABELS,), lambda x, y: -x[y]),
    "focal": sample("focal_loss", (X,), (LABELS,), focal),
    "multi_margin": sample(
        "multi_margin_loss",
        (X,),
        (LABELS,),
        lambda x, y: (
            WEIGHT[y] * sum(max(0, 0.8 - x[y] + x[i]) ** 2 for i in range(3) if i != y) / 3
        ),
        p=2,
        margin=0.8,
        weight=WEIGHT,
    ),
    "multilabel_margin": sample(
        "multilabel_margin_loss",
        (X,),
        (np.array([[0, 2, -1], [-1, 0, 0], [1, -1, 2], [2, 1, 0]]),),
        multilabel_margin,
    ),
    "multilabel_soft_margin": sample(
        "multilabel_soft_margin_loss",
        (X,),
        (BITS,),
        lambda x, y: (
            -sum(
                w * math.log(sigmoid(v) if b else 1 - sigmoid(v))
                for v, b, w in zip(x, y, WEIGHT, strict=True)
            )
            / 3
        ),
        weight=WEIGHT,
    ),
    "cosine_embedding": sample(
        "cosine_embedding_loss",
        (X, Y),
        (SIGN,),
        lambda a, b, y: 1 - cosine(a, b) if y == 1 else max(0, cosine(a, b) + 0.3),
        margin=-0.3,
    ),
    "triplet": sample("triplet_margin_loss", (X, Y, P), (), triplet, swap=True),
    "triplet with distance": sample(
        "triplet_margin_with_distance_loss",
        (X, Y, P),
        (),
        lambda a, b, c: triplet(a, b, c, lambda d: sum(d**2)),
        distance_function=lambda a, b: ((a - b) ** 2).sum(axis=-1),
        swap=True,
    ),
    "contrastive": sample("contrastive_loss", (X, Y), ((SIGN > 0) * 1,), contrastive, margin=2.5),
    "pairwise_distance": sample(
        "pairwise_distance", (X, Y), (), lambda a, b: norm(a - b + 1e-6, 3), p=3.0
    ),
    "cosine_similarity": sample("cosine_similarity", (X, Y), (), cosine),
}
each = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@each
def test_values_are_those_of_a_loop_and_reductions_agree(loss):
    expected = loss.each(*loss.inputs, *loss.constants)
    if "reduction" not in loss.call.__annotations__:
        found = loss.call(*loss.inputs, *loss.constants, **loss.options)
        np.testing.assert_allclose(found.data, expected, rtol=1e-12)
        return
    for reduction, value in [
        ("none", expected),
        ("sum", expected.sum()),
        ("mean", expected.mean()),
    ]:
        found = loss.call(*loss.inputs, *loss.constants, **loss.options, reduction=reduction)
        np.testing.assert_allclose(found.data, value, rtol=1e-10, atol=1e-12)


@each
def test_both_derivatives_are_the_numerical_ones(loss):
    found = check_gradients(
        lambda *inputs: np.sum(loss.call(*inputs, *loss.constants, **loss.options)),
        *loss.inputs,
        order=2,
    )
    assert found.passed


@each
def test_float32_stays_float32(loss):
    inputs = [tg.Tensor(x, dtype=np.float32, requires_grad=True) for x in loss.inputs]
    constants = [c.astype(np.float32) if c.dtype.kind == "f" else c for c in loss.constants]
    value = loss.call(*inputs, *constants, **loss.options)
    assert value.dtype == np.float32
    np.sum(value).backward()
    assert all(x.grad.dtype == np.float32 for x in inputs)


AXES = np.random.default_rng(1).normal(size=(2, 3, 4, 5))
NUMBERS = np.random.default_rng(2).integers(3, size=(2, 4, 5))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("name", ["cross_entropy", "focal_loss", "nll_loss"])
def test_further_axes_are_further_samples(name, reduction):
    x = -np.abs(AXES)
    flat = np.moveaxis(x, 1, -1).reshape(-1, 3)
    some = np.where(NUMBERS == 1, -7, NUMBERS)
    loss = getattr(F, name)
    options = {"weight": WEIGHT, "ignore_index": -7, "reduction": reduction}
    found = loss(x, some, **options).data
    expected = loss(flat, some.ravel(), **options).data
    np.testing.assert_allclose(found, expected.reshape(np.shape(found)), rtol=1e-13)


@pytest.mark.parametrize("name", ["cross_entropy", "focal_loss", "nll_loss"])
def test_what_is_ignored_is_as_if_it_were_not_there(name):
    loss, labels = getattr(F, name), np.array([2, -100, 1, -100])
    x = tg.Tensor(-P, requires_grad=True)
    value = loss(x, labels)
    value.backward()
    kept = tg.Tensor(-P[[0, 2]], requires_grad=True)
    expected = loss(kept, labels[[0, 2]])
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-14)
    np.testing.assert_allclose(x.grad.data[[0, 2]], kept.grad.data, rtol=1e-13)
    assert not x.grad.data[[1, 3]].any()
    assert loss(-P, labels, reduction="none").data[[1, 3]].tolist() == [0, 0]


def test_a_weighed_mean_is_divided_by_the_weights_of_the_labels():
    each_ = F.cross_entropy(X, LABELS, reduction="none").data
    w = WEIGHT[LABELS]
    found = F.cross_entropy(X, LABELS, WEIGHT).item()
    assert found == pytest.approx((each_ * w).sum() / w.sum(), rel=1e-13)
    one_hot = np.eye(3)[LABELS]  # of probabilities, by the number of samples
    assert F.cross_entropy(X, one_hot, WEIGHT).item() == pytest.approx((each_ * w).mean())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_losses_and_derivatives_are_finite_far_from_zero(gamma):
    x = np.array([[1e4, -1e4], [-1e4, 1e4], [40.0, 0.0]], np.float32)
    leaf = tg.Tensor(x, requires_grad=True)
    (
        F.focal_loss(leaf, [0, 0, 0], gamma=gamma)
        + F.sigmoid_focal_loss(leaf, [[1, 0], [1, 0], [1, 0]], gamma=gamma)
    ).backward()
    assert np.isfinite(leaf.grad.data).all()


def test_whole_numbers_as_predictions_do_not_round_weights():
    x = np.array([[1, 2, 0], [0, 1, 3]])
    weight = [0.5, 0.25, 0.125]
    for loss in (F.cross_entropy, F.focal_loss, F.multi_margin_loss):
        expected = loss(x * 1.0, [0, 2], weight=weight).item()
        assert loss(x, [0, 2], weight=weight).item() == pytest.approx(expected, rel=1e-14)
    assert F.nll_loss(-x, [0, 2], weight).item() == pytest.approx((0.5 * 1 + 0.125 * 3) / 0.625)
    bits = np.array([0, 1, 1])
    expected = F.binary_cross_entropy(bits * 1.0, bits[::-1], weight).item()
    assert F.binary_cross_entropy(bits, bits[::-1], weight).item() == expected


def test_focal_loss_without_focus_is_the_cross_entropy():
    for options in ({}, {"weight": WEIGHT}):
        expected = F.cross_entropy(X, LABELS, **options).item()
        assert F.focal_loss(X, LABELS, gamma=0.0, **options).item() == pytest.approx(expected)


def test_probabilities_of_exactly_0_and_1_have_a_finite_loss_and_gradient():
    p = tg.Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    each_ = F.binary_cross_entropy(p, [0, 1, 1, 0], reduction="none")
    assert each_.data.tolist() == [0, 0, 100, 100]
    each_.sum().backward()
    assert np.isfinite(p.grad.data).all()


def test_a_variance_of_zero_is_that_of_eps_and_its_gradient_leads_away():
    var = tg.Tensor([0.0], requires_grad=True)
    loss = F.gaussian_nll_loss(np.array([2.0]), [0.0], var, eps=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (np.log(0.5) + 4 / 0.5))
    assert var.grad.item() == pytest.approx(0.5 * (2 - 4 / 0.25))


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_equal_rows_have_no_infinite_derivative(margin):
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    F.contrastive_loss(x, np.ones((2, 3)), [0, 1], margin=margin).backward()
    assert not x.grad.data.any()
    F.triplet_margin_loss(x, np.ones((2, 3)), np.ones((2, 3))).backward()
    assert np.isfinite(x.grad.data).all()
