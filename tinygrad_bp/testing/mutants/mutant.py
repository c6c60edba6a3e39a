"""A mutant: one rule of one primitive, wrong in one way, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.core.cotangents import Joint
from tinygrad_bp.core.registry import load_late
from tinygrad_bp.errors import ArgumentError

Rule = Callable[..., Any]

#: The name that stands for the backward pass itself where a mutant is of no single primitive.
ENGINE = "the backward pass"


@dataclass(frozen=True)
class Mutant:
    """One way in which one rule is wrong.

    Attributes
    ----------
    primitive : str
        Name in `PRIMITIVES`.
    input : int
        Which input's rule is wrong.
    operator : str
        The kind of mistake, as the table of the results names it.
    detail : str
        What exactly was changed, where the operator does not say it.
    change : callable
        Takes the right rule and returns the wrong one; called anew for each installation, so that
        a rule which remembers something starts without memories.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> sign = Mutant("sin", 0, "sign turned", "", lambda rule: lambda *a, **k: -rule(*a, **k))
    >>> x = tg.Tensor(0.0, requires_grad=True)
    >>> with sign.installed():
    ...     np.sin(x).backward()
    >>> x.grad
    Tensor(-1.)
    """

    primitive: str
    input: int
    operator: str
    detail: str
    change: Callable[[Rule], Rule] = field(repr=False, compare=False)

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.primitive}[{self.input}]: {self.operator}{detail}"

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the wrong rule in the place of the right one, and the right one back at the end."""
        primitive = PRIMITIVES[self.primitive]
        right = primitive.vjps
        if right is None:
            raise ArgumentError(f"{self.primitive!r} has no rules to break.\nFix: another one.")
        primitive.vjps = _with_rule(right, self.input, self.change)
        try:
            yield
        finally:
            primitive.vjps = right


class _Each:
    """Rules by position, as for an operation with any number of inputs; one of them is wrong."""

    __slots__ = ("place", "right", "wrong")

    def __init__(self, right: Any, place: int, wrong: Rule) -> None:
        self.right, self.place, self.wrong = right, place, wrong

    def __getitem__(self, i: int) -> Rule:
        rule: Rule = self.wrong if i == self.place else self.right[i]
        return rule


def _with_rule(right: Any, i: int, change: Callable[[Rule], Rule]) -> Any:
    """The rules of a primitive, with that of input i changed."""
    if isinstance(right, tuple):
        return (*right[:i], change(right[i]), *right[i + 1 :])
    if type(right) is not Joint:
        return _Each(right, i, change(right[i]))
    part = change(right[i])

    def joint(g: Any, out: Any, *inputs: Any, **params: Any) -> Any:
        parts = list(right.all_of(g, out, *inputs, **params))
        if i < len(parts) and parts[i] is not None:
            parts[i] = part(g, out, *inputs, **params)
        return parts

    return Joint(right.name, joint)


def rules_of(name: str) -> dict[int, Rule]:
    """The rules of a primitive by the input that they belong to; the first two of any number."""
    vjps = PRIMITIVES[name].vjps
    if isinstance(vjps, tuple):
        return {i: rule for i, rule in enumerate(vjps) if rule is not None}
    return {0: vjps[0], 1: vjps[1]}


def every_mutant(names: list[str] | None = None) -> list[Mutant]:
    """All mutants of the registry, or of the primitives that are named.

    Examples
    --------
    >>> "sin[0]: sign turned" in map(str, every_mutant(["sin"]))
    True
    """
    from tinygrad_bp.testing.mutants.operators import wrapped
    from tinygrad_bp.testing.mutants.source import rewritten

    load_late()
    found = []
    for name in PRIMITIVES if names is None else names:
        for i in rules_of(name):
            found += wrapped(name, i)
            found += rewritten(name, i)
    return _told_apart(found)


def _told_apart(mutants: list[Mutant]) -> list[Mutant]:
    """The same mutants, those of one name numbered."""
    met: dict[str, int] = {}
    result = []
    for mutant in mutants:
        count = met[str(mutant)] = met.get(str(mutant), 0) + 1
        again = f"{mutant.detail}, place {count}"
        result.append(replace(mutant, detail=again) if count > 1 else mutant)
    return result
