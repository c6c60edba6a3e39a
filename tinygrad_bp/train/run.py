"""The run folder: what a run leaves behind, and how it is continued."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, get_args

from tinygrad_bp.draw import draw
from tinygrad_bp.draw import save as save_picture
from tinygrad_bp.errors import (
    CheckpointError,
    MissingExtraError,
    OutputError,
    StateDictError,
    TgError,
    missing_extra,
)
from tinygrad_bp.nn import Module
from tinygrad_bp.train import plots
from tinygrad_bp.train.build import example_loss
from tinygrad_bp.train.checkpoint import (
    load_checkpoint,
    read_arrays,
    save_arrays,
    save_checkpoint,
)
from tinygrad_bp.train.files import write_file, writing
from tinygrad_bp.train.interrupt import Interrupted
from tinygrad_bp.train.progress import Reporter
from tinygrad_bp.train.recipe import Recipe
from tinygrad_bp.train.samples import Samples, load_samples
from tinygrad_bp.train.tables import Scipy
from tinygrad_bp.train.trainer import Gradients, Trainer

Say = Callable[[str], None]
_LAST = "checkpoints/last.safetensors"
_TIMES = ("seconds", "samples_per_second")


class RunFolder:
    """The folder of one run, and the files in it.

    Attributes
    ----------
    path : Path
        Where it is.
    recipe : Recipe
        The recipe, with every default and ``--set`` in it.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.recipe = recipe

    @classmethod
    def create(cls, recipe: Recipe, out: str | Path | None = None) -> RunFolder:
        """A new run folder with its recipe: `out`, or ``runs/NAME-SEED``, numbered where taken.

        Raises
        ------
        CheckpointError
            `out` is there already, and not empty.
        OutputError
            It cannot be written to.
        """
        if out is None:
            name = f"{recipe.name}-{recipe.seed}"
            names = (name if i == 1 else f"{name}-{i}" for i in count(1))
            path = next(p for p in (Path("runs", n) for n in names) if not p.exists() and _claim(p))
        else:
            path = Path(out)
            taken = path.exists() and not (path.is_dir() and not any(path.iterdir()))
            if taken or not _claim(path):
                raise CheckpointError(
                    f"{path} is there already, and a run does not overwrite another.\n"
                    f"Fix: another --out, or continue it with --resume {path}."
                )
        write_file(path / "recipe.toml", recipe.to_toml())
        return cls(path, recipe)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """The folder of an earlier run.

        Raises
        ------
        CheckpointError
            It is not the folder of a run.
        RecipeError
            Its recipe is wrong.
        """
        file = Path(path) / "recipe.toml"
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise CheckpointError(
                f"{path} is not the folder of a run: it has no readable recipe.toml.\n"
                "Fix: give a folder that `tinygrad-bp train` wrote, as runs/digits-0."
            ) from None
        return cls(Path(path), Recipe.from_toml(text, str(file)))

    # ------------------------------------------------------------------ while it runs

    def save(self, trainer: Trainer, finished: bool) -> None:
        """Write the checkpoint and the metrics, and, after a row, the best checkpoint."""
        state = self.save_last(trainer)
        if finished and _is_best(trainer):
            save_checkpoint(self.path / "checkpoints/best.safetensors", state)
        self.write_metrics(trainer)

    def save_last(self, trainer: Trainer) -> dict[str, Any]:
        """Write the checkpoint alone, and return what is in it."""
        state = {"gradients": "by-hand" if trainer.by_hand else "autograd"} | trainer.state_dict()
        save_checkpoint(self.path / _LAST, state)
        return state

    def write_metrics(self, trainer: Trainer) -> None:
        """``metrics.csv``, the same for every run of a recipe; ``timings.csv``, which is not."""
        rows = [row._asdict() for row in trainer.rows]
        metrics = [k for k in (rows[0] if rows else ()) if k not in _TIMES]
        write_file(self.path / "metrics.csv", _csv(rows, metrics))
        write_file(self.path / "timings.csv", _csv(rows, ["epoch", "step", *_TIMES]))

    def restore(self, trainer: Trainer) -> None:
        """Set a trainer to where the last checkpoint was taken."""
        with self._fitting():
            trainer.load_state_dict(load_checkpoint(self.path / _LAST))
        self.write_metrics(trainer)

    def gradients(self) -> Gradients:
        """Where the gradients of this run come from, as its checkpoint says."""
        with self._fitting():
            chosen: Gradients = load_checkpoint(self.path / _LAST)["gradients"]
            if not isinstance(chosen, str) or chosen not in get_args(Gradients):
                raise ValueError(f"its gradients are {chosen!r}")
        return chosen

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """Turn what goes wrong with the parts of the last checkpoint into an error of ours."""
        try:
            yield
        except TgError as error:
            if not isinstance(error, StateDictError):
                raise
            fault: Any = str(error).partition("\nFix:")[0].rstrip(".")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            fault = f"it has no {error}" if isinstance(error, KeyError) else error
        else:
            return
        raise CheckpointError(
            f"{self.path / _LAST} is not the checkpoint of this run: {fault}.\n"
            "Fix: put another checkpoint of the run in its place, or train anew with --out."
        )

    # ------------------------------------------------------------------ at its end

    def finish(self, trainer: Trainer, say: Say) -> None:
        """Write the model, the pictures, the report and the graph."""
        samples, recipe = trainer.samples, self.recipe
        scaling = {"shift": samples.shift, "scale": samples.scale}
        save_arrays(
            self.path / "model.safetensors",
            trainer.model.state_dict(),
            {"scaling": json.dumps(scaling)},
        )
        title = f"{recipe.name}: {recipe.title}".removesuffix(": ")
        per_epoch = 1 if isinstance(recipe.optimizer, Scipy) else trainer.batches.per_epoch
        write_file(self.path / "curves.png", plots.curves(trainer.rows, title, per_epoch))
        inputs, labels, split = samples.test_inputs, samples.test_labels, "test"
        if not len(labels):
            inputs, labels, split = samples.inputs, samples.labels, "training"
        predicted = trainer.outputs(inputs).argmax(axis=-1)
        names = samples.dataset.class_names
        write_file(
            self.path / "confusion.png",
            plots.confusion(labels, predicted, names, f"{recipe.name}: {split} samples"),
        )
        write_file(self.path / "report.txt", _report(trainer, labels, predicted, split))
        first = next((p.data for p in trainer.model.parameters() if p.ndim == 2), None)
        if first is not None and first.shape[1] == samples.dataset.features:
            units = (
                f"{recipe.name}: what each of the {len(first)} units of the first layer looks for"
            )
            write_file(
                self.path / "hidden-units.png", plots.hidden_units(first, samples.dataset, units)
            )
        graph = draw(example_loss(recipe))
        write_file(self.path / "graph.dot", graph.source)
        write_picture(graph, self.path / "graph.svg", say)


