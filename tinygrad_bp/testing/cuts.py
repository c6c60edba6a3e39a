"""Where the way from an argument to the output is not recorded, by `.data` or `detach`, say."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.core.hooks import Hook
from tinygrad_bp.testing.subjects import Recorded, Slope2, moved

# Little, so that what is rounded down, as by floor, stays as it is; more, where that finds nothing,
# since float32 may be behind the cut.
_MOVES = 2.0**-40, 2.0**-20


def cuts(subject: Recorded, names: list[str]) -> list[str]:
    """A line for each place where a graph takes what hangs on an argument for a constant.

    The function is evaluated a second time with other values of the argument. What is a constant
    to the graph and yet another one then, has been computed from the argument in another way.

    Parameters
    ----------
    subject : Recorded
        The function.
    names : list of str
        Of the arguments that are asked about.
    """
    while isinstance(subject, Slope2):
        subject = subject.first
    little, more = _MOVES
    return _cuts(subject, names, little) or _cuts(subject, names, more)


def _cuts(subject: Recorded, names: list[str], move: float) -> list[str]:
    nodes = subject.nodes(subject.start)
    found: dict[tuple[int, str], str] = {}
    for i, name in enumerate(subject.names):
        if name not in names:
            continue
        arrays = [*subject.start]
        arrays[i] = moved(arrays[i], move)
        try:
            with np.errstate(all="ignore"):
                others = subject.nodes(arrays)
        except Exception:  # whatever a function does at other values
            continue
        if [n.primitive for n in others] != [n.primitive for n in nodes]:
            continue
        for k, (node, other) in enumerate(zip(nodes, others, strict=True)):
            for what in _changed(node, other, subject.leaves):
                line = f"{what} of {node.primitive.name!r} is a constant{node.where()}"
                found.setdefault((k, what), f"{line}, and yet changes with {name}")
    return [*found.values()]


def hooks(subject: Recorded) -> list[str]:
    """A line for each operation whose gradient a hook of the user may have changed."""
    while isinstance(subject, Slope2):
        subject = subject.first
    return [
        f"a hook sees the gradient of the output of {node.primitive.name!r}{node.where()}, and may "
        "have changed it"
        for node in subject.nodes(subject.start)
        if any(isinstance(hook, Hook) for hook in node.hooks or ())
    ]


def _changed(node: Node, other: Node, leaves: list[Tensor]) -> list[str]:
    """The inputs and parameters that are constants, and not the same in the two nodes."""
    pairs = [
        (f"input {i}", _plain(x), _plain(y))
        for i, (x, y) in enumerate(zip(node.sources, other.sources, strict=True))
        if not isinstance(x, Node) and all(x is not leaf for leaf in leaves)
    ]
    pairs += [
        (f"the parameter {key!r}", _plain(value), _plain(other.params.get(key)))
        for key, value in node.params.items()
    ]
    return [what for what, x, y in pairs if _differ(x, y)]


def _plain(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def _differ(x: Any, y: Any) -> bool:
    if not all(isinstance(value, (float, np.ndarray, np.generic)) for value in (x, y)):
        return False
    x, y = np.asarray(x), np.asarray(y)
    return x.dtype.kind == y.dtype.kind == "f" and not np.array_equal(x, y, equal_nan=True)
