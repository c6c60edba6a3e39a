"""Property tests: `gradient_property` for functions, `check_primitive` for operations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, Tensor
from tinygrad_bp.errors import ArgumentError, missing_extra, require_argument
from tinygrad_bp.testing import battery
from tinygrad_bp.testing.arguments import intervals, points, require_count, require_function
from tinygrad_bp.testing.check import check_gradients
from tinygrad_bp.testing.record import RECORD
from tinygrad_bp.testing.setting import Shape

#: Shapes for operations of one input and of two.
SINGLES: tuple[tuple[Shape, ...], ...] = (((3,),), ((2, 3),), ((),), ((0, 2),))
PAIRS: tuple[tuple[Shape, ...], ...] = (
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((2,), ()),
    ((), ()),
    ((0, 3), (3,)),
)


def gradient_property(
    function: Any = None,
    /,
    *,
    order: int | None = None,
    rtol: float = 1e-7,
    float32: bool = False,
    max_examples: int | None = None,
    **strategies: Any,
) -> Any:
    """Turn a function of tensors into a property test of its gradients: a decorator.

    The test draws arguments, and `check_gradients` has to pass for each. It is an ordinary test of
    Hypothesis: it runs under pytest, in classes too, it shrinks to the smallest arguments that
    fail, and its parameters without a strategy are fixtures. A failure, of the check or by an
    error of the function, ends in its message, and in a call that replays it.

    Parameters
    ----------
    order, rtol, float32
        As for `check_gradients`.
    max_examples : int, optional
        How many examples to try; the profile's number unless given.
    **strategies : strategy
        One for each argument that is drawn, by its name; see `tinygrad_bp.testing.strategies`.
        Without any, all arguments are tensors of shapes that broadcast.

    Returns
    -------
    test : callable
        Its attribute ``check`` is the check of given arguments, by name: what replays a failure.

    Raises
    ------
    MissingExtraError
        Hypothesis is not installed.
    ArgumentError
        A strategy is for no argument of the function.

    Examples
    --------
    >>> from tinygrad_bp.testing.strategies import tensors
    >>> @gradient_property(x=tensors(min_value=0.5), max_examples=5)
    ... def test_x_log_x(x):
    ...     return x * np.log(x)
    >>> test_x_log_x()
    >>> test_x_log_x.check(x=np.array([1.0, 2.0])).passed
    True
    """
    try:
        import hypothesis
        from hypothesis.errors import HypothesisException
    except ImportError as error:
        raise missing_extra("hypothesis", "test", "gradient_property") from error

    require_count("gradient_property", "max_examples", max_examples, 1, optional=True)

    def decorate(f: Callable[..., Any]) -> Any:
        require_function("gradient_property", "what it decorates", f)
        name = getattr(f, "__qualname__", repr(f)).replace("<locals>.", "")
        names = list(inspect.signature(f).parameters)
        unknown = [s for s in strategies if s not in names]
        if unknown:
            raise ArgumentError(
                f"gradient_property: {name} has no argument {unknown[0]!r}, only "
                f"{', '.join(names) or 'none at all'}."
            )
        drawn = list(strategies) or [n for n in names if n != "self"]
        kept = [n for n in names if n not in drawn]

        def check(*args: Any, **given: Any) -> Any:
            """Check the gradients by what was drawn, all else being handed on as it is."""
            others = dict(zip(kept, args, strict=False))
            others.update((k, v) for k, v in given.items() if k not in drawn)
            found = check_gradients(
                lambda *values: f(**dict(zip(drawn, values, strict=True)), **others),
                *(given[k] for k in drawn),
                order=order,
                rtol=rtol,
                float32=float32,
            )
            RECORD.add(name, found)
            return found

        def test(*args: Any, **given: Any) -> None:
            if "drawn_together" in given:
                given.update(zip(drawn, given.pop("drawn_together"), strict=True))
            RECORD.properties.add(name)
            RECORD.examples += 1
            try:
                check(*args, **given)
            except HypothesisException:  # as of an `assume`, which is no failure
                raise
            except Exception as error:
                line = _replay(f, {**dict(zip(kept, args, strict=False)), **given})
                RECORD.replays[name] = line
                error.add_note(f"Replay it, with numpy as np:\n{line}")
                raise
            RECORD.replays.pop(name, None)

        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(test, attribute, getattr(f, attribute))
        vars(test).update(vars(f))  # the marks of pytest
        given_by = dict(strategies)
        if not given_by:
            from tinygrad_bp.testing.strategies import broadcastable_tensors

            given_by = {"drawn_together": broadcastable_tensors(len(drawn))}
        taken = inspect.signature(f).parameters
        more = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in given_by]
        signature = inspect.Signature([*(taken[n] for n in kept), *more])
        vars(test)["__signature__"] = signature
        made: Any = _settings(max_examples)(hypothesis.given(**given_by)(test))
        made.check = check
        return made

    return decorate if function is None else decorate(function)


def _settings(max_examples: int | None) -> Any:
    """The profile's, with what suits tests of gradients."""
    from hypothesis import HealthCheck, Phase, settings

    return settings(
        max_examples=max_examples or settings().max_examples,
        deadline=None,
        print_blob=True,
        phases=[phase for phase in settings().phases if phase is not Phase.explain],
        suppress_health_check=[
            *settings().suppress_health_check,
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
    )


def _replay(f: Callable[..., Any], given: dict[str, Any]) -> str:
    """The call that checks a function at these arguments, as code."""
    owner, _, name = f.__qualname__.rpartition(".")
    called = name if not owner or owner.endswith("<locals>") else f"{owner}.{name}"
    values = [f"{owner}()" if k == "self" else f"{k}={_code(v)}" for k, v in given.items()]
    if any("=<" in value for value in values):
        return "    by @reproduce_failure, as printed: not all of the arguments can be had as code"
    return f"    {called}.check({', '.join(values)})"


def _code(value: Any) -> str:
    """A value as code that makes it again, to the last bit."""
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.generic):
        return f"np.{type(value).__name__}({value.item()!r})"
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        kind = "" if value.dtype in (np.float64, np.int64, np.bool_) else f", np.{value.dtype}"
        kind = kind or ("" if value.size else f", np.{value.dtype}")
        inner = np.array2string(
            value, separator=", ", threshold=2**31, floatmode="unique", max_line_width=2**31
        ).replace("\n", "")
        if value.size == 0:
            return f"np.empty({value.shape}{kind})"
        text = " ".join(inner.split()).replace("[ ", "[").replace("nan", "np.nan")
        return f"np.array({text.replace('inf', 'np.inf')}{kind})"
    return repr(value)


