"""Arguments of layers against their annotations: what their own checks let through."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
    parameters = [*inspect.signature(init).parameters.values()][1:]
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    before: dict[str, Kind] = {}
    after: dict[str, Kind] = {}
    for p in parameters:
        kind, _, rest = str(p.annotation).partition(" | ")
        if kind in KINDS and rest in ("", "None"):
            numbers = kind in ("int", "float")
            (after if numbers else before)[p.name] = Kind(*KINDS[kind], or_none=bool(rest))

    @functools.wraps(init)
    def checking(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in names and not open_ended:
                raise ArgumentError(
                    f"{type(self).__name__} has no argument {name!r} (at {user_line()}).\n"
                    f"Fix: {nearest(name, names)}"
                )
        given = {**dict(zip(positional, args, strict=False)), **kwargs}
        _check(self, given, before)
        try:
            init(self, *args, **kwargs)
        except TgError:
            raise
        except Exception:
            _check(self, given, after)
            if "dtype" in given:
                real(given["dtype"])
            raise
        _check(self, given, after)

    return checking


class Kind(NamedTuple):
    """What an annotation means: in words, an example, whether a value is of it, and None too."""

    words: str
    example: str
    fits: Callable[[Any], bool]
    or_none: bool = False


def _check(layer: Any, given: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Refuse the first argument that is not of its kind."""
    for name, kind in kinds.items():
        if name not in given or (kind.or_none and given[name] is None):
            continue
        value = given[name]
        if not kind.fits(weak(value)) or (value != value and name != "value"):
            raise ArgumentError(
                f"{type(layer).__name__}: {name} is {kind.words}, not {value!r} (at "
                f"{user_line()}).\nFix: as {name}={kind.example}."
            )


def _is_whole(value: Any) -> bool:
    try:
        return operator.index(value) is not None and not isinstance(value, bool)
    except TypeError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


#: By the text of the annotation.
KINDS: dict[str, tuple[str, str, Callable[[Any], bool]]] = {
    "bool": ("True or False", "True", lambda value: isinstance(value, bool)),
    "int": ("a whole number", "1", _is_whole),
    "float": ("a number", "0.5", _is_number),
    "Module": ("a module", "nn.Linear(16, 16)", lambda value: isinstance(value, Module)),
    "str": ("a text", "'mean'", lambda value: isinstance(value, str)),
}
