"""The layers that a `NetworkSpec` knows by name, and what each of them may be told."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from tinygrad_bp.errors import SpecError
from tinygrad_bp.nn.checked import by_annotations
from tinygrad_bp.nn.module import Module

M = TypeVar("M", bound=type[Module])
Axis = int | tuple[int, int]

#: The type under which a spec has a layer once more.
SHARED = "Shared"

#: Keys that every entry of a spec may have, and every layer with parameters, beside those of its
#: class.
COMMON = ("type", "name", "inputs")
RESERVED = (*COMMON, "shares", "parametrizations")

# What a layer that has an argument of this name is handed when it is built; beside them its sizes.
_HANDED = ("input_shape", "dtype", "generator")


@dataclass(frozen=True)
class LayerKind:
    """A registered class of layers.

    Attributes
    ----------
    cls : type
        The class.
    keys : dict
        The arguments that a spec may give, with their defaults.
    required : tuple of str
        Those of them without a default.
    handed : tuple of str
        The arguments that are handed in when it is built.
    sizes : dict
        Those of them that are the length of an axis of a sample: which input, and which axis.
    parts : dict
        The keys that hold layers, and how: as a ``"chain"``, ``"each"`` beside the others, or one
        ``"layer"``.
    starred : str or None
        The key that holds what is passed as ``*args``.
    """

    cls: type[Module]
    keys: Mapping[str, Any]
    required: tuple[str, ...]
    handed: tuple[str, ...]
    sizes: Mapping[str, tuple[int, int]]
    parts: Mapping[str, str]
    starred: str | None


#: The registered layers, by the name that a spec has for them.
LAYERS: dict[str, LayerKind] = {}


@overload
def register_layer(cls: M) -> M: ...
@overload
def register_layer(
    *,
    name: str | None = None,
    sizes: Mapping[str, Axis] | None = None,
    parts: Mapping[str, str] | None = None,
) -> Callable[[M], M]: ...
def register_layer(
    cls: Any = None,
    *,
    name: str | None = None,
    sizes: Mapping[str, Axis] | None = None,
    parts: Mapping[str, str] | None = None,
) -> Any:
    """Make a class of modules known to `NetworkSpec`: a decorator.

    The arguments of ``__init__`` are the keys of the spec. Each is kept in an attribute of its
    name, from which `NetworkSpec.from_module` reads it; a class that keeps them otherwise has a
    method ``config()`` that returns them as a dict. Arguments of these names are no keys, but
    are handed in: the `sizes` (a spec may say them, and they are then checked), ``input_shape``
    (without the batch axis), ``dtype`` and ``generator``.

    Parameters
    ----------
    cls : type
        A subclass of `Module`.
    name : str, optional
        Its name in specs, in place of that of the class.
    sizes : dict, optional
        Arguments that are the length of an axis of the input, each with that axis, counted
        without the batch axis: ``{"in_channels": 0}`` for images (N, C, H, W). A pair is the
        number of the input and the axis: ``{"in2_features": (1, -1)}``. A spec that says a list
        means the lengths of so many last axes. Without it, ``{"in_features": -1}``.
    parts : dict, optional
        Arguments that are layers themselves: ``"layer"`` for one; for those that are passed as
        ``*args``, ``"chain"`` if each works on what the one before it gave, ``"each"`` if all work
        on the input.

    Raises
    ------
    SpecError
        The name is taken, or an argument has a name that specs use themselves.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> @tg.nn.register_layer
    ... class Scale(tg.nn.Module):
    ...     def __init__(self, factor=2.0):
    ...         self.factor = factor
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> tg.nn.NetworkSpec((1,), [{"type": "Scale", "factor": 3.0}]).build()(tg.Tensor([[1.0]]))
    Tensor([[3.]])
    """
    if cls is None:
        return functools.partial(_register, name=name, sizes=sizes, parts=parts)
    return _register(cls, name, sizes, parts)


def _register(
    cls: M,
    name: str | None,
    sizes: Mapping[str, Axis] | None,
    parts: Mapping[str, str] | None,
) -> M:
    if not inspect.isclass(cls) or not issubclass(cls, Module):
        raise SpecError(
            f"register_layer takes a class of modules, not {cls!r}.\n"
            "Fix: @register_layer above class Mine(Module)."
        )
    how = ("chain", "each", "layer")
    if not all(part in how for part in (parts or {}).values()):
        raise SpecError(
            f"parts holds 'chain', 'each' or 'layer' by argument, and is {parts!r}.\n"
            'Fix: as parts={"layers": "chain"}.'
        )
    name = name or cls.__name__
    known = LAYERS.get(name)
    if (known is not None and known.cls is not cls) or name == SHARED:
        raise SpecError(
            f'there is a layer {name!r} already.\nFix: another name: @register_layer(name="...")'
        )
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    every = inspect.signature(cls).parameters.values()
    arguments = [p for p in every if p.kind in named]
    names = [p.name for p in arguments]
    axes = {
        key: axis if isinstance(axis, tuple) else (0, axis)
        for key, axis in (sizes or {"in_features": -1}).items()
        if key in names
    }
    keys = {p.name: p.default for p in arguments if p.name not in (*_HANDED, *axes)}
    starred = next((p.name for p in every if p.kind is p.VAR_POSITIONAL), None)
    if parts and starred is not None and starred in parts:
        keys[starred] = inspect.Parameter.empty if parts[starred] == "chain" else ()
    for key in RESERVED:
        if key in keys:
            raise SpecError(
                f"{name}.__init__ has an argument {key!r}, which is a key that specs use.\n"
                "Fix: another name for the argument."
            )
    ours = cls.__module__.startswith("tinygrad_bp.")  # users may mean others by annotations
    if ours and cls.__init__ is not object.__init__:
        cls.__init__ = by_annotations(cls.__init__)  # type: ignore[method-assign]  # it is the decorator's
    LAYERS[name] = LayerKind(
        cls,
        keys,
        tuple(key for key, default in keys.items() if default is inspect.Parameter.empty),
        tuple(key for key in names if key in (*_HANDED, *axes)),
        axes,
        parts or {},
        starred,
    )
    return cls
