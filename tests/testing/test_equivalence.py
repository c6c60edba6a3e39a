from __future__ import annotations

import itertools
from dataclasses import make_dataclass
from typing import NamedTuple

import numpy as np
import pytest

from tinygrad_bp import backprop, nn
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, GradientError, ShapeError
from tinygrad_bp.testing.equivalence import check_equivalent, grade_answers
from tinygrad_bp.testing.grading.answers import meaning
from tinygrad_bp.testing.grading.feedforward import Feedforward
from tinygrad_bp.testing.grading.grader import Mark
from tinygrad_bp.testing.grading.truth import find_truth

L2 = 0.3
N = 7


def sizes(*widths, activations=("Tanh", "Sigmoid")):
    """A network in float64 whose layers have these widths."""
    rng = np.random.default_rng(1)
    layers = []
    for k, (i, o) in enumerate(itertools.pairwise(widths)):
        linear = nn.Linear(i, o, dtype=np.float64)
        linear.weight.data, linear.bias.data = rng.normal(size=(o, i)), rng.normal(size=o)
        layers.append(linear)
        if k < len(activations):
            layers.append(getattr(nn, activations[k])())
    return nn.Sequential(*layers)


def data(width=4, classes=3, samples=N):
    rng = np.random.default_rng(2)
    return rng.normal(size=(samples, width)), rng.integers(0, classes, samples)


def student(deltas=True, **wrong):
    """Gradients of a tanh, a sigmoid and a linear layer under cross-entropy, with mistakes."""

    def part(name, right):
        return wrong.get(name, right)

    def gradients(p, x, y):
        w1, w2, w3 = p["W1"], p["W2"], p["W3"]
        z1 = x @ w1.T + p["b1"]
        a1 = np.tanh(z1)
        z2 = a1 @ w2.T + p["b2"]
        a2 = 1 / (1 + np.exp(-z2))
        z3 = a2 @ w3.T + p["b3"]
        e = np.exp(z3)
        q = e / e.sum(axis=1, keepdims=True)
        e = dict(locals())
        d3 = part("d3", lambda e: (q - np.eye(3)[y]) / len(x))(e)
        e["d3"] = d3
        d2 = part("d2", lambda e: d3 @ w3 * a2 * (1 - a2))(e)
        e["d2"] = d2
        d1 = part("d1", lambda e: d2 @ w2 * (1 - a1 * a1))(e)
        e["d1"] = d1
        out = {"delta1": d1, "delta2": d2, "delta3": d3} if deltas else {}
        for k, (d, a, w) in enumerate([(d1, x, w1), (d2, a1, w2), (d3, a2, w3)], 1):
            out[f"dW{k}"] = part(f"W{k}", lambda d, a, w: d.T @ a + L2 * w)(d, a, w)
            out[f"db{k}"] = part(f"b{k}", lambda d, b: d.sum(axis=0))(d, p[f"b{k}"])
        return out

    return gradients


def graded(my_gradients, model=None, loss="cross_entropy", given=None, l2=L2):
    return check_equivalent(my_gradients, model or sizes(4, 6, 5, 3), loss, given or data(), l2=l2)


def test_right_formulas_pass_and_the_report_says_so():
    for deltas in (True, False):
        grade = graded(student(deltas))
        assert grade.passed
        assert grade.first is None
        assert str(grade).startswith(f"all {len(grade.formulas)} formulas are right.")
        assert [f.name for f in grade][-2:] == ["dW1", "db1"]
        grade.raise_if_wrong()


