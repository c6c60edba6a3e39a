"""Nodes whose rules come from one computation for all inputs: recomputed, or written by a user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.core.tensor import wrap
from tinygrad_bp.transforms.linear import Linear
from tinygrad_bp.transforms.trees import Tree, is_real

_TAKEN = object()


class Call:
    """One application: computes the cotangents of all inputs at once, and hands them out singly.

    The backward pass asks rule by rule. What the first question of a pass computes answers the
    others; each answer is given once.

    Parameters
    ----------
    name : str
        What the function is called, for pictures.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._kept: tuple[Any, Any, dict[int, Any]] | None = None

    def __repr__(self) -> str:
        return self.name

    def pull(self, g: Any, out: Any, inputs: Sequence[Any]) -> list[Any]:
        """The cotangents of all inputs: arrays of their own, or tensors where any is given."""
        raise NotImplementedError

    def part(self, i: int, g: Any, out: Any, inputs: Sequence[Any]) -> Any:
        """The cotangent of input i."""
        kept = self._kept  # read once, since other threads may ask as well
        part: Any = _TAKEN
        if kept is not None and kept[0] is g and _same(kept[1], g):
            part = kept[2].pop(i, _TAKEN)
        if part is _TAKEN:
            parts = dict(enumerate(self.pull(g, out, inputs)))
            part = parts.pop(i)
            self._kept = (g, None if isinstance(g, Tensor) else np.array(g), parts)
        if i == len(inputs) - 1:
            self._kept = None
        return part


def _same(before: Any, g: Any) -> bool:
    """Whether nobody has written into a cotangent since."""
    return before is None or np.array_equal(before, g, equal_nan=True)


def rule(i: int, g: Any, out: Any, *inputs: Any, call: Call) -> Any:
    """The rule of input i of a joint primitive."""
    return call.part(i, g, out, inputs)


class Packed:
    """The outputs of a function as one array: the only one, or all of them end to end.

    Attributes
    ----------
    tree : Tree
        What the function returned.
    roots : list of Tensor
        The outputs that are real numbers.
    """

    def __init__(self, out: Any) -> None:
        self.tree = Tree(out, "the output")
        self.roots = [as_tensor(leaf.value) for leaf in self.tree.leaves if is_real(leaf.value)]

    def value(self) -> Any:
        """The one array."""
        if len(self.roots) == 1:
            return self.roots[0]._data
        return np.concatenate([np.ravel(root._data) for root in self.roots])

    def split(self, packed: Any) -> list[Any]:
        """What of a tensor or array in this form belongs to each root."""
        if len(self.roots) == 1:
            return [packed]
        parts, end = [], 0
        for root in self.roots:
            part = packed[end : end + root.size].reshape(root.shape)
            parts.append(part if part.dtype == root.dtype else part.astype(root.dtype))
            end += root.size
        return parts

    def build(self, packed: Any) -> Any:
        """The output of the function, with its numbers taken from this form."""
        parts = iter(self.split(packed))
        return self.tree.build(
            [next(parts) if is_real(leaf.value) else leaf.value for leaf in self.tree.leaves]
        )


def without_graph(value: Any) -> Any:
    """A tensor as a constant; anything else as it is."""
    return wrap(value._data) if isinstance(value, Tensor) else value


def pulled(roots: Sequence[Tensor], variables: Any, cotangents: Any, record: bool) -> list[Any]:
    """The cotangents of variables, of a graph that is used for this only."""
    return Linear(roots, variables.all, variables.start).pull(cotangents, record)
