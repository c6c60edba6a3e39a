from __future__ import annotations

import numpy as np
import pytest
from testing.homework import L2, N, data, graded, sizes, student

from tinygrad_bp import nn
from tinygrad_bp.testing.grading.answers import meaning
from tinygrad_bp.testing.grading.feedforward import Feedforward
from tinygrad_bp.testing.grading.grader import Grader, Mark
from tinygrad_bp.testing.grading.mistakes import Equations
from tinygrad_bp.testing.grading.truth import find_truth

DELTAS = {
    "not divided by 7, the number of samples": {"d3": lambda e: e["q"] - np.eye(3)[e["y"]]},
    "the sign is turned": {"d3": lambda e: (np.eye(3)[e["y"]] - e["q"]) / N},
    "twice too large": {"d3": lambda e: 2 * (e["q"] - np.eye(3)[e["y"]]) / N},
    "a factor 2 is missing": {"d2": lambda e: e["d3"] @ e["w3"] * e["a2"] * (1 - e["a2"]) / 2},
    "the output minus the target": {"d3": lambda e: (e["z3"] - np.eye(3)[e["y"]]) / N},
    "the derivative of the sigmoid is too much": {
        "d3": lambda e: (
            (e["q"] - np.eye(3)[e["y"]]) / N / (1 + np.exp(-e["z3"])) / (1 + np.exp(e["z3"]))
        )
    },
    "the derivative of Sigmoid is missing": {"d2": lambda e: e["d3"] @ e["w3"]},
    "the derivative of Tanh is missing": {"d1": lambda e: e["d2"] @ e["w2"]},
    "is taken at the output a": {
        "d2": lambda e: e["d3"] @ e["w3"] / (1 + np.exp(-e["a2"])) / (1 + np.exp(e["a2"]))
    },
    "z stands in the place of a in 1 - a²": {
        "d1": lambda e: e["d2"] @ e["w2"] * (1 - e["z1"] ** 2)
    },
    "that of Sigmoid, a (1 - a), not of Tanh": {
        "d1": lambda e: e["d2"] @ e["w2"] * e["a1"] * (1 - e["a1"])
    },
    "is there twice": {"d2": lambda e: e["d3"] @ e["w3"] * (e["a2"] * (1 - e["a2"])) ** 2},
}


@pytest.mark.parametrize("deltas", [True, False], ids=["deltas", "no deltas"])
@pytest.mark.parametrize("cause", DELTAS)
def test_a_wrong_delta_is_named_and_what_is_made_of_it_only_follows(cause, deltas):
    (wrong,) = DELTAS[cause]
    # Without the penalty, a wrong δ scales all of W.
    grade = graded(student(deltas, **DELTAS[cause], **NO_PENALTY), l2=0.0)
    assert not grade.passed
    assert grade.first.of == f"delta {wrong[1]}"
    assert cause in grade.first.cause
    assert ("not handed in" in grade.first.cause) == (not deltas)
    others = [f.mark for f in grade if f is not grade.first]
    assert set(others) <= {Mark.RIGHT, Mark.FOLLOWS}
    later = [f for f in grade if f.of.startswith(f"{2 * (int(wrong[1]) - 1)}.")]
    assert [f.mark for f in later] == [Mark.FOLLOWS] * 2


NO_PENALTY = {f"W{k}": lambda d, a, w: d.T @ a for k in (1, 2, 3)}

