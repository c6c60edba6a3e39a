"""Which graphs are perceptrons, and that what is written of them is so."""

from __future__ import annotations

import numpy as np
import pytest
from draw.derivation.auditing import agree, compute, compute_lines
from hypothesis import given, settings

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw.derivation import explain
from tinygrad_bp.nn import functional as F  # noqa: N812
from tinygrad_bp.testing.strategies import networks

X = np.random.default_rng(0).normal(size=(4, 3))
Y = np.random.default_rng(1).uniform(0.1, 0.9, size=(4, 2))


def _network(*activations, bias=True):
    """Linear layers 3-5-2, or 3-5-4-2, with these activations between and behind them."""
    sizes = [3, *[5, 4][: len(activations) - 1], 2]
    layers = []
    for k, activation in enumerate(activations):
        layers.append(nn.Linear(sizes[k], sizes[k + 1], bias=bias, dtype=np.float64, generator=k))
        layers += [activation] if activation is not None else []
    return nn.Sequential(*layers)


def _holds(loss, parameters):
    """That the lines, computed from the table of names, give the gradients; the derivation."""
    derivation = explain(loss)
    assert derivation.title.startswith("Backpropagation through a 3-5-")
    readable = all(step.operation != "huber" for step in derivation.steps)
    values = compute_lines(derivation) if readable else compute(derivation)[0]
    loss.backward(retain_graph=True)
    for p in parameters:
        (quantity,) = [q for q in derivation.inputs if q.value is p.data]
        assert agree(values[quantity.bar], p.grad.data), quantity.symbol
        p.grad = None
    computed, _ = compute(derivation)
    for q in derivation.inputs:
        assert not q.bar or agree(computed[q.bar], q.gradient), q.symbol
    return derivation


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.Softplus(), None], ids=repr)
@pytest.mark.parametrize(
    "hidden",
    [
        nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.Softsign(), nn.Softplus(), nn.LeakyReLU(0.2),
        nn.ELU(1.5), nn.Softmax(), nn.LogSoftmax(), nn.SiLU(), nn.GELU(), nn.LogSigmoid(),
        nn.Identity(), nn.Dropout(0.5, generator=0), None,
    ],
    ids=repr,
)  # fmt: skip
def test_every_activation(hidden, last):
    model = _network(hidden, hidden, last)
    _holds(F.mse_loss(model(X), Y), model.parameters())


