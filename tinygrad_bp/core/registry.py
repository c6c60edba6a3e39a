"""The two tables through which everything finds its primitive.

They start empty; `tinygrad_bp.ops` fills them, and so do users' own operations.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_bp.core.primitive import Primitive

#: Every primitive by its name.
PRIMITIVES: dict[str, Primitive] = {}

#: NumPy's ufuncs and functions, each with what answers for it when a tensor is an argument.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}

#: Called before a function is taken for unknown, or a user registers one: they bring along what is
#: not imported from the start, for the sake of a quick import.
LATE: list[Callable[[], None]] = []

_lock = RLock()
_loading: list[bool] = []


def load_late() -> None:
    """Register what is not imported from the start, unless that is under way."""
    with _lock:
        if _loading:
            return
        _loading.append(True)
        try:
            for load in LATE:
                load()
        finally:
            _loading.clear()


def answer_for(function: Any) -> Callable[..., Any] | None:
    """What answers for a function of NumPy on tensors, or None."""
    answer = FUNCTIONS.get(function)
    if answer is None:
        load_late()
        answer = FUNCTIONS.get(function)
    return answer


#: What answers for the methods of ufuncs, and for their call with keywords, by the method's name:
#: ``function(ufunc, *inputs, **keywords)``.
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
