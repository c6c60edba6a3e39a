"""What the kit says to a mutant: the battery on the primitive's rows, and the checks beside it."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.testing import battery
from tinygrad_bp.testing.check import check_gradients
from tinygrad_bp.testing.mutants.effect import has_effect
from tinygrad_bp.testing.mutants.mutant import Mutant
from tinygrad_bp.testing.mutants.ranges import float32_is_float64, large_inputs, small_inputs
from tinygrad_bp.testing.mutants.rows import rows_of
from tinygrad_bp.testing.mutants.ties import ties
from tinygrad_bp.testing.setting import Draw, values_of

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


_first = battery.gradients_are_the_derivatives_and_belong_to_their_inputs
_accumulation = battery.gradients_add_up_over_uses_and_over_passes
_second = battery.second_derivatives_are_the_derivatives_of_the_gradients


def _again(case: Any, draw: Draw) -> None:
    """Derivatives twice, at different values: nothing may be left of the first time."""
    for seed in (draw.seed, draw.seed + 1):
        _first(case, Draw(seed))
    _second(case, Draw(draw.seed + 2))


def _checked(case: Any, draw: Draw) -> None:
    """`check_gradients`, which is relative to each element, where the battery is to the largest."""
    for shapes in case.shapes:
        arrays = values_of(case, shapes, draw)
        if all(a.size for a in arrays):
            check_gradients(case.call, *arrays, order=1, elements=12)


#: The checks by the name that the tables give them, cheap ones first.
CHECKS: tuple[tuple[str, Callable[[Any, Draw], None], Draw], ...] = (
    ("first order", _first, Draw(1)),
    ("first order", _first, Draw(2, rounded=True)),
    ("float32", _first, Draw(3, (np.float32,), "strided")),
    ("second order", _second, Draw(4)),
    ("accumulation", _accumulation, Draw(5)),
    ("adjoint", battery.the_backward_pass_is_the_adjoint_of_the_forward_derivative, Draw(6)),
    ("large inputs", large_inputs, Draw(7)),
    ("small inputs", small_inputs, Draw(8)),
    ("ties and kinks", ties, Draw(9)),
    ("other values", _again, Draw(20)),
    ("float32", float32_is_float64, Draw(22)),
    ("mixed dtypes", _first, Draw(10, (np.float32, np.float64), "F", 254)),
    ("recorded", _first, Draw(11, create_graph=True)),
    ("first order", _first, Draw(12, needs=1)),
    ("second order", _second, Draw(13, needs=2, rounded=True)),
    *(("first order", _first, Draw(seed, rounded=seed % 2 == 0)) for seed in range(30, 36)),
    *(("second order", _second, Draw(seed, rounded=seed > 40)) for seed in range(40, 45)),
    ("check_gradients", _checked, Draw(70)),
    *(("large inputs", large_inputs, Draw(seed)) for seed in range(60, 64)),
    *(("small inputs", small_inputs, Draw(seed)) for seed in range(64, 68)),
    *(("accumulation", _accumulation, Draw(seed)) for seed in range(50, 54)),
)


#: Which checks are asked before the others, where an operator was made for them.
_ASKED_FIRST = {
    "= for += at fan-out": "accumulation",
    "rounded in float32": "float32",
    "wrong for large inputs": "large inputs",
    "wrong for small inputs": "small inputs",
    "second order: values cut off": "second order",
    "second order: cotangent cut off": "second order",
    "ties and kinks to one side": "ties and kinks",
    "stale inputs": "other values",
    "stale output": "other values",
}


def _in_order(operator: str) -> list[int]:
    """The numbers of the checks, that which the operator was made for before the others."""
    first = _ASKED_FIRST.get(operator)
    return sorted(range(len(CHECKS)), key=lambda number: CHECKS[number][0] != first)


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


def _complaint(check: Callable[[Any, Draw], None], case: Any, draw: Draw) -> str:
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
    _, check, draw = CHECKS[number]
    return _complaint(check, rows_of(name)[row], draw)


def judge(mutant: Mutant) -> Verdict:
    """Put a mutant to every check until one notices.

    A check that also complains about the right rule is no evidence, and is passed over.

    Examples
    --------
    >>> from tinygrad_bp.testing.mutants import every_mutant
    >>> (mutant,) = [m for m in every_mutant(["sin"]) if m.operator == "sign turned"]
    >>> judge(mutant).killed_by
    'first order'
    """
    if not has_effect(mutant):
        return Verdict(mutant, "no effect", "")
    with ExitStack() as stack:
        # Installed once for all checks, since a wrong rule may remember what it has seen.
        stack.enter_context(mutant.installed())
        for number in _in_order(mutant.operator):
            name, check, draw = CHECKS[number]
            for row, case in enumerate(rows_of(mutant.primitive)):
                complaint = _complaint(check, case, draw)
                if not complaint:
                    continue
                stack.close()
                if not right_is_right(number, mutant.primitive, row):
                    return Verdict(mutant, _more_exactly(name, complaint), complaint)
                stack.enter_context(mutant.installed())
    return Verdict(mutant, "survived", "")


def _more_exactly(name: str, complaint: str) -> str:
    """Which part of a check complained."""
    if "by the complex step" in complaint:
        return "complex step"
    if "shares its memory" in complaint or "was changed" in complaint:
        return "aliasing"
    return name if complaint.startswith("GradientError") else "an error of the engine"
