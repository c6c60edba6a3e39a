"""From the tables of a recipe to the objects that they declare."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp import optim
from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.nn import Module
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.recipe import Recipe
from tinygrad_bp.train.tables import Scipy


def build_optimizer(recipe: Recipe, model: Module) -> Any:
    """The optimizer of a recipe; None for scipy, which has no steps of its own."""
    if isinstance(recipe.optimizer, Scipy):
        return None
    return getattr(optim, recipe.optimizer.name)(model.parameters(), **_arguments(recipe.optimizer))


def build_schedule(recipe: Recipe, optimizer: Any) -> Any:
    """The schedule of a recipe; None where it has none."""
    if recipe.schedule is None:
        return None
    return getattr(optim, recipe.schedule.name)(optimizer, **_arguments(recipe.schedule))


def _arguments(table: Any) -> dict[str, Any]:
    """A table without its name and without what is left to the class."""
    arguments: dict[str, Any] = table.model_dump(exclude={"name"}, exclude_none=True)
    return arguments


def example_loss(recipe: Recipe, model: Module | None = None) -> Tensor:
    """The loss of one batch of noise, with its graph: what a training step computes.

    Of a network that is there already, or of a new one; where a batch is all samples, of 128,
    and never of more than 10,000.

    Examples
    --------
    >>> from tinygrad_bp.train.recipe import load_recipe
    >>> example_loss(load_recipe("digits")).node.primitive.name
    'cross_entropy_labels'
    """
    size = recipe.training.batch_size
    rng = np.random.default_rng(0)
    x = rng.random((128 if size == "full" else min(size, 10_000), *recipe.network.input_shape))
    model = recipe.network.build(rng) if model is None else model
    objective = Objective(recipe.loss, model, len(x))
    inputs = as_tensor(x.astype(recipe.dtype))
    inputs.name = "x"  # for pictures
    outputs = model(inputs)
    classes = outputs.shape[-1]
    labels = rng.integers(0, classes, len(x))
    targets: Any = as_tensor(objective.targets(labels, classes, outputs.dtype))
    targets.name = "y"
    return objective(outputs, targets)
