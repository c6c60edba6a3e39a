"""Hooks: functions that see gradients on their way, and `retain_grad`, which is one of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.cotangents import not_shared
from tinygrad_bp.core.graph import Node, Variable
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, a_kind, user_line

if TYPE_CHECKING:
    from tinygrad_bp.core.tensor import Tensor


class HookHandle:
    """What `register_hook` returns; `remove` takes the hook away again."""

    def __init__(self, hooks: list[Any]) -> None:
        self._hooks, self._hook = hooks, hooks[-1]

    def remove(self) -> None:
        """Take the hook away; nothing happens if it is gone already."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing to remove: hooks are neither copied nor pickled, with what holds a handle."""
        return {"_hooks": [], "_hook": None}


def add_hook(owner: Any, where: str, hook: Any, given: str) -> HookHandle:
    """Add a hook to those in an attribute, which are called on what is given."""
    if not callable(hook):
        name = f"register{where.removesuffix('s')}"
        raise ArgumentError(
            f"{name} takes a function of ({given}), not {a_kind(hook)} (at {user_line()}).\n"
            f"Fix: {name}(lambda {given}: None)."
        )
    hooks: list[Any] = vars(owner).setdefault(where, [])
    hooks.append(hook)
    return HookHandle(hooks)


class Hook:
    """A user's hook: it sees a tensor, also where the backward pass carries arrays."""

    def __init__(
        self, hook: Callable[[Tensor], Tensor | None], as_tensor: Callable[[Any], Tensor]
    ) -> None:
        if not callable(hook):
            raise ArgumentError(
                f"register_hook takes a function of the gradient, not {a_kind(hook)} (at "
                f"{user_line()}).\nFix: register_hook(lambda g: g * 2)."
            )
        self.hook = hook
        self.as_tensor = as_tensor

    def __call__(self, g: Any) -> Any:
        """Show the gradient to the user's function; returns its replacement or None."""
        recording = isinstance(g, Variable)
        given = self.as_tensor(g if recording else np.array(g))
        result = self.hook(given)
        if result is None:
            return None
        result = self.as_tensor(result)
        if result.shape != given.shape:
            raise ShapeError(
                f"the hook {self.hook!r} returned a gradient of shape {result.shape} in place of "
                f"{given.shape}.\nFix: return the shape that came in, or None."
            )
        if result.dtype.kind == "c" and given.dtype.kind != "c":
            raise DTypeError(
                f"the hook {self.hook!r} returned a gradient of {result.dtype} in place of "
                f"{given.dtype}.\nFix: return real numbers, as those of .real, or None."
            )
        if recording:
            return result if result.dtype == given.dtype else result.astype(given.dtype)
        return result._data.astype(given.dtype, copy=False)


class KeepGradient:
    """The hook behind `retain_grad`; it does not keep its tensor alive."""

    def __init__(self, tensor: Tensor, as_tensor: Callable[[Any], Tensor]) -> None:
        self.tensor = weakref.ref(tensor)
        self.as_tensor = as_tensor
        self.seen: Any = None

    def __call__(self, g: Any) -> None:
        """Remember the gradient, without changing it."""
        self.seen = g

    def keep(self) -> None:
        """Hand the gradient over, once the whole backward pass has gone well."""
        tensor, g, self.seen = self.tensor(), self.seen, None
        if tensor is not None and g is not None:
            g = not_shared(g) if isinstance(g, Variable) else self.as_tensor(np.array(g))
            tensor._grad = g if tensor._grad is None else tensor._grad + g


def keep_gradients(hooked: list[Node]) -> None:
    """Hand over what `retain_grad` asked to keep on these nodes."""
    for node in hooked:
        for hook in node.hooks or ():
            if isinstance(hook, KeepGradient):
                hook.keep()


def retains(node: Node) -> bool:
    """Whether `retain_grad` was called on the output of a node."""
    return node.hooks is not None and any(isinstance(h, KeepGradient) for h in node.hooks)
