"""What the difference between two gradients looks like, in words: from numbers to causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.testing.factors import constant, factors, in_words, named
from tinygrad_bp.testing.result import ArgumentCheck
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.verdicts import Verdict

Mask = NDArray[np.bool_]

_CLOSE = 1e-5
_NEAR = 1e-4
_SQUARES = "{c} times the argument itself, as of a penalty of {half} times the sum of its squares"
_SIZES = "{c} times the sign of the argument, as of a penalty of {c} times the sum of its sizes"


def patterns(
    a: ArgumentCheck, lengths: Mapping[int, str], others: Mapping[str, Array]
) -> list[str]:
    """Likely causes of what a check found wrong of one argument, the likeliest first.

    Parameters
    ----------
    a : ArgumentCheck
        With a verdict that is a failure.
    lengths : mapping
        From lengths that a factor may stem from to words for them.
    others : mapping
        The other arguments of the function by their names, as far as they are real.
    """
    known = a.compared & np.isfinite(a.error) & np.isfinite(a.numerical)
    if not known.any():
        return []
    e, n, failed = a.exact, a.numerical, a.failed & known
    if not np.isfinite(e[failed]).all():
        bad = failed & ~np.isfinite(e)
        return [f"the gradient is not finite where the derivative is{_where(a, bad)}"]
    if not e[failed].any():
        zero = "there is no gradient at all" if not e[known].any() else "the gradient is 0"
        return [f"{zero} where there should be one{_where(a, failed)}"]
    where = _where(a, failed) if _some(a, failed) else ""
    factor = _factor(a, known, failed, lengths)
    if factor:
        return [factor + where]
    causes = _moved(e, n) if known.all() and a.shape else []
    causes = causes or _missing(a, known, others) or _but_for_a_penalty(a, known, lengths)
    return [*causes, f"it is wrong{where} alone"] if where else causes


def _some(a: ArgumentCheck, failed: Mask) -> bool:
    """Whether some elements are right that are not zero by both."""
    right = a.compared & ~failed & (a.verdicts == Verdict.OK)
    return bool((right & (np.abs(a.exact) > 0)).any())


def _same(x: Any, y: Any) -> bool:
    scale = float(np.max(np.abs(y), initial=0.0))
    return np.shape(x) == np.shape(y) and bool(np.all(np.abs(x - y) <= _CLOSE * scale))


def _factor(
    a: ArgumentCheck,
    known: NDArray[np.bool_],
    failed: NDArray[np.bool_],
    lengths: Mapping[int, str],
) -> str:
    """Words for the factor by which the gradient is wrong, if it is one."""
    told = failed & (np.abs(a.numerical) > 1e-6 * np.max(np.abs(a.numerical[known])))
    if not told.any():
        return ""
    e, n, bar = a.exact[told], a.numerical[told], a.error[told] / np.abs(a.numerical[told])

    def close(x: Array, y: Array) -> bool:
        allowed = _NEAR * np.minimum(np.abs(x - n), np.abs(y)) + 3 * bar * np.abs(y)
        return bool(np.all(np.abs(x - y) <= allowed))

    if e.size == 1:  # any two numbers are multiples of each other
        return named(e, n, factors({}), close)
    words = named(e, n, factors(lengths), close)
    c = None if words else constant(e, n, close)
    return words if c is None else in_words(c)


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


def _missing(a: ArgumentCheck, known: NDArray[np.bool_], others: Mapping[str, Array]) -> list[str]:
    """What is missing or too much, where that is a multiple of something that is at hand."""
    x, shape = a.value, a.shape
    terms = {"the same {c} everywhere": np.ones(shape), _SQUARES: x, _SIZES: np.sign(x)}
    for name, other in others.items():
        if name != a.name and other.shape == shape:
            terms["{c} times " + name] = other
    d, bar = (a.numerical - a.exact)[known], 3 * a.error[known]

    def close(x: Array, y: Array) -> bool:
        return bool(np.all(np.abs(x - y) <= _CLOSE * np.max(np.abs(x)) + bar))

    for words, term in terms.items():
        t = term[known]
        c = constant(d, t, close) if np.count_nonzero(t) > 1 else None
        if c is not None:
            told = words.format(c=f"{abs(c):.6g}", half=f"{abs(c) / 2:.6g}")
            return [f"a term is {'missing' if c > 0 else 'too much'}: {told}"]
    return []


def _but_for_a_penalty(a: ArgumentCheck, known: Mask, lengths: Mapping[int, str]) -> list[str]:
    """A factor that is missing of all but a multiple of the argument, which is right."""
    e, n, x = a.exact[known], a.numerical[known], a.value[known]
    basis = np.stack([n, x], axis=1)
    if e.size < 3 or np.linalg.matrix_rank(basis, 1e-6) < 2:
        return []
    (c, rest), *_ = np.linalg.lstsq(basis, e, rcond=None)
    off = np.abs(basis @ (c, rest) - e)
    if np.any(off > _CLOSE * np.max(np.abs(e)) + 3 * abs(c) * a.error[known]):
        return []
    if abs(c) < _CLOSE:
        told = _SQUARES.format(c=f"{rest:.6g}", half=f"{rest / 2:.6g}")
        return [f"all terms are missing but {told}"]
    known_factors = factors(lengths)
    nearest = min(known_factors, key=lambda k: abs(k - c))
    words = known_factors[nearest] if abs(c - nearest) < _NEAR * abs(c) else in_words(c)
    weight = rest / (1 - c)
    told = _SQUARES.format(c=f"{weight:.6g}", half=f"{weight / 2:.6g}")
    return [f"{words}, but for the term {told}, which is right"]


def _where(a: ArgumentCheck, failed: Mask) -> str:
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
