from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.blame import wrong_rules
from tinygrad_bp.testing.grading.truth import largest, numerical
from tinygrad_bp.train import check_recipe, load_recipe, recipe_names
from tinygrad_bp.train.check import BY_HAND_LIMIT, NUMERICAL_LIMIT, Difference, ParameterCheck


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYGRAD_BP_DATA", str(tmp_path))


def break_rule(monkeypatch, name, i=0, factor=1.001):
    rules = list(PRIMITIVES[name].vjps)
    right = rules[i]
    rules[i] = lambda g, out, *inputs, **params: right(g, out, *inputs, **params) * factor
    monkeypatch.setattr(PRIMITIVES[name], "vjps", tuple(rules))


@pytest.mark.parametrize("name", [n for n in recipe_names() if n != "mnist-mlp"])
def test_every_recipe_passes(name):
    result = check_recipe(load_recipe(name))
    assert result.passed
    assert result.parameters[0].name == "0.weight"
    for parameter in result.parameters:
        assert parameter.by_hand.value <= BY_HAND_LIMIT
        assert parameter.numerical.value <= NUMERICAL_LIMIT
        assert parameter.numerical.error <= NUMERICAL_LIMIT
    assert result.notes == []


def test_without_data_files_random_samples_are_used_and_it_says_so():
    assert check_recipe(load_recipe("ex4-tnc")).data == "8 random samples, as ex4 is not there"
    assert check_recipe(load_recipe("digits")).data == "the first 8 training samples of digits"


@pytest.mark.parametrize(
    ("recipe", "primitive"),
    [
        ("digits", "relu"),
        ("digits", "cross_entropy_labels"),
        ("digits-delta", "sigmoid"),
        ("digits-delta", "squared_error"),
        ("ex4-tnc", "binary_cross_entropy"),
    ],
)
def test_a_wrong_rule_is_caught_and_named(monkeypatch, recipe, primitive):
    break_rule(monkeypatch, primitive)
    result = check_recipe(load_recipe(recipe))
    assert not result.passed
    wrong = [p for p in result.parameters if not p.passed]
    assert all(p.by_hand.value > BY_HAND_LIMIT for p in wrong)
    assert any(p.numerical.value > NUMERICAL_LIMIT for p in wrong)
    assert len(result.notes) == 1
    assert f"the rule of the primitive {primitive!r} for its input 0 is wrong" in result.notes[0]


def test_a_wrong_equation_by_hand_is_told_from_a_wrong_rule(monkeypatch):
    from tinygrad_bp import backprop

    right = backprop.ACTIVATIONS["sigmoid"]
    wrong = right._replace(back=lambda g, z, a: right.back(g, z, a) * 1.001)
    monkeypatch.setitem(backprop.ACTIVATIONS, "sigmoid", wrong)
    result = check_recipe(load_recipe("digits-delta"))
    assert not result.passed
    assert all(p.numerical.value <= NUMERICAL_LIMIT for p in result.parameters)
    first, rules = result.notes
    assert "2.weight is the first that is wrong: it is 1.001 times what it should be" in first
    assert rules == "each rule of the graph agrees with a numerical derivative"


def test_a_network_without_equations_is_checked_numerically_alone():
    layers = '[{type="Linear", out_features=5}, {type="GELU"}, {type="Dropout", p=0.5}, '
    layers += '{type="Linear", out_features=10}]'
    result = check_recipe(load_recipe("digits").override([f"network.layers={layers}"]))
    assert result.passed
    assert all(p.by_hand is None for p in result.parameters)
    assert "layer '1' is GELU" in result.notes[0]


def test_a_gradient_that_is_not_finite_fails():
    good = Difference(0.0, "[0]")
    for bad in (np.inf, np.nan):
        assert not ParameterCheck("w", (1,), Difference(bad, "[0]"), good).passed
        assert not ParameterCheck("w", (1,), good, Difference(bad, "[0]")).passed


def test_where_all_elements_agree_exactly_no_place_is_named():
    exact = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert largest(exact, exact) == Difference(0.0, "")
    assert largest(np.array([[1.0, 2.0], [4.0, 4.0]]), exact) == Difference(0.25, "[1, 0]")
    assert largest(np.array([1.0, np.nan]), np.ones(2)) == Difference(np.inf, "[1]")
    found = numerical(lambda w: 0.0, np.ones(3), np.zeros(3), np.random.default_rng(0))
    assert (found.value, found.where) == (0.0, "")


def test_only_the_wrong_input_of_an_operation_is_blamed(monkeypatch):
    break_rule(monkeypatch, "multiply", 1)
    x, y = (tg.Tensor(np.arange(1.0, 4), requires_grad=True) for _ in range(2))
    lines = wrong_rules(np.sum(np.sin(x) * y))
    assert len(lines) == 1
    assert "'multiply' for its input 1 is wrong" in lines[0]


def test_rules_that_broadcast_and_that_read_elements_are_not_blamed():
    x = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    b = tg.Tensor(np.ones(3), requires_grad=True)
    out = np.sum((x * b)[0] * 2.0) + np.sum(np.concatenate([x, x])[[0, 3]])
    assert wrong_rules(out) == ["each rule of the graph agrees with a numerical derivative"]
