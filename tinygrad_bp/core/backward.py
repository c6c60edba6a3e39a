"""The backward pass: from the cotangent of one value to the gradients of the leaves it rests on.

A heap hands out the youngest node first. Whatever uses a node's output is younger than the node
itself, so when its turn comes its cotangent is complete: that is reverse topological order. There
is no recursion and no walk before the walk; nodes that need no gradient are never visited.

Nothing is written to any tensor here: the caller gets every leaf with its gradient, or an error.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core.anomaly import check_finite
from tinygrad_bp.core.graph import NOTHING, Node, Variable
from tinygrad_bp.core.messages import named
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import (
    DTypeError,
    GraphError,
    InplaceError,
    ShapeError,
    VJPError,
    in_words,
    user_line,
)


class Sparse:
    """A cotangent that is zero but at one index: what reading ``x[index]`` sends back.

    Where a gradient is already being summed, it is added in place at its index alone, so that a
    loop which reads n single elements costs n additions and not n arrays.
    """

    __slots__ = ("dtype", "index", "shape", "values")

    def __init__(self, index: Any, values: Any, shape: tuple[int, ...], dtype: Any) -> None:
        self.index = index
        self.values = values
        self.shape = shape
        self.dtype = dtype

    def add_to(self, total: np.ndarray[Any, Any]) -> None:
        """Add to an array in place; an element that is read twice receives twice."""
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        arrays = [np.asarray(part) for part in parts if isinstance(part, (np.ndarray, list))]
        if all(a.dtype.kind == "b" for a in arrays):  # slices and masks read no element twice
            total[self.index] += self.values
        else:
            np.add.at(total, self.index, self.values)

    def dense(self) -> np.ndarray[Any, Any]:
        """The whole array."""
        total = np.zeros(self.shape, self.dtype)
        self.add_to(total)
        return total


class Gradients(NamedTuple):
    """What a backward pass found.

    Attributes
    ----------
    leaves : list of (Variable, cotangent, own)
        Each leaf with its gradient; `own` is true where nobody else can hold its array.
    visited : list of Node
        The nodes in the order of the pass.
    hooked : list of Node
        Those of them that have hooks.
    """

    leaves: list[tuple[Any, Any, int]]
    visited: list[Node]
    hooked: list[Node]


# How the array of a cotangent is held: it may be another's too, it came new from a rule, or it is
# a sum made here, to which more can be added in place.
_BORROWED, _FRESH, _OWNED = 0, 1, 2


def backward_pass(
    root: Variable, cotangent: Any, record: Callable[[Any, Node], Any] | None = None
) -> Gradients:
    """Propagate a cotangent from `root` to all leaves that require a gradient.

    Parameters
    ----------
    root : Variable
        Where to start.
    cotangent : ndarray, or Tensor where `record` is given
        The cotangent of `root`, of its shape and dtype.
    record : callable, optional
        ``record(out, node)`` gives the output of a node as a tensor. With it, the rules are
        applied to tensors and so record themselves, for derivatives of higher order.

    Raises
    ------
    GraphError
        A node was freed by an earlier backward pass.
    InplaceError
        A value has been assigned to since the graph was recorded.
    VJPError
        A rule returned something that does not fit its input.
    """
    watch, ndarray = MODE.get().anomaly, np.ndarray
    plain = record is None and not watch
    leaves: dict[int, tuple[Any, Any, int]] = {}
    visited: list[Node] = []
    hooked: list[Node] = []
    if root.node is None:
        return Gradients([(root, cotangent, _BORROWED)], visited, hooked)
    heap: list[int] = []
    pending: dict[int, tuple[Node, Any, int]] = {}
    node, g = root.node, cotangent
    while True:
        if node.freed_at is not None:
            raise _freed(node)
        if node.hooks is not None:
            g = apply_hooks(node.hooks, g)
            hooked.append(node)
        visited.append(node)
        x, y, vjps = node.x, node.y, node.primitive.vjps
        # A link of a chain: one node comes before this one, and a number at most beside it. The
        # general way takes 1.8 microseconds for it, this one 1.2.
        if (
            (type(x) is Node and (y is NOTHING or type(y) is float) and plain)
            and (not node.params and node.saved is None)
            and (vjps and vjps[0] is not None)
        ):
            if x.freed_at is not None:
                raise _freed(x)
            rule, data = vjps[0], x.out
            part = rule(g, node.out, data) if y is NOTHING else rule(g, node.out, data, y)
            kind, key = type(part), -x.number
            if (
                kind is type(data)
                and (kind is not ndarray or (part.shape == data.shape and part.dtype is data.dtype))
                and key not in pending
                and (not heap or key < heap[0])
            ):
                node, g = x, part
                continue
            parts = [(0, x, data, part, _BORROWED)]
        else:
            parts = _parts(node, g, record)
        for i, x, data, part, held in parts:
            # What fits is told apart as cheaply as can be; _conform looks again.
            kind = type(part)
            if kind is not type(data) or (
                kind is ndarray and (part.shape != data.shape or part.dtype is not data.dtype)
            ):
                if part is None:
                    continue
                part = _conform(part, data, node, i, record is not None)
            if watch:
                _check_rule(node, i, part, g)
            if type(x) is Node:
                key = -x.number
                if key in pending:
                    _, total, held = pending[key]
                    pending[key] = (x, *_sum(total, held, part, record))
                else:
                    entry = (part.dense(), _OWNED) if type(part) is Sparse else (part, held)
                    pending[key] = (x, *entry)
                    heappush(heap, key)
            elif id(x) in leaves:
                _, total, held = leaves[id(x)]
                leaves[id(x)] = (x, *_sum(total, held, part, record))
            elif type(part) is Sparse:
                leaves[id(x)] = (x, part.dense(), _OWNED)
            else:
                leaves[id(x)] = (x, part, held)
        if not heap:
            return Gradients(list(leaves.values()), visited, hooked)
        node, g, _ = pending.pop(heappop(heap))


def _parts(
    node: Node, g: Any, record: Callable[[Any, Node], Any] | None
) -> list[tuple[int, Any, Any, Any, int]]:
    """What the rules of a node give for its inputs that need a gradient.

    Returns
    -------
    list of (position, Node or Variable, array, cotangent, held)
        Of each such input; the cotangent as its rule returned it.
    """
    x, y, rest = node.x, node.y, node.rest
    sources = (x,) if y is NOTHING else (x, y, *rest) if rest else (x, y)
    arrays = []
    for x in sources:
        if type(x) is Node:
            if x.freed_at is not None:
                raise _freed(x)
            arrays.append(x.out)
        else:
            arrays.append(x._data if isinstance(x, Variable) else x)
    values: Any = arrays
    out = node.out
    if record is not None:
        values, out = node.inputs, record(out, node)
    vjps = node.primitive.vjps
    params = node.params if node.saved is None else node.rule_params()
    parts = []
    for i, x in enumerate(sources):
        if type(x) is not Node:
            if not isinstance(x, Variable):
                continue
            if x.version is not None and x.version.changed > node.number:
                raise _changed(node, x)
            if not x.requires_grad:
                continue
        try:
            rule = vjps[i]
        except IndexError:
            raise _no_rule(node, i) from None
        if rule is None:
            continue
        # The same call three times: unpacking arguments costs 0.3 microseconds.
        if params:
            part = rule(g, out, *values, **params)
        elif len(values) == 2:
            part = rule(g, out, values[0], values[1])
        else:
            part = rule(g, out, *values)
        held = _BORROWED
        if type(x) is not Node and _is_new(part, [g, node.out, node.saved, *arrays]):
            held = _FRESH
        parts.append((i, x, arrays[i], part, held))
    return parts


def _sum(
    total: Any, held: int, part: Any, record: Callable[[Any, Node], Any] | None
) -> tuple[Any, int]:
    """A cotangent after one more contribution, added in place where the array is the pass's own."""
    if type(part) is Sparse:
        if held != _OWNED:
            total = np.array(total)
        part.add_to(total)
    elif held == _OWNED:
        total += part
    else:
        total = total + part
    return total, _OWNED if record is None else held