LOSSES = {
    "mse": F.mse_loss,
    "half": F.half_squared_error,
    "absolute": F.l1_loss,
    "huber": F.huber_loss,
    "binary": F.binary_cross_entropy_with_logits,
    "sum": lambda a, y: F.mse_loss(a, y, reduction="sum") / len(y),
    "thrice": lambda a, y: 3.0 * F.mse_loss(a, y) / 7.0,
    "labels": lambda a, y: F.cross_entropy(a, np.array([0, 1, 1, 0])),
    "rows": lambda a, y: F.cross_entropy(a, y / y.sum(axis=1, keepdims=True)),
    "by hand": lambda a, y: np.sum((a - y) ** 2) / 4.0,
    "mean by hand": lambda a, y: ((a - y) * (a - y)).mean(),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("last", [nn.Tanh(), None], ids=repr)
def test_every_loss(name, last):
    model = _network(nn.Sigmoid(), last)
    _holds(LOSSES[name](model(X), Y), model.parameters())


@pytest.mark.parametrize(
    "penalty",
    [
        lambda w: 0.5 * 0.1 * sum(np.sum(p * p) for p in w),
        lambda w: 0.05 * np.sum(w[0] ** 2) + 0.3 * np.sum(np.square(w[1])),
        lambda w: np.sum(w[1] * w[1]) * 0.05,
        lambda w: 0.05 * np.sum(np.abs(w[0])),
        lambda w: 0.05 * np.sum(w[0] * w[0]) + 0.05 * np.sum(w[0] * w[0]),
        lambda w: np.exp(np.sum(w[0]) * 0.01),
    ],
    ids=["together", "two rates", "one layer", "absolute", "twice", "of another kind"],
)
def test_a_penalty_on_the_weights(penalty):
    model = _network(nn.Sigmoid(), None)
    loss = F.mse_loss(model(X), Y) + penalty([model[0].weight, model[2].weight])
    _holds(loss, model.parameters())


def test_the_rate_of_the_penalty_is_lambda():
    model = _network(nn.Sigmoid(), None)
    loss = F.mse_loss(model(X), Y)
    for layer in (model[0], model[2]):
        loss = loss + 0.5 * 0.125 * np.sum(layer.weight * layer.weight)
    lines = [line.latex for section in explain(loss).sections for line in section.lines]
    assert r"\lambda = \frac{1}{8}" in lines
    assert [x for x in lines if "lambda W" in x] == [
        rf"\frac{{\partial \mathcal{{L}}}}{{\partial W^{{{k}}}}} = \delta^{{{k}\top}} {x}"
        rf" + \lambda W^{{{k}}}"
        for k, x in ((2, "a^{1}"), (1, "x"))
    ]


def test_what_the_user_calls_lambda_is_no_rate():
    model = _network(nn.Sigmoid(), None)
    slope = tg.Tensor(0.25, requires_grad=True, name="lambda")
    z = model[0](X)
    out = model[2](np.maximum(z, 0.0) + slope * np.minimum(z, 0.0))
    loss = F.mse_loss(out, Y) + 0.5 * np.sum(model[0].weight * model[0].weight)
    derivation = _holds(loss, [*model.parameters(), slope])
    (symbol,) = [q.symbol for q in derivation.inputs if q.name == "lambda"]
    assert symbol == "x_{1}"
    lines = [line.latex for section in derivation.sections for line in section.lines]
    assert r"\lambda = 1" in lines


def test_a_layer_without_bias_has_no_third_equation():
    model = _network(nn.Tanh(), None, bias=False)
    derivation = _holds(F.mse_loss(model(X), Y), model.parameters())
    assert "BP3" not in {line.label for line in derivation.sections[-1].lines}


def test_what_needs_no_gradient_has_no_equation_and_the_input_may_have_one():
    model = _network(nn.Tanh(), None)
    model[0].weight.requires_grad = False
    x = tg.Tensor(X, requires_grad=True, name="x")
    derivation = _holds(F.mse_loss(model(x), Y), [x, model[0].bias, model[2].weight])
    lines = derivation.sections[-1].lines
    assert [line.label for line in lines if line.label].count("BP4") == 1
    assert lines[-1].latex == r"\frac{\partial \mathcal{L}}{\partial x} = \delta^{1} \, W^{1}"


def test_a_network_that_nobody_called_a_module_is_one_too():
    w, v = (tg.Tensor(np.ones(s), requires_grad=True) for s in ((5, 3), (2, 5)))
    loss = F.half_squared_error(np.tanh(F.linear(F.sigmoid(F.linear(X, w)), v)), Y)
    derivation = _holds(loss, [w, v])
    assert [q.symbol for q in derivation.inputs] == ["x", "W^{1}", "W^{2}", "y"]


@pytest.mark.parametrize("loss", [F.mse_loss, lambda a, x: np.sum((a - x) ** 2)])
def test_what_is_compared_with_its_input_has_one_name_for_both(loss):
    w, v = (tg.Tensor(np.ones(s), requires_grad=True) for s in ((5, 3), (3, 5)))
    x = tg.Tensor(X)
    derivation = _holds(loss(F.linear(np.tanh(F.linear(x, w)), v), x), [w, v])
    assert [q.symbol for q in derivation.inputs] == ["x", "W^{1}", "W^{2}"]


def _shared():
    layer = nn.Linear(3, 3, dtype=np.float64, generator=0)
    return layer(np.tanh(layer(X)))


def _skipping():
    first, second = (nn.Linear(3, 3, dtype=np.float64, generator=k) for k in (0, 1))
    h = np.tanh(first(X))
    return second(h) + h


def _side_by_side():
    first, second = (nn.Linear(3, 3, dtype=np.float64, generator=k) for k in (0, 1))
    return first(X) * second(X)


def _deeper():
    return nn.Linear(3, 3, dtype=np.float64, generator=0)(X[None])


def _output_itself():
    return nn.Linear(3, 1, dtype=np.float64, generator=0)(X[:1])


@pytest.mark.parametrize("build", [_shared, _skipping, _side_by_side, _deeper, _output_itself])
def test_other_networks_are_derived_step_by_step(build):
    out = build()
    derivation = explain(out if out.size == 1 else np.sum(out * out))
    assert derivation.title.startswith("The chain rule through ")
    computed, given = compute(derivation)
    assert not given
    for q in derivation.inputs:
        assert not q.bar or agree(computed[q.bar], q.gradient)


@given(example=networks())
@settings(max_examples=40)
def test_the_derivation_of_any_network_gives_its_gradients(example):
    loss = example.objective(example.model)
    derivation = explain(loss)
    computed, _ = compute(derivation)
    lines = {}
    known = {step.operation for step in derivation.steps}
    if derivation.title.startswith("Backpropagation") and not known & {"huber", "getitem"}:
        lines = compute_lines(derivation)
    loss.backward()
    for p in example.model.parameters():
        (q,) = [q for q in derivation.inputs if q.value is p.data]
        assert agree(computed[q.bar], p.grad.data)
        assert not lines or agree(lines[q.bar], p.grad.data)


@pytest.mark.parametrize(
    "activation", [nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.Softsign(), nn.ELU(2.0)], ids=repr
)
def test_the_functions_and_their_slopes_are_those_of_the_registry(activation):
    model = _network(activation, activation)
    sections = explain(F.mse_loss(model(X), Y)).sections
    (lines,) = [s.lines for s in sections if s.title == "Activations"]
    *definition, slope = [line.latex.partition("(z) = ")[0] for line in lines]
    assert definition == ([] if isinstance(activation, nn.Tanh) else [slope.removesuffix("'")])
    assert slope.endswith("'")


def test_the_limits_of_an_activation_are_not_taken_for_its_name():
    model = _network(nn.ReLU6(), None)
    derivation = _holds(F.mse_loss(model(X), Y), model.parameters())
    assert r"a^{1} = \min(\max(z^{1}, 0), 6)" in derivation.latex()
