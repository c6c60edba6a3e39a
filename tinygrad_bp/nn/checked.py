"""Arguments of layers against their annotations: what their own checks let through."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_bp.errors import ArgumentError, TgError, nearest, user_line
from tinygrad_bp.nn.arguments import real, weak
from tinygrad_bp.nn.module import Module


def by_annotations(init: Callable[..., None]) -> Callable[..., None]:
    """Have an ``__init__`` refuse what is not of the annotated kind, and names that it lacks.

    The kinds are the keys of `KINDS`, alone or with ``| None``. Of numbers the layer's own checks
    come first, which know their ranges; here is what they let through, or left to Python.

    Raises
    ------
    ArgumentError
        An argument is of another kind, or has a name that there is not.

    Examples
    --------
    >>> class Scale:
    ...     @by_annotations
    ...     def __init__(self, factor: "float" = 1.0) -> None: ...
    >>> Scale(factr=2.0)
    Traceback (most recent call last):
    tinygrad_bp.errors.ArgumentError: Scale has no argument 'factr' (at <doctest ...
    Fix: did you mean 'factor'?
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def checking(self: Any, *args: Any, **kwargs: Any) -> None:
        given = _named(self, signature, args, kwargs)
        _check(self, given, ("bool", "str", "Module"))
        try:
            init(self, *args, **kwargs)
        except TgError:
            raise
        except Exception:
            _check(self, given, ("int", "float", "npt.DTypeLike"))
            raise
        _check(self, given, ("int", "float"))

    return checking


def _named(
    layer: Any, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> list[tuple[str, Any, str]]:
    """Names, values and annotations of arguments; none where Python refuses them itself."""
    named = signature.parameters
    open_ended = any(argument.kind is argument.VAR_KEYWORD for argument in named.values())
    for name in kwargs:
        if name not in named and not open_ended:
            raise ArgumentError(
                f"{type(layer).__name__} has no argument {name!r} (at {user_line()}).\n"
                f"Fix: {nearest(name, [key for key in named if key != 'self'])}"
            )
    try:
        given = signature.bind(layer, *args, **kwargs).arguments
    except TypeError:  # too many or too few
        return []
    return [(name, value, str(named[name].annotation)) for name, value in given.items()]


def _check(layer: Any, given: list[tuple[str, Any, str]], kinds: tuple[str, ...]) -> None:
    """Refuse the first value that is not of its kind, if that is one of these."""
    for name, value, annotation in given:
        kind, _, rest = annotation.partition(" | ")
        if kind not in kinds or rest not in ("", "None") or (rest and value is None):
            continue
        if kind == "npt.DTypeLike":
            real(value)
            continue
        words, example, fits = KINDS[kind]
        if not fits(weak(value)) or (value != value and name != "value"):
            raise ArgumentError(
                f"{type(layer).__name__}: {name} is {words}, not {value!r} (at {user_line()}).\n"
                f"Fix: as {name}={example}."
            )


def _is_whole(value: Any) -> bool:
    try:
        return operator.index(value) is not None and not isinstance(value, bool)
    except TypeError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


#: What an annotation means, by its text: in words, an example, and whether a value is of it.
KINDS: dict[str, tuple[str, str, Callable[[Any], bool]]] = {
    "bool": ("True or False", "True", lambda value: isinstance(value, bool)),
    "int": ("a whole number", "1", _is_whole),
    "float": ("a number", "0.5", _is_number),
    "Module": ("a module", "nn.Linear(16, 16)", lambda value: isinstance(value, Module)),
    "str": ("a text", "'mean'", lambda value: isinstance(value, str)),
}
