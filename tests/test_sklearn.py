from __future__ import annotations

import copy
import os
import warnings

import numpy as np
import pytest
from estimators import (
    BOTH,
    LABELS,
    LINEAR,
    NUMBERS,
    PAIRS,
    X,
    classifier,
    regressor,
    same,
    values,
)
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.sklearn import NetworkClassifier

# ------------------------------------------------------------------ scikit-learn's own checks

# Checks of input from libraries that are not installed, or are not asked for, skip themselves.
SKIPS = {
    "check_array_api_input": "SCIPY_ARRAY_API" in os.environ,
    "check_classifier_data_not_an_array": False,
    "check_regressor_data_not_an_array": False,
    "check_sample_weights_pandas_series": False,
}


@pytest.mark.parametrize("estimator", [cls() for cls in BOTH], ids=lambda e: type(e).__name__)
def test_all_checks_of_scikit_learn_pass(estimator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks train too little on purpose
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 50
    for result in results:
        assert not result["expected_to_fail"]
        if result["status"] == "skipped":
            assert result["check_name"] in SKIPS, result["exception"]
            assert not SKIPS[result["check_name"]]
        else:
            assert result["status"] == "passed", result


# ------------------------------------------------------------------ what is learned


def test_it_trains_as_gradient_descent_by_hand_does() -> None:
    model = classifier(LINEAR, optimizer="SGD", lr=0.5, max_iter=7).fit(X, LABELS)
    w, b = values(classifier(LINEAR, optimizer="SGD", lr=0.0, max_iter=1).fit(X, LABELS))
    hot = (LABELS[:, None] == model.classes_).astype(float)
    for epoch in range(7):
        odds = np.exp(X @ w.T + b)
        p = odds / odds.sum(axis=1, keepdims=True)
        assert model.loss_curve_[epoch] == pytest.approx(-np.log(p[hot > 0]).mean(), abs=1e-12)
        w, b = w - 0.5 * (p - hot).T @ X / 60, b - 0.5 * (p - hot).mean(axis=0)
    for ours, by_hand in zip(values(model), (w, b), strict=True):
        np.testing.assert_allclose(ours, by_hand, atol=1e-12)
    odds = np.exp(X @ w.T + b)
    np.testing.assert_allclose(
        model.predict_proba(X), odds / odds.sum(axis=1, keepdims=True), atol=1e-12
    )
    assert model.predict(X).tolist() == model.classes_[odds.argmax(axis=1)].tolist()


def test_digits_are_learned_in_a_pipeline() -> None:
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, random_state=0)
    network = NetworkClassifier(hidden_layer_sizes=(64,), lr=0.01, random_state=0, tol=1e-3)
    model = make_pipeline(StandardScaler(), network).fit(x, y)
    assert model.score(x_test, y_test) > 0.96
    assert model.predict_proba(x_test).sum(axis=1) == pytest.approx(1)


def test_a_search_finds_the_learning_rate_that_learns() -> None:
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=30, hidden_layer_sizes=(8,)))
    search = GridSearchCV(pipeline, {"networkclassifier__lr": [1e-6, 0.03]}, cv=3).fit(x, y)
    assert search.best_params_ == {"networkclassifier__lr": 0.03}
    assert search.best_score_ > 0.9
    assert (cross_val_predict(search.best_estimator_, x, y, cv=3) == y).mean() > 0.9


def test_several_numbers_are_predicted_at_once() -> None:
    model = regressor(lr=0.02, max_iter=200, hidden_layer_sizes=(20,), batch_size=20)
    both = model.fit(X, PAIRS)
    assert both.n_outputs_ == 2
    assert both.predict(X).shape == (60, 2)
    assert both.score(X, PAIRS) > 0.98
    alone = clone(model).fit(X, NUMBERS)
    assert alone.predict(X).shape == (60,)
    assert alone.score(X, NUMBERS) > 0.98


def test_two_classes_may_have_one_output() -> None:
    x, y = make_blobs(100, centers=2, random_state=3)
    spec = {"input_shape": [2], "layers": [{"type": "Linear", "out_features": 1}]}
    faint = classifier(spec).fit(x, y)
    outputs = faint.network_(x.astype(np.float32)).data[:, 0]
    assert ((outputs > 0) & (outputs < 0.5)).any()
    assert faint.predict(x).tolist() == (outputs > 0).astype(int).tolist()
    model = classifier(spec, lr=0.1, max_iter=60).fit(x, y * 2 - 1)
    assert model.score(x, y * 2 - 1) > 0.9
    output = model.network_(x.astype(np.float32)).data[:, 0].astype(float)
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], 1 / (1 + np.exp(-output)), rtol=1e-5)
    assert model.predict(x).tolist() == np.where(output > 0, 1, -1).tolist()
    balanced = classifier(spec, class_weight={-1: 1, 1: 3}, early_stopping=True).fit(x, y * 2 - 1)
    assert balanced.validation_scores_


