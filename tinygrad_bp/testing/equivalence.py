"""Grades for gradients that were derived by hand, formula by formula, as a teacher would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import GradientError, require_argument
from tinygrad_bp.nn import Module, NetworkSpec
from tinygrad_bp.testing.arguments import require_function, require_number
from tinygrad_bp.testing.grading.answers import Parameters, answers
from tinygrad_bp.testing.grading.grader import Formula, Grader, Mark, layer_names
from tinygrad_bp.testing.grading.truth import (
    NUMERICAL_LIMIT,
    Difference,
    Truth,
    find_truth,
)

_FAILS = (Mark.WRONG, Mark.SHAPE, Mark.MISSING, Mark.UNEXPECTED)


@dataclass(frozen=True)
class Grade:
    """What `check_equivalent` found; ``str(grade)`` is a report to read.

    Attributes
    ----------
    formulas : tuple of Formula
        In the order of the backward pass: for each layer, from the last to the first, its δ, its
        weights and its biases; then the loss, and what should not be there.
    notes : tuple of str
        What else is to be said.
    confirmed : dict of str to Difference
        What autograd's own gradients differ by from numerical derivatives.
    doubts : tuple of str
        The gradients for which that is too much: where there are any, the truth itself is in
        doubt, and so is the grade.
    """

    formulas: tuple[Formula, ...]
    notes: tuple[str, ...]
    confirmed: Mapping[str, Difference]
    doubts: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every formula is right and none is missing or too much."""
        return not self.doubts and all(f.mark is Mark.RIGHT for f in self.formulas)

    @property
    def first(self) -> Formula | None:
        """The first formula that is wrong by itself, in the order of the backward pass."""
        return next((f for f in self.formulas if f.mark in _FAILS), None)

    def __getitem__(self, name: str) -> Formula:
        return next(f for f in self.formulas if name in (f.name, f.of))

    def __iter__(self) -> Iterator[Formula]:
        return iter(self.formulas)

    def raise_if_wrong(self) -> None:
        """Raise a `GradientError` with the report, and the grade as its attribute ``check``."""
        if not self.passed:
            error = GradientError(f"{self}\nFix: {self._fix()}")
            error.check = self
            raise error

    def _fix(self) -> str:
        first = self.first
        if self.doubts or first is None:
            return "check the rules of the model's operations with check_gradients."
        return f"begin with {first.name}; what is marked 'follows' is right once that is."

    def _headline(self) -> str:
        graded = [f for f in self.formulas if f.mark is not Mark.UNEXPECTED]
        right = sum(f.mark is Mark.RIGHT for f in graded)
        if self.doubts:
            return (
                f"autograd's own gradient of {', '.join(self.doubts)} differs from the numerical "
                "derivative: the grade is in doubt."
            )
        if self.passed:
            return f"all {right} formulas are right."
        follow = sum(f.mark is Mark.FOLLOWS for f in graded)
        counts = [f"{right} right", f"{len(graded) - right - follow} wrong"]
        counts += [f"{follow} that would be right but for an earlier one"] if follow else []
        assert self.first is not None  # something is wrong
        return f"{len(graded)} formulas: {', '.join(counts)}. Begin with {self.first.name}."

    def __str__(self) -> str:
        width = max((len(f.name) for f in self.formulas), default=0)
        lines = [self._headline()]
        for f in self.formulas:
            off = ""
            if f.mark is Mark.WRONG and f.difference is not None:
                off = f"off by {f.difference.value:.2g} at {f.difference.where}"
            said = ": ".join(part for part in (off, f.cause) if part)
            lines.append(f"  {f.name:<{width}}  {f.mark:<10}  {said}".rstrip())
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def check_equivalent(
    my_gradients: Callable[..., Any],
    model: Module | NetworkSpec,
    loss: Callable[[Any, Any], Tensor] | str,
    data: tuple[Any, Any],
    *,
    l2: float = 0.0,
    rtol: float = 1e-9,
) -> Grade:
    r"""Grade the gradients of a network that somebody derived by hand, formula by formula.

    The truth is autograd's gradient in float64, which itself is held against a numerical
    derivative. For layers one after another, each formula is also applied to the writer's own
    earlier results, so that one mistake is counted once; and the usual mistakes are tried until
    one gives the numbers that were handed in.

    Parameters
    ----------
    my_gradients : callable
        Called with a dict of the parameters, x and y: plain NumPy arrays that it may keep. It
        finds each parameter under the model's name, as ``"0.weight"``, and under ``"W1"``,
        ``"b1"``, ``"W2"`` and so on, layers counted from 1; weights have one row per output.
        It returns a dict, NamedTuple or dataclass with the gradients under the same names, or
        ``dW1``, ``grad_b1``, …; and if it likes, the slopes ``delta1``, … of the loss with respect
        to each layer's weighted input, shape (samples, outputs), and the ``loss`` itself.
    model : Module or NetworkSpec
        The network. A float64 copy is used, in evaluation mode: dropout does nothing.
    loss : callable or str
        A function of (output, target), or the name of one in `tinygrad_bp.nn.functional`.
    data : tuple of array
        The inputs x and the targets y. With several samples, of a number that is no layer's
        width, a factor that is missing tells what it is.
    l2 : float
        Adds :math:`\tfrac12 \lambda \sum_W \sum_{ij} W_{ij}^2`; biases are not penalised.
    rtol : float
        What an element may be off by, relative to the largest of its array. For answers in
        float32 it is at least 64 of its rounding errors.

    Returns
    -------
    Grade

    Raises
    ------
    ArgumentError
        There is no such loss, or the answers have no names.
    ShapeError
        The loss is not one number.

    Examples
    --------
    A linear layer and half the squared error, without the mean over the samples:

    >>> import tinygrad_bp as tg
    >>> def by_hand(p, x, y):
    ...     delta = x @ p["W1"].T + p["b1"] - y
    ...     return {"W1": delta.T @ x, "b1": delta.sum(axis=0)}
    >>> x, y = np.arange(8.0).reshape(4, 2), np.ones((4, 3))
    >>> loss = lambda out, y: tg.nn.functional.half_squared_error(out, y) / len(out)
    >>> grade = check_equivalent(by_hand, tg.nn.Linear(2, 3), loss, (x, y))
    >>> grade.first.name, grade.first.cause.partition(" (")[0]
    ('delta1', 'it is not divided by 4, the number of samples')
    """
    who = "check_equivalent"
    require_function(who, "my_gradients", my_gradients)
    right = isinstance(model, Module | NetworkSpec)
    require_argument(right, who, "model", model, "pass a module or a NetworkSpec")
    right = callable(loss) or isinstance(loss, str)
    require_argument(right, who, "loss", loss, "a function of (output, target), or its name")
    right = isinstance(data, tuple | list) and len(data) == 2
    require_argument(right, who, "data", data, "a pair of inputs and targets, as (x, y)")
    require_number(who, "l2", l2)
    require_number(who, "rtol", rtol)
    truth = find_truth(model, loss, data, l2)
    parameters = {name: p.data.copy() for name, p in truth.model.named_parameters()}
    before = {name: array.copy() for name, array in parameters.items()}
    x, y = (np.array(part) for part in (truth.x, truth.y))
    given = answers(my_gradients(Parameters(parameters, layer_names(truth)), x, y))
    changed = [n for n, a in parameters.items() if not np.array_equal(a, before[n])]
    grade = grade_answers(given, truth, rtol)
    notes = list(grade.notes)
    if changed:
        notes.append(f"the function changes its arguments: {', '.join(changed)}")
    return Grade(grade.formulas, tuple(notes), grade.confirmed, grade.doubts)


