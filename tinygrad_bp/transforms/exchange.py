"""Modules as arguments: for the length of a call, their parameters stand for other variables.

A parameter is exchanged in place, by giving it the node of a variable: every operation on it then
records that variable, wherever the module keeps it. Afterwards it is a leaf again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from tinygrad_bp.core import Node, Tensor

#: A parameter, and the node that it stands for.
Pair = tuple[Tensor, Node | None]

#: What is exchanged in this thread, outermost call first.
ACTIVE: ContextVar[tuple[Pair, ...]] = ContextVar("tinygrad_bp_exchanged", default=())

# Parameters are shared by all threads, so one thread at a time may exchange any, from the moment
# on in which it asks for them.
_LOCK = threading.RLock()
_HELD: ContextVar[list[bool] | None] = ContextVar("tinygrad_bp_held", default=None)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Keep other threads from the parameters that are asked for in the context, until its end."""
    held: list[bool] = []
    token = _HELD.set(held)
    try:
        yield
    finally:
        _HELD.reset(token)
        for _ in held:
            _LOCK.release()


@contextlib.contextmanager
def exchanged(pairs: Sequence[Pair]) -> Iterator[None]:
    """Let each parameter stand for its node inside of the context, whatever happens there."""
    if not pairs:
        yield
        return
    with _LOCK:
        before = [(parameter, parameter.node) for parameter, _ in pairs]
        token = ACTIVE.set((*ACTIVE.get(), *pairs))
        try:
            for parameter, node in pairs:
                parameter.node = node
            yield
        finally:
            for parameter, own in before[::-1]:
                parameter.node = own
            ACTIVE.reset(token)


def is_module(value: Any) -> bool:
    """Whether a value has parameters with names, as a `tinygrad_bp.nn.Module` has."""
    return callable(getattr(value, "named_parameters", None)) and not isinstance(value, type)


def trained(module: Any) -> list[tuple[str, Tensor]]:
    """The parameters of a module that require a gradient, with their names; within a `turn`."""
    held = _HELD.get()
    if held is not None:
        _LOCK.acquire()
        held.append(True)
    active = ACTIVE.get()
    now = [(parameter, parameter.node) for parameter, _ in active]
    try:  # a leaf counts as a parameter, so they are leaves while they are listed
        for parameter, _ in now:
            parameter.node = None
        return [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    finally:
        for parameter, node in now[::-1]:
            parameter.node = node
