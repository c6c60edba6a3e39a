"""From differences to causes, and to the rule to blame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.blame import blame, blame_second
from tinygrad_bp.testing.patterns import patterns
from tinygrad_bp.testing.result import ADJOINT_LIMIT, ArgumentCheck, GradientCheck
from tinygrad_bp.testing.subjects import Recorded, Slope2, Written, nodes_below
from tinygrad_bp.testing.verdicts import Verdict


def diagnose(result: GradientCheck, subject: Recorded | None, args: Sequence[Any]) -> GradientCheck:
    """A failed check with its causes, and with the rules to blame where a graph was recorded.

    Where each rule is right by itself and some operation is at a kink, conventions of several
    kinks meet, as in ``relu(x) - relu(-x)`` at 0, and no one is wrong: the verdict is KINK.
    """
    causes = [*result.causes]
    lines: list[str] = []
    failed = [a for a in result.arguments if not a.passed]
    if subject is not None and not causes:
        lines, kinks = _blame(subject)
        wrong = all(v in (Verdict.WRONG, *_FINE) for a in failed for v in a.verdicts.ravel())
        if kinks and not lines and wrong and result.adjoint <= ADJOINT_LIMIT:
            checks = [a if a.passed else _at_kinks(a) for a in result.arguments]
            return dataclasses.replace(result, arguments=checks, notes=[*result.notes, *kinks])
    worst = result.worst
    if worst is not None and not causes:
        causes += patterns(worst, _lengths(result, args))
        if worst.order > 1:
            causes.insert(0, f"the derivatives of order {worst.order - 1} are right")
    if result.adjoint > ADJOINT_LIMIT:
        causes.append(
            f"the backward pass is not the transpose of the forward derivative (off by "
            f"{result.adjoint:.1e}): a rule is not linear in its cotangent, or does not record it"
        )
    if subject is not None and not lines and not result.causes:
        causes.append(
            "each rule is right by itself, so that part of the way from the argument to the output "
            "is not recorded, or a hook changes a gradient"
        )
    return dataclasses.replace(result, causes=causes, blamed=lines)


_FINE = (Verdict.OK, Verdict.NOISY, Verdict.KINK)


def _blame(subject: Recorded) -> tuple[list[str], list[str]]:
    """Wrong rules of the graph, of the rules' own graph at second order, and kinks."""
    found = blame(nodes_below(subject.output()))
    lines = found.rules
    if not lines and not found.kinks and isinstance(subject, Slope2):
        lines = blame_second(nodes_below(subject.first.output()))
    return lines, found.kinks


def _at_kinks(a: ArgumentCheck) -> ArgumentCheck:
    verdicts = a.verdicts.copy()
    verdicts[a.failed] = Verdict.KINK
    return dataclasses.replace(a, verdicts=verdicts)


def _lengths(result: GradientCheck, args: Sequence[Any]) -> dict[int, str]:
    """Lengths that a forgotten or a doubled factor may stem from."""
    found: dict[int, str] = {}
    shapes = [(a.name, a.shape) for a in result.arguments]
    shapes += [(f"argument {i}", tuple(arg.shape)) for i, arg in enumerate(args) if _is_array(arg)]
    for name, shape in shapes:
        for axis, n in enumerate(shape):
            if n > 2:
                found.setdefault(n, f"the length of axis {axis} of {name}")
    for a in result.arguments:
        if a.value.size > 2:
            found.setdefault(a.value.size, f"the number of elements of {a.name}")
    return found


def _is_array(arg: Any) -> bool:
    return isinstance(arg, np.ndarray) or (isinstance(arg, Tensor) and not arg.requires_grad)


def shapes_of(subject: Written) -> dict[str, str]:
    """For each argument whose hand-written gradient has another shape, what is wrong with that."""
    found = {}
    for name, x, g in zip(subject.names, subject.start, subject.gradients(), strict=True):
        if g.shape == x.shape or (g.size == x.size == 1):
            if g.dtype.kind not in "fiu":
                found[name] = f"the gradient of {name} has dtype {g.dtype}, and not real numbers"
            continue
        found[name] = f"the gradient of {name} has shape {g.shape}, not {x.shape}{_shape(g, x)}"
    return found


def _shape(g: Any, x: Any) -> str:
    """What turns the one shape into the other."""
    if g.ndim == x.ndim == 2 and g.shape == x.shape[::-1]:
        return ": it is transposed"
    try:
        broadcast = np.broadcast_shapes(g.shape, x.shape) == g.shape
    except ValueError:
        return ""
    if broadcast:
        extra = g.ndim - x.ndim
        axes = [*range(extra)]
        axes += [extra + i for i, n in enumerate(x.shape) if n == 1 != g.shape[extra + i]]
        return (
            f": a broadcast was not undone, so sum it over {'axis' if len(axes) == 1 else 'axes'} "
            + (", ".join(map(str, axes)))
        )
    return ": it was summed or reduced too far" if g.size < x.size else ""