DELTAS = {
    "not divided by the number of samples, 7": {"d3": lambda e: e["q"] - np.eye(3)[e["y"]]},
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
    "it is divided by the number of samples, 7, once too often": (
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


def test_what_is_missing_and_what_is_too_much_count():
    def some(p, x, y):
        out = student(False)(p, x, y)
        del out["db2"]
        return {**out, "W2": out["dW2"], "momentum": 0.9, "W9": 1.0}

    grade = graded(some)
    assert not grade.passed
    assert grade["2.bias"].mark is Mark.MISSING
    assert [f.name for f in grade if f.mark is Mark.UNEXPECTED] == ["W2", "momentum", "W9"]
    assert "'dW2' is the same gradient" in str(grade)
    assert str(grade).splitlines()[0] == ("6 formulas: 5 right, 1 wrong. Begin with 2.bias.")


def test_a_named_tuple_a_dataclass_and_lists_by_layer_are_answers():
    class Found(NamedTuple):
        W1: object
        b1: object

    kind = make_dataclass("Found", ["gradW1", "b1_grad"])
    model = sizes(4, 3, activations=())
    for make in (
        Found,
        kind,
        lambda w, b: {"weights": [w], "biases": [b]},
        lambda w, b: {"0.weight": w, "0.bias": b},
        lambda w, b: {"dW": w, "db": b},
    ):

        def formulas(p, x, y, make=make):
            d = x @ p["W1"].T + p["b1"] - np.eye(3)[y]
            return make(d.T @ x, d.sum(axis=0))

        def loss(out, y):
            return nn.functional.half_squared_error(out, np.eye(3)[y])

        assert graded(formulas, model, loss, l2=0.0).passed
    with pytest.raises(ArgumentError, match="have no names"):
        graded(lambda p, x, y: (1.0, 2.0))


def test_the_equations_of_backprop_pass_as_they_are():
    def formulas(p, x, y):
        names = [1, 2, 3]
        _, found = backprop.gradients(
            [p[f"W{k}"] for k in names],
            [p[f"b{k}"] for k in names],
            x,
            y,
            activations=["tanh", "sigmoid", "identity"],
            loss="softmax_cross_entropy",
            reduction="mean",
            l2=L2,
        )
        return found

    grade = graded(formulas)
    assert grade.passed
    assert len(grade.formulas) == 10  # three δs, six gradients and the loss


def test_a_delta_of_the_sum_is_a_convention_where_the_gradients_make_up_for_it():
    grade = graded(
        student(
            d3=lambda e: e["q"] - np.eye(3)[e["y"]],
            **{f"W{k}": lambda d, a, w: d.T @ a / N + L2 * w for k in (1, 2, 3)},
            **{f"b{k}": lambda d, b: d.mean(axis=0) for k in (1, 2, 3)},
        )
    )
    assert grade.passed
    assert "a convention like another" in grade.notes[0]


def test_a_wrong_loss_is_graded_last():
    def formulas(p, x, y):
        return {**student()(p, x, y), "loss": 1.0}

    grade = graded(formulas)
    assert (grade.first.name, grade.first.mark) == ("loss", Mark.WRONG)


def test_answers_in_float32_are_held_to_its_precision():
    def formulas(p, x, y):
        return {k: v.astype(np.float32) for k, v in student()(p, x, y).items()}

    assert graded(formulas).passed


def test_arguments_are_copies_and_a_change_of_them_is_noted():
    model = sizes(4, 6, 5, 3)
    before = model.state_dict()

    def formulas(p, x, y):
        out = student()(p, x, y)
        p["W1"] -= 0.1
        x[:] = 0
        return out

    grade = graded(formulas, model)
    assert grade.passed
    assert grade.notes == ("the function changes its arguments: 0.weight",)
    assert all(np.array_equal(v, model.state_dict()[k]) for k, v in before.items())


def test_a_network_that_is_no_row_of_layers_is_graded_by_factors_alone():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(4, 4, dtype=np.float64)

        def forward(self, x):
            return self.inner(np.sin(self.inner(x)))

    model = Twice()
    assert Feedforward.of(model) is None
    x, y = data(4)[0], np.zeros((N, 4))
    truth = find_truth(model, "mse_loss", (x, y))

    def formulas(p, x, y):
        return {
            "dW1": truth.gradients["inner.weight"].T,
            "inner.bias": N * truth.gradients["inner.bias"],
        }

    grade = check_equivalent(formulas, model, "mse_loss", (x, y))
    assert [f.mark for f in grade] == [Mark.WRONG] * 2
    assert "number of samples" in grade.first.cause


def test_a_linear_layer_used_twice_has_no_formula_of_its_own():
    shared = nn.Linear(3, 3)
    assert Feedforward.of(nn.Sequential(shared, nn.Tanh(), shared)) is None


def test_what_the_data_cannot_tell_is_noted():
    spec = nn.NetworkSpec.from_dict(
        {"input_shape": [2], "layers": [{"type": "Linear", "out_features": 3}, {"type": "ReLU"}]}
    )
    model = spec.build(0)
    model[0].bias.data = np.full(3, 50.0, np.float32)
    truth = find_truth(model, "mse_loss", (np.ones((1, 2)), np.zeros((1, 3))))
    grade = grade_answers(truth.gradients, truth)
    assert grade.passed
    assert "with one sample" in grade.notes[0]
    assert "the derivative of ReLU is 1 everywhere in layer 1" in grade.notes[1]


def test_a_wrong_rule_of_autograd_is_no_fault_of_the_writer(monkeypatch):
    rules = list(PRIMITIVES["tanh"].vjps)
    right = rules[0]
    rules[0] = lambda g, out, x: right(g, out, x) * 1.01
    monkeypatch.setattr(PRIMITIVES["tanh"], "vjps", tuple(rules))
    grade = graded(student(False))
    assert grade.doubts == ("0.weight", "0.bias")
    assert not grade.passed
    assert "in doubt" in str(grade)
    with pytest.raises(GradientError, match="check_gradients"):
        grade.raise_if_wrong()


def test_the_error_carries_the_grade():
    grade = graded(student(**DELTAS["the sign is turned"]))
    with pytest.raises(GradientError, match="Fix: begin with delta3") as caught:
        grade.raise_if_wrong()
    assert caught.value.grade is grade


def test_a_loss_that_is_unknown_or_no_number_is_refused():
    with pytest.raises(ArgumentError, match="did you mean 'cross_entropy'"):
        graded(student(), loss="crossentropy")
    with pytest.raises(ShapeError, match="one number"):
        graded(student(), loss=lambda out, y: out)


def test_sums_that_cancel_are_held_to_their_terms():
    # Logits of 0 and as many labels of each class: the biases' gradient is 0 but for rounding.
    model = nn.Sequential(nn.Linear(4, 3, weight_init="zeros", bias_init="zeros"))
    x, y = np.random.default_rng(0).normal(size=(9, 4)), np.arange(9) % 3

    def formulas(p, x, y, off=0.0):
        delta = (np.full((9, 3), 1 / 3) - np.eye(3)[y]) / 9
        bias = [sum(float(d) for d in row) for row in delta.T[:, ::-1]]
        return {"W1": delta.T @ x, "b1": np.array(bias) + 3e-17 + off}

    assert check_equivalent(formulas, model, "cross_entropy", (x, y)).passed
    grade = check_equivalent(
        lambda p, x, y: formulas(p, x, y, 1e-12), model, "cross_entropy", (x, y)
    )
    assert grade.first.name == "b1"


def test_a_delta_that_is_not_finite_is_the_only_one_to_blame():
    grade = graded(student(d2=lambda e: np.full_like(e["a2"], np.nan)))
    assert grade.first.cause == "it is nan at [0, 0]"
    assert [f.mark for f in grade if f.of[0] in "02"] == [Mark.FOLLOWS] * 4


def test_names_are_understood_as_they_are_written():
    names = {"W2": "weight 2", "dL_dW2": "", "b_1": "bias 1", "δ3": "delta 3", "x1": "", "": ""}
    assert {name: meaning(name) for name in names} == names


def test_a_parameter_that_there_is_not_is_named():
    with pytest.raises(KeyError, match="W1, b1"):
        graded(lambda p, x, y: {"W1": p["W7"]})


def test_dropout_does_nothing_and_flatten_may_come_first():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Dropout(0.5))
    x, y = np.random.default_rng(0).normal(size=(5, 2, 2)), np.arange(5) % 3

    def formulas(p, x, y):
        x = x.reshape(5, 4)
        e = np.exp(x @ p["W1"].T + p["b1"])
        delta = (e / e.sum(axis=1, keepdims=True) - np.eye(3)[y]) / 5
        return {"delta1": delta, "W1": delta.T @ x, "b1": delta.sum(axis=0)}

    assert check_equivalent(formulas, model, "cross_entropy", (x, y)).passed
    assert model.training