def test_probabilities_that_round_to_zero_have_logarithms() -> None:
    model = classifier(LINEAR).fit(X, LABELS)
    logs = model.predict_log_proba(X * 1e4)
    assert np.isfinite(logs).all()
    assert logs.min() < -1000
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))


# ------------------------------------------------------------------ what it is given as a network


def test_specs_modules_files_and_functions_make_networks(tmp_path) -> None:
    file = tmp_path / "net.toml"
    nn.NetworkSpec.from_dict(LINEAR).to_file(file)
    fits = [
        classifier(network).fit(X, LABELS)
        for network in (LINEAR, nn.NetworkSpec.from_dict(LINEAR), file, str(file))
    ]
    assert all(same(fits[0], fit) for fit in fits[1:])
    made = classifier(lambda n, k, g: nn.Sequential(nn.Linear(n, k, generator=g))).fit(X, LABELS)
    assert made.network_[0].weight.shape == (3, 4)
    again = classifier(lambda n, k, g: nn.Sequential(nn.Linear(n, k, generator=g))).fit(X, LABELS)
    assert same(made, again)


def test_a_module_is_copied_with_its_values() -> None:
    module = nn.Sequential(nn.Linear(4, 3, generator=7), nn.Dropout(0.5, generator=1))
    before = copy.deepcopy(module.state_dict())
    still = classifier(module, optimizer="SGD", lr=0.0, max_iter=1).fit(X, LABELS)
    moved = classifier(module).fit(X, LABELS)
    for name, value in module.state_dict().items():
        assert np.array_equal(value, before[name])
        assert np.array_equal(value, still.network_.state_dict()[name])
    assert not same(still, moved)
    assert same(moved, clone(moved).fit(X, LABELS))
    assert not any(part.training for part in moved.network_.modules())
    assert module.training


def test_images_come_as_images_or_as_rows() -> None:
    x, y = load_digits(return_X_y=True)
    x, y = x[:200] / 16, y[:200]
    spec = {
        "input_shape": [8, 8],
        "layers": [{"type": "Flatten"}, {"type": "Linear", "out_features": 10}],
    }
    rows = classifier(spec).fit(x, y)
    images = classifier(spec).fit(x.reshape(-1, 8, 8), y)
    module = classifier(rows.network_).fit(x.reshape(-1, 8, 8), y)
    assert same(rows, images)
    assert rows.n_features_in_ == images.n_features_in_ == 64
    assert (rows.predict(x.reshape(-1, 8, 8)) == images.predict(x)).all()
    assert module.predict(x).shape == (200,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_perceptron_has_the_dtype_of_the_samples(dtype) -> None:
    model = regressor().fit(X.astype(dtype), NUMBERS)
    assert {p.dtype for p in model.network_.parameters()} == {np.dtype(dtype)}
    assert model.predict(X).dtype == np.float64
    assert model.predict(X.astype(np.float32)).dtype == np.float32


def test_a_linear_model_has_no_hidden_layer() -> None:
    model = regressor(hidden_layer_sizes=(), lr=0.1, max_iter=400).fit(X, X @ [1, 2, 3, 4] + 5)
    weight, bias = values(model)
    np.testing.assert_allclose(weight, [[1, 2, 3, 4]], atol=1e-3)
    np.testing.assert_allclose(bias, [5], atol=1e-3)
    assert [tuple(w.shape) for w in values(regressor(hidden_layer_sizes=8).fit(X, NUMBERS))] == [
        (8, 4), (8,), (1, 8), (1,),
    ]  # fmt: skip


def test_second_order_steps_find_the_least_squares_in_a_few_epochs() -> None:
    model = regressor(
        hidden_layer_sizes=(), optimizer="LBFGS", lr=1.0, batch_size=60, max_iter=2,
        optimizer_options={"line_search_fn": "strong_wolfe"},
    )  # fmt: skip
    weight, bias = values(model.fit(X, NUMBERS))
    best = np.linalg.lstsq(np.column_stack([X, np.ones(60)]), NUMBERS, rcond=None)[0]
    np.testing.assert_allclose(np.append(weight, bias), best, atol=1e-4)


def test_a_network_may_give_its_one_number_without_an_axis() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            self.scale = nn.Parameter(np.ones(4))

        def forward(self, x):
            return (x * self.scale).sum(axis=1)

    model = regressor(Sum(), lr=0.1, max_iter=300).fit(X, X @ [1.0, 2.0, 3.0, 4.0])
    assert model.score(X, X @ [1.0, 2.0, 3.0, 4.0]) > 0.999
    assert model.predict(X).shape == (60,)


def test_it_is_in_train_mode_while_it_trains_and_keeps_no_gradients() -> None:
    modes: list[bool] = []

    class Watched(nn.Linear):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    model = regressor(Watched(4, 1), max_iter=2, batch_size=30).fit(X, NUMBERS)
    assert modes == [False] + [True] * 4  # a dry run first
    model.predict(X)
    assert modes[5:] == [False]
    assert all(p.grad is None for p in model.network_.parameters())


def test_the_room_is_imported_when_it_is_first_used() -> None:
    assert tg.sklearn.NetworkClassifier is NetworkClassifier
