"""Marks for the formulas of a backward pass, one by one, from the loss back to the first layer."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.errors import nearest
from tinygrad_bp.testing.factors import constant, factors, in_words, named
from tinygrad_bp.testing.grading.answers import as_numbers, meaning
from tinygrad_bp.testing.grading.mistakes import Equations
from tinygrad_bp.testing.grading.truth import Difference, Truth, largest

Array = NDArray[Any]
Candidates = Iterable[tuple[str, Array]]


class Mark(enum.StrEnum):
    """What is to be said of one formula."""

    RIGHT = "right"
    WRONG = "WRONG"
    SHAPE = "SHAPE"
    """It has another shape than what it is the gradient of."""
    FOLLOWS = "follows"
    """Its number is wrong because an earlier one is; the formula itself is right."""
    MISSING = "MISSING"
    UNEXPECTED = "UNEXPECTED"
    """There is nothing of that name to be differentiated by."""


class Formula(NamedTuple):
    """The grade of one formula.

    Attributes
    ----------
    name : str
        As it was handed in; of what is missing, as the model calls it.
    of : str
        The parameter of the model, ``"delta 2"`` for that of layer 2, or ``"loss"``.
    mark : Mark
    cause : str
        What is wrong, in words; empty where nothing is.
    difference : Difference or None
        From the truth; None where the two cannot be compared.
    given, shape : tuple of int or None
        The shape of the answer, and the one that it should have.
    """

    name: str
    of: str
    mark: Mark
    cause: str = ""
    difference: Difference | None = None
    given: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None


class Grader:
    """Grades the answers of one person.

    Parameters
    ----------
    truth : Truth
    given : dict of str to object
        The answers by name.
    rtol : float
        What an element may be off by, relative to the largest of its array. Answers in float32
        are given the rounding errors of float32.
    """

    def __init__(self, truth: Truth, given: dict[str, Any], rtol: float) -> None:
        self.truth, self.rtol = truth, rtol
        self.formulas: list[Formula] = []
        self.notes: list[str] = []
        self.factors = factors(_counts(truth.output.shape), twice=True)
        self.layers = layer_names(truth)
        self.names: dict[str, str] = {}
        self.arrays: dict[str, Any] = {}
        self.extra: list[Formula] = []
        self.floor = 0.0  # what rounding makes of terms that cancel, in the formula at hand
        for name, value in given.items():
            self._hand_in(name, value)

    def _hand_in(self, name: str, value: Any) -> None:
        of = self._of(name)
        if of and of not in self.names:
            self.names[of], self.arrays[of] = name, as_numbers(value)
            return
        known = [*self.truth.gradients, *(f"W{k + 1}" for k in range(len(self.truth.deltas)))]
        why = f"{self.names[of]!r} is the same gradient" if of else nearest(name, known)
        array = as_numbers(value)
        self.extra.append(
            Formula(name, "", Mark.UNEXPECTED, why, given=None if array is None else array.shape)
        )

    def _of(self, name: str) -> str:
        """What an answer is the gradient of; empty if of nothing."""
        if name in self.truth.gradients:
            return name
        bare = name.removeprefix("grad_").removesuffix(".grad").removesuffix("_grad")
        for stripped in (bare, bare.removeprefix("d")):
            if stripped in self.truth.gradients:
                return stripped
        found = meaning(name)
        if found in ("weight", "bias", "delta") and len(self.truth.deltas) == 1:
            found += " 1"
        if found.startswith("delta "):
            return found if 1 <= int(found[6:]) <= len(self.truth.deltas) else ""
        return "loss" if found == "loss" else self.layers.get(found, "")

    def grade(self) -> list[Formula]:
        """Every formula in the order of the backward pass, then the loss, then what is too much."""
        truth = self.truth
        with np.errstate(all="ignore"):  # what was handed in may be anything
            self._grade()
        if "loss" in self.arrays:
            value = np.asarray(truth.loss)
            self._mark("loss", value, value, ())
        return [*self.formulas, *self.extra]

    def _grade(self) -> None:
        truth = self.truth
        if truth.net is None:
            for name in reversed(truth.gradients):
                self._mark(name, truth.gradients[name], truth.gradients[name], ())
        else:
            self._convention()
            later: Array | None = None
            for i in reversed(range(len(truth.deltas))):
                later = self._layer(Equations(truth, truth.net), i, later)
            self.floor = 0.0

    def _convention(self) -> None:
        """Divide δs that are all the same multiple, where the gradients made of them are right.

        Many write δ for a single sample, and divide by their number at the end.
        """
        own = {f"delta {k + 1}": delta for k, delta in enumerate(self.truth.deltas)}
        own = {name: delta for name, delta in own.items() if name in self.arrays}
        wanted = {n: g for n, g in self.truth.gradients.items() if n in self.arrays}
        if not own or len(wanted) < 2:
            return
        if not all(self._close(self.arrays[name], g) for name, g in wanted.items()):
            return
        for c, words in self.factors.items():
            if all(self._close(self.arrays[name], c * delta) for name, delta in own.items()):
                for name in own:
                    self.arrays[name] = self.arrays[name] / c
                self.notes.append(
                    f"each δ is {c:g} times the derivative of the loss ({words}), and the "
                    "gradients make up for it: a convention like another."
                )
                return

    def _layer(self, equations: Equations, i: int, later: Array | None) -> Array:
        """Mark the formulas of one layer; return the δ that the writer has there."""
        truth, layer = self.truth, equations.net.layers[i]
        believed = equations.delta(i, later)
        name = f"delta {i + 1}"
        if name in self.arrays:
            self.floor = equations.rounding("delta", i)
            mark = self._mark(
                name, truth.deltas[i], believed, equations.wrong_deltas(i, later), f"delta{i + 2}"
            )
            if mark not in (Mark.SHAPE, Mark.RIGHT) and self.arrays[name] is not None:
                believed = self.arrays[name]
        else:
            believed = self._infer(equations, i, later, believed)
        for kind, right, wrong in (
            ("weight", equations.weight, equations.wrong_weights),
            ("bias", equations.bias, equations.wrong_biases),
        ):
            of = layer.parameter(kind)
            if of in truth.gradients:
                self.floor = equations.rounding(kind, i)
                penalty = truth.l2 * layer.linear.weight.data if kind == "weight" else None
                self._mark(
                    of,
                    truth.gradients[of],
                    right(i, believed),
                    wrong(i, believed),
                    f"delta{i + 1}",
                    penalty if truth.l2 else None,
                )
        return believed

    def _infer(self, equations: Equations, i: int, later: Array | None, own: Array) -> Array:
        """The δ that is not handed in, as the gradients of the layer show it."""
        if self._explains(equations, i, own, any):
            return own
        tried = [("", own), *equations.wrong_deltas(i, later)]
        for c, words in [(1.0, ""), *self.factors.items()]:
            for cause, delta in tried:
                scaled = c * delta
                if not self._explains(equations, i, scaled, all):
                    continue
                if i and self._prefers(equations, i, own, scaled):
                    return own
                said = "; ".join(part for part in (cause, words) if part)
                shape = own.shape
                difference = largest(scaled, self.truth.deltas[i])
                self.formulas.append(
                    Formula(
                        f"delta{i + 1}",
                        f"delta {i + 1}",
                        Mark.WRONG,
                        f"{said} (not handed in; the gradients made of it show it)",
                        difference,
                        shape,
                        shape,
                    )
                )
                return scaled
        return own

    def _prefers(self, equations: Equations, i: int, one: Array, other: Array) -> bool:
        """Whether the layer before was made from the one δ of layer i, and not from the other."""
        first, second = (
            self._explains(equations, i - 1, equations.delta(i - 1, delta), any)
            for delta in (one, other)
        )
        return first and not second

    def _explains(
        self, equations: Equations, i: int, delta: Array, which: Callable[[Iterable[bool]], bool]
    ) -> bool:
        """Whether the gradients of layer i, any or all of them, are those of a δ."""
        layer = equations.net.layers[i]
        if delta.shape != equations.net.z[i].shape:
            return False
        found = []
        for kind, formula in (("weight", equations.weight), ("bias", equations.bias)):
            array = self.arrays.get(layer.parameter(kind))
            if array is not None:
                expected = formula(i, delta)
                self.floor = equations.rounding(kind, i)
                if array.shape != expected.shape and array.size == expected.size:
                    array = array.T if array.T.shape == expected.shape else array.ravel()
                found.append(self._close(array, expected))
        return bool(found) and which(found)

    def _mark(
        self,
        of: str,
        expected: Array,
        own: Array,
        wrong: Candidates,
        before: str = "",
        offset: Array | None = None,
    ) -> Mark:
        """Mark one formula.

        `own` is what the right formula makes of the writer's own earlier numbers, of the name
        `before`; `wrong` is what mistakes make of them; `offset` is a term that may be right while
        the rest is not.
        """
        if of not in self.names:
            self.formulas.append(Formula(of, of, Mark.MISSING, shape=expected.shape))
            return Mark.MISSING
        array, difference = self.arrays[of], None
        if array is None:
            mark, cause = Mark.WRONG, "it is no array of real numbers"
        elif array.shape != expected.shape:
            mark = Mark.SHAPE
            cause = self._shape_cause(array, expected, own, wrong)
        else:
            difference = largest(array, expected)
            mark, cause = self._compare(array, expected, own, wrong, before, offset)
        given = None if array is None else array.shape
        self.formulas.append(
            Formula(self.names[of], of, mark, cause, difference, given, expected.shape)
        )
        return mark

    def _compare(
        self,
        array: Array,
        expected: Array,
        own: Array,
        wrong: Candidates,
        before: str,
        offset: Array | None,
    ) -> tuple[Mark, str]:
        if self._close(array, expected):
            return Mark.RIGHT, ""
        bad = ~np.isfinite(array)
        if bad.any() and not np.isfinite(own).all():
            return Mark.FOLLOWS, f"as {before} is not finite"
        if bad.any():
            where = [int(i) for i in np.argwhere(bad)[0]]
            return Mark.WRONG, f"it is {array[tuple(where)]} at {where}"
        if self._close(array, own):
            return Mark.FOLLOWS, f"the formula is right, but {before} is not"
        cause = self._explain(array, own, wrong, offset)
        return Mark.WRONG, cause or self._unexplained(array, own)

    def _explain(
        self, array: Array, own: Array, wrong: Candidates, offset: Array | None = None
    ) -> str:
        """The mistake that makes this array, in words; empty if none does."""
        tried = [("", own), *wrong]
        for cause, candidate in tried[1:]:
            if self._close(array, candidate):
                return cause
        for cause, candidate in tried:
            if words := named(array, candidate, self.factors, self._close):
                return f"{cause}; {words}" if cause else words
        if offset is not None:
            if words := named(array - offset, own - offset, self.factors, self._close):
                return f"{words}, but for the penalty"
            if c := constant(array - (own - offset), offset, self._close):
                return in_words(c, "the penalty")
        c = constant(array, own, self._close) if own.size > 2 else None
        return in_words(c) if c else ""

    def _shape_cause(self, array: Array, expected: Array, own: Array, wrong: Candidates) -> str:
        shapes = f"it has the shape {array.shape}, and should have {expected.shape}"
        cause = self._explain(array, own, wrong)
        if not cause and array.size == own.size and self._close(array.ravel(), own.ravel()):
            cause = "the numbers are right"
        if not cause and expected.ndim == 1 and array.shape == self.truth.output.shape[:1]:
            cause = "there is one number for each sample, as by a sum over axis 1, not axis 0"
        return f"{shapes}: {cause}" if cause else shapes

    def _unexplained(self, array: Array, own: Array) -> str:
        off = np.abs(array - own) > self._tolerance(array) * (np.max(np.abs(own)) or 1.0)
        found = f"{int(off.sum())} of {off.size} elements are off"
        if not np.any(array):
            return "it is zero everywhere"
        if off.ndim == 2 and not off.all():
            for axis, what in ((1, "row"), (0, "column")):
                lines = np.flatnonzero(off.any(axis=axis))
                if len(lines) == 1 and off.shape[1 - axis] > 1:
                    return f"{found}, all in {what} {lines[0]}"
        return f"{found}, and no common mistake explains it"

    def _tolerance(self, array: Array) -> float:
        if array.dtype.kind != "f":
            return self.rtol
        return (
            max(self.rtol, 64 * float(np.finfo(array.dtype).eps))
            if array.itemsize < 8
            else self.rtol
        )

    def _close(self, array: Array | None, expected: Array) -> bool:
        if array is None or array.shape != expected.shape:
            return False
        scale = float(np.max(np.abs(expected), initial=0.0))
        allowed = self._tolerance(array) * scale + self.floor
        return bool(np.all(np.abs(array - expected) <= allowed))


def _counts(shape: tuple[int, ...]) -> dict[int, str]:
    """What a sum over the outputs of all samples may be divided by."""
    samples, outputs = shape[0] if shape else 1, shape[-1] if len(shape) > 1 else 1
    found = {samples: "the number of samples"}
    found.setdefault(outputs, "the number of outputs")
    found.setdefault(samples * outputs, "the number of all outputs of all samples")
    return found


def layer_names(truth: Truth) -> dict[str, str]:
    """The model's names of ``"weight 1"``, ``"bias 1"`` and so on."""
    found: dict[str, str] = {}
    if truth.net is not None:
        paths = [layer.path for layer in truth.net.layers]
    else:
        names = [name.rpartition(".") for name in truth.gradients]
        paths = list(dict.fromkeys(path for path, _, kind in names if kind == "weight"))
    for k, path in enumerate(paths, 1):
        for kind in ("weight", "bias"):
            name = f"{path}.{kind}" if path else kind
            if name in truth.gradients:
                found[f"{kind} {k}"] = name
    return found
