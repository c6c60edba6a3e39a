"""Gradients held against numerical derivatives: which elements, how, and what comes of it.

A small Jacobian is compared whole, every output against every input. Of a large one, random sums of
the outputs are taken; of a large argument, some elements by themselves, and all of them in blocks,
along random directions: a fault at a single element shows in the slope of its block, which is then
halved until the element is found.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.errors import TgError
from tinygrad_bp.testing.replay import Replay
from tinygrad_bp.testing.result import ArgumentCheck, all_verdicts
from tinygrad_bp.testing.slopes import Array, Field
from tinygrad_bp.testing.subjects import Recorded, Subject, joined
from tinygrad_bp.testing.verdicts import Finding, Verdict, judge, unless_rounded

_WHOLE = 2000  # entries of a Jacobian that is compared as a whole
_ALL = (0, 120, 40, 20)  # elements of an argument that are all compared singly, by the order
_SINGLE = 24  # of a larger one
_BLOCKS = 8
_FAULTS = 8  # that are looked for, before it is enough
_SHAKES = 3
#: Times the scatter of a few gradients that rounding alone sets apart.
SAFETY = 16.0
_SEVERITY = {Verdict.OK: 0, Verdict.NOISY: 1, Verdict.KINK: 2, Verdict.WRONG: 3}


class Comparison:
    """The numerical side of one check: the function, its point, and the gradient to be checked."""

    def __init__(self, subject: Subject, rtol: float, rng: np.random.Generator) -> None:
        self.subject, self.rtol, self.rng = subject, rtol, rng
        self.ends = np.cumsum([0, *(a.size for a in subject.start)])
        out = subject.value(subject.start)
        size = int(self.ends[-1])
        self.rows, self.of = self._projections(out, size)
        point = np.concatenate([a.ravel() for a in subject.start])
        self._precision, self._size = subject.precision(), subject.size()
        # Nobody knows what dtypes are inside of a function that is not recorded.
        coarse = 0.0 if isinstance(subject, Recorded) else float(np.finfo(np.float32).eps)
        self._stair = max(self._precision, coarse) * self._size
        self._least = 2 * self._precision * (np.abs(self.rows) @ np.abs(np.ravel(out)))
        self.field = Field(self._value, point, self._least)
        self._confirmed = 0
        pulled = subject.pulls(self.rows)
        self.connected = [any(p[i] is not None for p in pulled) for i in range(len(subject.start))]
        self.exact = np.array([joined(parts, subject.start) for parts in pulled])
        self.replay = Replay(subject, self.rows) if isinstance(subject, Recorded) else None

    def _projections(self, out: Any, size: int) -> tuple[Array, list[str]]:
        """Cotangents of the flat output, with words for each."""
        if out.size <= 1:
            return np.ones((1, out.size)), [""]
        if out.size * size <= _WHOLE:
            indices = [tuple(int(i) for i in index) for index in np.ndindex(out.shape)]
            if self.subject.order > 1:
                return np.eye(out.size), [f"element {i} of the gradient" for (i,) in indices]
            return np.eye(out.size), [f"the output {index}" for index in indices]
        rows = self.rng.uniform(0.5, 1.5, (3 if self.subject.order == 1 else 2, out.size))
        rows *= self.rng.choice([-1.0, 1.0], rows.shape)
        return rows, [f"the sum of the outputs {out.shape} times random weights"] * len(rows)

    def _value(self, x: Array) -> Array:
        start = self.subject.start
        arrays = [
            x[a:b].reshape(s.shape)
            for a, b, s in zip(self.ends, self.ends[1:], start, strict=False)
        ]
        try:
            out = np.asarray(self.subject.value(arrays), np.float64)
        except (TgError, ValueError, ArithmeticError):  # as of a step that leaves the domain
            return np.full(len(self.rows), np.nan)
        if out.size != self.rows.shape[1]:  # as of a polynomial, whose leading zeros are left out
            return np.full(len(self.rows), np.nan)
        if self.of == [""]:
            return out.reshape(1) if out.size else np.zeros(1)
        found: Array = self.rows @ out.ravel()
        return found

    def argument(self, i: int, elements: int | None) -> ArgumentCheck:
        """Compare the gradient of argument i."""
        first, shape = int(self.ends[i]), self.subject.start[i].shape
        size = int(self.ends[i + 1]) - first
        block = self.exact[:, first : first + size]
        found: dict[int, tuple[Finding, int]] = {}
        for j in self._chosen(block, size, elements):
            found[int(j)] = self._single(first, int(j), block)
        if len(found) < size:
            self._search(first, block, found)
        verdicts = all_verdicts(Verdict.OK, shape)
        exact = block[0].reshape(shape).copy()
        numerical, error = np.full(shape, np.nan), np.full(shape, np.inf)
        compared, worst = np.zeros(shape, bool), 0
        for j, (finding, k) in found.items():
            verdicts.flat[j], exact.flat[j] = finding.verdict, block[k, j]
            numerical.flat[j], error.flat[j] = finding.numerical, finding.error
            compared.flat[j] = True
        if not self.connected[i] and self.subject.order == 1:
            verdicts[verdicts == Verdict.WRONG] = Verdict.NOT_CONNECTED
        result = ArgumentCheck(
            self.subject.names[i],
            shape,
            self.subject.order,
            verdicts,
            exact,
            numerical,
            error,
            compared,
            self.subject.start[i],
        )
        if not result.passed:
            worst = found[int(np.ravel_multi_index(result.worst, shape)) if shape else 0][1]
            object.__setattr__(result, "of", self.of[worst])
        return result

    def _chosen(self, block: Array, size: int, elements: int | None) -> NDArray[Any]:
        """Which elements are compared by themselves."""
        if elements is None and size <= _ALL[self.subject.order]:
            return np.arange(size)
        count = min(size, _SINGLE if elements is None else elements)
        odd = np.flatnonzero(~np.isfinite(block).all(axis=0))[: max(count // 2, 1)]
        others = self.rng.permutation(np.setdiff1d(np.arange(size), odd))
        return np.concatenate([odd, others])[:count]

    def _scales(self, block: Array, first: int, j: int) -> Array:
        """How large a derivative must be to matter, for each projection."""
        with np.errstate(invalid="ignore"):
            largest = np.max(np.where(np.isfinite(block), np.abs(block), 0.0), axis=1)
        least = 1e-5 * np.abs(self.field.center) / max(1.0, abs(float(self.field.x[first + j])))
        scales: Array = np.maximum(largest, np.where(np.isfinite(least), least, 0.0))
        return scales

    def _floor(self, block: Array, first: int) -> float:
        """What rounding leaves of a derivative that is 0, as that of a determinant of rank 1."""
        largest = float(np.max(np.abs(block), initial=0.0, where=np.isfinite(block)))
        x = self.field.x[first : first + block.shape[1]]
        size = self._size / max(1.0, float(np.max(np.abs(x), initial=0.0)))
        floor = max(4 * self._precision * largest, 1e-24 * size)
        noise, center = self.field.noise, np.abs(self.field.center)
        if np.any(noise > 0.05 * center):  # what comes out is rounding errors, or near 0
            floor = max(floor, 64 * self._precision * size)
        return floor

    def _judged(self, field: Field, first: int, j: int, block: Array) -> list[Finding]:
        scales, floor = self._scales(block, first, j), self._floor(block, first)
        return judge(field, first + j, block[:, j], self.rtol, scales, floor, self._stair)

    def _single(self, first: int, j: int, block: Array) -> tuple[Finding, int]:
        """The worst verdict on one element over all projections."""
        exact = block[:, j]
        findings = self._judged(self.field, first, j, block)
        if self.replay is not None and self.replay.works:
            better = self.replay.along(first + j)
            if better is not None:
                findings = [
                    self._refined(f, float(e), float(b))
                    for f, e, b in zip(findings, exact, better, strict=True)
                ]

        if self._confirmed < _FAULTS:
            findings = unless_rounded(findings, exact, lambda: self._off(first, j, block))
            self._confirmed += any(f.verdict is Verdict.WRONG for f in findings)

        def badness(k: int) -> tuple[int, float]:
            off = abs(exact[k] - findings[k].numerical)
            return _SEVERITY[findings[k].verdict], off if np.isfinite(off) else np.inf

        k = max(range(len(findings)), key=badness)
        return findings[k], k

    def _off(self, first: int, j: int, block: Array) -> Array:
        """How far rounding may put off both sides, as other last bits of all inputs show it."""
        rng, found = np.random.default_rng(0), []
        for _ in range(_SHAKES):
            point = np.concatenate([a.ravel() for a in self.subject.near(rng)])
            field = Field(self._value, point, self._least)
            found.append([f[1:] for f in self._judged(field, first, j, block)])
        values, errors = np.moveaxis(np.array(found), 2, 0)
        spread = np.ptp(values, axis=0)
        # Nothing is added to error bars that hold.
        spread = np.where(spread <= 2 * np.max(errors, axis=0), 0.0, SAFETY * spread)
        return self._scatter[:, first + j] + spread

    @cached_property
    def _scatter(self) -> Array:
        scatter: Array = SAFETY * self.subject.scatter(self.rows)
        return scatter

    def _refined(self, finding: Finding, exact: float, better: float) -> Finding:
        """With the complex step in place of the difference, where they tell the same."""
        size = max(abs(exact), abs(better))
        known = bool(np.isfinite([better, exact, finding.error]).all())
        known = known and finding.verdict is not Verdict.KINK
        if not known or abs(better - finding.numerical) > max(3 * finding.error, 1e-6 * size):
            return finding
        bar, difference = 1e-14 * size, abs(exact - better)
        verdict = finding.verdict
        if difference <= self.rtol * size:
            verdict = Verdict.OK
        elif verdict is Verdict.NOISY and difference > 3 * finding.error:
            verdict = Verdict.WRONG
        return Finding(verdict, better, bar)

    def _search(self, first: int, block: Array, found: dict[int, tuple[Finding, int]]) -> None:
        """Compare what was not compared yet in blocks, and halve those that are wrong."""
        rest = np.array([j for j in range(block.shape[1]) if j not in found])
        rest = rest[np.isfinite(block[:, rest]).all(axis=0)]
        todo = [part for part in np.array_split(self.rng.permutation(rest), _BLOCKS) if part.size]
        todo.reverse()
        faults = 0
        while todo and faults < _FAULTS:
            part = todo.pop()
            if len(part) == 1:
                j = int(part[0])
                found[j] = self._single(first, j, block)
                faults += found[j][0].verdict is Verdict.WRONG
                continue
            signs = np.zeros(self.field.x.shape)
            signs[first + part] = self.rng.choice([-1.0, 1.0], part.size)
            moves = self.field.moves(signs)[first + part]
            terms = block[:, part] * moves
            scale = np.maximum(np.sqrt(np.sum(terms**2, axis=1)), 1e-5 * np.abs(self.field.center))
            findings = judge(self.field, signs, terms.sum(axis=1), self.rtol, scale)
            if any(f.verdict is Verdict.WRONG for f in findings):
                todo += np.array_split(part, 2)
