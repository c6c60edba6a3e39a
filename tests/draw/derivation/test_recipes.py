"""The printed derivation of every recipe's network, computed, gives its gradients."""

from __future__ import annotations

import numpy as np
import pytest
from draw.derivation.auditing import agree, audit, compute, compute_lines

from tinygrad_bp import backprop
from tinygrad_bp.draw.derivation import explain
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.recipe import load_recipe, recipe_names

SAMPLES = 3
_SLOPE = r"\frac{\partial \mathcal{L}}"


def _loss(name, samples=SAMPLES):
    """The loss of a few random samples in float64, and the network."""
    recipe = load_recipe(name)
    spec = recipe.network
    rng = np.random.default_rng(0)
    model = NetworkSpec(spec.input_shape, spec.layers, "float64").build(rng)
    for p in model.parameters():  # biases of zero would hide what is wrong with them
        p.assign(p.data + rng.normal(scale=0.01, size=p.shape))
    objective = Objective(recipe.loss, model, samples)
    outputs = model(rng.random((samples, *spec.input_shape)))
    classes = outputs.shape[-1]
    targets = objective.targets(rng.integers(0, classes, samples), classes, np.float64)
    return objective(outputs, targets), model


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_the_lines_of_every_recipe_give_its_gradients(name, samples):
    loss, model = _loss(name, samples)
    derivation = explain(loss)
    values = compute_lines(derivation)
    loss.backward()
    for parameter in model.parameters():
        (quantity,) = [q for q in derivation.inputs if q.value is parameter.data]
        assert np.allclose(quantity.gradient, parameter.grad.data, rtol=1e-13)
        assert agree(values[quantity.bar], parameter.grad.data)
    assert agree(values[r"\mathcal{L}"], loss.data)


@pytest.mark.parametrize("notation", ["bars", "derivatives"])
@pytest.mark.parametrize("name", recipe_names())
def test_the_steps_of_every_recipe_give_its_gradients(name, notation):
    derivation = explain(_loss(name)[0], notation=notation)
    assert [kind for kind, _, _ in audit(derivation) if kind != "ok"] == []
    values, given = compute(derivation)
    assert not given
    for quantity in derivation.inputs:
        assert not quantity.bar or agree(values[quantity.bar], quantity.gradient)


@pytest.mark.parametrize("name", recipe_names())
def test_each_layer_has_the_four_equations_by_their_names(name):
    derivation = explain(_loss(name)[0])
    layers = sum(1 for step in derivation.steps if step.operation == "linear")
    biases = sum(1 for q in derivation.inputs if q.symbol.startswith("b^"))
    labels = [line.label for line in derivation.sections[-1].lines if line.label]
    assert labels.count("BP1") == 1
    assert labels.count("BP2") == layers - 1
    assert labels.count("BP3") == biases
    assert labels.count("BP4") == layers


def test_the_equations_of_the_sigmoid_perceptron_are_those_of_the_textbook():
    lines = explain(_loss("sigmoid-mse", 1)[0]).sections[-1].lines
    assert [(line.label, line.latex) for line in lines if line.label] == [
        (
            "BP1",
            r"\delta^{2} = \nabla_{a^{2}} \mathcal{L} \odot \sigma'(z^{2})"
            r" = (a^{2} - y) \odot a^{2} \odot (1 - a^{2})",
        ),
        ("BP3", _SLOPE + r"{\partial b^{2}} = \textstyle\sum_{\text{rows}} \delta^{2}"),
        ("BP4", r"\frac{\partial \mathcal{L}}{\partial W^{2}} = \delta^{2\top} a^{1}"),
        (
            "BP2",
            r"\delta^{1} = (\delta^{2} W^{2}) \odot \sigma'(z^{1})"
            r" = (\delta^{2} W^{2}) \odot a^{1} \odot (1 - a^{1})",
        ),
        ("BP3", _SLOPE + r"{\partial b^{1}} = \textstyle\sum_{\text{rows}} \delta^{1}"),
        ("BP4", r"\frac{\partial \mathcal{L}}{\partial W^{1}} = \delta^{1\top} x"),
    ]


def test_the_errors_are_those_of_the_equations_by_hand():
    loss, _ = _loss("sigmoid-mse")
    derivation = explain(loss)
    values = {q.symbol: q.value for q in derivation.inputs}
    weights, biases = ([values[f"{c}^{{{k}}}"] for k in (1, 2)] for c in "Wb")
    trace = backprop.forward(weights, biases, values["x"], ["sigmoid", "sigmoid"])
    found = backprop.backward(trace, values["y"], loss="half_squared_error", reduction="mean")
    for k, delta in enumerate(found.deltas, 1):
        (quantity,) = [q for q in derivation.quantities if q.bar == rf"\delta^{{{k}}}"]
        assert np.allclose(quantity.gradient, delta, rtol=1e-12)
