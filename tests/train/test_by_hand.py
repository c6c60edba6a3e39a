from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.train import Recipe, Trainer, load_recipe, recipe_names
from tinygrad_bp.train.by_hand import ByHand
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.progress import Reporter
from tinygrad_bp.train.tables import Loss


@pytest.mark.parametrize("name", recipe_names())
def test_both_ways_to_gradients_reach_the_same_weights(name, make_samples, in_float64):
    recipe = in_float64(load_recipe(name))
    batch = recipe.training.batch_size
    if recipe.optimizer.name == "scipy":
        # TNC divides differences of gradients by tiny numbers, so that the last bit of one would
        # be seen in the weights: the two ways have none between them.
        recipe = recipe.with_epochs(200)
    else:
        steps = {"steps": 200, "batch_size": batch, "sampling": recipe.training.sampling}
        recipe = Recipe.from_dict(recipe.to_dict() | {"training": steps | {"report_every": 200}})
    weights = []
    for gradients in ("autograd", "by-hand"):
        trainer = Trainer(recipe, make_samples(recipe), gradients)
        start = trainer.model.state_dict()
        trainer.run()
        weights.append(trainer.model.state_dict())
        assert trainer.step >= 200
    for key, value in weights[0].items():
        assert np.abs(value - start[key]).max() > 1e-4
        assert np.abs(value - weights[1][key]).max() <= 1e-10


def test_both_ways_to_gradients_agree_wherever_scipy_goes(make_samples):
    recipe = load_recipe("ex4-tnc").with_epochs(200)
    trainer = Trainer(recipe, make_samples(recipe))
    equations = ByHand(trainer.model, trainer.objective)
    x, targets = trainer.samples.inputs, trainer.targets
    worst = []

    class Witness(Reporter):
        def step(self, step, loss, samples):
            value = equations(x, targets)
            by_hand = [p.grad.data for p in trainer.model.parameters()]
            trainer.model.zero_grad()
            exact = trainer.objective(trainer.model(x), targets)
            exact.backward()
            worst.append(abs(value - loss) / loss)
            for p, g in zip(trainer.model.parameters(), by_hand, strict=True):
                worst.append(np.abs(p.grad.data - g).max() / np.abs(g).max())
            trainer.model.zero_grad()

    trainer.run(Witness())
    assert len(worst) >= 5 * 100
    assert max(worst) <= 1e-12


def test_scipy_trains_by_hand_too(make_samples):
    recipe = load_recipe("ex4-tnc").with_epochs(10)
    trainers = [Trainer(recipe, make_samples(recipe), g) for g in ("autograd", "by-hand")]
    samples = trainers[1].samples
    start = trainers[1].evaluate(samples.inputs, trainers[1].targets, samples.labels)[0]
    for trainer in trainers:
        trainer.run()
    assert trainers[1].rows[-1].train_loss < 0.9 * start
    states = [trainer.model.state_dict() for trainer in trainers]
    assert all(np.abs(states[0][k] - states[1][k]).max() < 1e-5 for k in states[0])


LOSSES = ["cross_entropy", "half_squared_error", "mse", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("outputs", [None, "sum", "mean"])
def test_loss_and_gradients_are_those_of_autograd(name, outputs):
    if name == "cross_entropy" and outputs is not None:
        outputs = None
    rng = np.random.default_rng(1)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 5, dtype=np.float64, generator=rng),
        nn.Softsign(),
        nn.Identity(),
        nn.Sequential(nn.Linear(5, 4, bias=False, dtype=np.float64, generator=rng), nn.Tanh()),
    )
    objective = Objective(Loss(name=name, outputs=outputs, weight_penalty=0.7), model, samples=5)
    x, labels = rng.normal(size=(3, 2, 3)), rng.integers(0, 4, 3)
    targets = objective.targets(labels, 4, np.float64)
    loss = objective(model(x), targets)
    loss.backward()
    exact = {n: p.grad.data for n, p in model.named_parameters()}
    model.zero_grad()
    assert ByHand(model, objective)(x, targets) == pytest.approx(loss.item(), rel=1e-14)
    for n, p in model.named_parameters():
        assert np.allclose(p.grad.data, exact[n], rtol=1e-12, atol=1e-15)
        assert p.grad.dtype == p.dtype


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Linear(2, 3), nn.Dropout(0.5)], r"layer '1' is Dropout\(0.5\)"),
        ([nn.Linear(2, 3), nn.GELU()], "layer '1' is GELU"),
        ([nn.Linear(2, 3), nn.Softmax(axis=0)], "layer '1' is Softmax"),
        ([nn.ReLU(), nn.Linear(2, 3)], "the activation '0', ReLU.*, is before the first Linear"),
        ([nn.Linear(2, 3), nn.ReLU(), nn.Tanh()], "'2', Tanh.*, is right after an activation"),
        ([nn.Linear(2, 3), nn.Sequential(nn.Flatten())], "layer '1.0' is Flatten"),
        ([nn.Flatten()], "it has no Linear layer"),
        ([nn.Linear(2, 3), np.tanh], "layer '1' is <ufunc 'tanh'>"),
        ([nn.Residual(nn.Linear(2, 2))], "layer '0' is Residual"),
        ([nn.Linear(2, 2)] * 2, "layers share parameters"),
        ([nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))], "layer '0' is Linear"),
        ([nn.Wired({"a": nn.Linear(2, 2), "b": nn.Add()}, {"b": ["a", "input"]})], "'0' is Wired"),
    ],
)
def test_a_network_that_the_equations_do_not_describe_is_refused(layers, words):
    model = nn.Sequential(*layers)
    with pytest.raises(ArgumentError, match=words) as caught:
        ByHand(model, Objective(Loss(name="mse"), model, 1))
    assert "--gradients autograd" in str(caught.value)


def test_layers_that_are_wired_are_none_one_after_another():
    model = nn.Wired({"a": nn.Linear(2, 2), "b": nn.Add()}, {"b": ["a", "input"]})
    with pytest.raises(ArgumentError, match="describe this network: it is Wired"):
        ByHand(model, Objective(Loss(name="mse"), model, 1))
