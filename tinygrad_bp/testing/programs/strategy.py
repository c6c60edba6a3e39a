"""`programs`: random directed graphs over the registry, valid by construction.

Every step is run as soon as it is drawn, so the next one is chosen with its values at hand. A value
that an operation cannot take, since it is outside the domain, near a kink, or has a twin where no
two may be equal, is brought there by a step of its own; nothing is drawn in vain. In an unusual
program, an operation is first tried on whatever comes, and keeps that where its result is finite.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, TgError
from tinygrad_bp.testing.programs.catalogued import environment, operations
from tinygrad_bp.testing.programs.operations import BASIC, COARSE, MODERATE, Operation, Shape
from tinygrad_bp.testing.programs.program import Program, Step, literal
from tinygrad_bp.testing.subjects import MIXING

_SHAPES: tuple[Shape, ...] = ((), (2,), (3,), (2, 3), (2, 2), (2, 1), (1, 3), (3, 2), (2, 3, 2))
_NUMBERS = (1.0, 0.5, -1.0, 2.0, -0.5, 1.5, 0.25, -1.5, 0.75, -2.0, -0.25, 0.0, 1.25, -0.75)
_LARGEST = 36  # elements of a value that is computed with further
_BOUND = 4.0
_EMPTY: tuple[Shape, ...] = ((0,), (0, 2), (2, 0))
_FAR = 1e16  # of values in unusual programs
_NEAR = 2.0**-20
_WIDEST = 1e3  # of what is computed with further where it is not tried first whether it can be


def programs(
    max_operations: int = 12, names: Collection[str] | None = None, unusual: bool = False
) -> st.SearchStrategy[Program]:
    """A Hypothesis strategy of scalar functions: random graphs of operations on small arrays.

    Values are used several times or once, broadcast, reduced, indexed and joined. They stay
    bounded, inside the domain of each operation, and away from kinks as far as one can tell. A
    failing program shrinks to few, simple operations on small arrays, and its `repr` is code that
    runs.

    Parameters
    ----------
    max_operations : int, default 12
        The number of operations drawn, to which come those that keep values in domains.
    names : collection of str, optional
        Draw operations of these primitives alone; of the whole registry unless given.
    unusual : bool, default False
        Let inputs be zero, equal to each other, between 1e-8 and 1e8 in size, in float32 and empty
        as well, cast to float32 in between, and ask neither for domains nor for a distance from
        kinks, where the result is finite.

    Raises
    ------
    ArgumentError
        No operation is left.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(programs(max_operations=3, names=["add", "sin"]))
    ... def gradients_are_right(program):
    ...     tg.testing.check_gradients(program.run, *program.inputs)
    """
    chosen = None if names is None else frozenset(names)
    if max_operations < 1 or not any(_chosen(chosen)):
        raise ArgumentError(
            f"programs found no operations: max_operations is {max_operations}, and the names are "
            f"{names!r}.\nFix: at least 1, and names that tinygrad_bp.core.PRIMITIVES has."
        )
    return _programs(max_operations, chosen, unusual)


@functools.lru_cache
def _chosen(
    names: frozenset[str] | None,
) -> tuple[tuple[Operation, ...], tuple[tuple[Operation, ...], ...]]:
    basic = tuple(op for op in BASIC if names is None or op.primitive in names)
    others = tuple(ops for name, ops in operations().items() if names is None or name in names)
    return basic, others


@st.composite
def _programs(
    draw: st.DrawFn,
    most: int,
    names: frozenset[str] | None,
    unusual: bool,
) -> Program:
    basic, others = _chosen(names)
    growing = _Growing(draw, unusual)
    if unusual:
        basic += tuple(op for op in COARSE if names is None or op.primitive in names)
    while len(growing.drawn) < most and draw(_operation(growing, basic, others)):
        pass
    return growing.program()


@st.composite
def _operation(
    draw: st.DrawFn,
    growing: _Growing,
    basic: tuple[Operation, ...],
    others: tuple[tuple[Operation, ...], ...],
) -> bool:
    """Whether there is one more: drawn as a whole, so that Hypothesis takes it out as a whole."""
    if not draw(st.integers(0, 9)) and growing.drawn:
        return False
    if basic and (not others or not draw(st.integers(0, 2))):
        growing.add(basic[draw(st.integers(0, len(basic) - 1))])
    else:
        ways = others[draw(st.integers(0, len(others) - 1))]
        growing.add(ways[draw(st.integers(0, len(ways) - 1))])
    return True


def _are_alike(matrix: Any) -> bool:
    """Whether elements are of like sizes: else rounding decides what rank a matrix has."""
    sizes = np.abs(matrix[matrix != 0])
    return not sizes.size or bool(np.max(sizes) <= 1e4 * np.min(sizes))


@st.composite
def _unusual_values(draw: st.DrawFn, shape: Shape) -> Any:
    """Simple numbers, zeros among them, which may be equal and of any size; also in float32."""
    n = math.prod(shape)
    simple = st.sampled_from(_NUMBERS)
    equal = draw(st.booleans())
    numbers = np.array([draw(simple)] * n if equal else [draw(simple) for _ in range(n)])
    sizes = st.integers(-8, 8)
    powers = draw(st.one_of(st.just(0), sizes, st.lists(sizes, min_size=n, max_size=n)))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    return (numbers * 10.0 ** np.array(powers, float)).reshape(shape).astype(dtype)


class _Growing:
    """A program that is being drawn, with the value of each of its names."""

    def __init__(self, draw: st.DrawFn, unusual: bool = False) -> None:
        self.draw, self.unusual = draw, unusual
        self.drawn: list[Operation] = []
        self.inputs: list[Any] = []
        self.steps: list[Step] = []
        self.values: dict[str, Any] = {}
        self.large: set[str] = set()

    def add(self, op: Operation) -> None:
        """Append an operation, with the operands that it needs."""
        self.drawn.append(op)
        if self.unusual and self.draw(st.integers(0, 2)) and self._tried(op):
            return
        operands = self._settled(op) if op.settled else self._free(op)
        name = self._step(op.template.format(*operands), op.primitive, operands)
        largest = float(np.max(np.abs(self.values[name]), initial=0.0))
        if largest > _BOUND:
            shrink = 10.0 ** -math.ceil(math.log10(largest / _BOUND))
            self._step(f"{shrink!r} * {name}", "multiply", (name,))
            # The sine of a number that changes by hundreds tells nothing of any rule.
            self.large.add(name)

    def _tried(self, op: Operation) -> bool:
        """Whether the operation takes operands that nothing was asked of, and has been appended."""
        before = len(self.inputs), dict(self.values)
        operands = self._any(op)
        code = op.template.format(*operands)
        if self._takes(op, code, operands):
            self._step(code, op.primitive, operands)
            return True
        del self.inputs[before[0] :]
        self.values = before[1]
        return False

    def _takes(self, op: Operation, code: str, operands: list[str]) -> bool:
        """Whether an operation is finite around its operands: not so at the end of its domain.

        SciPy's functions keep to the domains of their rows: further out they are not exact, some
        take seconds, and there are poles at whole numbers. So do second operands, such as a period.
        """
        values = {name: self.values[name] for name in operands}
        last = op.arity if op.primitive.startswith("special.") else min(op.arity, len(op.domains))
        first = 0 if op.primitive.startswith("special.") else 1
        if not all(op.takes(i, self.values[operands[i]]) for i in range(first, last)):
            return False
        if op.primitive in MIXING and not all(map(_are_alike, values.values())):
            return False
        if any(np.any(np.abs(value) > _FAR) for value in values.values()):
            return False
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for step in (0.0, _NEAR, -_NEAR):
                room = {
                    name: tg.Tensor((a + step * np.where(a == 0, 1e-2, a)), True, dtype=a.dtype)
                    for name, a in values.items()
                }
                try:
                    found = np.asarray(eval(code, environment(), room).data)
                except (TgError, ValueError, TypeError, LookupError, ArithmeticError):
                    return False  # as of a matrix that has no decomposition
                if not np.all(np.abs(found) <= _FAR) or found.size > 100:
                    return False
        return True

    def _any(self, op: Operation) -> list[str]:
        """Operands of shapes that fit, be they values at hand or new ones."""
        operands: list[str] = []
        for i in range(op.arity):
            before = tuple(self.values[name].shape for name in operands)
            if op.shapes:
                fitting = [s[i] for s in (*op.shapes, *op.empty) if s[:i] == before]
            else:
                fitting = [s for s in (*before, *_SHAPES, *_EMPTY) if op.fits(*before, s)]
            at_hand = [name for name, value in self.values.items() if value.shape in fitting]
            place = self.draw(st.integers(0, len(at_hand)))
            if place:
                operands.append(at_hand[-place])
            else:
                shape = self.draw(st.sampled_from(list(dict.fromkeys(fitting))))
                operands.append(self._input(self.draw(_unusual_values(shape))))
        return operands

    def program(self) -> Program:
        """All that is not used otherwise, summed with weights that tell elements apart."""
        used = {name for step in self.steps for name in step.operands}
        parts = []
        for name, value in self.values.items():
            if name not in used:
                shape, n = value.shape, value.size
                weights = f"np.linspace(0.5, 1.5, {n})"
                if len(shape) > 1:
                    weights += f".reshape({', '.join(map(str, shape))})"
                parts.append(f"np.sum({name} * {weights})" if shape else name)
        return Program(tuple(self.inputs), tuple(self.steps), " + ".join(parts))

    def _step(self, code: str, primitive: str, operands: tuple[str, ...] | list[str]) -> str:
        name = f"v{len(self.steps)}"
        room = {operand: tg.as_tensor(self.values[operand]) for operand in operands}
        self.values[name] = np.asarray(eval(code, environment(), room).data)
        self.steps.append(Step(name, code, primitive, tuple(operands)))
        return name

    def _input(self, values: Any) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(values)
        self.values[name] = values
        return name

    def _at_hand(self, fits: Any) -> list[str]:
        """Values that may be used, the youngest first."""
        found = [
            name
            for name, value in self.values.items()
            if 0 < value.size <= _LARGEST
            and name not in self.large
            and np.max(np.abs(value)) <= _WIDEST
            and fits(value.shape)
        ]
        return found[::-1]

    def _choose(self, fits: Any) -> str | None:
        """A value at hand, or None for a new input, which is the simplest."""
        at_hand = self._at_hand(fits)
        place = self.draw(st.integers(0, len(at_hand)))
        return at_hand[place - 1] if place else None

    def _free(self, op: Operation) -> list[str]:
        operands: list[str] = []
        for i in range(op.arity):
            before = tuple(self.values[name].shape for name in operands)
            name = self._choose(lambda shape, before=before: op.fits(*before, shape))
            if name is None:
                name = self._input(self._new_values(op, i, before))
            elif not op.takes(i, self.values[name]):
                name = self._brought_in(op, i, name)
            operands.append(name)
        return operands

    def _new_values(self, op: Operation, i: int, before: tuple[Shape, ...]) -> Any:
        if op.shapes:
            matching = [s[i] for s in op.shapes if s[:i] == before]
        else:
            tried = [*before[:1], *(s[-1:] for s in before[:1]), *_SHAPES]
            matching = [s for s in tried if op.fits(*before, s)]
        shape = self.draw(st.sampled_from(list(dict.fromkeys(matching))))
        if op.domain(i) != MODERATE or (i < len(op.kinks) and op.kinks[i]):
            return self._constants(op, [shape], i)[0]
        n = math.prod(shape)
        numbers = self.draw(st.lists(st.sampled_from(_NUMBERS), min_size=n, max_size=n))
        return np.array(numbers).reshape(shape)

    def _brought_in(self, op: Operation, i: int, name: str) -> str:
        """A step that brings a value into the domain of an operand, and away from its kinks."""
        if i < len(op.kinks) and op.kinks[i]:
            constants = self._constants(op, [self.values[name].shape], i)[0]
            return self._step(f"{literal(constants)} + 0.04 * np.sin({name})", "add", (name,))
        low, high = op.domain(i)
        middle, half = round((low + high) / 2, 6), round((high - low) / 2, 6)
        code = f"{half!r} * np.sin({name})"
        return self._step(f"{middle!r} + {code}" if middle else code, "sin", (name,))

    def _settled(self, op: Operation) -> list[str]:
        """Operands of constants drawn for the operation, each moved a little by a value at hand."""
        if op.shapes:
            shapes = op.shapes[self.draw(st.integers(0, len(op.shapes) - 1))]
        else:
            shapes = (self.draw(st.sampled_from(_SHAPES)),) * op.arity
        operands = []
        for values in self._constants(op, shapes):
            name = self._choose(lambda shape, values=values: shape in ((), values.shape))
            if name is None:
                operands.append(self._input(values))
            else:
                code = f"{literal(values)} + 0.02 * np.sin({name})"
                operands.append(self._step(code, "add", (name,)))
        return operands

    def _constants(self, op: Operation, shapes: Any, first: int = 0) -> list[Any]:
        """Numbers inside the domains, away from kinks, and apart from each other where asked."""
        rng = np.random.default_rng(self.draw(st.integers(0, 999)))
        sizes = [math.prod(shape) for shape in shapes]
        if op.distinct:
            low, high = op.domain(0)
            space = max((high - low) / sum(sizes), 0.07)
            flat = (low + high) / 2 + space * (np.arange(sum(sizes)) - (sum(sizes) - 1) / 2)
            flat += rng.uniform(-1, 1, sum(sizes)) * (space - 0.06) / 2
            parts = np.split(rng.permutation(flat), np.cumsum(sizes)[:-1])
        else:
            parts = []
            for i, n in enumerate(sizes, first):
                low, high = op.domain(i)
                parts.append(rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), n))
        for i, part in enumerate(parts):
            for kink in op.kinks[i + first] if i + first < len(op.kinks) else ():
                near = np.abs(part - kink) < 0.1
                part[near] = kink + np.copysign(0.1, part[near] - kink)
        return [np.round(p, 4).reshape(s) for p, s in zip(parts, shapes, strict=True)]
