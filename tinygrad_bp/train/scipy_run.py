"""Training by SciPy: one call to `minimize_scipy` in place of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.optim import minimize_scipy
from tinygrad_bp.train.interrupt import StopSignal
from tinygrad_bp.train.progress import Reporter
from tinygrad_bp.train.tables import Scipy

if TYPE_CHECKING:
    from tinygrad_bp.train.trainer import Trainer


class _Stopped(Exception):  # noqa: N818 - it is no mistake
    """A signal came while SciPy was at work."""


class _Evaluated(Tensor):
    """A loss whose gradients have been put in place by hand."""

    def backward(
        self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Nothing is left to do."""


def run_scipy(
    trainer: Trainer, reporter: Reporter, save: Callable[[Trainer, bool], None], stop: StopSignal
) -> None:
    """Minimise the loss over all training samples, with a row after each iteration of SciPy.

    A step is one evaluation of the loss. SciPy keeps its state to itself: when a signal stops it,
    `trainer` holds its first weights again, and the checkpoint those of the last iteration.
    """
    table = trainer.recipe.optimizer
    assert isinstance(table, Scipy)
    x, targets = trainer.samples.inputs, trainer.targets
    began = time.perf_counter()
    evaluated = 0
    reported: Any = None  # the weights of the last row

    def loss() -> Tensor:
        nonlocal evaluated
        if stop.number:
            raise _Stopped
        if trainer.by_hand is None:
            value = trainer.objective(trainer.model(x), targets)
        else:
            value = _Evaluated(trainer.by_hand(x, targets))
        trainer.step += 1
        evaluated += len(x)
        reporter.step(trainer.step, value.item(), len(x))
        return value

    def after_iteration(weights: Any) -> None:
        nonlocal began, evaluated, reported
        reported = np.array(weights)
        reporter.row(trainer.report(time.perf_counter() - began, evaluated))
        save(trainer, True)
        began, evaluated = time.perf_counter(), 0

    limit = "maxfun" if table.method == "TNC" else "maxiter"
    try:
        found = minimize_scipy(
            loss,
            trainer.model.parameters(),
            table.method,
            {limit: table.max_iterations},
            after_iteration,
        )
    except _Stopped:
        return
    if trainer.rows and trainer.rows[-1].step == trainer.step:
        if np.array_equal(reported, found.x):
            return
        trainer.rows.pop()  # the minimum is another point than that of the last iteration
    after_iteration(found.x)
