"""Twenty faults in a network of three layers: the message names the right rule each time."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.testing import GradientError, check_gradients
from tinygrad_bp.testing.blame import wrong_rules

RIGHT = ["each rule of the graph agrees with a numerical derivative"]


class Network(nn.Module):
    """Three layers, with an operation of most families between them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 6, generator=0)
        self.second = nn.Linear(6, 4, generator=1)
        self.third = nn.Linear(4, 3, generator=2)

    def __call__(self, x):
        h = np.tanh(self.first(x))
        h = nn.functional.relu(self.second(h) * 1.5 + 0.1)
        z = self.third(np.sqrt(h * h + 1.0) - np.exp(-h))
        return z - np.mean(z, axis=0)


def loss(network, x, labels):
    z = network(x)
    penalty = sum((np.sum(p**2) for _, p in network.named_parameters()), tg.Tensor(0.0))
    return nn.functional.cross_entropy(z, labels) + 0.01 * penalty


def times(factor):
    return lambda part, g, out, *inputs: part * factor


def without(index):
    def change(part, g, out, *inputs):
        mask = np.ones(np.shape(part))
        mask[index] = 0.0
        return part * mask

    return change


# Primitive, input, and what becomes of its cotangent.
FAULTS = {
    "tanh lost its square": ("tanh", 0, lambda part, g, out, x: g * (1 - out)),
    "tanh is off by a thousandth": ("tanh", 0, times(1.001)),
    "tanh forgets one element": ("tanh", 0, without((2, 3))),
    "relu passes everything": ("relu", 0, lambda part, g, out, x: g),
    "relu has its sign turned": ("relu", 0, times(-1.0)),
    "sqrt forgets the 2": ("sqrt", 0, times(2.0)),
    "exp returns the cotangent": ("exp", 0, lambda part, g, out, x: g),
    "exp is wrong for large arguments": ("exp", 0, lambda part, g, out, x: part * (x < -0.5)),
    "multiply is wrong on its left": ("multiply", 0, times(0.5)),
    "multiply is off by a millionth": ("multiply", 0, times(1.00001)),
    "add forgets its right": ("add", 1, times(0.0)),
    "add doubles its left": ("add", 0, times(2.0)),
    "subtract forgets the sign": ("subtract", 1, times(-1.0)),
    "mean divides twice": ("mean", 0, times(1 / 8)),
    "mean does not divide": ("mean", 0, times(8.0)),
    "sum gives ones and no cotangent": ("sum", 0, lambda part, g, out, x, **p: part * 0.9),
    "power forgets the exponent": ("power", 0, times(0.5)),
    "cross entropy does not divide": ("cross_entropy_labels", 0, times(8.0)),
    "negative is positive": ("negative", 0, times(-1.0)),
    "linear forgets a row": ("linear", 1, without((1,))),
}


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    return rng.normal(size=(8, 5)), np.arange(8) % 3


def break_rule(monkeypatch, name, i, change):
    primitive = PRIMITIVES[name]

    def wrong(g, out, *inputs, **params):
        part = rule(g, out, *inputs, **params)
        return change(part, g, out, *inputs)

    rules = [primitive.vjps[k] for k in range(len(primitive.vjp_formulas))]
    rule = rules[i]
    rules[i] = wrong
    monkeypatch.setattr(primitive, "vjps", tuple(rules))


def test_the_network_is_right_and_uses_every_rule_that_is_broken_below(data):
    assert check_gradients(loss, Network(), *data, argnums=(0, 1)).passed
    assert len(FAULTS) == 20


@pytest.mark.parametrize("fault", FAULTS)
def test_the_message_names_the_rule_with_the_fault(monkeypatch, data, fault):
    name, i, change = FAULTS[fault]
    break_rule(monkeypatch, name, i, change)
    with pytest.raises(GradientError) as caught:
        check_gradients(loss, Network(), *data, argnums=(0, 1), order=1)
    check = caught.value.check
    assert len(check.blamed) == 1
    named = f"Blame: the rule of the primitive {name!r} for its input {i} is wrong"
    assert named in str(caught.value)
    assert "test_blame.py:" in check.blamed[0]
    assert len(str(caught.value).splitlines()) <= 5


def test_the_module_at_work_is_named(monkeypatch, data):
    break_rule(monkeypatch, "linear", 1, times(2.0))
    with pytest.raises(
        GradientError, match=r"'linear' for its input 1 is wrong in first at|in Lin"
    ):
        check_gradients(loss, Network(), *data, order=1)


def test_a_rule_of_a_rule_is_named_at_second_order(monkeypatch, data):
    def constant(part, g, out, x):
        return g * (1 - np.tanh(x.data if isinstance(x, tg.Tensor) else x) ** 2)

    break_rule(monkeypatch, "tanh", 0, constant)
    with pytest.raises(GradientError) as caught:
        check_gradients(loss, Network(), *data)
    (line,) = caught.value.check.blamed
    assert "'tanh' for its input 0 is wrong at second order" in line


def test_where_all_rules_are_right_it_says_so():
    x = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    b = tg.Tensor(np.ones(3), requires_grad=True)
    assert wrong_rules(np.sum((x * b)[0] * 2.0) + np.sum(np.concatenate([x, x])[[0, 3]])) == RIGHT
    assert wrong_rules(x) == RIGHT


def test_a_joint_rule_and_one_for_all_inputs_are_checked(monkeypatch):
    x, y = (tg.Tensor(np.array([1.0, 2.0]), requires_grad=True) for _ in range(2))
    for name, joint in (("joint_product", True), ("each_product", False)):
        if joint:

            def rules(g, out, x, y):
                return [g * y, 3 * g * x]
        else:

            def rules(i, g, out, x, y):
                return g * (y if i == 0 else 3 * x)

        product = tg.Primitive(
            name, np.multiply, rules, joint=joint, formula="", vjp_formulas=["", ""]
        )
        try:
            (line,) = wrong_rules(np.sum(product(x, y)))
            assert f"{name!r} for its input 1 is wrong" in line
        finally:
            del PRIMITIVES[name]
