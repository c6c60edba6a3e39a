"""What the difference between two gradients looks like, in words: from numbers to causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.testing.result import ArgumentCheck
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.verdicts import Verdict

_CLOSE = 1e-5


def patterns(a: ArgumentCheck, lengths: Mapping[int, str]) -> list[str]:
    """Likely causes of what a check found wrong of one argument, the likeliest first.

    Parameters
    ----------
    a : ArgumentCheck
        With a verdict that is a failure.
    lengths : mapping
        From lengths that a factor may stem from to words for them.
    """
    known = a.compared & np.isfinite(a.error) & np.isfinite(a.numerical)
    if not known.any():
        return []
    e, n, failed = a.exact, a.numerical, a.failed & known
    causes = []
    if not np.isfinite(e[failed]).all():
        bad = failed & ~np.isfinite(e)
        return [f"the gradient is not finite where the derivative is{_where(a, bad)}"]
    whole = known.all()
    if not e[failed].any():
        zero = "there is no gradient at all" if not e[known].any() else "the gradient is 0"
        return [f"{zero} where there should be one{_where(a, failed)}"]
    factor = _factor(e, n, known, failed)
    if factor is not None:
        return [_in_words(factor, lengths) + (_where(a, failed) if _some(a, failed) else "")]
    if whole and a.shape:
        causes += _moved(e, n)
    if not causes:
        causes += _missing(a, e, n, known)
    where = _where(a, failed) if _some(a, failed) else ""
    if where:
        causes.append(f"it is wrong{where} alone")
    return causes


def _some(a: ArgumentCheck, failed: NDArray[np.bool_]) -> bool:
    """Whether some elements are right that are not zero by both."""
    right = a.compared & ~failed & (a.verdicts == Verdict.OK)
    return bool((right & (np.abs(a.exact) > 0)).any())


def _same(x: Any, y: Any) -> bool:
    scale = float(np.max(np.abs(y), initial=0.0))
    return np.shape(x) == np.shape(y) and bool(np.all(np.abs(x - y) <= _CLOSE * scale))


def _factor(
    e: Array, n: Array, known: NDArray[np.bool_], failed: NDArray[np.bool_]
) -> float | None:
    """The factor by which the gradient is wrong, if it is one."""
    told = failed & (np.abs(n) > 1e-6 * np.max(np.abs(n[known])))
    if not told.any():
        return None
    ratios = e[told] / n[told]
    factor = float(np.median(ratios))
    single = told.sum() == 1 and not any(abs(factor - f) < 1e-4 for f in (-1.0, 0.5, 2.0))
    if single or not np.all(np.abs(ratios - factor) <= 1e-4 * abs(factor)) or not factor:
        return None
    return factor


def _in_words(factor: float, lengths: Mapping[int, str]) -> str:
    def near(value: float) -> bool:
        return abs(factor - value) <= 1e-4 * abs(value)

    if near(-1.0):
        return "the sign is turned: the gradient is -1 times what it should be"
    if near(2.0):
        return "a factor 2 too much: the gradient is twice what it should be"
    if near(0.5):
        return "a factor 2 is missing: the gradient is 1/2 of what it should be"
    for length, words in lengths.items():
        if near(length):
            return f"a factor {length} too much, which is {words}: a sum in place of a mean"
        if near(1 / length):
            return (
                f"a factor 1/{length} too much, and {length} is {words}: a mean in place of a sum"
            )
    return f"a constant factor: the gradient is {factor:.6g} times what it should be"


def _moved(e: Array, n: Array) -> list[str]:
    """Right numbers at wrong places, or added up along an axis."""
    if n.ndim >= 2:
        turned = np.swapaxes(n, -1, -2)
        if turned.shape == e.shape and _same(e, turned):
            return ["the gradient is the transpose of what it should be"]
        if _same(e.ravel(), turned.ravel()):
            return ["the gradient has the transpose's numbers, read in the wrong order"]
    for axis in range(n.ndim):
        if n.shape[axis] < 2:
            continue
        total = np.broadcast_to(n.sum(axis=axis, keepdims=True), n.shape)
        if _same(e, total):
            return [f"the gradient is summed over axis {axis}, along which nothing was broadcast"]
        if _same(e, total / n.shape[axis]):
            return [f"the gradient is the mean over axis {axis}, in place of each element's own"]
        if _same(e, np.flip(n, axis)):
            return [f"the gradient is reversed along axis {axis}"]
        for shift in (1, -1):
            if n.shape[axis] > 2 and _same(e, np.roll(n, shift, axis)):
                return [f"the gradient is shifted by {shift} along axis {axis}"]
        same = np.broadcast_to(np.take(e, [0], axis), e.shape)
        if _same(e, same) and not _same(n, np.broadcast_to(np.take(n, [0], axis), n.shape)):
            return [
                f"the gradient is the same all along axis {axis}, and should not be: a sum or "
                "mean over it is not undone right, or a broadcast value is used"
            ]
    if n.size > 2 and _same(np.sort(e.ravel()), np.sort(n.ravel())):
        return ["the gradient has the right numbers at the wrong places: a permutation"]
    return []


def _missing(a: ArgumentCheck, e: Array, n: Array, known: NDArray[np.bool_]) -> list[str]:
    """What is missing, where that is a constant or a multiple of the argument."""
    d, x = (n - e)[known], a.value[known]
    scale = float(np.max(np.abs(d)))
    if d.size > 1 and scale and np.all(np.abs(d - d[0]) <= _CLOSE * scale):
        return [f"a term is missing: the same {d[0]:.6g} everywhere"]
    there = np.abs(d) > 1e-6 * scale
    if there.sum() > 1 and (np.abs(x[there]) > 0).all():
        ratios = d[there] / x[there]
        middle = float(np.median(ratios))
        if np.all(np.abs(ratios - middle) <= _CLOSE * abs(middle)):
            return [
                f"a term is missing: {middle:.6g} times the argument itself, as of the penalty "
                f"{middle / 2:.6g} times the sum of its squares"
            ]
    return []


def _where(a: ArgumentCheck, failed: NDArray[np.bool_]) -> str:
    """Words for where elements failed: an index, a row, large or negative arguments; or nothing."""
    if failed.sum() == 1 and a.verdicts.size > 1:
        index = tuple(int(i) for i in np.argwhere(failed)[0])
        return f" at the index {index}"
    rest = a.compared & ~failed
    if not rest.any():
        return ""
    for axis in range(failed.ndim if failed.ndim > 1 else 0):
        others = tuple(k for k in range(failed.ndim) if k != axis)
        some, every = failed.any(axis=others), (failed | ~a.compared).all(axis=others)
        if some.any() and (some == every).all() and some.sum() < some.size:
            where = [int(i) for i in np.flatnonzero(some)]
            told = f"index {where[0]}" if len(where) == 1 else f"indices {where[:6]}"
            return f" at {told} of axis {axis}"
    x, y = a.value[failed], a.value[rest]
    if x.max() < 0 <= y.min():
        return " where the argument is negative"
    if x.min() > 0 >= y.max():
        return " where the argument is positive"
    if np.abs(x).min() > np.abs(y).max():
        return f" where the argument is large ({np.abs(x).min():.3g} and more)"
    if np.abs(x).max() < np.abs(y).min():
        return f" where the argument is small ({np.abs(x).max():.3g} and less)"
    if len(np.unique(x)) < len(x) and len(np.unique(y)) == len(y):
        return " where elements are equal"
    if failed.ndim == 1:
        where = [int(i) for i in np.flatnonzero(failed)]
        if len(where) <= 4:
            return f" at the indices {where}"
    return ""
