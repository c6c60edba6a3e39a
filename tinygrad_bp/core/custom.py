"""`primitive`: an operation of one's own, its rules beside it, watched while it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core.graph import NO_PARAMS, Variable
from tinygrad_bp.core.primitive import Primitive, Rule
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import (
    ArgumentError,
    DTypeError,
    InplaceError,
    OperationError,
    a_kind,
    user_line,
)

# Where the decorated functions stand, so that running a notebook's cell again may replace one.
_HOMES: dict[str, str] = {}


def primitive(
    *vjps: Rule | None,
    name: str | None = None,
    formula: str = "",
    vjp_formulas: Sequence[str] | None = None,
    analytic: bool = True,
    kinks: str = "",
    once: bool = False,
) -> Callable[[Callable[..., Any]], Primitive]:
    r"""Make a function of arrays a differentiable operation: a decorator that takes its rules.

    The function and its rules are plain NumPy. What they must not do is watched: inputs cannot be
    written to, and the number, shape and dtype of what comes back are checked, with an error that
    names the operation. `Primitive` has more options and does not watch.

    Parameters
    ----------
    *vjps : callable or None
        One rule per input, in order: ``rule(g, out, *inputs, **keywords)`` returns the cotangent
        of that input, given the cotangent `g` of the output; None for an input that has no
        derivative. Rules also run on tensors, which is what gives higher derivatives: they are
        written with NumPy functions and operators.
    name : str, optional
        Shown in pictures and messages; the name of the function unless given.
    formula : str
        The operation in LaTeX, the inputs named as in the rules.
    vjp_formulas : sequence of str, optional
        The rules in LaTeX, in which ``\bar{z}`` is the cotangent of the output.
    analytic : bool, default True
        Whether the complex step applies to it.
    kinks : str
        Where there is no derivative, and what the rules say there.
    once : bool, default False
        Whether the rules hold for the first derivative only, so that a second one is an error. They
        then get arrays always, and may call anything.

    Returns
    -------
    decorator
        Makes a `Primitive` of the function, to be called with tensors, arrays and numbers. Keyword
        arguments of the function are passed to the rules too, also those that are left at the
        defaults of the function; they are not differentiated.

    Raises
    ------
    ArgumentError
        When decorating: the number of rules is not that of the inputs, a rule takes another number
        of arguments than it is given, or the name is taken.
    InplaceError
        When called: the function or a rule writes into an input.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> @tg.primitive(lambda g, out, x, *, order: g * order * x ** (order - 1))
    ... def monomial(x, *, order):
    ...     return x**order
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> monomial(x, order=3).sum().backward()
    >>> x.grad
    Tensor([ 3., 12.])
    """

    def decorate(function: Callable[..., Any]) -> Primitive:
        if not callable(function):
            raise ArgumentError(
                f"@primitive stands over {getattr(vjps[0], '__name__', 'a function')!r} without "
                f"its rules (at {user_line()}).\n"
                "Fix: @primitive(rule_of_x, rule_of_y), with one rule per input."
            )
        title = name or function.__name__
        taken = _taken_by(function)
        _check_rules(title, taken, len(vjps))
        home = f"{function.__module__}.{function.__qualname__}"
        if title in PRIMITIVES and _HOMES.get(title) == home:
            del PRIMITIVES[title]
        guarded = [
            None
            if rule is None
            else _guarded(
                rule,
                f"the rule of {title!r} for input {i}",
                _defaults(title, i, rule, taken, len(vjps)),
            )
            for i, rule in enumerate(vjps)
        ]
        made = Primitive(
            title,
            _checked(_guarded(function, repr(title)), title),
            guarded,
            formula=formula,
            vjp_formulas=[""] * len(vjps) if vjp_formulas is None else vjp_formulas,
            analytic=analytic,
            kinks=kinks,
            once=once,
        )
        functools.update_wrapper(made, function)  # its help is the function's
        _HOMES[title] = home
        return made

    return decorate


class _Taken(NamedTuple):
    """What a function takes."""

    inputs: int
    more: bool  # whether it takes any number of inputs
    keywords: dict[str, Any]
    others: bool  # whether it takes any keyword


def _taken_by(function: Callable[..., Any]) -> _Taken:
    """The inputs of a function, and the defaults of its keywords; NotImplemented for none."""
    import inspect  # here, because importing it takes a quarter of the package's import time

    if isinstance(function, np.ufunc):
        return _Taken(function.nin, False, {}, True)
    parameters = inspect.signature(function).parameters.values()
    kinds = [p.kind for p in parameters]
    return _Taken(
        sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters),
        inspect.Parameter.VAR_POSITIONAL in kinds,
        {
            p.name: NotImplemented if p.default is p.empty else p.default
            for p in parameters
            if p.kind is p.KEYWORD_ONLY
        },
        inspect.Parameter.VAR_KEYWORD in kinds,
    )


def _check_rules(title: str, taken: _Taken, count: int) -> None:
    """Refuse a number of rules that is not the number of inputs."""
    if not taken.more and taken.inputs != count:
        raise ArgumentError(
            f"@primitive: {title!r} has {taken.inputs} inputs and {count} rules (at "
            f"{user_line()}).\n"
            "Fix: one rule per input, None for an input that has no derivative; what is no input "
            "is a keyword, after * in the signature."
        )


def _defaults(title: str, i: int, rule: Rule, taken: _Taken, count: int) -> dict[str, Any]:
    """Those defaults of the function that a rule takes too; refuse a rule that cannot be called.

    A rule may name a keyword of the function after the inputs, with no ``*`` before it.
    """
    import inspect

    try:
        parameters = inspect.signature(rule).parameters.values()
    except (TypeError, ValueError):  # a builtin does not always have a signature
        return {}
    given = 2 + count
    places = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in taken.keywords
    ]
    too_few = len(places) < given and all(p.kind is not p.VAR_POSITIONAL for p in parameters)
    too_many = sum(p.default is p.empty for p in places) > given and not taken.others
    if too_few or too_many:
        raise ArgumentError(
            f"@primitive: the rule of {title!r} for input {i} takes {len(places)} arguments, but "
            f"is given {given} (at {user_line()}).\n"
            "Fix: a rule takes the cotangent g, the output, and every input, as in "
            "lambda g, out, x, y: g * y."
        )
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    return {
        name: default
        for name, default in taken.keywords.items()
        if default is not NotImplemented and (anything or name in names)
    }


def _guarded(
    function: Callable[..., Any], who: str, defaults: Mapping[str, Any] = NO_PARAMS
) -> Callable[..., Any]:
    """The function with its arrays locked while it runs, and with these keywords by default."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        if defaults:
            keywords = {**defaults, **keywords}
        try:
            return function(*[_locked(a) for a in arguments], **keywords)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise InplaceError(
                f"{who} writes into an array that was handed to it (at {user_line()}): {error}. "
                "Nothing was changed.\n"
                "Fix: write into a copy, x = x.copy(), or compute a new array."
            ) from error

    return call


