"""Holds every equation of a derivation against the numbers of the graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from draw.derivation.decompositions import SYMMETRIC, symmetric, triangle
from draw.derivation.elements import FREE, ElementReader
from draw.derivation.reader import Reader, UnreadableError
from draw.derivation.steps import reader_of
from draw.derivation.words import FUNCTIONS, SLOPES

from tinygrad_bp.draw.derivation import Derivation, Line, Quantity, Step

Key = tuple[str, str]


def audit(
    derivation: Derivation, operation: str = ""
) -> Iterator[tuple[str, Key, tuple[Any, ...]]]:
    """What became of each formula: ``ok``, ``un`` (unreadable) or ``wrong``, and the facts.

    With the name of an operation, of its formulas alone.
    """
    values = {q.symbol: q.value for q in derivation.quantities}
    values |= {q.bar: q.gradient for q in derivation.quantities if q.bar}
    steps = {step.quantity.symbol: step for step in derivation.steps}
    for step in derivation.steps:
        if operation in ("", step.operation):
            yield _forward(step, values)
    for quantity in derivation.quantities:
        if any(operation in ("", term.operation) for term in quantity.terms):
            yield from _backward(quantity, steps, values)


def _forward(step: Step, values: dict[str, Any]) -> tuple[str, Key, tuple[Any, ...]]:
    key = (step.operation, "forward")
    try:
        if r"\text{ with" in step.forward:
            raise UnreadableError("words")
        equation, conditions = split_conditions(step.forward)
        reader = reader_of(step, values)
        define(reader, conditions)
        members = split(equation.removeprefix(f"{step.quantity.symbol}:").strip(), "=")
        if step.operation == "einsum" or step.operation in FREE:
            members[0] = step.quantity.symbol
        if step.operation == "einsum":
            reader.params = {**step.params, "after": step.params["subscripts"].partition("->")[2]}
        if members[0] == step.quantity.symbol:
            reader.shape, expected = step.quantity.shape, step.quantity.value
        else:  # an equation of which neither side is the result
            reader.shape, expected = None, reader.read(members[0])
        reasons = []
        for member in members[1:]:
            try:
                found = _read(reader, member, step, 0)
            except UnreadableError as reason:  # the definition of a function, behind its name
                reasons.append(reason)
                continue
            if step.operation in SYMMETRIC and reader.shape is None:
                found, expected = (triangle(a, step.params) for a in (found, expected))
            if not agree(found, expected):
                return "wrong", key, (step.forward, step.note, found, expected)
        if len(reasons) == len(members) - 1:
            raise UnreadableError("; ".join(map(str, reasons)) or "no equation")
    except UnreadableError as reason:
        return "un", key, (str(reason), step.forward)
    except (ValueError, IndexError, TypeError, AssertionError, np.linalg.LinAlgError) as error:
        return "wrong", key, (step.forward, repr(error))
    return "ok", key, ()


def _backward(
    quantity: Quantity, steps: dict[str, Step], values: dict[str, Any]
) -> Iterator[tuple[str, Key, tuple[Any, ...]]]:
    total, keys = np.zeros(quantity.shape), []
    for term in quantity.terms:
        key = (term.operation, f"input {term.position}")
        keys.append(key)
        try:
            reader = reader_of(steps[term.of], values, quantity.shape)
            define(reader, split(term.condition, ",") if term.condition else [])
            define(reader, split_conditions(steps[term.of].forward)[1])
            found = _read(reader, term.latex, steps[term.of], term.position + 1)
            total = total + found.reshape(quantity.shape)
        except UnreadableError as reason:
            yield "un", key, (str(reason), term.latex)
            return
        except (ValueError, IndexError, TypeError, AssertionError, np.linalg.LinAlgError) as error:
            yield "wrong", key, (quantity.cotangent, repr(error))
            return
    expected = quantity.gradient
    if any(term.operation in SYMMETRIC for term in quantity.terms):
        total, expected = symmetric(total), symmetric(expected)
    try:
        right = agree(total, expected)
    except UnreadableError as reason:
        yield "un", keys[-1], (str(reason), quantity.cotangent)
        return
    if right:
        yield from (("ok", key, ()) for key in keys)
    else:
        yield "wrong", keys[-1], (quantity.cotangent, total, quantity.gradient)


def _read(reader: Reader, latex: str, step: Step, which: int) -> Any:
    """What a formula says, of arrays or else of their elements."""
    try:
        return reader.read(latex)
    except UnreadableError:
        if step.operation not in FREE:
            raise
    known = {*step.inputs, step.quantity.symbol, step.quantity.bar} & reader.values.keys()
    elements = ElementReader(
        {name: reader.values[name] for name in known},
        step.operation,
        step.params,
        length=np.size(reader.values.get(step.inputs[0], 0.0)),
    )
    shape = reader.shape if reader.shape is not None else step.quantity.shape
    return elements.elements(latex, FREE[step.operation][which], shape)


def define(reader: Reader, conditions: list[str]) -> None:
    """Give a value to a letter that a condition defines, as in ``\\mu = ...``."""
    reader.values = dict(reader.values)
    for condition in conditions:
        letter, *rest = split(condition, "=")
        if len(rest) == 1 and letter in (r"\mu", *"uSMH") and letter not in reader.values:
            shape, reader.shape = reader.shape, None
            reader.values[letter] = reader.read(rest[0])
            reader.shape = shape


def agree(found: Any, expected: Any) -> bool:
    """Whether numbers are the same, where both are numbers: some there are none beyond 1e308."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    there = np.isfinite(found)
    if not np.any(there) and found.size:
        raise UnreadableError("what is in between is too large for a number, or too small")
    scale = float(np.max(np.abs(expected[there]), initial=0.0))
    return bool(np.all(np.abs(found - expected)[there] <= 1e-10 * scale + 1e-13))


