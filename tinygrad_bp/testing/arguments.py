"""What the checks are called with, looked at before anything is evaluated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, DTypeError, require_argument, user_line


def require_function(who: str, name: str, f: Any, optional: bool = False) -> None:
    """Refuse what cannot be called.

    Examples
    --------
    >>> require_function("check_gradients", "f", np.sum)
    """
    right = callable(f) or (optional and f is None)
    require_argument(right, who, name, f, f"pass a function as {name}")


def require_count(who: str, name: str, n: Any, least: int = 0, optional: bool = False) -> None:
    """Refuse what is no whole number from `least` on.

    Examples
    --------
    >>> require_count("check_gradients", "seed", 0)
    """
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n >= least)
    fix = f"a whole number of {least} or more"
    require_argument(whole or (optional and n is None), who, name, n, fix)


def require_number(who: str, name: str, x: Any, optional: bool = False) -> None:
    """Refuse what is no finite number from 0 on.

    Examples
    --------
    >>> require_number("check_gradients", "rtol", 1e-7)
    """
    number = isinstance(x, int | float | np.integer | np.floating) and not isinstance(x, bool)
    right = number and 0 <= x < 2.0**1023 and math.isfinite(x)
    require_argument(right or (optional and x is None), who, name, x, f"a finite {name} >= 0")


def positions(who: str, argnums: Any, args: Sequence[Any]) -> set[int] | None:
    """The positions of the arguments that are asked for; None for all.

    Examples
    --------
    >>> positions("check_gradients", -1, ["x", "y"])
    {1}
    """
    if argnums is None:
        return None
    given = argnums if isinstance(argnums, list | tuple | set | range | np.ndarray) else [argnums]
    found = np.ravel(np.asarray(given if isinstance(given, np.ndarray) else list(given))).tolist()
    for i in found:
        if not isinstance(i, int) or isinstance(i, bool) or not -len(args) <= i < len(args):
            raise ArgumentError(
                f"argnums has {i!r}, but there are {len(args)} arguments (at {user_line()}).\n"
                f"Fix: let {who} have positions of its arguments, as argnums=0 or argnums=(0, 1)."
            )
    return {i % len(args) for i in found}


def reals(who: str, name: str, x: Any) -> npt.NDArray[np.float64]:
    """An array of float64, of what is real.

    Raises
    ------
    DTypeError
        It is not.

    Examples
    --------
    >>> reals("numerical_gradient", "x", [1, 2])
    array([1., 2.])
    """
    try:
        array = np.asarray(x)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64)
    raise DTypeError(
        f"{who} got {name}={x!r}, which is no array of real numbers (at {user_line()}).\n"
        f"Fix: pass numbers, as {name}=np.array([1.0, 2.0])."
    )


def intervals(who: str, name: str, given: Any) -> tuple[tuple[float, float], ...]:
    """Pairs of a low number and a high one.

    Examples
    --------
    >>> intervals("check_primitive", "domains", [(0, 2)])
    ((0.0, 2.0),)
    """
    try:
        found = tuple((float(low), float(high)) for low, high in given)
        right = all(-np.inf < low < high < np.inf for low, high in found)
    except (TypeError, ValueError, OverflowError):
        found, right = (), False
    require_argument(right, who, name, given, f"an interval for each input, as {name}=[(0.5, 2.0)]")
    return found


def points(who: str, name: str, given: Any) -> tuple[tuple[float, ...], ...]:
    """Lists of finite numbers.

    Examples
    --------
    >>> points("check_primitive", "kinks", [[0, 1], []])
    ((0.0, 1.0), ())
    """
    try:
        found = tuple(tuple(map(float, some)) for some in given)
        right = all(math.isfinite(x) for some in found for x in some)
    except (TypeError, ValueError, OverflowError):
        found, right = (), False
    require_argument(right, who, name, given, f"points for each input, as {name}=[[0.0]]")
    return found
