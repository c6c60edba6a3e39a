from __future__ import annotations

from dataclasses import make_dataclass
from typing import NamedTuple

import numpy as np
import pytest
from testing.homework import L2, N, data, graded, sizes, student

from tinygrad_bp import backprop, nn
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, GradientError, ShapeError
from tinygrad_bp.testing.equivalence import check_equivalent, grade_answers
from tinygrad_bp.testing.grading.feedforward import Feedforward
from tinygrad_bp.testing.grading.grader import Mark
from tinygrad_bp.testing.grading.truth import find_truth


def test_right_formulas_pass_and_the_report_says_so():
    for deltas in (True, False):
        grade = graded(student(deltas))
        assert grade.passed
        assert grade.first is None
        assert str(grade).startswith(f"all {len(grade.formulas)} formulas are right.")
        assert [f.name for f in grade][-2:] == ["dW1", "db1"]
        grade.raise_if_wrong()


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
    truth = find_truth(sizes(4, 6, 5, 3), "cross_entropy", data())
    copied = grade_answers(truth.gradients, truth)
    assert all(f.mark is Mark.RIGHT for f in copied)
    assert not copied.passed


def test_the_error_carries_the_grade():
    grade = graded(student(**{"d3": lambda e: (np.eye(3)[e["y"]] - e["q"]) / N}))
    with pytest.raises(GradientError, match="Fix: begin with delta3") as caught:
        grade.raise_if_wrong()
    assert caught.value.check is grade


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