def _is_new(part: Any, arguments: list[Any]) -> bool:
    """Whether a rule made the array itself, so that a leaf may keep it; any other is copied."""
    return getattr(part, "base", part) is None and id(part) not in map(id, arguments)


def starting_cotangent(root: Any, gradient: Any) -> Any:
    """The cotangent to start a backward pass from: what the caller gave, checked, or 1.

    Returns
    -------
    ndarray, NumPy scalar or Variable
        Of the shape of `root`, and of its dtype unless it is a variable.
    """
    if gradient is None:
        if root._data.size != 1:
            raise ShapeError(
                f"backward() of a tensor{named(root)} of shape {root.shape} needs a gradient "
                f"of that shape (at {user_line()}).\n"
                "Fix: reduce it first, as with .sum() or .mean(), or pass gradient=."
            )
        one = root._data.dtype.type(1)
        return np.full(root._data.shape, one) if root._data.ndim else one
    if not isinstance(gradient, Variable):
        gradient = np.asarray(gradient)
    values = gradient._data if isinstance(gradient, Variable) else gradient
    if values.shape != root.shape:
        raise ShapeError(
            f"the gradient of shape {values.shape} does not fit a tensor{named(root)} of shape "
            f"{root.shape} (at {user_line()}).\nFix: pass the shape of the tensor."
        )
    if values.dtype.kind not in "fiub":
        raise DTypeError(f"a gradient has real numbers, not {values.dtype} (at {user_line()}).")
    if isinstance(gradient, Variable):
        return gradient
    return values.astype(root._data.dtype, copy=False)


