"""What a check may say of one element, and when it says so."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from tinygrad_bp.testing.slopes import Array, Field, Slope, is_kink

_FINE = 2.0**-4
_UNDERFLOW = 2.0**-1000  # of what is smaller, digits are lost, and a function may be 0 on purpose


class Verdict(StrEnum):
    """What a check found of one element of a gradient; `KINK` and `NOISY` never fail it.

    Examples
    --------
    >>> Verdict.WRONG.failed, Verdict.NOISY.failed
    (True, False)
    """

    OK = "OK"
    WRONG = "WRONG"
    KINK = "KINK"
    NOISY = "NOISY"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    DTYPE = "DTYPE"
    NOT_CONNECTED = "NOT CONNECTED"

    @property
    def failed(self) -> bool:
        """Whether a check with this verdict fails."""
        return self not in (Verdict.OK, Verdict.KINK, Verdict.NOISY)


class Finding(NamedTuple):
    """The verdict on one derivative, with the number that it rests on."""

    verdict: Verdict
    numerical: float
    error: float


def judge(
    field: Field,
    along: int | Array,
    exact: Array,
    rtol: float,
    scale: Array,
    floor: float = 0.0,
    stair: float = 0.0,
) -> list[Finding]:
    """Verdicts on the derivatives of all outputs along one line.

    Parameters
    ----------
    field : Field
        The function and the point.
    along : int or ndarray
        A coordinate, or the signs of a direction.
    exact : ndarray
        What the gradient to be checked says, one number for each output.
    rtol : float
        Relative tolerance.
    scale : ndarray
        For each output, the size of the largest derivative: what is below `rtol` of it is known
        well enough.
    floor : float
        What the gradient itself may be off by through rounding, where it ought to be 0.
    stair : float
        How far values may stand still for being rounded, as by float32 inside.
    """
    tried: list[Slope] = []
    settled: list[Finding | None] = [None] * len(exact)
    possible = np.ones(len(exact), bool)
    wanted = rtol * np.maximum(scale, np.abs(exact))
    for slope in field.slopes(along, np.where(np.isfinite(wanted), wanted, 0.0)):
        slope = slope._replace(error=np.maximum(slope.error, max(floor, _UNDERFLOW)))
        if tried and tried[-1].step == slope.step:  # the same, with a better error bar
            tried.pop()
        tried.append(slope)
        agrees = np.abs(exact - slope.value) <= np.maximum(
            rtol * np.maximum(np.abs(exact), np.abs(slope.value)), slope.error
        )
        agrees &= np.isfinite(exact)
        tight = slope.error <= rtol * np.maximum(scale, np.abs(slope.value))
        # As of zeros, which no error bar is small beside, where larger steps have no objection.
        possible &= ~(np.abs(exact - slope.value) > 3 * slope.error)
        tight |= possible & (exact == slope.value)
        # In the middle of a kink, as of an abs at 0, the central difference sees none.
        bent = slope.jump > np.maximum(10 * slope.jump_error, 10 * wanted)
        for k in np.flatnonzero(agrees & tight & ~bent):
            settled[k] = settled[k] or Finding(
                Verdict.OK, float(slope.value[k]), float(slope.error[k])
            )
        if len(tried) > 1 and np.any(~possible):
            for k in np.flatnonzero(~possible):
                settled[k] = settled[k] or _clearly_wrong(tried, int(k), float(exact[k]), rtol)
        if all(settled):
            break
    # A function that overflows has no derivative, and so no wrong one.
    exact = np.where(np.isfinite(field.center) | np.isfinite(exact), exact, np.inf)
    return [
        found or _verdict(tried, k, float(exact[k]), rtol, float(scale[k]), stair)
        for k, found in enumerate(settled)
    ]


def unless_rounded(
    findings: list[Finding], exact: Array, rounding: Callable[[], Array]
) -> list[Finding]:
    """NOISY in place of WRONG, where rounding of the gradient itself explains the difference.

    The rounding is asked for in doubt alone, since it takes several backward passes to tell.
    """
    if all(f.verdict is not Verdict.WRONG for f in findings):
        return findings
    return [
        f._replace(verdict=Verdict.NOISY)
        if f.verdict is Verdict.WRONG and abs(e - f.numerical) <= bound
        else f
        for f, e, bound in zip(findings, exact.tolist(), rounding().tolist(), strict=True)
    ]


def _clearly_wrong(tried: list[Slope], k: int, exact: float, rtol: float) -> Finding | None:
    """WRONG, where the last two steps leave no doubt, so that the others need not be tried."""
    a, b = tried[-2:]
    value, error = float(b.value[k]), float(max(a.error[k], b.error[k]))
    difference, size = abs(exact - value), max(abs(exact), abs(value))
    clear = error <= 1e-4 * difference and difference > 10 * rtol * size
    clear = clear and bool(a.moved[k] and b.moved[k]) and _consistent(a, b, k)
    # Of a floor, larger steps see a slope where there is none.
    clear = clear and exact != 0 and not _is_far(exact, value, error)
    if not clear or is_kink([a, b], k, rtol * size):
        return None
    better = min(a, b, key=lambda s: float(s.error[k]))
    return Finding(Verdict.WRONG, float(better.value[k]), float(better.error[k]))


def _verdict(
    tried: list[Slope], k: int, exact: float, rtol: float, scale: float, stair: float
) -> Finding:
    """The verdict where no step says both clearly and exactly that the gradient is right."""
    known = [s for s in tried if np.isfinite(s.error[k])]
    if exact == 0 and _is_flat(known, k, stair):
        return Finding(Verdict.OK, 0.0, 0.0)
    # Where float32 is inside, values stand still under a small step, and would tell a slope of 0.
    moving = max((s.step for s in known if s.moved[k]), default=0.0)
    known = [s for s in known if s.moved[k] or s.step > moving]
    if not known:
        # A vertical tangent is told by an infinite derivative, but never by one that is no number.
        return Finding(Verdict.WRONG if np.isnan(exact) else Verdict.NOISY, np.nan, np.inf)
    best = min(known, key=lambda s: float(s.error[k]))
    value, error = float(best.value[k]), float(best.error[k])
    if not np.isfinite(exact):
        if np.isinf(exact) and is_kink(known, k, rtol * scale):
            return Finding(Verdict.KINK, value, error)
        steep = np.isinf(exact) and _is_vertical(known, k)
        return Finding(Verdict.NOISY if steep else Verdict.WRONG, value, error)
    if is_kink(known, k, rtol * max(scale, abs(exact))):
        return Finding(Verdict.KINK, value, error)
    if _is_vertical(known, k, 3):  # where a function jumps, as an angle by 2 pi
        return Finding(Verdict.NOISY, value, error)
    trusted = _trusted(known, k)
    if trusted is None:
        return Finding(Verdict.NOISY, value, error)
    value, error = float(trusted.value[k]), float(trusted.error[k])
    difference, size = abs(exact - value), max(abs(exact), abs(value))
    # Between the sides of a kink that lies within the step, each slope may be right.
    bend = float(trusted.jump[k]) if trusted.jump[k] > 3 * trusted.jump_error[k] else 0.0
    # An error bar that is a good part of the slope tells of steps that have not come close yet.
    bar = 10 * error if error > 0.1 * abs(value) else 3 * error
    if difference <= max(rtol * size, bar, bend):
        return Finding(Verdict.NOISY, value, error)
    # An error bar is a guess itself, and may be too short by chance, most of all that of a small
    # step where values are rounded: other steps must tell the same.
    seconds = sum(
        s is not trusted
        and _consistent(s, trusted, k)
        and abs(exact - float(s.value[k])) > 3 * float(s.error[k])
        for s in known
    )
    large = trusted.step >= 2.0**-12 * max(s.step for s in tried)
    sure = seconds >= 1 if large else seconds >= 2 and not _speaks_for(known, trusted, k, exact)
    if trusted.step > _FINE:  # and may hide waves of a length such as that of a sine
        sure &= any(s.step <= _FINE and abs(exact - s.value[k]) > 3 * s.error[k] for s in known)
    if _is_far(exact, value, error):
        sure &= all(abs(exact - s.value[k]) > 3 * s.error[k] for s in _smaller(known, trusted))
    return Finding(Verdict.WRONG if sure else Verdict.NOISY, value, error)


def _is_vertical(known: list[Slope], k: int, least: int = 2) -> bool:
    """Whether the slope grows and grows as the step shrinks, as that of a cubic root at 0.

    It is told by so many steps at least.
    """
    told = [s for s in sorted(known, key=lambda s: -s.step) if s.error[k] <= 0.6 * abs(s.value[k])]
    sizes = [abs(float(s.value[k])) for s in told]
    return len(sizes) >= least and sizes == sorted(sizes) and sizes[-1] > 4 * sizes[0]


def _is_far(exact: float, value: float, error: float) -> bool:
    """Whether a derivative is so large that a function may wind many times within a step."""
    return abs(exact) > 100 * (abs(value) + error)


def _smaller(known: list[Slope], than: Slope) -> list[Slope]:
    return [s for s in known if s.step < than.step]


def _is_flat(known: list[Slope], k: int, stair: float) -> bool:
    """Whether values stand still beside a kink that larger steps reach, and on no stair."""
    steepest = max((abs(float(s.value[k])) for s in known if s.moved[k]), default=0.0)
    return any(not s.moved[k] and steepest * s.step > 16 * stair for s in known)


def _speaks_for(known: list[Slope], trusted: Slope, k: int, exact: float) -> bool:
    """Whether a larger step, of which rounding takes less, finds the gradient to be right."""
    return any(
        s.step > trusted.step
        and s.error[k] <= 0.01 * abs(s.value[k])
        and abs(exact - s.value[k]) <= 3 * s.error[k]
        for s in known
    )


def _trusted(known: list[Slope], k: int) -> Slope | None:
    """The step with the smallest error bar that no smaller step contradicts.

    Of a sine at 1e8, large steps find a small slope, and find it surely. Smaller steps know better.
    """
    for s in sorted(known, key=lambda s: float(s.error[k])):
        size = abs(float(s.value[k]))
        smaller = [
            t for t in _smaller(known, s) if t.error[k] <= 0.3 * max(size, abs(float(t.value[k])))
        ]
        if all(_consistent(s, t, k) for t in smaller):
            return s
    return None


def _consistent(s: Slope, t: Slope, k: int) -> bool:
    return bool(abs(s.value[k] - t.value[k]) <= 3 * (s.error[k] + t.error[k]))