def check_primitive(
    op: Any,
    call: Callable[..., Any] | None = None,
    *,
    inputs: int | None = None,
    shapes: Iterable[Any] | None = None,
    reference: Callable[..., Any] | None = None,
    domains: Iterable[tuple[float, float]] = (),
    kinks: Iterable[Iterable[float]] = (),
    distinct: bool = False,
    complex_step: bool | None = None,
    order: int | None = None,
    examples: int = 16,
    seed: int = 0,
) -> list[str]:
    """Put the whole battery of the package's own tests to an operation of yours.

    Its value, shape and dtype are held against the reference, its gradients against numerical
    derivatives and the complex step, second derivatives against those of the first, the backward
    pass against the forward derivative; in float64, float32 and both mixed, in every memory layout,
    for scalars, empty arrays and shapes that broadcast, and for large and small inputs. Gradients
    must add up over uses and passes, share no memory with anything, and leave the inputs and the
    cotangent as they are.

    Parameters
    ----------
    op : Primitive or callable
        The operation, or any function of tensors.
    call : callable, optional
        How a user calls it, as ``lambda x: op(x, axis=0)``; `op` itself unless given.
    inputs : int, optional
        How many arrays it takes, as far as its signature does not say so.
    shapes : iterable, optional
        Shapes to try: one per input, or a tuple for each input; broadcasting, 0-d and empty ones
        unless given, for operations on elements of one or two inputs.
    reference : callable, optional
        The same function of arrays, by other means. Without it, values are not held against
        anything, and the forward function of the primitive is what is differentiated numerically.
    domains : iterable of (low, high), optional
        Per input, the interval of its elements. Where it is not given, they are taken from
        (-2, 2), and also from (-10, 10) and very close to 0 as far as the operation takes them.
    kinks : iterable of iterables, optional
        Per input, points from which its elements keep a distance of 0.05.
    distinct : bool
        Draw elements that differ from each other, as sorting needs.
    complex_step : bool, optional
        Whether the reference takes complex numbers and is analytic. What the primitive says of
        itself unless given, as far as it gives a complex value for complex numbers.
    order : {1, 2}, optional
        Without it, 2 but for a primitive whose rules are right only once.
    examples : int, default 16
        How many draws to try; 16 meet all pairs of dtypes and layouts.
    seed : int
        Of the draws.

    Returns
    -------
    checks : list of str
        What was checked, in words.

    Raises
    ------
    GradientError
        A check failed. The message says which, of what, at which element, by how much.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> @tg.primitive(lambda g, out, x: 3 * g * x**2)
    ... def third_power(x):
    ...     return x**3
    >>> for line in check_primitive(third_power):
    ...     print(line)
    forward equals the reference in value shape and dtype
    gradients are the derivatives and belong to their inputs
    gradients are the derivatives at large and small inputs
    gradients in float32 are those in float64
    gradients add up over uses and over passes
    second derivatives are the derivatives of the gradients
    the backward pass is the adjoint of the forward derivative
    """
    from tinygrad_bp.testing.catalogue.case import Case

    who = "check_primitive"
    require_function(who, "op", op)
    require_function(who, "call", call, optional=True)
    require_function(who, "reference", reference, optional=True)
    require_count(who, "inputs", inputs, 1, optional=True)
    require_argument(
        order is None or (type(order) is int and order in (1, 2)),
        who,
        "order",
        order,
        "order=1 or 2",
    )
    require_count(who, "examples", examples, 1)
    require_count(who, "seed", seed)
    name = op.name if isinstance(op, Primitive) else getattr(op, "__name__", "the operation")
    recorded = isinstance(op, Primitive)
    case = Case(
        name if recorded else "",
        call or op,
        _shapes(op, call, inputs, shapes),
        reference=reference or _plain(op, call),
        domains=intervals(who, "domains", domains),
        kinks=points(who, "kinks", kinks),
        distinct=distinct,
        within=True,
        label="" if recorded else name,
    )
    if complex_step is None:
        complex_step = recorded and op.analytic and battery.takes_complex(case)
    case = Case(**{**vars(case), "complex_step": complex_step})
    checks = battery.checks_for(case)
    if order == 1 or (order is None and recorded and op.once):
        checks = [c for c in checks if c not in battery.SECOND_ORDER]
    for check, draw in battery.examples(checks, examples, seed):
        battery.put(check, case, draw)
    return [battery.in_words(check) for check in checks]


