"""Which rule made a gradient wrong: each node of the graph is checked by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Node, Sparse, Tensor
from tinygrad_bp.core.cotangents import sum_to_shape
from tinygrad_bp.testing.numerical import numerical_gradient

_DIRECTIONS = 3
_TOLERANCE = 1e-5  # far above the noise of a correct rule, and below what a wrong one makes
_STEPS = (2.0**-10, 2.0**-16)


def wrong_rules(output: Tensor) -> list[str]:
    """A line for each operation whose rule disagrees with a numerical derivative of its forward.

    The rule is applied to the values that the graph recorded, with a random cotangent, so that
    no other operation has a part in it.

    Parameters
    ----------
    output : Tensor
        The end of a graph in float64, before its backward pass.

    Returns
    -------
    list of str
        They name the primitive, the place, and which of its inputs; where all rules are right,
        one line that says so.
    """
    rng = np.random.default_rng(0)
    found: dict[str, str] = {}
    for node in _nodes(output):
        for i, x in enumerate(node.inputs):
            if not (isinstance(x, Tensor) and x.requires_grad) or node.primitive.vjps[i] is None:
                continue
            difference = _check(node, i, rng)
            if not difference <= _TOLERANCE:
                name = node.primitive.name
                found.setdefault(
                    f"{name} {i}",
                    f"the rule of the primitive {name!r} for its input {i} is wrong"
                    f"{node.where()}: it differs from the numerical derivative of its forward "
                    f"function by {difference:.1e}, relatively",
                )
    return [*found.values()] or ["each rule of the graph agrees with a numerical derivative"]


def _nodes(output: Tensor) -> list[Node]:
    """The nodes below a tensor, in the order in which they were recorded."""
    seen: dict[int, Node] = {}
    stack = [output.node]
    while stack:
        node = stack.pop()
        if node is None or node.number in seen:
            continue
        seen[node.number] = node
        stack.extend(x.node for x in node.inputs if isinstance(x, Tensor))
    return [seen[number] for number in sorted(seen)]


def _check(node: Node, i: int, rng: np.random.Generator) -> float:
    """The largest relative difference along some directions."""
    values, params = list(node.values), node.params
    x = np.asarray(values[i], np.float64)
    cotangent = rng.uniform(0.5, 1.5, np.shape(node.out))
    if not np.ndim(node.out):
        cotangent = np.float64(cotangent)
    part = node.primitive.vjps[i](cotangent, node.out, *values, **node.rule_params())
    if part is None:
        part = np.zeros(x.shape)
    exact = part.dense() if isinstance(part, Sparse) else np.asarray(part)
    if exact.shape != x.shape:
        exact = sum_to_shape(exact, x.shape)
    worst = 0.0
    for _ in range(_DIRECTIONS):
        direction = rng.uniform(-1, 1, x.shape)

        def along(t: NDArray[Any], direction: Any = direction) -> Any:
            moved = [*values]
            moved[i] = x + t[0] * direction
            return np.sum(cotangent * node.primitive.value(*moved, **params))

        slopes = [numerical_gradient(along, np.zeros(1), step=h) for h in _STEPS]
        slope, error = min(((float(s[0]), float(e[0])) for s, e in slopes), key=lambda p: p[1])
        ours = float(np.vdot(exact, direction))
        scale = max(abs(slope), abs(ours), float(np.abs(exact).max(initial=0.0)), 1e-300)
        worst = max(worst, (abs(ours - slope) - error) / scale)
    return worst
