"""The checks behind `detect_anomaly`: numbers that are not finite, and arrays written into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from tinygrad_bp.core.mode import MODE, Mode
from tinygrad_bp.errors import InplaceError, NonFiniteError, user_line

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


class Watched(Mode):
    """The mode of a node recorded under `detect_anomaly`: it knows what the arrays held then."""

    __slots__ = ("prints",)

    prints: list[int | None]


def watched(mode: Mode, arrays: Sequence[Any]) -> Watched:
    """The mode, with a checksum of each array that a node keeps."""
    result = Watched(mode.recording, mode.anomaly, mode.call)
    result.prints = [_checksum(a) for a in arrays]
    return result


def _checksum(a: Any) -> int | None:
    return crc32(np.ascontiguousarray(a).data) if isinstance(a, np.ndarray) and a.size else None


def check_unwritten(node: Node) -> None:
    """Raise where an array that a node keeps was written into, past the graph.

    Raises
    ------
    InplaceError
    """
    if not isinstance(node.mode, Watched):
        return
    arrays = [*node.values, node.out]
    for i, (a, before) in enumerate(zip(arrays, node.mode.prints, strict=True)):
        if before is not None and _checksum(a) != before:
            what = "the output" if i == len(arrays) - 1 else f"input {i}"
            raise InplaceError(
                f"{what} {a.shape} of {node.primitive.name!r}{node.where()} was written into "
                "since, as by t.data[...] = value or through an array that shares its memory. No "
                "gradient was changed.\n"
                "Fix: t.assign(values) after the backward pass, t.at[index].set(value) for a new "
                "tensor, or a copy of the array that is written to."
            )
