"""The two tables through which everything finds its primitive.

They start empty; `tinygrad_bp.ops` fills them, and so do users' own operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_bp.core.primitive import Primitive

#: Every primitive by its name.
PRIMITIVES: dict[str, Primitive] = {}

#: NumPy's ufuncs and functions, each with what answers for it when a tensor is an argument.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}

#: Called, each time, before an unknown ufunc is refused: they register what libraries bring along.
LATE: list[Callable[[], None]] = []

#: What answers for the methods of ufuncs, and for their call with keywords, by the method's name:
#: ``function(ufunc, *inputs, **keywords)``.
UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
