"""The training loop: forward, loss, backward, update."""

from __future__ import annotations

import copy
import math
import re
import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import detect_anomaly, no_grad
from tinygrad_bp.errors import NonFiniteError
from tinygrad_bp.optim import ReduceLROnPlateau
from tinygrad_bp.train.build import build_optimizer, build_schedule
from tinygrad_bp.train.by_hand import ByHand
from tinygrad_bp.train.interrupt import stop_signals
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.progress import Reporter, Row
from tinygrad_bp.train.recipe import Recipe
from tinygrad_bp.train.samples import Batches, Samples, streams
from tinygrad_bp.train.scipy_run import run_scipy
from tinygrad_bp.train.tables import Scipy

Gradients = Literal["autograd", "by-hand"]
_CHUNK = 10_000  # samples that are evaluated at once, so that memory stays small


class Trainer:
    """A recipe at work: everything that changes during training, and how it changes.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    samples : Samples
        Its data, as `load_samples` gives it.
    gradients : {"autograd", "by-hand"}
        Where the gradients come from: the engine, or the equations of `tinygrad_bp.backprop`.

    Attributes
    ----------
    model, objective, optimizer, schedule, batches
        The parts.
    step : int
        Updates so far.
    steps : int
        Updates that the recipe asks for.
    rows : list of Row
        The metrics so far.

    Examples
    --------
    >>> from tinygrad_bp.train import load_recipe, load_samples
    >>> recipe = load_recipe("digits").override(["training.epochs=1"])
    >>> trainer = Trainer(recipe, load_samples(recipe))
    >>> stopped_by = trainer.run()
    >>> trainer.rows[-1].test_accuracy > 0.5
    True
    """

    def __init__(self, recipe: Recipe, samples: Samples, gradients: Gradients = "autograd") -> None:
        self.recipe = recipe
        self.samples = samples
        random = streams(recipe.seed)
        self.model = recipe.network.build(random.network)
        self.objective = Objective(recipe.loss, self.model, len(samples.labels))
        classes, dtype = samples.dataset.classes, samples.inputs.dtype
        self.targets = self.objective.targets(samples.labels, classes, dtype)
        self.test_targets = self.objective.targets(samples.test_labels, classes, dtype)
        self.by_hand = ByHand(self.model, self.objective) if gradients == "by-hand" else None
        self.batches = Batches(
            samples.inputs,
            self.targets,
            recipe.training.batch_size,
            recipe.training.sampling,
            random.order,
        )
        self.optimizer = build_optimizer(recipe, self.model)
        self.schedule = build_schedule(recipe, self.optimizer)
        self.step = 0
        self.steps = self._length()
        self.rows: list[Row] = []
        self._clock = 0.0  # seconds of training, evaluation left out

    def _length(self) -> int:
        training = self.recipe.training
        if isinstance(self.recipe.optimizer, Scipy):
            return self.recipe.optimizer.max_iterations
        return training.steps or (training.epochs or 0) * self.batches.per_epoch

    # ------------------------------------------------------------------ training

    def train_step(self) -> tuple[float, int]:
        """One update of the weights; returns the loss of its batch, and the samples in it."""
        x, targets = next(self.batches)
        if self.by_hand is None:
            loss = self.objective(self.model(x), targets)
            self.optimizer.zero_grad()
            loss.backward()
            value = loss.item()
        else:
            value = self.by_hand(x, targets)
        self.optimizer.step()
        self.step += 1
        if self.schedule is not None and self.step % self.batches.per_epoch == 0:
            self._end_epoch()
        return value, len(x)

    def _end_epoch(self) -> None:
        """Let the schedule set the learning rate of the next epoch."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(self._evaluate_training()[0])
        else:
            self.schedule.step()

    def run(
        self,
        reporter: Reporter | None = None,
        on_report: Callable[[Trainer, bool], None] | None = None,
    ) -> int:
        """Train to the end of the recipe, or until a signal asks to stop.

        Parameters
        ----------
        reporter : Reporter, optional
            Hears of every step and row.
        on_report : callable
            ``on_report(trainer, finished)`` saves the run: after each row, and, with `finished`
            false, between two rows when a signal stops the run.

        Returns
        -------
        int
            The number of the signal that stopped the run, 0 where it reached its end.

        Raises
        ------
        NonFiniteError
            The loss became NaN or infinite. What was saved last is still good.
        """
        reporter = reporter or Reporter()
        save = on_report or (lambda trainer, finished: None)
        every = self.recipe.training.report_every or self.batches.per_epoch
        reporter.begin(self.step, self.steps)
        # Overflow and the like show in the loss, which is looked at after every step.
        with stop_signals() as stop, np.errstate(all="ignore"):
            if isinstance(self.recipe.optimizer, Scipy):
                run_scipy(self, reporter, save, stop)
                return stop.number
            good = self.state_dict()
            samples, began = 0, time.perf_counter()
            while self.step < self.steps:
                value, count = self.train_step()
                samples += count
                if not np.isfinite(value):
                    raise self._blame(good)
                reporter.step(self.step, value, count)
                if self.step % every == 0 or self.step == self.steps:
                    reporter.row(self.report(time.perf_counter() - began, samples))
                    if not np.isfinite(self.rows[-1].train_loss):
                        raise self._blame(good)
                    good = self.state_dict()
                    save(self, True)
                    samples, began = 0, time.perf_counter()
                if stop.number:
                    save(self, False)
                    break
        return stop.number if self.step < self.steps else 0

    def report(self, seconds: float, samples: int) -> Row:
        """Evaluate, and add a row: so much time has gone, and so many samples, since the last."""
        self._clock += seconds
        loss, accuracy = self._evaluate_training()
        test: tuple[float | None, float | None] = (None, None)
        if len(self.samples.test_labels):
            test = self.evaluate(
                self.samples.test_inputs, self.test_targets, self.samples.test_labels
            )
        epoch = round(self.step / self.batches.per_epoch, 3)
        row = Row(epoch, self.step, loss, accuracy, *test, self._clock, samples / seconds)
        self.rows.append(row)
        return row

    # ------------------------------------------------------------------ evaluation

    def outputs(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """What the network gives for samples, in eval mode and without recording."""
        self.model.eval()
        with no_grad():
            parts = [
                self.model(inputs[start : start + _CHUNK]).data
                for start in range(0, len(inputs), _CHUNK)
            ]
        self.model.train()
        return np.concatenate(parts)

    def evaluate(
        self, inputs: NDArray[Any], targets: NDArray[Any], labels: NDArray[Any]
    ) -> tuple[float, float]:
        """Loss, penalty included, and accuracy over many samples."""
        outputs = self.outputs(inputs)
        loss = self.objective.reported(outputs, targets) + self.objective.penalty()
        return loss, float((outputs.argmax(axis=-1) == labels).mean())

    def _evaluate_training(self) -> tuple[float, float]:
        return self.evaluate(self.samples.inputs, self.targets, self.samples.labels)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that changes: with it, a run continues bit for bit."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": None
            if self.optimizer is None
            else copy.deepcopy(self.optimizer.state_dict()),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "batches": self.batches.state_dict(),
            "generators": {n: g.bit_generator.state for n, g in self.model.generators()},
            "rows": [list(row) for row in self.rows],
            "clock": self._clock,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave.

        Raises
        ------
        ValueError
            It says of itself what cannot be, as a step beyond the end of the recipe; what else does
            not fit raises as it happens.
        """
        step, position = state["step"], state["batches"]["position"]
        if type(step) is not int or not 0 <= step <= self.steps:
            raise ValueError(f"it is of step {step!r}, and the recipe has steps 0 to {self.steps}")
        sizes = self.batches.per_epoch
        if not self.batches.random and (position - step) % sizes:
            raise ValueError(f"it is {position!r} batches into an epoch of {sizes} at step {step}")
        self.step = step
        self.model.load_state_dict(state["model"])
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.batches.load_state_dict(state["batches"])
        for name, generator in self.model.generators():
            generator.bit_generator.state = state["generators"][name]
        self.rows = [_row(row) for row in state["rows"]]
        if self.rows and self.rows[-1].step > step:
            raise ValueError(f"its metrics go on to step {self.rows[-1].step}, and it is of {step}")
        self._clock = float(state["clock"])

    # ------------------------------------------------------------------ failure

    def _blame(self, good: dict[str, Any]) -> NonFiniteError:
        """The error for a loss that is not finite; the last good state is restored.

        From that state the steps are made again, up to the first one that makes a number which
        is not finite, and that one once more under watch.
        """
        reached = self.step
        self.load_state_dict(good)
        self.by_hand = None  # the operations are those of the network, whoever differentiates it
        for _ in range(self.step, reached):
            before = self.state_dict()
            value, _ = self.train_step()
            if np.isfinite(value) and self._is_finite():
                continue
            made = f"the loss was {value:.4g}, and the update by {self.recipe.optimizer.name} made "
            made += "weights that are not finite"
            self.load_state_dict(before)
            made = _first_operation(self.train_step) or made
            self.step = before["step"] + 1
            break
        else:
            made = "the loss over all training samples is not finite"
            made = _first_operation(self._evaluate_training) or made
        where = f"epoch {math.ceil(self.step / self.batches.per_epoch)}, step {self.step}"
        self.load_state_dict(good)
        return NonFiniteError(
            f"training stopped: the loss became NaN or infinite. The first such number came in "
            f"{where}: {made}.\n"
            f"The last good state, of step {self.step}, is kept.\n"
            "Fix: a smaller learning rate, as with --set optimizer.lr=0.01, or inputs of a smaller "
            "range, as with --set data.divide_by=255."
        )

    def _is_finite(self) -> bool:
        return all(np.isfinite(p.data).all() for p in self.model.parameters())


def _row(values: Any) -> Row:
    row = Row(*values)
    if not all(
        isinstance(x, int | float) or (x is None and "test" in k) for k, x in row._asdict().items()
    ):
        raise ValueError(f"a row of its metrics is {values!r}")
    return row


def _first_operation(work: Callable[[], Any]) -> str | None:
    """What the first operation that makes NaN or infinity says of itself, if there is one."""
    try:
        with detect_anomaly():
            work()
    except NonFiniteError as error:
        # The line of the user's program is that which called `run`: the module's path says more.
        return re.sub(r" at \S+:\d+;", ";", str(error).partition("\nFix:")[0])
    return None