def train(
    recipe: Recipe,
    *,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
    gradients: Gradients = "autograd",
    reporter: Reporter | None = None,
    say: Say = print,
) -> tuple[RunFolder, Trainer]:
    """Train a recipe and leave a run folder.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    data_dir : path, optional
        Where the data files are.
    out : path, optional
        The run folder; ``runs/NAME-SEED`` by default.
    gradients : {"autograd", "by-hand"}
        Where the gradients come from.
    reporter : Reporter, optional
        Hears of the progress.
    say : callable
        Prints a line.

    Raises
    ------
    Interrupted
        A signal stopped the run, which was saved.
    TgError
        What goes wrong with data, recipe, numbers or files; the message says what to do.
    """
    trainer = Trainer(recipe, load_samples(recipe, data_dir), gradients)
    folder = RunFolder.create(recipe, out)
    folder.save_last(trainer)  # of step 0, so that a run stopped at once goes on as it was begun
    _run(folder, trainer, reporter, say)
    return folder, trainer


def resume(
    path: str | Path,
    *,
    data_dir: str | Path | None = None,
    reporter: Reporter | None = None,
    say: Say = print,
) -> tuple[RunFolder, Trainer]:
    """Continue an interrupted run, bit for bit; parameters and errors are those of `train`."""
    folder = RunFolder.open(path)
    samples: Samples = load_samples(folder.recipe, data_dir)
    if isinstance(folder.recipe.optimizer, Scipy):
        say("SciPy cannot continue in the middle: it starts anew, and ends where it would have.")
    if (folder.path / _LAST).exists():
        trainer = Trainer(folder.recipe, samples, folder.gradients())
        if not isinstance(folder.recipe.optimizer, Scipy):
            folder.restore(trainer)
    else:  # stopped before the first checkpoint: from the start
        trainer = Trainer(folder.recipe, samples)
    _run(folder, trainer, reporter, say)
    return folder, trainer


