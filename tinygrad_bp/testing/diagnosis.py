"""From differences to causes, and to the rule to blame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.blame import blame, blame_second, follows_the_rules, is_complete
from tinygrad_bp.testing.cuts import cuts, hooks
from tinygrad_bp.testing.numerical import numerical_gradient
from tinygrad_bp.testing.patterns import patterns
from tinygrad_bp.testing.result import ADJOINT_LIMIT, ArgumentCheck, GradientCheck
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.subjects import (
    Recorded,
    Slope2,
    Subject,
    Written,
    nodes_below,
    real_array,
)
from tinygrad_bp.testing.verdicts import Verdict


def diagnose(result: GradientCheck, subject: Subject, args: Sequence[Any]) -> GradientCheck:
    """A failed check with its causes, and with what is to blame where a graph was recorded.

    Where each rule is right by itself and some operation is at a kink, conventions of several
    kinks meet, as in ``relu(x) - relu(-x)`` at 0, and no one is wrong: the verdict is KINK. Where
    each rule is right and float32 is inside, which hides what bends within the steps that rise
    above its rounding, the verdict is NOISY. It is too, at first order, where each rule is surely
    right, and the numerical derivative far off: a sine of 1e9 winds within each step. All of that
    only if the gradient is what the rules make of it: a fault of the engine, or a hook, is none
    of theirs.
    """
    failed, worst = [a for a in result.arguments if not a.passed], result.worst
    blamed: list[str] = []
    causes: list[str] = []
    if isinstance(subject, Recorded) and not result.causes:
        blamed, kinks, confirmed = _blame(subject)
        places = [] if blamed else cuts(subject, [a.name for a in failed])
        wrong = all(v in (Verdict.WRONG, *_FINE) for a in failed for v in a.verdicts.ravel())
        misled = confirmed and all(map(_far, failed)) and is_complete(subject)
        doubt = Verdict.KINK if kinks else Verdict.NOISY if misled or subject.coarse() else None
        sound = not blamed and not places and wrong and result.adjoint <= ADJOINT_LIMIT
        if doubt and sound and _follows_the_rules(subject):
            checks = [a if a.passed else _doubted(a, doubt) for a in result.arguments]
            notes = [*result.notes, *kinks] if kinks or not misled else [*result.notes, _MISLED]
            return dataclasses.replace(result, arguments=checks, notes=notes)
        causes = [] if blamed or not failed else _unrecorded(subject, places)
        result = dataclasses.replace(result, blamed=blamed, cuts=places)
    if worst is not None and not result.causes:
        if worst.order > 1:
            causes.insert(0, f"the derivatives of order {worst.order - 1} are right")
        if not result.cuts:
            causes += patterns(worst, _lengths(result, subject, args), _others(result, args))
        if isinstance(subject, Written):
            causes += left_out(subject, worst)
    if result.adjoint > ADJOINT_LIMIT:
        causes.append(
            f"the backward pass is not the transpose of the forward derivative (off by "
            f"{result.adjoint:.1e}): a rule is not linear in its cotangent, or does not record it"
        )
    return dataclasses.replace(result, causes=[*result.causes, *causes])


def _unrecorded(subject: Recorded, places: list[str]) -> list[str]:
    """What is wrong where each rule is right by itself."""
    if places:
        return ["a term is missing: part of the way to the output is not recorded"]
    return hooks(subject)[:1] or [
        "each rule is right by itself, so that part of the way from the argument to the output is "
        "not recorded"
    ]


_MISLED = (
    "The numerical derivative is far off, though each rule is right by itself, and the gradient is "
    "what they make together: some function changes more finely than steps can tell."
)
_FINE = (Verdict.OK, Verdict.NOISY, Verdict.KINK)


def _blame(subject: Recorded) -> tuple[list[str], list[str], bool]:
    """Wrong rules of the graph, of the rules' own graph at second order, and kinks.

    And whether all rules are known to be right, which is asked at first order alone.

    What a rule makes of a kink, such as 0 or 1, is a constant, on which no derivative of higher
    order hangs: the kink is found in the graph of the order before alone.
    """
    found = blame(nodes_below(subject.output()))
    lines, kinks = found.rules, found.kinks
    confirmed = found.confirmed and not isinstance(subject, Slope2)
    while isinstance(subject, Slope2):
        subject = subject.first
        nodes = nodes_below(subject.output())
        kinks = {**blame(nodes).kinks, **kinks}
        lines = lines or blame_second(nodes, kinks)
    return lines, [*kinks.values()], confirmed


def _far(a: ArgumentCheck) -> bool:
    """Whether all that fails differs by more than a rule that passed might be off by."""
    exact, numerical = a.exact[a.failed], a.numerical[a.failed]
    size = np.maximum(np.abs(exact), np.abs(numerical))
    return bool(np.all(np.abs(exact - numerical) > 1e-3 * size))


def _follows_the_rules(subject: Recorded) -> bool:
    """Whether the gradients of all orders are what the rules make of them."""
    below = not isinstance(subject, Slope2) or _follows_the_rules(subject.first)
    return below and follows_the_rules(subject)


def _doubted(a: ArgumentCheck, doubt: Verdict) -> ArgumentCheck:
    verdicts = a.verdicts.copy()
    verdicts[a.failed] = doubt
    return dataclasses.replace(a, verdicts=verdicts)


def _lengths(result: GradientCheck, subject: Subject, args: Sequence[Any]) -> dict[int, str]:
    """Lengths that a forgotten or a doubled factor may stem from."""
    found: dict[int, str] = {}
    shapes = [(a.name, a.shape) for a in result.arguments]
    shapes += [(f"argument {i}", tuple(arg.shape)) for i, arg in enumerate(args) if _is_array(arg)]
    for name, shape in shapes:
        for axis, n in enumerate(shape):
            found.setdefault(n, f"the length of axis {axis} of {name}")
    for a in result.arguments:
        found.setdefault(a.value.size, f"the number of elements of {a.name}")
    for node in subject.nodes(subject.start) if isinstance(subject, Recorded) else ():
        whole, part = (np.size(v) for v in (node.values[0], node.out))
        if 0 < part < whole and whole % part == 0:
            what = (
                f"the number of elements that {node.primitive.name!r}{node.where()} puts together"
            )
            found.setdefault(whole // part, what)
    return {n: words for n, words in found.items() if n > 2}


def _others(result: GradientCheck, args: Sequence[Any]) -> dict[str, Array]:
    """The values that a missing term may be a multiple of, by their names."""
    found = {a.name: a.value for a in result.arguments}
    for i, arg in enumerate(args):
        array = real_array(arg)
        if array is not None:
            found.setdefault(f"argument {i}", np.asarray(array, np.float64))
    return found


def _is_array(arg: Any) -> bool:
    return isinstance(arg, np.ndarray) or (isinstance(arg, Tensor) and not arg.requires_grad)


def left_out(subject: Written, a: ArgumentCheck) -> list[str]:
    """Arguments that a derivative changes with, and the gradient written by hand does not."""
    i, j = subject.names.index(a.name), int(np.arange(a.value.size).reshape(a.shape)[a.worst])
    own, found = subject.gradients()[i], []
    for place, arg in enumerate(subject.args):
        array = real_array(arg)
        if array is None or not np.size(array) or not np.any(own):
            continue
        args = [*subject.args]
        args[place] = np.where(array == 0, 0.25, 1.25 * array) if np.ndim(array) else 1.25 * array
        moved = Written(subject.f, subject.gradient, args, {*subject.places})

        def value(x: Array, moved: Written = moved) -> Any:
            return moved.value([*moved.start[:i], x, *moved.start[i + 1 :]])

        try:
            with np.errstate(all="ignore"):
                if not np.array_equal(moved.gradients()[i], own):
                    continue
                slopes, bars = numerical_gradient(value, moved.start[i], elements=[j])
        except Exception:  # whatever a function does at other values
            continue
        before = float(a.numerical[a.worst])
        off, bar = abs(slopes.flat[j] - before), bars.flat[j] + a.error[a.worst]
        if off > 3 * bar + 1e-6 * abs(before):
            found.append(
                f"your gradient does not change with argument {place}, and the derivative does: a "
                "term with it is missing"
            )
    return found


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
