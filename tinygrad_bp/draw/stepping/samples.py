"""Which values of a graph hold one row for each sample of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.draw.scene import Scene

_OF_USERS = {"checkpoint", "custom_vjp"}  # their functions are not called behind the user's back


def batched(scene: Scene) -> dict[str, int]:
    """Find the boxes whose values have a row for each sample.

    The first constant that has two axes or more, or else the first such input, is taken for a
    batch, and constants of its length for what goes with it. Then the graph is computed once more
    with their rows rotated: a result has a row for each sample if its rows have rotated with them,
    and a constant goes with the batch if what is made of it rotates, or stays as it was. So no row
    is taken for a sample's that is not.

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
    >>> from tinygrad_bp.draw.reading import read
    >>> w = tg.Tensor(np.ones((3, 1)), requires_grad=True)
    >>> loss = np.sum((np.arange(12.0).reshape(4, 3) @ w) ** 2)
    >>> batched(read([loss], each=True))
    {'v1': 4, 'n1': 4, 'n2': 4}
    """
    wide = [b for b in scene.boxes.values() if b.node is None and np.ndim(b.value) >= 2]
    first = [b for role in ("constant", "input") for b in wide if b.role == role][:1]
    if not first or len(first[0].value) < 2:
        return {}
    start, count = first[0].key, len(first[0].value)
    leaves = {start} | {
        key
        for key, b in scene.boxes.items()
        if b.role == "constant" and np.ndim(b.value) and len(b.value) == count
    }
    while True:
        rows, steady = _follow(scene, leaves, count)
        takers: dict[str, bool] = {}
        for tail, head, *_ in scene.arrows:
            takers[tail] = takers.get(tail, False) or head in rows or head in steady
        wrong = {key for key in leaves if not takers[key]} - {start}
        if not wrong:
            break
        leaves -= wrong
    return dict.fromkeys(rows, count) if set(rows) - leaves else {}


def _follow(scene: Scene, leaves: set[str], count: int) -> tuple[list[str], set[str]]:
    """Which boxes' rows rotate when those of some leaves do, and which results stay the same."""
    new: dict[str, Any] = {}
    rows: list[str] = []
    steady: set[str] = set()
    moved: set[str] = set()  # what depends on the leaves
    sources: dict[str, list[str]] = {}
    for arrow in scene.arrows:
        sources.setdefault(arrow.head, []).append(arrow.tail)
    with np.errstate(all="ignore"):
        for key, box in scene.boxes.items():
            if box.node is None:
                new[key] = np.roll(box.value, 1, axis=0) if key in leaves else box.value
                if key in leaves:
                    rows.append(key)
                    moved.add(key)
                continue
            new[key] = _again(box, [new[tail] for tail in sources.get(key, [])])
            if moved.isdisjoint(sources.get(key, [])):
                continue
            moved.add(key)
            if np.ndim(box.value) and len(box.value) == count:
                if _same(np.roll(box.value, 1, axis=0), new[key]):
                    rows.append(key)
            elif _same(box.value, new[key]):
                steady.add(key)
    return rows, steady


def _again(box: Any, values: list[Any]) -> Any:
    """What an operation makes of other values; of functions of the user's own, what it made."""
    if box.node.primitive.name in _OF_USERS:
        return box.value
    try:
        return box.node.primitive.value(*values, **box.node.params)
    except Exception:  # a user's primitive may refuse what it has not seen
        return box.value


def _same(expected: Any, found: Any) -> bool:
    """Whether two arrays are the same but for rounding."""
    if np.shape(expected) != np.shape(found):
        return False
    expected = np.asarray(expected)
    top = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    rough = 1e-3 if expected.dtype.itemsize <= 4 else 1e-8
    return bool(np.allclose(found, expected, rtol=rough, atol=rough * top, equal_nan=True))
