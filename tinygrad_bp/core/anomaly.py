"""The check behind `detect_anomaly`: which operation first made a number that is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import NonFiniteError, user_line

if TYPE_CHECKING:
    from tinygrad_bp.core.graph import Node


def check_finite(name: str, values: Sequence[Any], out: Any, node: Node | None = None) -> None:
    """Raise where `out` has NaN or infinity although every number in `values` is finite.

    Parameters
    ----------
    name : str
        What was computed.
    values : sequence
        The inputs, as arrays and numbers; anything else among them is passed over.
    out : array
        What came out.
    node : Node, optional
        The node whose rule was applied, where it was not the forward function.

    Raises
    ------
    NonFiniteError
    """
    out = np.asarray(out)
    if out.dtype.kind not in "fc" or np.isfinite(out).all():
        return
    inputs = [np.asarray(v) for v in values if isinstance(v, (np.ndarray, np.generic, float, int))]
    inputs = [a for a in inputs if a.dtype.kind in "fciub" and a.size]
    if not all(np.isfinite(a).all() for a in inputs):
        return
    bad = np.argwhere(~np.isfinite(out))
    first = tuple(int(i) for i in bad[0])
    ranges = "; ".join(f"{a.shape} {a.dtype} in [{a.min():.4g}, {a.max():.4g}]" for a in inputs)
    path = MODE.get().path()
    where = (
        node.where() if node is not None else f"{f' in {path}' if path else ''} at {user_line()}"
    )
    raise NonFiniteError(
        f"{name} made {len(bad)} of {out.size} values not finite out of finite inputs{where}; "
        f"the first is {out[first]} at index {first}.\n"
        f"Inputs: {ranges}\n"
        "Fix: keep the inputs inside the domain, as with np.clip, or use a stable form."
    )
