"""What estimators say of settings, networks and samples that do not go together."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from estimators import (
    LABELS,
    LINEAR,
    NUMBERS,
    PAIRS,
    TWO_INPUTS,
    X,
    classifier,
    regressor,
    values,
)
from sklearn.exceptions import NotFittedError

from tinygrad_bp import nn
from tinygrad_bp.errors import (
    ArgumentError,
    MissingExtraError,
    NonFiniteError,
    ShapeError,
    SpecError,
)
from tinygrad_bp.sklearn import NetworkClassifier


def test_before_fit_there_is_nothing_to_predict() -> None:
    with pytest.raises(NotFittedError):
        NetworkClassifier().predict(X)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"loss": "mseloss"}, ArgumentError, "no loss 'mseloss' in nn.functional: did you mean 'm"),
        ({"loss": "relu"}, ArgumentError, "there is no loss 'relu'"),
        ({"optimizer": "adam"}, ArgumentError, "no optimizer 'adam' in optim: did you mean 'Adam'"),
        ({"optimizer": "StepLR"}, ArgumentError, "there is no optimizer 'StepLR'"),
        ({"activation": "relu"}, SpecError, "type of layer: did you mean 'ReLU'?"),
        ({"max_iter": 0}, ArgumentError, "max_iter is 0"),
        ({"batch_size": 0}, ArgumentError, "batch_size is 0"),
        ({"lr": -1}, ArgumentError, "lr=-1"),
        ({"network": 7}, ArgumentError, "network is an int (7)"),
        ({"network": lambda n, k, g: None}, ArgumentError, "network made a NoneType"),
        ({"network": LINEAR}, ShapeError, "an output of shape (1, 3), and (N, 1) is needed"),
        ({"network": nn.Identity()}, ShapeError, "an output of shape (1, 4), and (N, 1)"),
        ({"network": {**LINEAR, "input_shape": [5]}}, SpecError, "the samples have the shape [4]"),
        ({"network": TWO_INPUTS}, SpecError, "the network has the inputs u, v, and an estimator"),
        ({"network": "nowhere.toml"}, FileNotFoundError, "nowhere.toml"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_makes_no_sense_is_told_before_anything_is_trained(settings, error, says) -> None:
    model = regressor(**settings)
    with pytest.raises(error) as caught:
        model.fit(X, NUMBERS)
    assert says in str(caught.value)
    assert error is FileNotFoundError or "Fix: " in str(caught.value) or error is SpecError


@pytest.mark.parametrize("layer", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_a_softmax_where_the_loss_has_one_is_refused(layer: str) -> None:
    spec = {**LINEAR, "layers": [*LINEAR["layers"], {"type": layer}]}
    model = classifier(spec)
    with pytest.raises(ArgumentError, match=rf"ends in {layer}\(.*which the loss has inside"):
        model.fit(X, LABELS)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_what_is_refused_leaves_the_estimator_as_it_was() -> None:
    model = classifier(LINEAR).fit(X, LABELS)
    before, predicted = dict(vars(model)), model.predict(X)
    for samples, labels, weights in (
        (X, np.arange(60) % 4, None),  # another number of classes than the network has outputs
        (X[:, :3], LABELS, None),
        (X, LABELS, np.zeros(60)),
        (X, LABELS, -np.ones(60)),
    ):
        with pytest.raises(ValueError):
            model.fit(samples, labels, weights)
        assert vars(model) == before
    assert model.predict(X).tolist() == predicted.tolist()
    for settings in ({"loss": "none"}, {"batch_size": 0}, {"early_stopping": True}):
        again = classifier(**settings)
        with pytest.raises(ArgumentError):
            again.fit(X[:8], LABELS[:8])
        with pytest.raises(NotFittedError):
            again.predict(X)
    with pytest.raises(ValueError):
        classifier().partial_fit(X, LABELS, ["a", "b", "c"]).partial_fit(X, LABELS, ["a", "b"])
    first = classifier()
    with pytest.raises(ArgumentError, match="has the class 'c'"):
        first.partial_fit(X, LABELS, ["a", "b"])
    assert not hasattr(first, "classes_")


def test_too_few_samples_to_set_some_aside_are_told() -> None:
    for settings in ({}, {"validation_fraction": 2.0}):
        model = classifier(early_stopping=True, **settings)
        with pytest.raises(ArgumentError, match=r"early_stopping cannot set .* of 8 samples aside"):
            model.fit(X[:8], LABELS[:8])


def test_other_classes_and_columns_than_before_are_refused() -> None:
    model = classifier(warm_start=True).fit(X, LABELS)
    before = values(model)
    with pytest.raises(ArgumentError, match=r"has the class 'd', and the network knows the class"):
        model.fit(X, np.where(LABELS == "a", "d", LABELS))
    with pytest.raises(ArgumentError, match="has the class 'd'"):
        classifier().partial_fit(X, np.full(60, "d"), classes=["a", "b"])
    with pytest.raises(ArgumentError, match="class_weight='balanced': of one part"):
        classifier(class_weight="balanced").partial_fit(X, LABELS, classes=["a", "b", "c"])
    assert all(np.array_equal(a, b) for a, b in zip(before, values(model), strict=True))
    with pytest.raises(ShapeError, match=r"y has the shape \(60, 2\), and the network has 1"):
        regressor().partial_fit(X, NUMBERS).partial_fit(X, PAIRS)


def test_a_loss_that_explodes_is_an_error_that_names_what_helps() -> None:
    model = regressor(optimizer="SGD", lr=10.0, max_iter=500)
    with pytest.raises(NonFiniteError, match=r"the loss is (nan|inf)\.\nFix: scale the inputs"):
        model.fit(X * 1e3, NUMBERS)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tinygrad_bp.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"needs scikit-learn.*\nFix: pip install 't"):
        __import__("tinygrad_bp.sklearn")
