"""What the kit says to a mutant: `check_primitive`'s battery on the primitive's rows.

After it comes `check_gradients`. There is no check that users do not have.
"""

from __future__ import annotations

import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_bp.testing import battery
from tinygrad_bp.testing.check import check_gradients
from tinygrad_bp.testing.mutants.effect import has_effect
from tinygrad_bp.testing.mutants.mutant import Mutant
from tinygrad_bp.testing.mutants.rows import rows_of
from tinygrad_bp.testing.setting import Draw, values_of

if TYPE_CHECKING:
    from tinygrad_bp.testing.catalogue.case import Case

_SECONDS = 20.0


class Verdict(NamedTuple):
    """What became of a mutant.

    Attributes
    ----------
    mutant : Mutant
        The mutant.
    killed_by : str
        The check that noticed; ``"survived"``, or ``"no effect"`` where nothing was to notice.
    message : str
        The first line of what the check said.
    """

    mutant: Mutant
    killed_by: str
    message: str


class _TimeoutError(Exception):
    """A wrong rule that does not end."""


def gradients_pass_check_gradients(case: Case, draw: Draw) -> None:
    """It is relative to each element, where the battery is to the largest."""
    for shapes in case.shapes:
        arrays = values_of(case, shapes, draw)
        if all(a.size for a in arrays):
            check_gradients(case.call, *arrays, order=1, elements=12)


@cache
def questions() -> tuple[tuple[battery.Check, Draw], ...]:
    """What is asked, in order: what `check_primitive` asks, and `check_gradients` once.

    Draw by draw, since most mutants are noticed by some check at the first. Values are held against
    the reference by a check of the forward function, in which no rule has a part.
    """
    forward = battery.forward_equals_the_reference_in_value_shape_and_dtype
    asked = battery.examples((c for c in battery.CHECKS if c is not forward), 16)
    met: Counter[battery.Check] = Counter()
    numbered = []
    for check, draw in asked:
        numbered.append((met[check], check, draw))
        met[check] += 1
    ordered = sorted(numbered, key=lambda question: question[0])
    last = (gradients_pass_check_gradients, Draw(70))
    return (*((check, draw) for _, check, draw in ordered), last)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise where a block takes longer; quietly, and without numerical warnings."""

    def late(*_: Any) -> None:
        raise _TimeoutError(f"took longer than {seconds:g} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _complaint(check: battery.Check, case: Case, draw: Draw) -> str:
    """What a check says against a row, or nothing. Whatever a wrong rule raises is noticed."""
    try:
        with limited(_SECONDS):
            check(case, draw)
    except Exception as error:
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return ""


@cache
def right_is_right(number: int, name: str, row: int) -> str:
    """What a check says against the right rules of a row: it has no say where that is anything."""
    check, draw = questions()[number]
    return _complaint(check, rows_of(name)[row], draw)


def judge(mutant: Mutant) -> Verdict:
    """Put a mutant to every check until one notices.

    A check that also complains about the right rule is no evidence, and is passed over.

    Examples
    --------
    >>> from tinygrad_bp.testing.mutants import every_mutant
    >>> (mutant,) = [m for m in every_mutant(["sin"]) if m.operator == "sign turned"]
    >>> judge(mutant).killed_by
    'gradients are the derivatives and belong to their inputs'
    """
    if not has_effect(mutant):
        return Verdict(mutant, "no effect", "")
    with ExitStack() as stack:
        # Installed once for all checks, since a wrong rule may remember what it has seen.
        stack.enter_context(mutant.installed())
        for number, (check, draw) in enumerate(questions()):
            for row, case in enumerate(rows_of(mutant.primitive)):
                complaint = _complaint(check, case, draw)
                if not complaint:
                    continue
                stack.close()
                if not right_is_right(number, mutant.primitive, row):
                    engine = not complaint.startswith("GradientError")
                    name = "an error of the engine" if engine else battery.in_words(check)
                    return Verdict(mutant, name, complaint)
                stack.enter_context(mutant.installed())
    return Verdict(mutant, "survived", "")
