"""The derivative of what was recorded, as a linear map that can be applied both ways.

Every differentiated input of a transform is a *variable*: the output of an ``identity`` node that
the transform made for itself. A pass looks for its own variables and goes back no further, so that
transforms inside of each other cannot mistake each other's variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Node, Tensor, as_tensor, backward_pass, enable_grad
from tinygrad_bp.core.graph import clock
from tinygrad_bp.core.mode import recorded_pass
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.core.tensor import recorded, share_memory, wrap
from tinygrad_bp.errors import InplaceError, in_words, user_line


class Exact(str):
    """Why a derivative is constant where that is as it should be, so that nobody is warned."""

    __slots__ = ()


class Variables:
    """The variables of one transform: made one after the other, open while a function runs.

    Attributes
    ----------
    start, end : int
        The times on the graph's clock before the first, and when they were closed. What was
        recorded in between is the function; what is recorded later may be a derivative of it.
    all : list of Tensor
        The variables.
    own : set of int
        Ids of leaves, parameters of modules, of which the derivative is asked here and which
        therefore nothing outside is waiting for.
    """

    def __init__(self) -> None:
        self.start = self.end = next(clock)
        self.all: list[Tensor] = []
        self.own: set[int] = set()
        self._hidden: list[Tensor] = []

    def add(self, value: Any, name: str, connect: bool, copy: bool = False) -> Tensor:
        """A variable of the value of an array, a number or a tensor, while recording is on.

        Parameters
        ----------
        value : Tensor, array or float
            The value.
        name : str
            For messages, where a tensor has no name itself.
        connect : bool
            Whether derivatives are to flow on to the tensor.
        copy : bool
            Whether the array may be changed by others before all passes are over.
        """
        known = isinstance(value, Tensor)
        if known and connect and value.requires_grad:
            source = value
        else:
            source = wrap(_array(value._data if known else value, copy))
            source.requires_grad = True
            if known and not copy:
                share_memory(source, value)
            self._hidden.append(source)
        variable: Tensor = PRIMITIVES["identity"](source)
        variable.name = (value.name if known else None) or name
        self.all.append(variable)
        return variable

    def close(self) -> None:
        """Let nobody think that derivatives are wanted beyond the variables, which is the end."""
        self.end = next(clock)
        for source in self._hidden:
            source.requires_grad = False

    def leads_beyond(self, root: Any, known: set[int] | None = None) -> bool:
        """Whether a tensor depends on something outside of here that requires a gradient.

        Parameters
        ----------
        root : Tensor
            Where to start.
        known : set of int, optional
            Numbers of nodes from which nothing leads beyond. More are added.
        """
        if root.node is None:
            return bool(root.requires_grad and id(root) not in self.own)
        seen: set[int] = set()
        known = seen if known is None else known
        todo: list[Node] = [root.node]
        while todo:
            node = todo.pop()
            if node.number in seen or node.number in known:
                continue
            if node.number < self.start:
                return True
            seen.add(node.number)
            for x in node.sources:
                if type(x) is Node:
                    todo.append(x)
                elif isinstance(x, Tensor) and x.requires_grad and id(x) not in self.own:
                    return True
        known |= seen
        return False

    def cut_off(self, results: Sequence[Any], since: int, cotangents: Sequence[Any]) -> None:
        """Let derivatives hold values of the function as constants.

        For derivatives, recorded by a pass, that depend on something outside by way of their
        cotangents alone.

        Parameters
        ----------
        results : sequence
            What the pass found.
        since : int
            When it began. No one else knows the nodes that were recorded later.
        cotangents : sequence
            What it began with, which is left alone.
        """
        given = {id(x.node) for x in cotangents if isinstance(x, Tensor)}
        todo = [x.node for x in results if isinstance(x, Tensor) and x.node is not None]
        seen: set[int] = set()
        while todo:
            node = todo.pop()
            if node.number in seen or node.number <= since:
                continue
            seen.add(node.number)
            for slot, x in enumerate(node.sources):
                if type(x) is not Node or id(x) in given:
                    continue
                if self.start < x.number <= self.end:
                    replace_source(node, slot, x.out)
                else:
                    todo.append(x)

    def reached_from(self, roots: Sequence[Tensor]) -> set[int]:
        """Positions of the variables to which the graph leads from any of these tensors."""
        places = {v.node.number: i for i, v in enumerate(self.all) if v.node is not None}
        found: set[int] = set()
        seen: set[int] = set()
        todo = [root.node for root in roots if root.node is not None]
        while todo:
            node = todo.pop()
            if node.number in seen or node.number < self.start:
                continue
            seen.add(node.number)
            if node.number in places:
                found.add(places[node.number])
            else:
                todo += [x for x in node.sources if type(x) is Node]
        return found

    def settled(self, value: Any, recording: bool, known: set[int] | None = None) -> Any:
        """A result as the caller gets it: in the graph of what lies outside, or a constant."""
        if not isinstance(value, Tensor):
            return value
        if not value.requires_grad or (recording and self.leads_beyond(value, known)):
            return value
        return wrap(value._data)


class Linear:
    """What maps small changes of variables to those of roots, by way of the recorded graph.

    Parameters
    ----------
    roots : sequence of Tensor
        What was computed.
    variables : sequence of Tensor
        From what.
    start : int
        Roots that were recorded before do not depend on the variables.
    """

    def __init__(self, roots: Sequence[Tensor], variables: Sequence[Tensor], start: int) -> None:
        self.roots, self.variables = roots, variables
        self._inside = [
            i for i, r in enumerate(roots) if r.node is not None and r.node.number > start
        ]
        self._joined: Any = None
        self._forward: Linear | None = None
        self._arrived: list[int] = []

    def pull(self, cotangents: Sequence[Any], record: bool) -> list[Any]:
        r"""Apply :math:`J^\top`: cotangents of the roots to those of the variables.

        Parameters
        ----------
        cotangents : sequence of array, or Tensor where `record` is true
            One for each root, of its shape.
        record : bool
            Whether the pass is recorded, and gives tensors.

        Returns
        -------
        list of array, Tensor or None
            For each variable; None where nothing arrived. Arrays are no one else's.
        """
        if not self._inside or not self.variables:
            return [None] * len(self.variables)
        self._check_unchanged()
        with recorded_pass() if record else enable_grad():
            root = self._root()
            start = self._start(root, cotangents, record)
            wanted = backward_pass(root, start, recorded if record else None, self.variables)
        found = {id(variable): g for variable, g, _ in wanted.leaves}
        parts = [found.get(id(v)) for v in self.variables]
        return parts if record else [p.copy() if isinstance(p, np.ndarray) else p for p in parts]

    def push(self, tangents: Sequence[Any], record: bool) -> list[Any]:
        r"""Apply :math:`J`: changes of the variables to changes of the roots; as `pull`.

        :math:`J^\top u` is linear in :math:`u`, and the transpose of that map is :math:`J`. So it
        is recorded once, for a :math:`u` whose value does not matter, and pulled back from.
        """
        results: list[Any] = [None] * len(self.roots)
        if self._forward is None:
            us = Variables()
            with enable_grad():
                for i in self._inside:
                    us.add(ones(self.roots[i]), "cotangent", connect=False)
            given = dict(zip(self._inside, us.all, strict=True))
            parts = self.pull([given.get(i) for i in range(len(self.roots))], record=True)
            us.close()
            self._arrived = [i for i, g in enumerate(parts) if g is not None]
            self._forward = Linear([parts[i] for i in self._arrived], us.all, us.start)
        pushed = self._forward.pull([tangents[i] for i in self._arrived], record)
        for i, part in zip(self._inside, pushed, strict=True):
            results[i] = part
        return results

    def _root(self) -> Any:
        """The only root inside, or all of them joined to one vector."""
        if len(self._inside) == 1:
            return self.roots[self._inside[0]]
        if self._joined is None:
            self._joined = np.concatenate([self.roots[i].ravel() for i in self._inside])
        return self._joined

    def _start(self, root: Tensor, cotangents: Sequence[Any], record: bool) -> Any:
        inside = [cotangents[i] for i in self._inside]
        start = inside[0] if len(inside) == 1 else np.concatenate([np.ravel(c) for c in inside])
        if record:
            start = as_tensor(start)
        if start.dtype != root.dtype:
            start = start.astype(root.dtype)
        return start

    def _check_unchanged(self) -> None:
        """Passes end at the variables, so nobody else looks whether what they stand for changed."""
        for variable in self.variables:
            version, node = variable.version, variable.node
            if version is not None and node is not None and version.changed > node.number:
                raise InplaceError(
                    f"{variable.name!r} {variable.shape} was assigned a new value at "
                    f"{in_words(version.where)} after the function was evaluated with the old one, "
                    f"of which a derivative is wanted (at {user_line()}).\n"
                    "Fix: take derivatives before assign() or optimizer.step(), or evaluate again."
                )


def replace_source(node: Node, slot: int, by: Any) -> None:
    """Let an input of a node that nobody else knows yet be something else of the same value."""
    if slot == 0:
        node.x = by
    elif slot == 1:
        node.y = by
    else:
        rest = list(node.rest)
        rest[slot - 2] = by
        node.rest = tuple(rest)


def _array(value: Any, copy: bool) -> Any:
    """The value as an array or NumPy scalar."""
    if isinstance(value, np.generic):
        return value
    if isinstance(value, float):
        return np.float64(value)
    return np.array(value) if copy else np.asarray(value)


def ones(root: Tensor) -> Any:
    """An array of ones of the shape and dtype of a tensor."""
    one = root.dtype.type(1)
    return np.full(root.shape, one) if root.ndim else one


def zeros(variable: Tensor) -> Tensor:
    """A gradient of zero: a constant of the variable's shape and dtype."""
    zero = variable.dtype.type(0)
    return wrap(np.full(variable.shape, zero) if variable.ndim else zero)