def _run(folder: RunFolder, trainer: Trainer, reporter: Reporter | None, say: Say) -> None:
    with reporter or Reporter() as listening:
        stopped = trainer.run(listening, folder.save)
    if stopped:
        raise Interrupted(
            f"stopped after step {trainer.step} of {trainer.steps}; nothing is lost.\n"
            f"Fix: continue with  tinygrad-bp train --resume {folder.path}",
            stopped,
        )
    folder.finish(trainer, say)


def load_model(folder: RunFolder) -> tuple[Module, float, float]:
    """The trained network of a run in eval mode, and the shift and scale of its inputs.

    Raises
    ------
    CheckpointError, StateDictError
        The file is not there, damaged, or of another network.
    """
    path = folder.path / "model.safetensors"
    arrays, header = read_arrays(path)
    try:
        scaling = json.loads(header["scaling"])
        shift, scale = float(scaling["shift"]), float(scaling["scale"])
        if not (math.isfinite(shift) and math.isfinite(scale) and scale):
            raise ValueError("inputs cannot be scaled so")
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{path} does not say how its inputs were scaled.\n"
            "Fix: use the model.safetensors that the run wrote."
        ) from None
    model = folder.recipe.network.build(0)
    model.load_state_dict(arrays)
    return model.eval(), shift, scale


def write_picture(picture: Any, path: Path, say: Say) -> bool:
    """Write a graph; where there is no Graphviz to lay it out, write its DOT text, and say so.

    Returns
    -------
    bool
        Whether the picture itself was written.
    """
    try:
        with writing(path):
            save_picture(picture, path)
    except MissingExtraError as error:
        write_file(path.with_suffix(".dot"), picture.source)
        say(f"{path.with_suffix('.dot')} is written, but not {path}: {error}")
        return False
    return True


def _claim(path: Path) -> bool:
    """Take a folder for a run; whether no other run did in the same moment."""
    recipe = path / "recipe.toml"
    try:
        with writing(recipe):
            recipe.touch(exist_ok=False)
    except OutputError as error:
        if recipe.exists() and isinstance(error.__cause__, FileExistsError):
            return False
        raise
    return True


def _is_best(trainer: Trainer) -> bool:
    """Whether no earlier row is as accurate, on test samples where there are any."""
    scores = [
        row.train_accuracy if row.test_accuracy is None else row.test_accuracy
        for row in trainer.rows
    ]
    return not scores[:-1] or scores[-1] > max(scores[:-1])


def _csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _report(trainer: Trainer, labels: Any, predicted: Any, split: str) -> str:
    """The classification report of scikit-learn, under a line that says of what."""
    try:
        from sklearn.metrics import classification_report
    except ImportError as error:
        raise missing_extra("scikit-learn", "train", "the classification report") from error
    names = trainer.samples.dataset.class_names
    table = classification_report(
        labels, predicted, labels=range(len(names)), target_names=names, digits=4, zero_division=0
    )
    recipe, row = trainer.recipe, trainer.rows[-1]
    return (
        f"{recipe.name} (seed {recipe.seed}): {recipe.title}\n{row.heading()}\n{row.text()}\n\n"
        f"{len(labels):,} {split} samples\n{table}"
    )
