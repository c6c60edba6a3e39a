from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from tinygrad_bp.errors import NonFiniteError
from tinygrad_bp.train import Trainer, load_recipe, load_samples
from tinygrad_bp.train.progress import Reporter


class StopAt(Reporter):
    """Sends a signal to this very process at some step."""

    def __init__(self, at, number=signal.SIGINT):
        self.at, self.number = at, number

    def step(self, step, loss, samples):
        if step == self.at:
            os.kill(os.getpid(), self.number)


DROPOUT = '[{type="Linear", out_features=12}, {type="Dropout", p=0.2}, {type="ReLU"}, '
DROPOUT += '{type="Linear", out_features=10}]'


def test_training_lowers_the_loss_and_reports_each_epoch(digits):
    trainer = Trainer(digits, load_samples(digits))
    assert trainer.run() == 0
    assert [row.epoch for row in trainer.rows] == [1, 2, 3]
    assert [row.step for row in trainer.rows] == [43, 86, 129]
    losses = [row.train_loss for row in trainer.rows]
    assert losses[0] > losses[1] > losses[2]
    assert trainer.rows[-1].test_accuracy > 0.6
    assert trainer.rows[-1].samples_per_second > 0


def test_the_same_seed_gives_the_same_weights_and_another_one_others(digits):
    weights = []
    for settings in ([], [], ["seed=1"]):
        recipe = digits.override(settings)
        trainer = Trainer(recipe, load_samples(recipe))
        trainer.run()
        weights.append(trainer.model.state_dict()["0.weight"])
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_reports_come_when_the_recipe_says(digits):
    recipe = digits.override(["training.report_every=50"])
    trainer = Trainer(recipe, load_samples(recipe))
    trainer.run()
    assert [row.step for row in trainer.rows] == [50, 100, 129]


@pytest.mark.parametrize("stop", [1, 43, 60])
@pytest.mark.parametrize(
    "settings",
    [
        [f"network.layers={DROPOUT}", 'schedule={name="StepLR", step_size=1, gamma=0.5}'],
        ['optimizer={name="SGD", lr=0.1, momentum=0.9}', "training.sampling=random"],
        ['optimizer={name="RMSprop"}', 'schedule={name="ReduceLROnPlateau", patience=0}'],
    ],
)
def test_a_state_continues_bit_for_bit(digits, settings, stop):
    recipe = digits.override(settings)
    samples = load_samples(recipe)
    whole, first, second = (Trainer(recipe, samples) for _ in range(3))
    whole.run()
    assert first.run(StopAt(stop)) == signal.SIGINT
    assert first.step == stop
    state = first.state_dict()
    first.run()  # the state is a copy, and does not change with its trainer
    second.load_state_dict(state)
    assert second.step == stop
    assert second.run() == 0
    for key, value in whole.model.state_dict().items():
        assert np.array_equal(value, second.model.state_dict()[key])
    assert [row[:6] for row in whole.rows] == [row[:6] for row in second.rows]


def test_a_signal_after_the_last_step_does_not_stop_anything(digits):
    trainer = Trainer(digits, load_samples(digits))
    assert trainer.run(StopAt(129)) == 0
    assert len(trainer.rows) == 3


def test_signal_handlers_are_put_back(digits):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    Trainer(digits, load_samples(digits)).run(StopAt(2, signal.SIGTERM))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_schedule_sets_the_learning_rate_of_each_epoch(digits):
    recipe = digits.override(['schedule={name="StepLR", step_size=2, gamma=0.1}'])
    trainer = Trainer(recipe, load_samples(recipe))
    trainer.run()
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * recipe.optimizer.lr)


def test_evaluation_is_without_dropout_and_in_parts_of_any_size(digits, monkeypatch):
    recipe = digits.override([f"network.layers={DROPOUT}"])
    trainer = Trainer(recipe, load_samples(recipe))
    whole = trainer.outputs(trainer.samples.inputs)
    monkeypatch.setattr("tinygrad_bp.train.trainer._CHUNK", 100)
    assert np.allclose(trainer.outputs(trainer.samples.inputs), whole, rtol=1e-5, atol=1e-6)
    assert trainer.model.training


