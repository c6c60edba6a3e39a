"""How estimators are trained: losses and weights, beginnings and ends."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from estimators import (
    LABELS,
    NUMBERS,
    PAIRS,
    X,
    classifier,
    regressor,
    same,
    values,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from tinygrad_bp import nn
from tinygrad_bp.sklearn import NetworkRegressor

# ------------------------------------------------------------------ losses and weights


def test_the_order_is_that_of_the_samples_without_shuffle_and_of_one_batch() -> None:
    ordered, shuffled = (regressor(batch_size=7, shuffle=s).fit(X, NUMBERS) for s in (False, True))
    by_hand = regressor(batch_size=7, shuffle=False, max_iter=1, warm_start=True)
    for _ in range(5):
        by_hand.fit(X, NUMBERS)
    assert same(ordered, by_hand)
    assert not same(ordered, shuffled)
    whole = (regressor(batch_size=60, shuffle=s).fit(X, NUMBERS) for s in (False, True))
    assert same(*whole)


def test_losses_by_name_module_and_function_are_one() -> None:
    fits = [
        regressor(loss=loss).fit(X, PAIRS)
        for loss in ("huber_loss", nn.HuberLoss(), nn.functional.huber_loss)
    ]
    assert same(fits[0], fits[1])
    assert same(fits[0], fits[2])
    assert not same(fits[0], regressor(loss=nn.HuberLoss(delta=0.1)).fit(X, PAIRS))
    assert not same(fits[0], regressor().fit(X, PAIRS))
    loss = nn.HuberLoss()
    weighted = [regressor(loss=loss).fit(X, PAIRS, np.arange(60) + 1) for _ in range(2)]
    assert same(*weighted)
    assert loss.reduction == "mean"


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_weight_is_a_number_of_copies(make, early_stopping: bool) -> None:
    """Of all samples in one batch; the parts that are set aside differ, but for weights 0 and 1."""
    y = LABELS if make is classifier else PAIRS
    weights = np.random.default_rng(1).integers(0, 2 if early_stopping else 4, 60)
    weights[LABELS == "c"] = 1  # of a class without weight there would be no copies
    settings = {"max_iter": 20, "early_stopping": early_stopping}
    weighted = make(**settings).fit(X, y, sample_weight=weights)
    copied = make(**settings).fit(X.repeat(weights, 0), y.repeat(weights, 0))
    for one, other in zip(values(weighted), values(copied), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    doubled = make(**settings).fit(X, y, sample_weight=weights * 2.5)
    for one, other in zip(values(weighted), values(doubled), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_weights_count_in_the_score_of_what_is_set_aside(make) -> None:
    """Nothing is learned here, so that the scores of one network are compared."""
    y = LABELS if make is classifier else NUMBERS
    asked: list[np.ndarray] = []

    class Watched(nn.Linear):
        def forward(self, x):
            if not self.training:
                asked.append(x)
            return super().forward(x)

    network = Watched(4, 3 if make is classifier else 1, dtype=np.float64, generator=0)
    heavy = np.where(NUMBERS > 0, 100.0, 1.0)
    still = {"early_stopping": True, "max_iter": 1, "optimizer": "SGD", "lr": 0.0}
    model = make(network, **still).fit(X, y, heavy)
    held = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in asked[-1]]
    assert model.validation_scores_ == pytest.approx([model.score(X[held], y[held], heavy[held])])
    assert model.validation_scores_ != pytest.approx([model.score(X[held], y[held])])


def test_balanced_classes_count_the_same() -> None:
    y = np.where(np.arange(60) < 50, "a", "b")
    found = compute_class_weight("balanced", classes=np.unique(y), y=y)
    weights = dict(zip("ab", found, strict=True))
    assert weights == {"a": 0.6, "b": 3.0}
    by_class = classifier(class_weight="balanced").fit(X, y)
    assert same(by_class, classifier(class_weight=weights).fit(X, y))
    by_sample = classifier().fit(X, y, sample_weight=[weights[label] for label in y])
    assert same(by_class, by_sample)
    both = classifier(class_weight=weights).fit(X, y, sample_weight=np.arange(60) + 1)
    product = (np.arange(60) + 1) * [weights[label] for label in y]
    assert same(both, classifier().fit(X, y, sample_weight=product))


# ------------------------------------------------------------------ beginnings and ends


@pytest.mark.parametrize("make", [classifier, regressor])
def test_the_same_seed_gives_the_same_bits(make) -> None:
    y = LABELS if make is classifier else NUMBERS
    settings = {"batch_size": 7, "early_stopping": True}
    one, other = make(**settings).fit(X, y), make(**settings).fit(X, y)
    assert same(one, other)
    assert one.loss_curve_ == other.loss_curve_
    assert same(one, one.fit(X, y))
    assert not same(one, make(**settings, random_state=1).fit(X, y))
    state = np.random.RandomState(0)
    first = make(random_state=state).fit(X, y)
    assert not same(first, make(random_state=state).fit(X, y))


def test_a_warm_start_goes_on_where_it_was() -> None:
    whole = classifier(max_iter=8, batch_size=16).fit(X, LABELS)
    parts = classifier(max_iter=4, batch_size=16, warm_start=True).fit(X, LABELS).fit(X, LABELS)
    assert same(whole, parts)
    assert whole.loss_curve_ == parts.loss_curve_
    assert parts.n_iter_ == 8


@pytest.mark.parametrize("carry", [pickle.dumps, copy.deepcopy])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_parts_of_a_fit_are_the_fit_also_after_a_pickle(make, carry) -> None:
    y = LABELS if make is classifier else PAIRS
    whole = make(max_iter=4, batch_size=16).fit(X, y)
    parts = make(batch_size=16)
    first = {"classes": ["c", "b", "a"]} if make is classifier else {}
    parts.partial_fit(X, y, **first)
    for _ in range(3):
        carried = carry(parts)
        parts = pickle.loads(carried) if isinstance(carried, bytes) else carried
        parts.partial_fit(X, y)
    assert same(whole, parts)
    assert whole.loss_curve_ == parts.loss_curve_
    assert np.array_equal(whole.predict(X), parts.predict(X))


def test_early_stopping_keeps_the_best_weights_and_looks_at_other_samples() -> None:
    rng = np.random.default_rng(1)
    noise = np.where(rng.random(60) < 0.3, rng.permutation(LABELS), LABELS)
    seen: list[tuple[float, list[np.ndarray]]] = []

    def watch(model) -> None:
        seen.append((model.validation_scores_[-1], values(model)))

    model = classifier(
        early_stopping=True, validation_fraction=0.5, tol=0.0, n_iter_no_change=15, lr=0.05,
        max_iter=500, callbacks=[watch],
    ).fit(X, noise)  # fmt: skip
    scores = [score for score, _ in seen]
    best = int(np.argmax(scores))
    assert model.validation_scores_ == scores
    assert model.n_iter_ == len(scores) == best + 1 + 15 < 500
    for kept, then in zip(values(model), seen[best][1], strict=True):
        assert np.array_equal(kept, then)
    assert scores[best] in [n / 30 for n in range(31)]  # a half is set aside


def test_training_ends_when_the_loss_falls_no_more() -> None:
    model = NetworkRegressor(lr=0.0, n_iter_no_change=3, random_state=0, optimizer="SGD")
    assert model.fit(X, NUMBERS).n_iter_ == 4
    with pytest.warns(ConvergenceWarning, match=r"after 2 epochs, NetworkRegressor was still le"):
        model.set_params(lr=0.01, max_iter=2).fit(X, NUMBERS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(tol=None).fit(X, NUMBERS)


@pytest.mark.parametrize("answer", [True, np.True_])
def test_callbacks_hear_of_each_epoch_and_may_end_the_training(capsys, answer) -> None:
    heard: list[tuple[int, float]] = []

    def stop(model) -> Any:
        return {1: 1, 2: "no", 3: answer}[model.n_iter_]

    def hear(model) -> None:
        heard.append((model.n_iter_, model.loss_curve_[-1]))

    model = regressor(callbacks=[stop, hear], verbose=True).fit(X, NUMBERS)
    assert heard == list(zip((1, 2, 3), model.loss_curve_, strict=True))
    assert capsys.readouterr().out.splitlines()[2] == f"epoch 3: loss {model.loss_curve_[2]:.6f}"
