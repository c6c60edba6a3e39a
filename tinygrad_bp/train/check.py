"""Whether the gradients of a recipe's network are right: three witnesses, in float64.

For each parameter, autograd's gradient is held against the equations by hand, in every element,
and against the 5-point numerical derivative, at some elements and along some directions. A
difference is told relative to the largest element of that parameter's gradient.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.errors import ArgumentError, DataNotFoundError, MissingExtraError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.testing.blame import wrong_rules
from tinygrad_bp.testing.equivalence import grade_answers
from tinygrad_bp.testing.grading.truth import NUMERICAL_LIMIT, Difference, Truth, find_truth
from tinygrad_bp.train.by_hand import ByHand
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.recipe import Recipe
from tinygrad_bp.train.samples import load_samples, streams

Array = NDArray[np.float64]

BY_HAND_LIMIT = 1e-12
_SAMPLES = 8
_CLASSES = 10


class ParameterCheck(NamedTuple):
    """What the check of one parameter found; `by_hand` is None where no equations describe it."""

    name: str
    shape: tuple[int, ...]
    by_hand: Difference | None
    numerical: Difference

    @property
    def passed(self) -> bool:
        """Whether both differences are within their limits."""
        by_hand = self.by_hand is None or self.by_hand.value <= BY_HAND_LIMIT
        return by_hand and self.numerical.value <= NUMERICAL_LIMIT


class RecipeCheck(NamedTuple):
    """What `check_recipe` found.

    Attributes
    ----------
    parameters : list of ParameterCheck
        One for each parameter of the network.
    data : str
        What the gradients were computed on.
    notes : list of str
        What else is to be said: why there are no equations by hand, and which rules are wrong.
    """

    parameters: list[ParameterCheck]
    data: str
    notes: list[str]

    @property
    def passed(self) -> bool:
        """Whether every parameter passed."""
        return all(parameter.passed for parameter in self.parameters)


def check_recipe(recipe: Recipe, data_dir: str | Path | None = None) -> RecipeCheck:
    """Hold autograd's gradients of a recipe's network against both witnesses.

    Parameters
    ----------
    recipe : Recipe
        Its network, as it is before training, its loss and its data.
    data_dir : path, optional
        Where the data files are. Nothing is downloaded: without files, random samples are used.

    Examples
    --------
    >>> from tinygrad_bp.train.recipe import load_recipe
    >>> check_recipe(load_recipe("digits")).passed
    True
    """
    spec = recipe.network
    recipe = recipe.model_copy(
        update={"network": NetworkSpec(spec.input_shape, spec.layers, "float64")}
    )
    x, labels, data, size = _some_samples(recipe, data_dir)
    model = recipe.network.build(streams(recipe.seed).network).eval()
    objective = Objective(recipe.loss, model, size)
    targets = objective.targets(labels, model(x).shape[-1], np.float64)
    plain = Objective(recipe.loss.model_copy(update={"weight_penalty": 0.0}), model, size)

    truth = find_truth(model, plain, (x, targets), objective.l2)
    numerical = truth.confirm()
    by_hand, notes = _by_hand(model, objective, x, targets, truth)
    found = [
        ParameterCheck(name, p.shape, by_hand.get(name), numerical[name])
        for name, p in model.named_parameters()
    ]
    result = RecipeCheck(found, data, notes)
    if not result.passed:
        notes.extend(wrong_rules(truth.root()))
    return result


def _some_samples(
    recipe: Recipe, data_dir: str | Path | None
) -> tuple[Array, NDArray[np.int64], str, int]:
    """Inputs, labels, what they are, and the number of all training samples."""
    try:
        samples = load_samples(recipe, data_dir, download=False)
    except (DataNotFoundError, MissingExtraError):
        rng = np.random.default_rng(0)
        x = rng.uniform(0, 1, (_SAMPLES, *recipe.network.input_shape))
        labels = rng.integers(0, _CLASSES, _SAMPLES)
        return x, labels, f"{_SAMPLES} random samples, as {recipe.data.name} is not there", _SAMPLES
    x, labels = samples.inputs[:_SAMPLES], samples.labels[:_SAMPLES]
    return (
        x,
        labels,
        f"the first {len(x)} training samples of {recipe.data.name}",
        len(samples.labels),
    )


def _by_hand(
    model: Any, objective: Objective, x: Array, targets: Any, truth: Truth
) -> tuple[dict[str, Difference], list[str]]:
    """What the gradients by hand differ by, and what is to be said of them or of their absence."""
    try:
        equations = ByHand(model, objective)
    except ArgumentError as error:
        return {}, [str(error).partition("\n")[0]]
    model.zero_grad()
    equations(x, targets)
    given = {name: p.grad.data for name, p in model.named_parameters()}
    grade = grade_answers(given, truth, BY_HAND_LIMIT)
    found = {f.of: f.difference for f in grade if f.difference is not None}
    first = grade.first
    # Where autograd itself is in doubt, the formulas are not to blame.
    if first is None or grade.doubts:
        return found, []
    return found, [f"the equations by hand: {first.of} is the first that is wrong: {first.cause}"]