def _locked(a: Any) -> Any:
    if type(a) is not np.ndarray:
        return a
    view = a.view()
    view.flags.writeable = False
    return view


def _checked(forward: Callable[..., Any], title: str) -> Callable[..., Any]:
    """The forward function with no tensors for options, and its result in memory of its own."""

    def call(*inputs: Any, **keywords: Any) -> Any:
        for word, value in keywords.items():
            if isinstance(value, Variable):
                raise OperationError(
                    f"{title!r} got a tensor as {word}=, and what has a keyword is not "
                    f"differentiated (at {user_line()}).\n"
                    "Fix: pass an input by position, and an option as a number or as t.data."
                )
        out = forward(*inputs, **keywords)
        if isinstance(out, (bool, int, float, complex)):
            return np.asarray(out)[()]
        if not isinstance(out, (np.ndarray, np.generic)) or out.dtype.kind not in "fiubc":
            raise DTypeError(
                f"{title!r} returned {a_kind(out)}, not an array of numbers (at "
                f"{user_line()}).\nFix: return one array; for several results, an array each from "
                "an operation each, or one array of all, to be indexed."
            )
        if isinstance(out, np.ndarray) and any(
            isinstance(x, np.ndarray) and np.may_share_memory(out, x) for x in inputs
        ):
            return out.copy()
        return out

    return call