def split(latex: str, sign: str) -> list[str]:
    """The parts between signs that stand in no bracket."""
    depth, parts = 0, [""]
    for c in latex:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(c, 0)
        if c == sign and not depth and not parts[-1].endswith("\\"):
            parts.append("")
        else:
            parts[-1] += c
    return [part.replace(r"\;", "").replace(r"\quad", "").strip() for part in parts]


def split_conditions(latex: str) -> tuple[str, list[str]]:
    """An equation, and what stands behind it."""
    first, *rest = split(latex, ",")
    return first, rest


def compute(derivation: Derivation) -> tuple[dict[str, Any], set[str]]:
    """Everything, from what goes in and the printed equations alone.

    What is unreadable is taken from the graph, and its symbol is in the set.
    """
    values: dict[str, Any] = {q.symbol: q.value for q in derivation.inputs}
    steps = {step.quantity.symbol: step for step in derivation.steps}
    given = set()
    for step in derivation.steps:
        quantity = step.quantity
        values[quantity.symbol] = quantity.value  # for the shapes
        try:
            equation, conditions = split_conditions(step.forward)
            left, right, *_ = [*split(equation, "="), ""]
            if left != quantity.symbol or not right:
                raise UnreadableError("no equation for it")
            reader = reader_of(step, values, quantity.shape)
            del reader.values[quantity.symbol]
            define(reader, conditions)
            values[quantity.symbol] = reader.read(right).reshape(quantity.shape)
        except UnreadableError:
            given.add(quantity.symbol)
    loss = derivation.steps[-1].quantity
    values[loss.bar] = np.ones(loss.shape)
    back = [step.quantity for step in reversed(derivation.steps[:-1])]
    for quantity in [*back, *derivation.inputs]:
        if not quantity.bar:
            continue
        total = np.zeros(quantity.shape)
        try:
            for term in quantity.terms:
                reader = reader_of(steps[term.of], values, quantity.shape)
                define(reader, split(term.condition, ",") if term.condition else [])
                define(reader, split_conditions(steps[term.of].forward)[1])
                total = total + reader.read(term.latex).reshape(quantity.shape)
            values[quantity.bar] = total
        except UnreadableError:
            given.add(quantity.bar)
            values[quantity.bar] = quantity.gradient
    return values, given


def compute_lines(derivation: Derivation) -> dict[str, Any]:
    """Everything that the lines of a perceptron's derivation define, from the table of names."""
    values: dict[str, Any] = {q.symbol: q.value for q in derivation.inputs}
    names, *others = derivation.sections
    for symbols, numbers, _, _ in names.names:
        for symbol, number in zip(symbols.split(", "), numbers.split(", "), strict=True):
            if symbol not in values:
                values[symbol] = float(number)
    functions: dict[str, Any] = {}
    slopes: dict[str, Any] = {}
    for section in others:
        if section.title == "Activations":
            _define_functions(section.lines, functions, slopes)
    for section in others:
        for line in section.lines:
            if section.title != "Activations":
                _compute_line(line, values, functions, slopes)
    return values


def _define_functions(
    lines: tuple[Line, ...], functions: dict[str, Any], slopes: dict[str, Any]
) -> None:
    """Read what the activations and their slopes are, and hold them against those of the reader."""
    z = np.linspace(-2.0, 2.0, 6).reshape(2, 3)
    for line in lines:
        (left, right), _ = split(split(line.latex, ",")[0], "="), None
        name = left.partition("(z)")[0]
        word = re.sub(r"\\operatorname\{(\w+)\}", r"\1", name.rstrip("'"))
        if name.endswith("'"):
            f = functions.get(word) or FUNCTIONS[word]
            slopes[word] = lambda z, f=f, text=right: Reader(
                {"z": z, "a": f(z)}, "backpropagation", {}, np.shape(z)
            ).read(text)
        else:
            functions[word] = lambda z, text=right: Reader(
                {"z": z}, "backpropagation", {"axis": -1}, np.shape(z)
            ).read(text)
        known = SLOPES if name.endswith("'") else FUNCTIONS
        if word in known:
            ours = slopes if name.endswith("'") else functions
            assert agree(ours[word](z), known[word](z)), line.latex


def _compute_line(line: Line, values: dict[str, Any], functions: Any, slopes: Any) -> None:
    left, *members = split(line.latex, "=")
    shape = tuple(int(n) for n in line.shape.split(" × ")) if line.shape else ()
    new = [m for m in members[:-1] if m.startswith((r"\nabla", r"\bar")) and m not in values]
    members = [m for m in members if m not in new]
    reader = Reader(values, "backpropagation", {}, shape, functions, slopes)
    found = [reader.read(member) for member in members]
    for other in found[:-1]:
        assert agree(other, found[-1]), line.latex
    assert found, line.latex
    values |= dict.fromkeys((left, *new), found[-1])
    if line.value is not None:
        assert agree(found[-1], line.value), line.latex
