"""`checkpoint`: keep what goes into a function, and compute what lies within it again."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np

from tinygrad_bp.core import Node, Primitive, Tensor, enable_grad, is_grad_enabled
from tinygrad_bp.core.graph import clock
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.core.tensor import recorded, wrap
from tinygrad_bp.errors import GraphError, in_words, user_line
from tinygrad_bp.transforms.checks import name_of
from tinygrad_bp.transforms.exchange import ACTIVE, exchanged
from tinygrad_bp.transforms.joint import Call, Packed, pulled, rule, without_graph
from tinygrad_bp.transforms.linear import Variables, replace_source

F = TypeVar("F", bound=Callable[..., Any])


def checkpoint(fun: F) -> F:
    """The same function, whose intermediate values are computed again in the backward pass.

    The graph keeps its inputs and its output, and nothing in between, so that a long computation
    takes the memory of one part of it; the price is a second evaluation. Gradients flow to the
    arguments, and to every other tensor that the function uses, as the parameters of a module.

    The function has to compute the same again. It is an error if it does not, as where it draws
    random numbers; generators are set back if they are arguments, or belong to a module that is
    `fun` itself, whose method `fun` is, or that is an argument. What a function does besides, such
    as printing or counting, happens twice.

    Parameters
    ----------
    fun : callable
        Returns a tensor, or a container of tensors.

    Raises
    ------
    GraphError
        In the backward pass: the function computed something else than before.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor(0.5, requires_grad=True)
    >>> y = checkpoint(lambda x: np.sin(np.exp(x)))(x)
    >>> y.node.primitive.name
    'checkpoint'
    >>> y.backward()
    >>> bool(x.grad == np.cos(np.exp(0.5)) * np.exp(0.5))
    True
    """

    @functools.wraps(fun)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not is_grad_enabled():
            return fun(*args, **kwargs)
        call = _Recomputed(fun, args, kwargs)
        first = call.packed
        tensors = call.tensors()
        if not tensors:
            return first.tree.build([without_graph(leaf.value) for leaf in first.tree.leaves])
        call.forget()
        return first.build(_CHECKPOINT(*tensors, call=call))

    return cast(F, wrapper)


class _Recomputed(Call):
    """One evaluation of a function, and how to repeat it.

    Attributes
    ----------
    packed : Packed
        What the first evaluation returned.
    sources : list of Node or Tensor
        What the function read that requires a gradient.
    """

    def __init__(self, fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(name_of(fun))
        self.fun, self.args, self.kwargs = fun, args, kwargs
        self.exchanges = ACTIVE.get()
        self.generators = _generators(fun, args, kwargs)
        self.states = [g.bit_generator.state for g in self.generators]
        self.packed, start = self._evaluate()
        self.sources: list[Any] = []
        for node, slots in _boundary(self.packed.roots, start):
            for slot in slots:
                source = node.sources[slot]
                if not any(source is known for known in self.sources):
                    self.sources.append(source)
        self.value: Any = self.packed.value() if self.sources else None

    def tensors(self) -> list[Tensor]:
        """What the function read, as tensors."""
        for x in self.sources:
            if type(x) is Node and x.freed_at is not None:
                raise GraphError(
                    f"checkpoint of {self.name!r} uses a tensor whose graph was freed by "
                    f"the backward pass at {in_words(x.freed_at)} (at {user_line()}).\n"
                    "Fix: use t.detach() if it is meant as a constant, or retain_graph=True there."
                )
        return [recorded(x.out, x) if type(x) is Node else x for x in self.sources]

    def forget(self) -> None:
        """Let go of the first evaluation; its shapes and dtypes are kept."""
        self.packed.roots = [wrap(root._data) for root in self.packed.roots]
        values = [x.value for x in self.packed.tree.leaves]
        self.packed = Packed(self.packed.tree.build([without_graph(x) for x in values]))

    def pull(self, g: Any, out: Any, inputs: Sequence[Any]) -> list[Any]:
        """Evaluate again, on variables in place of what was read, and go back through that."""
        record = any(isinstance(x, Tensor) for x in (g, *inputs))
        variables = Variables()
        with enable_grad():
            for value in inputs:
                variables.add(value, "an input of a checkpoint", connect=True)
        variables.close()
        with self._as_before():
            again, start = self._evaluate()
        self._check_same(again, out)
        for node, slots in _boundary(again.roots, start):
            for slot in slots:
                place = self._place(node.sources[slot])
                replace_source(node, slot, variables.all[place].node)
        with enable_grad():
            return pulled(again.roots, variables, again.split(g), record)

    def _evaluate(self) -> tuple[Packed, int]:
        """What the function returns, each output by a node of its own, and when it began."""
        start = next(clock)
        identity = PRIMITIVES["identity"]
        with enable_grad():
            packed = Packed(self.fun(*self.args, **self.kwargs))
            packed.roots = [identity(root) for root in packed.roots]
        return packed, start

    @contextlib.contextmanager
    def _as_before(self) -> Iterator[None]:
        """Set back what was exchanged, and the random generators, as they were at first."""
        now = [g.bit_generator.state for g in self.generators]
        try:
            for generator, state in zip(self.generators, self.states, strict=True):
                generator.bit_generator.state = state
            with exchanged(self.exchanges):
                yield
        finally:
            for generator, state in zip(self.generators, now, strict=True):
                generator.bit_generator.state = state

    def _place(self, source: Any) -> int:
        for i, known in enumerate(self.sources):
            if source is known:
                return i
        raise self._differs("it used a tensor that it did not use before")

    def _check_same(self, again: Packed, out: Any) -> None:
        before = out._data if isinstance(out, Tensor) else out
        after = again.value() if again.roots else np.zeros(0)
        if after.shape != before.shape:
            raise self._differs(f"its output has shape {after.shape}, not {before.shape}")
        tolerance = float(np.sqrt(np.finfo(before.dtype).eps))
        finite = np.abs(before[np.isfinite(before)])
        scale = float(finite.max(initial=0.0))
        with np.errstate(invalid="ignore"):
            same = np.allclose(
                after, before, rtol=tolerance, atol=tolerance * scale, equal_nan=True
            )
        if not same:
            raise self._differs("its output has other values")

    def _differs(self, how: str) -> GraphError:
        return GraphError(
            f"checkpoint of {self.name!r} did not compute the same again: {how} (at "
            f"{user_line()}). No gradient was changed.\n"
            "Fix: pass everything that changes as an argument, as the variable of a loop; pass a "
            "np.random.Generator as an argument too, so that it can be set back; change no array "
            "in between."
        )


def _boundary(roots: Sequence[Tensor], start: int) -> Iterator[tuple[Node, list[int]]]:
    """Nodes recorded since `start`, and which inputs come from outside and need a gradient."""
    seen: set[int] = set()
    todo = [root.node for root in roots if root.node is not None]
    while todo:
        node = todo.pop()
        if node.number in seen:
            continue
        seen.add(node.number)
        slots = []
        for slot, x in enumerate(node.sources):
            if type(x) is Node and x.number > start:
                todo.append(x)
            elif type(x) is Node or (isinstance(x, Tensor) and x.requires_grad):
                slots.append(slot)
        if slots:
            yield node, slots


def _generators(fun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The random generators that the function is known to have."""
    found: list[Any] = []
    for x in (fun, getattr(fun, "__self__", None), *args, *kwargs.values()):
        if isinstance(x, np.random.Generator):
            found.append(x)
        elif callable(getattr(x, "generators", None)) and not isinstance(x, type):
            found += [generator for _, generator in x.generators()]
    return found


def _forward(*values: Any, call: _Recomputed) -> Any:
    """What the function returned; evaluated again where somebody asks once more."""
    value, call.value = call.value, None
    if value is None:
        with call._as_before():
            value = call._evaluate()[0].value()
    return value


_CHECKPOINT = Primitive(
    "checkpoint",
    _forward,
    rule,
    formula=r"f(x, y, \dots)",
    vjp_formulas=[r"J_f^\top \bar{z} \text{ (computed again)}"],
)
