"""What failed: the operation in the traceback of an error, with what went into it.

The frames of a traceback still hold their variables. Of those of the frame that failed a `Node` is
made, one that never came to be, so that the graph behind it is read as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Node, Primitive, Tensor
from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.core.graph import NO_PARAMS, NOTHING, clock
from tinygrad_bp.core.mode import Call, Mode
from tinygrad_bp.errors import INSIDE, GraphError, Place, user_line
from tinygrad_bp.nn import Module

_CONTAINERS = (list, tuple, dict)


class Failed(NamedTuple):
    """What failed.

    Attributes
    ----------
    node : Node
        The operation, or what stands for it, with what went into it.
    place : Place
        The user's line.
    root : Tensor or None
        Where the backward pass began, if it was one that failed.
    passed : list of Node
        The nodes that it had come to, of which the last one failed.
    """

    node: Node
    place: Place
    root: Tensor | None = None
    passed: Sequence[Node] = ()


class _Step(NamedTuple):
    """A frame, and what it was doing when the error came through it."""

    frame: FrameType
    instruction: int


def find(error: BaseException) -> Failed:
    """Find the operation that failed in the tracebacks of an error and of what caused it.

    Raises
    ------
    GraphError
        No frame knows a tensor.
    """
    traces = [list(_steps(e)) for e in _causes(error)]
    for search in (_operation, _function, _variables):
        for trace in traces:
            for k in reversed(range(len(trace))):
                failed = search(trace[k].frame, trace[: k + 1])
                if failed is not None:
                    return failed
    raise GraphError(
        f"the traceback of this {type(error).__name__} knows no tensor (at {user_line()}).\n"
        "Fix: pass the exception as it was caught, from computing with tensors: "
        "except Exception as error: draw.failure(error)."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and what was being handled then, each once."""
    seen: set[int] = set()
    waiting: BaseException | None = error
    while waiting is not None and id(waiting) not in seen:
        seen.add(id(waiting))
        yield waiting
        hidden = waiting.__suppress_context__
        waiting = waiting.__cause__ or (None if hidden else waiting.__context__)


def _steps(error: BaseException) -> Iterator[_Step]:
    """The frames of a traceback, outermost first, also those that the error has not come to."""
    trace = error.__traceback__
    around = []
    frame = trace.tb_frame.f_back if trace is not None else None
    while frame is not None:
        around.append(_Step(frame, frame.f_lasti))
        frame = frame.f_back
    yield from reversed(around)
    while trace is not None:
        yield _Step(trace.tb_frame, trace.tb_lasti)
        trace = trace.tb_next


def _operation(frame: FrameType, trace: Sequence[_Step]) -> Failed | None:
    """What failed in applying a primitive, or in the backward pass."""
    known = frame.f_locals
    if frame.f_code is Primitive.apply.__code__ and "self" in known:
        node = _node(known["self"], known["inputs"], known["params"], trace)
        node.out = known.get("out", np.nan)
        return Failed(node, _place(trace))
    if frame.f_code is backward_pass.__code__ and "node" in known:
        node, passed = known["node"], known["visited"]
        passed = passed if node in passed[-1:] else [*passed, node]  # a hook runs before
        return Failed(node, _place(trace), known["root"], passed)
    return None


def _function(frame: FrameType, trace: Sequence[_Step]) -> Failed | None:
    """What failed in a function of ours before it came to an operation, with its arguments.

    That is a module, or the function that the user called and not those within it.
    """
    code, caller = frame.f_code, trace[-2].frame.f_code if len(trace) > 1 else None
    called = caller is None or caller is Module.__call__.__code__ or not _ours(caller)
    if not _ours(code) or not called:
        return None
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4)
    arguments = [frame.f_locals.get(name) for name in code.co_varnames[:count]]
    tensors = {id(t): t for value in arguments for t in _tensors(value)}
    return _stand_in(frame, list(tensors.values()), trace) if tensors else None


def _variables(frame: FrameType, trace: Sequence[_Step]) -> Failed | None:
    """What failed outside of any operation, with the newest of the tensors that were known."""
    if _ours(frame.f_code):
        return None
    tensors = [t for value in frame.f_locals.values() for t in _tensors(value)]
    made = {id(t.node): t for t in tensors if t.node is not None}
    waiting = [t.node for t in made.values()]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        for x in node.sources if node is not None else ():
            if isinstance(x, Node) and id(x) not in seen:
                seen.add(id(x))
                waiting.append(x)
    newest = [t for key, t in made.items() if key not in seen]
    return _stand_in(frame, newest, trace) if newest else None


def _ours(code: CodeType) -> bool:
    """Whether code is of this package, or of a library."""
    return INSIDE[code.co_filename]


def _tensors(value: Any) -> Iterator[Tensor]:
    """A tensor, or those in a list, tuple or dict."""
    if isinstance(value, Tensor):
        yield value
    elif type(value) in _CONTAINERS:
        values = value.values() if isinstance(value, dict) else value
        yield from (x for x in values if isinstance(x, Tensor))


def _stand_in(frame: FrameType, tensors: Sequence[Tensor], trace: Sequence[_Step]) -> Failed:
    """A node for a function in which no operation failed."""
    known, name = frame.f_locals, frame.f_code.co_name
    if isinstance(known.get("self"), Module):
        name = type(known["self"]).__name__
    elif name in ("__array_ufunc__", "__array_function__"):
        name = known[name.removeprefix("__array_").removesuffix("__")].__name__
    shown = SimpleNamespace(name=name.strip("_"), as_tensor=Primitive.as_tensor, view=False)
    return Failed(_node(shown, tensors, NO_PARAMS, trace), _place(trace))


def _node(primitive: Any, inputs: Sequence[Any], params: Any, trace: Sequence[_Step]) -> Node:
    """A node that never came to be."""
    node = Node()
    sources = [x.node or x if isinstance(x, Tensor) else x for x in inputs]
    node.x, node.y, *rest = (*sources, NOTHING, NOTHING)
    node.rest = tuple(rest[: max(0, len(sources) - 2)])
    node.primitive, node.params = primitive, params
    node.out, node.saved, node.hooks, node.freed_at = np.nan, None, None, None
    node.mode = Mode(call=_call(trace))
    node.number = next(clock)
    code, node.instruction, _ = _place(trace)
    assert code is not None
    node.code = code
    return node


def _call(trace: Sequence[_Step]) -> Call | None:
    """The innermost call of a module that was running."""
    for step in reversed(trace):
        if step.frame.f_code is Module.__call__.__code__:
            call: Call | None = step.frame.f_locals.get("call")
            return call
    return None


def _place(trace: Sequence[_Step]) -> Place:
    """The user's line: the innermost that is not ours."""
    for frame, instruction in reversed(trace):
        if not _ours(frame.f_code):
            return frame.f_code, instruction, ""
    return trace[0].frame.f_code, trace[0].instruction, ""