PARAMETERS = {
    "the penalty λW is missing": ("W2", lambda d, a, w: d.T @ a),
    "the penalty is 2λW": ("W2", lambda d, a, w: d.T @ a + 2 * L2 * w),
    "the penalty is subtracted": ("W1", lambda d, a, w: d.T @ a - L2 * w),
    "the penalty is divided by the number of samples": ("W1", lambda d, a, w: d.T @ a + L2 * w / N),
    "the penalty is 1.7 times": ("W1", lambda d, a, w: d.T @ a + 1.7 * L2 * w),
    "twice too large, but for the penalty": ("W3", lambda d, a, w: 2 * d.T @ a + L2 * w),
    "only the first sample": ("W1", lambda d, a, w: np.outer(d[0], a[0]) + L2 * w),
    "it is transposed": ("W2", lambda d, a, w: (d.T @ a + L2 * w).T),
    "the sign is turned": ("W2", lambda d, a, w: -(d.T @ a + L2 * w)),
    "it is 1.25 times": ("W2", lambda d, a, w: 1.25 * (d.T @ a + L2 * w)),
    "it is zero everywhere": ("W2", lambda d, a, w: 0 * w),
    "it is nan at [0, 0]": ("W2", lambda d, a, w: np.nan * w),
    "no array of real numbers": ("W2", lambda d, a, w: "my gradient"),
    "the penalty is on weights alone": ("b2", lambda d, b: d.sum(axis=0) + L2 * b),
    "over axis 1, the units": ("b2", lambda d, b: d.sum(axis=1)),
    "it is divided by 7, the number of samples, once too often": (
        "b2",
        lambda d, b: d.mean(axis=0),
    ),
    "δ is not summed": ("b1", lambda d, b: d),
    "summed over everything": ("b1", lambda d, b: d.sum()),
    "the numbers are right": ("b1", lambda d, b: d.sum(axis=0, keepdims=True)),
    "only the last sample": ("b1", lambda d, b: d[-1]),
}


@pytest.mark.parametrize("deltas", [True, False], ids=["deltas", "no deltas"])
@pytest.mark.parametrize("cause", PARAMETERS)
def test_a_wrong_gradient_of_a_parameter_is_named_alone(cause, deltas):
    name, formula = PARAMETERS[cause]
    grade = graded(student(deltas, **{name: formula}))
    assert grade.first.name == f"d{name}"
    assert cause in grade.first.cause
    assert all(f.mark is Mark.RIGHT for f in grade if f is not grade.first)


def test_what_no_mistake_explains_is_told_with_its_place():
    def one_row(d, a, w):
        out = d.T @ a + L2 * w
        out[2] += 0.5
        return out

    first = graded(student(W2=one_row)).first
    assert first.cause == "6 of 30 elements are off, all in row 2"
    assert first.difference.where.startswith("[2, ")
    missing = graded(student(W2=lambda d, a, w: d.T @ a + L2 * w + 2e-6 * (w == w[0, 0]))).first
    assert (missing.mark, missing.difference.where) == (Mark.WRONG, "[0, 0]")


def test_layers_of_one_width_tell_which_way_the_error_should_go_back():
    model = sizes(5, 5, 5, 3)
    wrong = {
        "δ2 is not carried back through W2": lambda e: e["d2"] * (1 - e["a1"] ** 2),
        "W2 is transposed": lambda e: e["d2"] @ e["w2"].T * (1 - e["a1"] ** 2),
        "δ2 goes back through W1, not W2": lambda e: e["d2"] @ e["w1"] * (1 - e["a1"] ** 2),
        "the derivative of Tanh is taken at z2, not z1": (
            lambda e: e["d2"] @ e["w2"] * (1 - np.tanh(e["z2"]) ** 2)
        ),
    }
    for cause, formula in wrong.items():
        for deltas in (True, False):
            first = graded(student(deltas, d1=formula), model, given=data(5)).first
            assert first.of == "delta 1"
            assert cause in first.cause
    first = graded(
        student(W2=lambda d, a, w: d.T @ np.arctanh(a) + L2 * w), model, given=data(5)
    ).first
    assert "z1 stands in the place of a1" in first.cause


def test_gradients_of_one_layer_that_are_both_wrong_do_not_blame_a_delta_that_others_refute():
    twice = {"W2": lambda d, a, w: 2 * d.T @ a, "b2": lambda d, b: 2 * d.sum(axis=0)}
    grade = graded(student(False, **{**NO_PENALTY, **twice}), l2=0.0)
    wrong = [f for f in grade if f.mark is not Mark.RIGHT]
    assert [f.name for f in wrong] == ["dW2", "db2"]
    assert all("twice too large" in f.cause for f in wrong)