def apply_hooks(hooks: list[Callable[[Any], Any]], g: Any) -> Any:
    """The cotangent after each hook has seen it, and replaced it where it returned one."""
    for hook in hooks:
        replacement = hook(g)
        if replacement is not None:
            g = replacement
    return g


def sum_to_shape(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which `shape` was broadcast: the transpose of broadcasting.

    Examples
    --------
    >>> sum_to_shape(np.ones((4, 3)), (3,))
    array([4., 4., 4.])
    >>> sum_to_shape(np.ones((4, 3)), (4, 1)).shape
    (4, 1)
    """
    extra = g.ndim - len(shape)
    if extra < 0:
        return g
    if extra:
        g = np.add.reduce(g, axis=0 if extra == 1 else tuple(range(extra)))
        if g.shape == shape:
            return g
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
    return np.add.reduce(g, axis=axes, keepdims=True) if axes else g


def _conform(part: Any, data: Any, node: Node, i: int, recording: bool) -> Any:
    """Bring a rule's result to the shape and dtype of the input that it belongs to."""
    if type(part) is Sparse:
        if part.shape == data.shape and part.dtype == data.dtype:
            return part
        part = part.dense()
    elif not isinstance(part, (np.ndarray, np.generic, Variable)):
        if not isinstance(part, (int, float)):
            raise VJPError(
                f"the rule of {node.primitive.name!r} for input {i} returned a "
                f"{type(part).__name__}, not an array.\nFix: return an array of shape "
                f"{data.shape}, or None for a gradient of zero."
            )
        part = np.asarray(part, data.dtype)
    shape, target = part.shape, data.shape
    if shape != target:
        if recording:
            part = PRIMITIVES["sum_to_shape"](part, shape=target)
        else:
            part = sum_to_shape(part, target)
        if part.shape != target:
            raise VJPError(
                f"the rule of {node.primitive.name!r} returned a cotangent of shape {shape} for "
                f"input {i} of shape {target}{node.where()}.\nFix: let the rule return the shape "
                f"{target}, or a shape to which {target} broadcasts, which is then summed."
            )
    if part.dtype != data.dtype:
        if part.dtype.kind not in "fiub":
            raise VJPError(
                f"the rule of {node.primitive.name!r} returned {part.dtype} for input {i} of "
                f"dtype {data.dtype}{node.where()}.\nFix: return real numbers."
            )
        part = (
            PRIMITIVES["astype"](part, dtype=data.dtype) if recording else part.astype(data.dtype)
        )
    return part


def _check_rule(node: Node, i: int, part: Any, g: Any) -> None:
    """Under `detect_anomaly`: a rule that makes NaN or infinity out of finite numbers."""
    arrays = [v._data if isinstance(v, Variable) else v for v in (g, *node.values)]
    value = part._data if isinstance(part, Variable) else part
    value = value.dense() if type(value) is Sparse else value
    check_finite(f"the backward rule of {node.primitive.name} for input {i}", arrays, value, node)


def _no_rule(node: Node, i: int) -> VJPError:
    name, count = node.primitive.name, len(node.primitive.vjps)
    return VJPError(
        f"{name!r}{node.where()} has {count} rules, but a gradient of its input {i} is wanted.\n"
        "Fix: give the Primitive one rule per input, None for an input that has no derivative."
    )


def _freed(node: Node) -> GraphError:
    return GraphError(
        f"the graph behind {node.primitive.name!r}{node.where()} was already freed by the "
        f"backward pass at {in_words(node.freed_at)}.\n"
        "Fix: compute the value again, sum the losses and call backward() once, or pass "
        "retain_graph=True to the first call if both passes are meant."
    )


def _changed(node: Node, x: Any) -> InplaceError:
    name = f"{x.name!r} " if getattr(x, "name", None) else ""
    return InplaceError(
        f"a tensor {name}{x._data.shape} that {node.primitive.name!r} used{node.where()} was "
        f"assigned a new value at {in_words(x.version.where)} (version {x.version.count}) before "
        "the backward pass reached it; its old value is gone. No gradient was changed.\n"
        "Fix: call backward() before assign() or optimizer.step(), or compute the value again."
    )