def grade_answers(given: Mapping[str, NDArray[Any]], truth: Truth, rtol: float = 1e-9) -> Grade:
    """Grade gradients that are there already, by name.

    Parameters
    ----------
    given : dict of str to array
        As the function of `check_equivalent` returns them.
    truth : Truth
        What `find_truth` makes of a model and data.
    rtol : float
        As for `check_equivalent`.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> model = tg.nn.Linear(1, 1, weight_init="ones", bias_init="zeros")
    >>> truth = find_truth(model, "mse_loss", ([[3.0]], [[1.0]]))
    >>> print(grade_answers({"weight": np.array([[12.0]]), "bias": np.array([4.0])}, truth))
    all 2 formulas are right.
      weight  right
      bias    right
      note: with one sample, a sum over the samples is their mean: try several.
    """
    grader = Grader(truth, dict(given), rtol)
    with_deltas = any(of.startswith("delta ") for of in grader.names)
    confirmed = truth.confirm(with_deltas, elements=3, directions=2)
    formulas = grader.grade()
    doubts = [n for n, d in confirmed.items() if not d.value <= max(NUMERICAL_LIMIT, d.error)]
    return Grade(tuple(formulas), (*grader.notes, *_blind(truth)), confirmed, tuple(doubts))


def _blind(truth: Truth) -> Iterator[str]:
    """What these data cannot tell apart."""
    if truth.output.shape[:1] == (1,):
        yield "with one sample, a sum over the samples is their mean: try several."
    if truth.net is None:
        return
    for k, layer in enumerate(truth.net.layers):
        z = truth.net.z[k]
        if layer.after and np.array_equal(layer.back(np.ones_like(z), z), np.ones_like(z)):
            yield (
                f"the derivative of {layer.activation} is 1 everywhere in layer {k + 1}: "
                "nobody would notice if it were missing. Try other data."
            )