def _shapes(
    op: Any, call: Callable[..., Any] | None, inputs: int | None, shapes: Iterable[Any] | None
) -> tuple[tuple[Shape, ...], ...]:
    """For each try a shape per input."""
    if inputs is None:
        inputs = _count_inputs(op, call)
    if shapes is None:
        if inputs <= 2:
            return SINGLES if inputs == 1 else PAIRS
        alike: list[Shape] = [(3,), (), (0, 2)]
        rest = ((3,),) * (inputs - 1)
        return (*((shape,) * inputs for shape in alike), ((2, 3), *rest))
    found = []
    fix = "shapes to try, as [(3,), (2, 3)], or a tuple for each input, as [((2, 3), (3,))]"
    listed = isinstance(shapes, Iterable) and not isinstance(shapes, np.ndarray)
    given = list(shapes) if listed else []
    require_argument(bool(given), "check_primitive", "shapes", shapes, fix)
    for item in given:
        right = isinstance(item, list | tuple)
        whole = tuple(item) if right else ()
        if all(map(_is_length, whole)):
            whole = (whole,) * inputs
        right = right and all(
            isinstance(shape, list | tuple) and all(map(_is_length, shape)) for shape in whole
        )
        require_argument(right, "check_primitive", "shapes", shapes, fix)
        if len(whole) != inputs:
            raise ArgumentError(
                f"check_primitive: {len(whole)} shapes, {item}, for {inputs} inputs.\n"
                "Fix: for each try a tuple with a shape per input, or one shape for all of them."
            )
        found.append(tuple(tuple(shape) for shape in whole))
    return tuple(found)


def _is_length(n: Any) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and bool(n >= 0)


def _count_inputs(op: Any, call: Callable[..., Any] | None) -> int:
    """The number of arrays that the operation takes, as far as it can be told."""
    if call is None and isinstance(op, Primitive):
        if isinstance(op.vjps, tuple):
            return len(op.vjps)
        asked: Any = op.forward
    else:
        asked = call or op
    if isinstance(asked, np.ufunc):
        return asked.nin
    parameters = inspect.signature(asked).parameters.values()
    usual = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in usual and p.default is p.empty for p in parameters)
    if not count or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise ArgumentError(
            "check_primitive cannot tell how many arrays the operation takes.\n"
            "Fix: say it, as in check_primitive(op, inputs=2)."
        )
    return count


def _plain(op: Any, call: Callable[..., Any] | None) -> Callable[..., Any]:
    """The forward function of arrays, as an array."""
    if isinstance(op, Primitive) and call is None:
        return op.value

    def value(*arrays: Any) -> Any:
        out = (call or op)(*arrays)
        return out.data if isinstance(out, Tensor) else out

    return value
