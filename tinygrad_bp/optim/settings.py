"""The settings of schedules, looked at before anything is changed."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Iterable
from typing import Any

from tinygrad_bp.errors import require_argument
from tinygrad_bp.optim.checks import is_number, plain
from tinygrad_bp.optim.optimizer import Optimizer


def is_finite(x: Any, whole: bool = False) -> bool:
    """Whether something is a real number, of Python or of NumPy, and finite; or a whole one.

    Examples
    --------
    >>> is_finite(2), is_finite("2"), is_finite(True), is_finite(2.5, whole=True)
    (True, False, False, False)
    """
    number = plain(x)
    return is_number(number, whole) and math.isfinite(number)


def is_whole(x: Any) -> bool:
    """Whether something is a whole number, of Python or of NumPy.

    Examples
    --------
    >>> is_whole(2), is_whole(2.0)
    (True, False)
    """
    return is_finite(x, whole=True)


def is_list(x: Any) -> bool:
    """Whether something is a list of its elements, or an array with one axis.

    Examples
    --------
    >>> is_list((1, 2)), is_list("ab"), is_list(1)
    (True, False, False)
    """
    return (
        isinstance(x, Collection) and not isinstance(x, (str, dict)) and getattr(x, "ndim", 1) == 1
    )


def _is_optimizer(x: Any) -> bool:
    return isinstance(x, Optimizer)


#: What an argument that is annotated so has to be: how one sees it, and the fix where it is not.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "Optimizer": (_is_optimizer, "pass an optimizer, as optim.SGD(model.parameters())"),
    "Optimizer | None": (lambda x: x is None or _is_optimizer(x), "pass an optimizer, or None"),
    "int": (is_whole, "pass a whole number"),
    "int | None": (lambda x: x is None or is_whole(x), "pass a whole number, or None"),
    "float": (is_finite, "pass a number that is finite"),
    "bool": (lambda x: isinstance(plain(x), bool), "pass True or False"),
    "str": (lambda x: isinstance(x, str), "pass a text"),
    "Anneal": (lambda x: isinstance(x, str), "'cos' or 'linear'"),
    "float | Sequence[float]": (
        lambda x: all(map(is_finite, x)) if is_list(x) else is_finite(x),
        "pass a finite number, or a list with one for each group",
    ),
    "Iterable[int]": (
        lambda x: isinstance(x, Iterable) and not isinstance(x, str) and (
            getattr(x, "ndim", 1) == 1 and (not is_list(x) or all(map(is_whole, x)))
        ),
        "pass a list of whole numbers",
    ),
    "Sequence[int]": (
        lambda x: is_list(x) and all(map(is_whole, x)), "pass a list of whole numbers"
    ),
    "Callable[[int], float] | Sequence[Callable[[int], float]]": (
        lambda x: all(map(callable, x)) if is_list(x) else callable(x),
        "pass a function of the number of steps, or a list with one for each group",
    ),
    "Sequence[ClosedForm]": (is_list, "pass a list of schedules"),
}  # fmt: skip


def _one(x: Any) -> Any:
    return x if is_list(x) else plain(x)


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """An `__init__` that refuses an argument of another kind than it is annotated with.

    Annotations that `_KINDS` does not know are let pass.

    Raises
    ------
    ArgumentError
        By what is returned.

    Examples
    --------
    >>> from tinygrad_bp.errors import ArgumentError
    >>> class Halving:
    ...     def __init__(self, steps: int): ...
    ...     __init__ = checked(__init__)
    >>> try:
    ...     Halving("3")
    ... except ArgumentError as error:
    ...     print(str(error).splitlines()[1])
    Fix: pass a whole number.
    """
    annotations = {p.name: p.annotation for p in inspect.signature(init).parameters.values()}

    @functools.wraps(init)
    def init_of_kinds(self: Any, *args: Any, **kwargs: Any) -> None:
        args, kwargs = tuple(map(_one, args)), {key: _one(x) for key, x in kwargs.items()}
        given = {**dict(zip(annotations, (self, *args), strict=False)), **kwargs}
        for name, value in given.items():
            kind = _KINDS.get(annotations.get(name))  # type: ignore[arg-type]
            if kind is not None:
                require_argument(kind[0](value), type(self).__name__, name, value, kind[1])
        init(self, *args, **kwargs)

    return init_of_kinds
