"""Whether the gradients of a recipe's network are right: three witnesses, in float64.

For each parameter, autograd's gradient is held against the equations by hand, in every element,
and against the 5-point numerical derivative, at some elements and along some directions. A
difference is told relative to the largest element of that parameter's gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import no_grad
from tinygrad_bp.errors import ArgumentError, DataNotFoundError, MissingExtraError
from tinygrad_bp.nn import NetworkSpec
from tinygrad_bp.testing.numerical import numerical_gradient
from tinygrad_bp.train.blame import wrong_rules
from tinygrad_bp.train.by_hand import ByHand
from tinygrad_bp.train.objective import Objective
from tinygrad_bp.train.recipe import Recipe
from tinygrad_bp.train.samples import load_samples, streams

Array = NDArray[np.float64]

BY_HAND_LIMIT = 1e-12
NUMERICAL_LIMIT = 1e-7
_SAMPLES = 8
_ELEMENTS = 12  # of each parameter, that are compared with a numerical derivative
_DIRECTIONS = 4
_CLASSES = 10
# A large step has little rounding error, and a small one reaches over no kink of a ReLU: the one
# with the smallest error bar counts.
_STEPS = (2.0**-10, 2.0**-14, 2.0**-18)


class Difference(NamedTuple):
    """The largest relative difference of one parameter's gradient from a witness.

    Attributes
    ----------
    value : float
        Relative to the largest element of the gradient.
    where : str
        The index of the element, or ``"direction 3"``; empty where all agree exactly.
    error : float
        The error bar of the witness there, relative too; 0 for the equations by hand.
    """

    value: float
    where: str
    error: float = 0.0


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
    parameters = dict(model.named_parameters())

    objective(model(x), targets).backward()
    exact = {n: np.zeros(p.shape) if p.grad is None else p.grad.data for n, p in parameters.items()}
    by_hand, notes = _by_hand(model, objective, x, targets)

    def loss() -> float:
        with no_grad():
            value: float = objective(model(x), targets).item()
        return value

    rng = np.random.default_rng(0)
    found = []
    for name, parameter in parameters.items():
        start = parameter.data

        def at(values: Array, parameter: Any = parameter, shape: Any = start.shape) -> float:
            parameter.data = values.reshape(shape)
            return loss()

        numerical = _numerical(at, start, exact[name], rng)
        parameter.data = start
        hand = None if by_hand is None else _largest(exact[name], by_hand[name])
        found.append(ParameterCheck(name, start.shape, hand, numerical))
    result = RecipeCheck(found, data, notes)
    if not result.passed:
        notes.extend(wrong_rules(objective(model(x), targets)))
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
    model: Any, objective: Objective, x: Array, targets: Any
) -> tuple[dict[str, Array] | None, list[str]]:
    """The gradients by hand, or why there are none."""
    try:
        equations = ByHand(model, objective)
    except ArgumentError as error:
        return None, [str(error).partition("\n")[0]]
    model.zero_grad()
    equations(x, targets)
    return {name: p.grad.data for name, p in model.named_parameters()}, []


def _largest(exact: Array, witness: Array) -> Difference:
    difference = np.abs(exact - witness)
    worst = np.unravel_index(int(np.argmax(difference)), exact.shape)
    scale = float(np.max(np.abs(witness))) or 1.0
    value = float(difference[worst]) / scale
    where = str([int(i) for i in worst]) if value else ""
    return Difference(value if np.isfinite(value) else np.inf, where)


def _numerical(
    f: Callable[[Array], float], start: Array, exact: Array, rng: np.random.Generator
) -> Difference:
    """The largest difference at some elements and along some directions."""
    largest = int(np.argmax(np.abs(exact)))
    others = rng.permutation(start.size)[: _ELEMENTS - 1]
    elements = sorted({largest, *(int(i) for i in others)})
    compared: list[tuple[float, float, float, str]] = []
    gradient, error = _best(f, start, elements)
    for i in elements:
        index = str([int(k) for k in np.unravel_index(i, start.shape)])
        compared.append((exact.flat[i], gradient.flat[i], error.flat[i], index))
    for k in range(_DIRECTIONS):
        direction = rng.normal(size=start.shape)
        direction /= np.linalg.norm(direction)
        slope, bar = _best(lambda t, d=direction: f(start + t[0] * d), np.zeros(1), [0])  # type: ignore[misc]  # d is bound
        along = float(np.vdot(exact, direction))
        compared.append((along, slope[0], bar[0], f"direction {k + 1}"))
    scale = float(np.abs(exact).max()) or max(abs(c[1]) for c in compared) or 1.0
    all_found = [
        Difference(abs(a - n) / scale, at if a != n else "", e / scale) for a, n, e, at in compared
    ]
    return max(all_found, key=lambda d: d.value if np.isfinite(d.value) else np.inf)


def _best(f: Callable[[Array], float], x: Array, elements: list[int]) -> tuple[Array, Array]:
    """The numerical gradient, for each element with the step that has the smallest error bar."""
    gradient, error = numerical_gradient(f, x, step=_STEPS[0], elements=elements)
    for step in _STEPS[1:]:
        other, bar = numerical_gradient(f, x, step=step, elements=elements)
        gradient, error = np.where(bar < error, other, gradient), np.minimum(bar, error)
    return gradient, error
