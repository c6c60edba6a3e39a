"""The page that steps through one training step of a recipe, or of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinygrad_bp.core import as_tensor
from tinygrad_bp.draw import page
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.recipe import load_recipe
from tinygrad_bp.train.run import RunFolder, load_model
from tinygrad_bp.train.samples import load_samples, streams

_BATCH = 16  # more samples would not be shown one by one


def write_page(what: str | Path, path: Path, data_dir: str | Path | None = None) -> None:
    """Write the page of a batch of 16: test samples of a run, or else training samples.

    Parameters
    ----------
    what : str or path
        A recipe's name, a ``.toml`` file, or the folder of a run, whose network is trained.
    path : path
        The HTML file.
    data_dir : path, optional
        Where the data files are.
    """
    if Path(what).is_dir():
        folder = RunFolder.open(what)
        recipe, (model, _, _) = folder.recipe, load_model(folder)
    else:
        recipe = load_recipe(str(what))
        model = recipe.network.build(streams(recipe.seed).network)
    samples = load_samples(recipe, data_dir)
    x, labels = samples.inputs[:_BATCH], samples.labels[:_BATCH]
    if Path(what).is_dir() and len(samples.test_labels):
        x, labels = samples.test_inputs[:_BATCH], samples.test_labels[:_BATCH]
    objective = Objective(recipe.loss, model, len(samples.labels))
    inputs = as_tensor(x)
    inputs.name = "x"
    outputs = model(inputs)
    targets: Any = as_tensor(objective.targets(labels, outputs.shape[-1], outputs.dtype))
    targets.name = "y"
    dataset = samples.dataset
    page(
        objective(outputs, targets),
        path,
        title=f"{recipe.title}, step by step",
        image_shape=dataset.image_shape if dataset.image_order == "C" else None,
        lines=False,
    )
