"""The rows of the catalogue by primitive, and inputs of unusual sizes for them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.testing.catalogue import cases
from tinygrad_bp.testing.setting import Draw
from tinygrad_bp.testing.unusual import stretched

Array = npt.NDArray[Any]


@cache
def _by_primitive() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for case in cases():
        found.setdefault(case.primitive, []).append(case)
    return found


def rows_of(primitive: str) -> list[Any]:
    """The rows of the catalogue for a primitive; none where it has none."""
    return _by_primitive().get(primitive, [])


def scaled(case: Any, factor: float, draw: Draw) -> list[Array] | None:
    """Inputs so many times as large as those of the domains; None outside of the domains.

    Examples
    --------
    >>> scaled(rows_of("arcsin")[0], 20.0, Draw()) is None
    True
    """
    full = [shapes for shapes in case.shapes if all(np.prod(s) for s in shapes)]
    return stretched(case, full[0], factor, draw) if full else None
