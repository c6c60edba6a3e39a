"""The result of a check as data, and the five lines that it prints as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.verdicts import Verdict


@dataclass(frozen=True, eq=False)
class ArgumentCheck:
    """What a check found of one argument, at one order.

    Attributes
    ----------
    name : str
        The argument, or the parameter of a module.
    shape : tuple of int
        Its shape, which all arrays here have.
    order : int
        1 for its gradient, 2 for the gradient of that.
    verdicts : ndarray of Verdict
        For each element. One that was not compared by itself is OK, as part of a whole.
    exact, numerical, error : ndarray
        What the gradient to be checked says, the numerical derivative, and its error bar; of
        several outputs, at that where they differ most.
    compared : ndarray of bool
        Which elements were compared by themselves.
    value : ndarray
        The argument.
    of : str
        Which output, or sum of outputs, was differentiated, where that is not all.
    """

    name: str
    shape: tuple[int, ...]
    order: int
    verdicts: NDArray[np.object_]
    exact: Array
    numerical: Array
    error: Array
    compared: NDArray[np.bool_]
    value: Array
    of: str = ""

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Where the verdict is a failure."""
        found = [v.failed for v in self.verdicts.ravel()]
        return np.array(found, bool).reshape(self.shape)

    @property
    def passed(self) -> bool:
        """Whether no element failed."""
        return not self.failed.any()

    @property
    def difference(self) -> float:
        """The largest difference, relative to the largest element."""
        known = self.compared & np.isfinite(self.error) & (self.verdicts != Verdict.KINK)
        if not known.any():
            return 0.0
        exact, numerical = self.exact[known], self.numerical[known]
        scale = float(np.max(np.maximum(np.abs(exact), np.abs(numerical))))
        return float(np.max(np.abs(exact - numerical))) / (scale or 1.0)

    @property
    def worst(self) -> tuple[int, ...]:
        """The index of the element that failed by the largest difference."""
        with np.errstate(invalid="ignore"):
            off = np.nan_to_num(np.abs(self.exact - self.numerical), nan=np.inf)
        where = int(np.argmax(np.where(self.failed, off, -1.0)))
        return tuple(int(i) for i in np.unravel_index(where, self.shape))

    @property
    def label(self) -> str:
        """The name, with the order where it is not the first."""
        return self.name + (f" (order {self.order})" if self.order > 1 else "")


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """What `check_gradients` found. As a string, it is the message of the error.

    Attributes
    ----------
    arguments : list of ArgumentCheck
        One for each argument, or parameter of a module, and order.
    causes : list of str
        What the differences look like; empty where all is right.
    blamed : list of str
        Rules that are wrong by themselves, each with its primitive, input and line.
    cuts : list of str
        Where the way from an argument to the output is not recorded, each with its line.
    notes : list of str
        What was not checked, and why.
    by : str
        Who gives the gradient: ``"autograd"`` or ``"your gradient"``.
    adjoint : float
        How far the backward pass is from the transpose of the forward derivative, relatively.
    """

    arguments: list[ArgumentCheck]
    causes: list[str] = field(default_factory=list)
    blamed: list[str] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by: str = "autograd"
    adjoint: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no verdict is a failure."""
        return all(a.passed for a in self.arguments) and self.adjoint < ADJOINT_LIMIT

    @property
    def difference(self) -> float:
        """The largest difference of any argument, relative to its largest element."""
        return max(a.difference for a in self.arguments)

    @property
    def elements(self) -> int:
        """How many derivatives were compared, each by itself."""
        return sum(int(a.compared.sum()) for a in self.arguments)

    @property
    def inconclusive(self) -> int:
        """How many of them could not be told: noise, or a kink."""
        unsure = (Verdict.NOISY, Verdict.KINK)
        return sum(sum(v in unsure for v in a.verdicts.ravel()) for a in self.arguments)

    @property
    def worst(self) -> ArgumentCheck | None:
        """The argument that failed by the largest relative difference."""
        failed = [a for a in self.arguments if not a.passed]
        return max(failed, key=_badness) if failed else None

    def __str__(self) -> str:
        worst = self.worst
        if worst is None and self.passed:
            unsure = f", {self.inconclusive} could not be told" if self.inconclusive else ""
            found = f"{self.elements} derivatives agree to {self.difference:.1e}{unsure}"
            return "\n".join([found, *self.notes])
        lines = [_headline(worst, self)] if worst is not None else []
        others = [a.label for a in self.arguments if not a.passed and a is not worst]
        if others:
            more = f" and {len(others) - 4} more" if len(others) > 4 else ""
            lines[0] += f" Others that fail: {', '.join(others[:4])}{more}."
        if self.causes:
            lines.append("Cause: " + "; ".join(self.causes[:2]) + ".")
        lines += [f"Blame: {line}." for line in (self.blamed or self.cuts)[:2]]
        return "\n".join([*lines, f"Fix: {self.fix}"])

    @property
    def fix(self) -> str:
        """What to do about it."""
        worst = self.worst
        verdict = Verdict.WRONG if worst is None else worst.verdicts[worst.worst]
        if verdict in _FIXES:
            return _FIXES[verdict]
        if self.blamed:
            return "correct that rule; check_primitive puts it through the whole battery."
        if self.cuts:
            return _FIXES[Verdict.NOT_CONNECTED]
        if self.by != "autograd":
            return "check the terms of the function one by one, each with its own gradient."
        return (
            "check parts of the function to find the one at fault; near a kink, move the input "
            "away from it."
        )


#: Of the difference between <Jv, u> and <v, J'u>, relative to their terms; rounding leaves less.
ADJOINT_LIMIT = 1e-12

_FIXES = {
    Verdict.NONDETERMINISTIC: "fix the seed inside of f, or switch dropout off with eval().",
    Verdict.NOT_CONNECTED: "compute with tensors all the way, without .data, .detach() or float().",
    Verdict.DTYPE: "let it have the shape and dtype of what it belongs to; cast nothing inside.",
}


def _badness(argument: ArgumentCheck) -> tuple[int, float]:
    numbers = [v == Verdict.WRONG for v in argument.verdicts.ravel()]
    difference = argument.difference
    return -argument.order if any(numbers) else 0, difference


def _headline(a: ArgumentCheck, check: GradientCheck) -> str:
    """The first line: where, by how much, and how exactly that is known."""
    failed, index = a.failed, a.worst
    verdict, what = a.verdicts[index], f"the gradient of {a.label} {a.shape}"
    count = f"at {failed.sum()} of {int(a.compared.sum()) or a.verdicts.size} elements"
    if verdict == Verdict.NONDETERMINISTIC:
        return f"{what} is {verdict}: two evaluations of f at the same point differ."
    if verdict == Verdict.NOT_CONNECTED:
        known = np.isfinite(a.error[index])
        how = f", with a derivative of {a.numerical[index]:.12g} at index {index}" if known else ""
        return f"{what} is {verdict}: the output does not depend on it through tensors{how}."
    if verdict == Verdict.DTYPE:
        return f"{what} does not have the shape, dtype or precision that it should have."
    state = "wrong" if verdict == Verdict.WRONG else f"{verdict}"
    numbers = (
        f"{check.by} gives {a.exact[index]:.12g}, the numerical derivative is "
        f"{a.numerical[index]:.12g} with an error of at most {a.error[index]:.1g}"
    )
    of = f"; both numbers are of {a.of}" if a.of else ""
    return f"{what} is {state} {count}, most at index {index}: {numbers}{of}."


def all_verdicts(verdict: Verdict, shape: tuple[int, ...]) -> NDArray[np.object_]:
    """The same verdict for all elements."""
    verdicts = np.empty(shape, object)
    verdicts.fill(verdict)  # np.full would make strings of them
    return verdicts


def unknown(
    name: str, value: Array, order: int, verdict: Verdict, exact: Any = None
) -> ArgumentCheck:
    """The check of an argument of which no derivative was taken."""
    given = np.full(value.shape, np.nan) if exact is None else exact
    return ArgumentCheck(
        name,
        value.shape,
        order,
        all_verdicts(verdict, value.shape),
        given,
        np.full(value.shape, np.nan),
        np.full(value.shape, np.inf),
        np.zeros(value.shape, bool),
        value,
    )
