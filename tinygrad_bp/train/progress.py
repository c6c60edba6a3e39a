"""What a run tells while it works: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from tinygrad_bp.errors import missing_extra

try:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
except ImportError as error:
    raise missing_extra("rich", "train", "tinygrad_bp.train") from error

_EVERY = 0.1  # seconds between two looks of the live bar


class Row(NamedTuple):
    """One line of the metrics: where the run was, and how good the network was there.

    Attributes
    ----------
    epoch : float
        Passes over the training samples so far.
    step : int
        Updates of the weights so far.
    train_loss, train_accuracy : float
        Over all training samples.
    test_loss, test_accuracy : float or None
        Over all test samples; None where there are none.
    seconds : float
        Time spent on training since the run began, in all of its parts; evaluation is left out.
    samples_per_second : float
        Since the row before.
    """

    epoch: float
    step: int
    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    samples_per_second: float

    def cells(self) -> dict[str, str]:
        """What people are told, by the names of the columns."""
        found = {
            "epoch": f"{self.epoch:g}",
            "step": f"{self.step}",
            "loss": f"{self.train_loss:.4f}",
            "accuracy": f"{self.train_accuracy:.4f}",
        }
        if self.test_loss is not None:
            found["test loss"] = f"{self.test_loss:.4f}"
            found["test accuracy"] = f"{self.test_accuracy:.4f}"
        return found | {"samples/s": f"{self.samples_per_second:,.0f}"}

    def text(self) -> str:
        """The row as a line below `heading`; both fit a terminal of 80 columns."""
        return "  ".join(f"{cell:>{_width(name)}}" for name, cell in self.cells().items())

    def heading(self) -> str:
        """The names of the columns."""
        return "  ".join(f"{name:>{_width(name)}}" for name in self.cells())


def _width(name: str) -> int:
    return max(len(name), {"epoch": 6, "step": 7}.get(name, 8))


class Reporter:
    """Hears of every step and every row, and says nothing; the base of those that speak."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put things back at the end of the run."""

    def begin(self, step: int, steps: int) -> None:
        """The run stands at `step` of `steps`."""

    def step(self, step: int, loss: float, samples: int) -> None:
        """A step was made, on so many samples."""

    def row(self, row: Row) -> None:
        """The network was evaluated."""


class Lines(Reporter):
    """A line for each row, in columns, as for a log file."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._headed = False

    def row(self, row: Row) -> None:
        """Print the row, the first one below the names of the columns."""
        lines = row.text() if self._headed else f"{row.heading()}\n{row.text()}"
        self.console.print(lines, highlight=False, soft_wrap=True)
        self._headed = True


class Bar(Lines):
    """The lines, and a live bar below them: steps, loss, accuracy, samples per second, time left.

    The accuracy is that of the last line, on the test samples where there are some.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.progress = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._shown = time.perf_counter()
        self._samples = 0
        self._loss = float("nan")
        self._accuracy = ""
        self._speed = 0.0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Leave the bar on the screen as it is."""
        self.progress.stop()

    def begin(self, step: int, steps: int) -> None:
        """Set up the bar."""
        self.task = self.progress.add_task("", total=steps, completed=step, facts="")
        self._shown = time.perf_counter()

    def step(self, step: int, loss: float, samples: int) -> None:
        """Move the bar, a few times in a second at most."""
        self._samples += samples
        self._loss = loss
        now = time.perf_counter()
        if now - self._shown >= _EVERY:
            speed = self._samples / (now - self._shown)
            self._speed = 0.9 * self._speed + 0.1 * speed if self._speed else speed
            self._shown, self._samples = now, 0
            self._show(step)

    def row(self, row: Row) -> None:
        """Print the row above the bar."""
        self._loss, self._speed = row.train_loss, row.samples_per_second
        tested = row.test_accuracy is not None
        self._accuracy = f"accuracy {row.test_accuracy if tested else row.train_accuracy:.4f} "
        super().row(row)
        self._show(row.step)
        self._shown = time.perf_counter()

    def _show(self, step: int) -> None:
        facts = f"loss {self._loss:.4f} {self._accuracy}{self._speed:,.0f} samples/s"
        self.progress.update(self.task, completed=step, facts=facts)


def reporter(console: Console) -> Reporter:
    """A bar on a terminal, lines elsewhere."""
    return Bar(console) if console.is_terminal else Lines(console)
