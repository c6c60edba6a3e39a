"""Constant factors by which gradients are wrong: what they are called, by checks and by grades."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Close = Callable[[Array, Array], bool]

_LEAST = 1e-5  # a smaller factor is no factor: there is nothing there


def factors(counts: Mapping[int, str], twice: bool = False) -> dict[float, str]:
    """The constant factors that people forget, in words.

    Parameters
    ----------
    counts : mapping
        From numbers that a sum may have been divided by to words for what they count.
    twice : bool
        Whether a 2 may be forgotten beside one of these.

    Examples
    --------
    >>> factors({8: "the number of samples"})[1 / 8]
    'it is divided by 8, the number of samples, once too often'
    """
    found = {
        -1.0: "the sign is turned",
        2.0: "it is twice too large",
        0.5: "a factor 2 is missing",
    }
    for count, what in counts.items():
        if count > 1:
            found.setdefault(float(count), f"it is not divided by {count}, {what}")
            found.setdefault(1 / count, f"it is divided by {count}, {what}, once too often")
    for c, words in list(found.items()):
        if c > 0:
            found.setdefault(-c, f"{words}, and the sign is turned")
            if twice and c not in (2.0, 0.5):
                found.setdefault(2 * c, f"{words}, and it is twice too large")
                found.setdefault(c / 2, f"{words}, and a factor 2 is missing")
    return found


def named(array: Array, other: Array, known: Mapping[float, str], close: Close) -> str:
    """Words for the factor by which one array is another, where it is one of those that are known.

    Examples
    --------
    >>> x = np.array([1.0, 3.0])
    >>> named(-x, x, factors({}), np.allclose)
    'the sign is turned'
    """
    if array.shape != other.shape or not np.any(other):
        return ""
    return next((words for c, words in known.items() if close(array, c * other)), "")


def constant(array: Array, other: Array, close: Close) -> float | None:
    """The factor by which one array is another, if there is one.

    Examples
    --------
    >>> x = np.array([1.0, 3.0])
    >>> round(constant(1.5 * x, x, np.allclose), 12), constant(x, x[::-1], np.allclose)
    (1.5, None)
    """
    if array.shape != other.shape or not np.any(other) or not np.isfinite(other).all():
        return None
    c = float(np.vdot(other, array) / np.vdot(other, other))
    return c if abs(c) > _LEAST and close(array, c * other) else None


def in_words(c: float, what: str = "it") -> str:
    """Words for a factor that nothing is known of.

    Examples
    --------
    >>> in_words(1.37), in_words(1 / 12)
    ('it is 1.37 times what it should be', 'it is 1/12 of what it should be')
    """
    n = round(1 / c)
    if abs(n) > 2 and abs(c * n - 1) < 1e-6:
        return f"{what} is {'-' * (n < 0)}1/{abs(n)} of what it should be"
    return f"{what} is {c:.{12 if abs(c - 1) < 1e-4 else 6}g} times what it should be"
