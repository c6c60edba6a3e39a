"""`record_grads`: every gradient of a backward pass, those of intermediate values among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Token
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core.graph import Node, Variable
from tinygrad_bp.core.messages import named
from tinygrad_bp.core.mode import TAPE
from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.errors import GraphError


class RecordedGradient(NamedTuple):
    """One line of what `record_grads` saw.

    Attributes
    ----------
    operation : str
        The primitive whose output this is the gradient of; "leaf" for leaves.
    name : str
        The name of a leaf, or an empty string.
    where : str
        Module path and user's line of the operation.
    gradient : Tensor
        Of the shape of that output.
    """

    operation: str
    name: str
    where: str
    gradient: Tensor


class record_grads:  # noqa: N801 - a context manager, named as a function of the field
    """Keep the gradients of all values that the backward passes inside reach.

    Of the tape, ``tape[t]`` is the gradient of the tensor `t`, after its hooks, and iterating over
    it goes through all of them in the order of the pass. It is summed over several passes for a
    leaf or node.

    Raises
    ------
    GraphError
        On ``tape[t]``: no backward pass reached `t` while the tape was running.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> h = x * 3.0
    >>> with tg.record_grads() as tape:
    ...     (h * h).sum().backward()
    >>> tape[h]
    Tensor([ 6., 12.])
    >>> [line.operation for line in tape]
    ['sum', 'multiply', 'multiply', 'leaf']
    """

    def __init__(self) -> None:
        self._lines: dict[int, tuple[Any, RecordedGradient]] = {}
        self._tokens: list[Token[Any]] = []

    def __enter__(self) -> record_grads:
        self._tokens.append(TAPE.set(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        TAPE.reset(self._tokens.pop())

    def add(self, owner: Any, g: Any) -> None:
        """Note a gradient; the backward pass calls this for each node and leaf."""
        gradient = g if isinstance(g, Tensor) else as_tensor(np.array(g))
        if id(owner) in self._lines:
            gradient = gradient + self._lines[id(owner)][1].gradient
        if isinstance(owner, Node):
            line = RecordedGradient(owner.primitive.name, "", owner.where().strip(), gradient)
        else:
            line = RecordedGradient("leaf", owner.name or "", "", gradient)
        self._lines[id(owner)] = (owner, line)

    def __getitem__(self, tensor: Variable) -> Tensor:
        owner = tensor if tensor.node is None else tensor.node
        if id(owner) not in self._lines:
            raise GraphError(
                f"no backward pass reached the tensor{named(tensor)} while this tape was "
                "running.\nFix: call backward() inside the with block, on a value that depends on "
                "it."
            )
        return self._lines[id(owner)][1].gradient

    def __iter__(self) -> Iterator[RecordedGradient]:
        return (line for _, line in self._lines.values())

    def __len__(self) -> int:
        return len(self._lines)