def test_two_mistakes_are_both_found():
    grade = graded(
        student(
            False,
            **{**NO_PENALTY, **DELTAS["the derivative of Sigmoid is missing"]},
            d1=lambda e: -(e["d2"] @ e["w2"] * (1 - e["a1"] ** 2)),
        ),
        l2=0.0,
    )
    wrong = [f for f in grade if f.mark is Mark.WRONG]
    assert [f.name for f in wrong] == ["delta2", "delta1"]
    assert "the sign is turned" in wrong[1].cause


def test_a_linear_layer_used_twice_has_no_formula_of_its_own():
    shared = nn.Linear(3, 3)
    assert Feedforward.of(nn.Sequential(shared, nn.Tanh(), shared)) is None
    tied = nn.Linear(3, 3)
    tied.weight = shared.weight
    assert Feedforward.of(nn.Sequential(shared, tied)) is None
    computed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    assert Feedforward.of(nn.Sequential(computed)) is None
    assert Feedforward.of(nn.Sequential(nn.Residual(nn.Linear(3, 3)))) is None


def test_names_are_understood_as_they_are_written():
    names = {"W2": "weight 2", "dL_dW2": "", "b_1": "bias 1", "δ3": "delta 3", "x1": "", "": ""}
    assert {name: meaning(name) for name in names} == names


def _random_case(rng):
    """A network, data, and answers with one mistake; where it is, and what it is."""
    depth = int(rng.integers(1, 4))
    widths = [int(n) for n in rng.integers(2, 6, depth + 1)]
    names = ["Tanh", "Sigmoid", "Softsign", "GELU", "ELU", "Softmax"]
    model = sizes(*widths, activations=rng.choice(names, depth - 1))
    x = rng.normal(size=(int(rng.integers(3, 9)), widths[0]))
    y = rng.uniform(size=(len(x), widths[-1]))
    loss = rng.choice(["mse_loss", "half_squared_error", "binary_cross_entropy_with_logits"])
    truth = find_truth(model, str(loss), (x, y), float(rng.choice([0.0, 0.2])))
    equations, given, cause = Equations(truth, truth.net), {}, ""
    place, kind = int(rng.integers(depth)), str(rng.choice(["delta", "weight", "bias", "none"]))
    hand_in, later = bool(rng.integers(2)), None

    def pick(mistakes, like=None):
        fits = [m for m in mistakes if like is None or m[1].shape == like.shape]
        fits = [m for m in fits if np.isfinite(m[1]).all()] or [("the sign", -like)]
        return fits[rng.integers(len(fits))]

    for i in reversed(range(depth)):
        here, delta = i == place, equations.delta(i, later)
        if here and kind == "delta":
            cause, delta = pick(equations.wrong_deltas(i, later), delta)
        w, b = equations.weight(i, delta), equations.bias(i, delta)
        if here and kind == "weight":
            cause, w = pick(equations.wrong_weights(i, delta))
        if here and kind == "bias":
            cause, b = pick(equations.wrong_biases(i, delta))
        given |= {f"W{i + 1}": w, f"b{i + 1}": b}
        if hand_in:
            given[f"delta{i + 1}"] = delta
        later = delta
    names = {"weight": f"W{place + 1}", "bias": f"b{place + 1}", "delta": f"delta{place + 1}"}
    return truth, given, names.get(kind), cause


@pytest.mark.parametrize("seed", range(4))
def test_one_mistake_in_a_random_network_is_found_where_it_is(seed):
    rng = np.random.default_rng(seed)
    seen = 0
    for _ in range(50):
        truth, given, name, cause = _random_case(rng)
        formulas = Grader(truth, given, 1e-9).grade()
        wrong = [f for f in formulas if f.mark not in (Mark.RIGHT, Mark.FOLLOWS)]
        if name is None or not wrong:  # some mistakes change no number, as a' = 1 left out
            assert all(f.mark is Mark.RIGHT for f in formulas), cause
            continue
        seen += 1
        assert [f.name for f in wrong] == [name], cause
        assert "no common mistake" not in wrong[0].cause
    assert seen > 20
