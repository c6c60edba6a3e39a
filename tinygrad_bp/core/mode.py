"""What is in force while operations run: whether they are recorded, and inside which module.

One immutable `Mode` lies in a context variable, so that threads and asynchronous tasks do not see
each other's, and so that recording an operation reads a single variable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar, cast

from tinygrad_bp.errors import TgError, user_line

F = TypeVar("F", bound=Callable[..., Any])


class Call:
    """A call of a module that is running, or was when a node was recorded.

    Attributes
    ----------
    module : object
        The `nn.Module`.
    parent : Call or None
        The call from within which it was called.
    """

    __slots__ = ("module", "parent")

    def __init__(self, module: Any, parent: Call | None = None) -> None:
        self.module = module
        self.parent = parent


class Mode:
    """Recording or not, watching for numbers that are not finite or not, and the module at work.

    Attributes
    ----------
    recording : bool
        Whether operations on tensors that require gradients leave nodes in the graph.
    anomaly : bool
        Whether each operation is checked for making NaN or infinity out of finite numbers.
    call : Call or None
        The innermost call of a module that is running.
    """

    __slots__ = ("anomaly", "call", "recording")

    def __init__(
        self, recording: bool = True, anomaly: bool = False, call: Call | None = None
    ) -> None:
        self.recording = recording
        self.anomaly = anomaly
        self.call = call

    def modules(self) -> list[Any]:
        """The modules whose calls are running, outermost first."""
        chain: list[Any] = []
        call = self.call
        while call is not None:
            chain.append(call.module)
            call = call.parent
        return chain[::-1]

    def path(self) -> str:
        """Dotted path of the module at work, as ``Sequential.2``; empty outside of any."""
        chain = self.modules()
        if not chain:
            return ""
        names = {id(module): name for name, module in chain[0].named_modules()}
        name = names.get(id(chain[-1]), "")
        return ".".join(part for part in (type(chain[0]).__name__, name) if part)


class Returning(Mode):
    """The mode of a backward pass that records itself, one for each: pictures tell them apart."""

    __slots__ = ()


MODE: ContextVar[Mode] = ContextVar("tinygrad_bp_mode", default=Mode())  # noqa: B039 - immutable

#: What sees every gradient of a backward pass: a `record_grads`, or None.
TAPE: ContextVar[Any] = ContextVar("tinygrad_bp_tape", default=None)


def is_grad_enabled() -> bool:
    """Whether operations are being recorded.

    Examples
    --------
    >>> is_grad_enabled()
    True
    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return MODE.get().recording


class _Switch:
    """A context manager and decorator that replaces one field of the mode.

    An exit puts back the mode that its own entry found, and may come in another context than
    the entry did (as when a generator is closed by another thread).
    """

    _field: str
    _value: bool

    def __init__(self) -> None:
        self._before: list[Mode] = []

    def __enter__(self) -> None:
        mode = MODE.get()
        self._before.append(mode)
        fields = {"recording": mode.recording, "anomaly": mode.anomaly, self._field: self._value}
        MODE.set(Mode(**fields, call=mode.call))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        MODE.set(self._before.pop())

    def __call__(self, function: F) -> F:
        import inspect  # here, because importing it takes a quarter of the package's import time

        if not callable(function):
            raise TgError(f"{type(self).__name__}() decorates a function, not {function!r}")
        switch = type(self)
        if inspect.isasyncgenfunction(function):
            raise TgError(
                f"{type(self).__name__}() does not last while the asynchronous generator "
                f"{function.__qualname__!r} runs (at {user_line()}).\n"
                f"Fix: write with {type(self).__name__}(): in it, around what it computes and not "
                "around a yield."
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                return (yield from _steps(switch, function(*args, **kwargs)))

            return cast(F, generator)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with switch():
                    return await function(*args, **kwargs)

            return cast(F, coroutine)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with switch():
                return function(*args, **kwargs)

        return cast(F, wrapper)


def _steps(
    switch: Callable[[], _Switch], inner: Generator[Any, Any, Any]
) -> Generator[Any, Any, Any]:
    """Run a generator with the switch on while it works, and off while its caller does."""
    resume: Callable[[], Any] = functools.partial(next, inner)
    while True:
        try:
            with switch():
                item = resume()
        except StopIteration as stop:
            return stop.value
        try:
            sent = yield item
        except GeneratorExit:
            with switch():
                inner.close()
            raise
        except BaseException as error:  # handed on to where the inner generator waits
            resume = functools.partial(inner.throw, error)
        else:
            resume = functools.partial(inner.send, sent)


class no_grad(_Switch):  # noqa: N801 - named as the field names it
    """Do not record operations: a context manager, and a decorator of functions and generators.

    A decorated generator works without recording, and its caller, between two items, is not
    affected. A ``with no_grad():`` *inside* a generator lasts, as any context does, until the
    block is left: its caller runs without recording too while the generator waits within it.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> with tg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _field, _value = "recording", False


class enable_grad(_Switch):  # noqa: N801 - named as the field names it
    """Record operations again inside of `no_grad`: a context manager and a decorator.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(3.0, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    _field, _value = "recording", True


class recorded_pass(enable_grad):  # noqa: N801 - as the above
    """Record a backward pass: operations are recorded, and their nodes know that they are of it."""

    def __enter__(self) -> None:
        super().__enter__()
        mode = MODE.get()
        MODE.set(Returning(mode.recording, mode.anomaly, mode.call))


class detect_anomaly(_Switch):  # noqa: N801 - named as the field names it
    """Stop at the first operation that makes NaN or infinity out of finite numbers.

    The error is a `NonFiniteError` that names the operation, the module, the line, and the
    ranges of its inputs; it is raised in the forward pass, or in the backward pass when a rule
    does so. The backward pass of what was recorded here also notices arrays that were written into
    past the graph, as by ``t.data[0] = 1``: an `InplaceError`. Each operation then costs several
    times as much.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly(), np.errstate(divide="ignore"):
    ...     np.log(x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tinygrad_bp.errors.NonFiniteError: log made 1 of 2 values not finite ...
    """

    _field, _value = "anomaly", True