def test_the_reported_loss_has_the_penalty_of_the_whole_training_set(make_samples):
    recipe = load_recipe("ex4-tnc")
    trainer = Trainer(recipe, make_samples(recipe))
    x, targets = trainer.samples.inputs, trainer.targets
    weights = [trainer.model[i].weight.data for i in (0, 2)]
    z = trainer.outputs(x)
    by_hand = np.sum(np.logaddexp(0, z) - z * targets) / len(x)
    by_hand += 1.0 / (2 * len(x)) * sum(np.sum(w**2) for w in weights)
    assert trainer.evaluate(x, targets, trainer.samples.labels)[0] == pytest.approx(by_hand)
    assert trainer.objective(trainer.model(x), targets).item() == pytest.approx(by_hand)


def test_another_loss_may_be_reported_than_is_minimised(make_samples):
    recipe = load_recipe("sigmoid-mse")
    trainer = Trainer(recipe, make_samples(recipe))
    x, targets = trainer.samples.inputs, trainer.targets
    error = np.mean((trainer.outputs(x) - targets) ** 2, dtype=float)
    reported = trainer.evaluate(x, targets, trainer.samples.labels)[0]
    assert reported == pytest.approx(error, rel=1e-5)
    assert trainer.objective(trainer.model(x), targets).item() == pytest.approx(5 * error, rel=1e-5)


@pytest.mark.parametrize("gradients", ["autograd", "by-hand"])
def test_a_loss_that_is_not_finite_stops_training_and_names_the_operation(digits, gradients):
    recipe = digits.override(['optimizer={name="SGD", lr=1e25}', "training.report_every=1"])
    trainer = Trainer(recipe, load_samples(recipe), gradients)
    with pytest.raises(NonFiniteError) as caught:
        trainer.run()
    text = str(caught.value)
    assert "The first such number came in epoch 1, step 1: " in text
    assert "matmul" in text or "linear" in text
    assert "in Sequential." in text
    assert "Fix: a smaller learning rate" in text
    assert text.count("Fix:") == 1
    assert ".py" not in text
    assert trainer.step == 0
    assert all(np.isfinite(p.data).all() for p in trainer.model.parameters())


def test_weights_that_overflow_in_the_update_are_named(digits):
    recipe = digits.override(['optimizer={name="SGD", lr=1e300}'])
    trainer = Trainer(recipe, load_samples(recipe))
    with pytest.raises(NonFiniteError, match="step 1: .*the update by SGD made weights that are"):
        trainer.run()
    assert trainer.step == 0


def test_a_bad_number_among_the_samples_is_found(digits):
    samples = load_samples(digits)
    samples.inputs[700, 3] = np.nan
    trainer = Trainer(digits, samples)
    with pytest.raises(NonFiniteError, match="training stopped: the loss became NaN"):
        trainer.run()
    assert trainer.step == 0


def test_scipy_leaves_a_row_for_each_iteration(make_samples):
    recipe = load_recipe("ex4-tnc").override(["optimizer.method=L-BFGS-B"]).with_epochs(5)
    trainer = Trainer(recipe, make_samples(recipe))
    trainer.run()
    assert len(trainer.rows) == 5
    losses = [row.train_loss for row in trainer.rows]
    assert losses == sorted(losses, reverse=True)


def test_scipy_reports_its_last_iteration_once(make_samples):
    class Rows(Reporter):
        def __init__(self):
            self.rows = []

        def row(self, row):
            self.rows.append(row)

    recipe = load_recipe("ex4-tnc").override(["optimizer.method=L-BFGS-B"]).with_epochs(5)
    trainer, told = Trainer(recipe, make_samples(recipe)), Rows()
    trainer.run(told)
    assert told.rows == trainer.rows
    assert [row.step for row in told.rows] == sorted({row.step for row in told.rows})
    assert all(row.samples_per_second > 0 for row in told.rows)


def test_a_signal_stops_scipy(make_samples):
    recipe = load_recipe("ex4-tnc").with_epochs(100)
    trainer = Trainer(recipe, make_samples(recipe))
    start = trainer.model.state_dict()["0.weight"]
    assert trainer.run(StopAt(7, signal.SIGTERM)) == signal.SIGTERM
    assert trainer.step == 7
    assert np.array_equal(trainer.model.state_dict()["0.weight"], start)
