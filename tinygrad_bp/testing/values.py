"""Other values in the arguments of a function, for the time of one evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.slopes import Array

_MOVED = (
    "This was said of values that a gradient check had moved a little.\n"
    "Fix: if these are labels or other constants, leave them out by argnums, or use them within f."
)


class Values:
    """Other values in some leaves, for the time of one evaluation."""

    def __init__(self, leaves: Sequence[Tensor], arrays: Sequence[Array]) -> None:
        self.leaves, self.arrays = leaves, arrays

    def __enter__(self) -> None:
        # Not by `data`, which notes each change: what was recorded before is as it was afterwards.
        self.before = [leaf._data for leaf in self.leaves]
        for leaf, array in zip(self.leaves, self.arrays, strict=True):
            leaf._data = array if array.ndim else array[()]

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        for leaf, array in zip(self.leaves, self.before, strict=True):
            leaf._data = array
        if isinstance(error, Exception) and _MOVED not in getattr(error, "__notes__", ()):
            error.add_note(_MOVED)
