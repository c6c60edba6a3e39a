"""Which values of a graph hold one row for each sample of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.draw.scene import Scene

_OF_USERS = {"checkpoint", "custom_vjp"}  # their functions are not called behind the user's back


def batched(scene: Scene) -> dict[str, int]:
    """Find the boxes whose values have a row for each sample.

    The inputs and constants are those of the length of the first that has two axes or more. An
    operation's result is one of them if it follows a rearrangement of the samples: the graph is
    computed once more with the rows of all inputs rotated, and the rows of the result must have
    rotated with them. So no row is taken for a sample's that is not.

    Parameters
    ----------
    scene : Scene
        With a box for each operation.

    Returns
    -------
    dict of str to int
        The number of samples, by the keys of the boxes; empty where there is no batch.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> from tinygrad_bp.draw.scene import read
    >>> w = tg.Tensor(np.ones((3, 1)), requires_grad=True)
    >>> loss = np.sum((np.arange(12.0).reshape(4, 3) @ w) ** 2)
    >>> batched(read([loss]))
    {'v1': 4, 'n1': 4, 'n2': 4}
    """
    count = next((len(b.value) for b in scene.boxes.values() if _is_data(b, 2)), 0)
    if count < 2:
        return {}
    new: dict[str, Any] = {}
    found: dict[str, int] = {}
    sources: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        sources.setdefault(arrow.head, []).append(arrow.tail)
    with np.errstate(all="ignore"):
        for key, box in scene.boxes.items():
            if box.node is None:
                rows = _is_data(box, 1) and len(box.value) == count
                new[key] = np.roll(box.value, 1, axis=0) if rows else box.value
            else:
                inputs = sources.get(key, [])
                values = [new[tail] for tail in inputs]
                new[key] = _again(box, values)
                depends = any(tail in found for tail in inputs)
                rows = depends and _rotated(box.value, new[key], count)
            if rows:
                found[key] = count
    return found


def _again(box: Any, values: list[Any]) -> Any:
    """What an operation makes of other values; of functions of the user's own, what it made."""
    if box.node.primitive.name in _OF_USERS:
        return box.value
    try:
        return box.node.primitive.value(*values, **box.node.params)
    except Exception:  # a user's primitive may refuse what it has not seen
        return box.value


def _is_data(box: Any, axes: int) -> bool:
    """Whether a box is an array that goes in, no parameter, with so many axes or more."""
    return box.node is None and box.role != "parameter" and np.ndim(box.value) >= axes


def _rotated(before: Any, after: Any, count: int) -> bool:
    """Whether rows have moved by one place, but for rounding."""
    if np.ndim(before) < 1 or len(before) != count or np.shape(after) != np.shape(before):
        return False
    moved = np.roll(before, 1, axis=0)
    finite = np.isfinite(moved)
    top = float(np.max(np.abs(moved), initial=0.0, where=finite))
    rough = 1e-3 if moved.dtype.itemsize <= 4 else 1e-8
    return bool(np.allclose(after, moved, rtol=rough, atol=rough * top, equal_nan=True))
