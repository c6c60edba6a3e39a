"""`check_gradients`: gradients held against numerical ones, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.errors import ArgumentError, GradientError, NoGradPathError, require_argument
from tinygrad_bp.testing.adjoint import off_adjoint
from tinygrad_bp.testing.arguments import positions, require_count, require_function, require_number
from tinygrad_bp.testing.compare import Comparison
from tinygrad_bp.testing.diagnosis import diagnose, shapes_of
from tinygrad_bp.testing.result import ArgumentCheck, GradientCheck, unknown
from tinygrad_bp.testing.single import single_precision
from tinygrad_bp.testing.subjects import (
    Recorded,
    Slope2,
    Subject,
    Written,
    nodes_below,
    right_once,
)
from tinygrad_bp.testing.verdicts import Verdict

_REPEATS = 3


def check_gradients(
    f: Callable[..., Any],
    *args: Any,
    order: int | None = None,
    gradient: Callable[..., Any] | None = None,
    rtol: float = 1e-7,
    elements: int | None = None,
    argnums: int | Sequence[int] | None = None,
    float32: bool = False,
    seed: int = 0,
) -> GradientCheck:
    """Compare a gradient with the numerical one, element by element, and say what is wrong.

    An element is wrong where the two differ by more than `rtol` times its size *and* by more than
    the error bar of the numerical one, at every step that was tried: what is too noisy to tell,
    and what lies at a kink, is never called wrong.

    Parameters
    ----------
    f : callable
        Called with `args`; returns a tensor. With `gradient`, a function in plain NumPy that
        returns one number.
    *args : array, Tensor, float or Module
        Real numbers are differentiated by, as float64 copies, and so are the parameters of a
        module, of which `f` gets a copy. Anything else (integers, labels) is passed on as it is.
    order : {1, 2, 3}, optional
        Up to which order derivatives are checked: 2 unless given, or 1 where `f` uses operations
        whose rules are right only once. With `gradient`, 1.
    gradient : callable, optional
        A gradient written by hand: called with `args`, it returns one array, or a tuple with one
        for each real argument. No tensors are needed.
    rtol : float, default 1e-7
        Relative tolerance for each element.
    elements : int, optional
        Compare at most this many elements of each argument by themselves; the others in blocks.
        Unless given, all of a small argument, and 24 of one with more than 120.
    argnums : int or sequence of int, optional
        Positions of the arguments to differentiate by; all real ones unless given.
    float32 : bool
        Run once more with all real numbers in float32, in which gradients must then be, and about
        the same. Without it, that is done where arguments of a function of tensors are float32.
    seed : int, default 0
        Of the random choices.

    Returns
    -------
    GradientCheck
        What was found; see there.

    Raises
    ------
    GradientError
        A verdict is a failure. The error has the result in its attribute ``check``.

    Examples
    --------
    >>> check = check_gradients(lambda x, y: x * x * y, np.array([1.0, 2.0]), 3.0)
    >>> check.difference < 1e-9, check.inconclusive
    (True, 0)
    >>> def loss(w):
    ...     return np.sum(w**2)
    >>> check_gradients(loss, np.array([1.0, 3.0]), gradient=lambda w: 2 * w).passed
    True
    """
    who = "check_gradients"
    if order is not None and (type(order) is not int or order not in (1, 2, 3)):
        raise ArgumentError(
            f"{who} knows the orders 1 and 2, and 3, not {order!r}.\nFix: order=1, 2 or 3."
        )
    require_function(who, "f", f)
    require_function(who, "gradient", gradient, optional=True)
    require_number(who, "rtol", rtol)
    require_count(who, "elements", elements, 1, optional=True)
    require_argument(isinstance(float32, bool | np.bool_), who, "float32", float32, "True or False")
    require_count(who, "seed", seed)
    chosen = positions(who, argnums, args)
    rng = np.random.default_rng(seed)
    if gradient is None:
        result = _check_recorded(f, args, chosen, order, rtol, elements, float32, rng)
    else:
        if order not in (None, 1):
            raise ArgumentError(
                f"a gradient in plain NumPy is checked at order 1, not {order}.\n"
                "Fix: check a second derivative as the gradient of the first one."
            )
        written = Written(f, gradient, args, chosen)
        result = _check_written(written, rtol, elements, float32, rng)
    if not result.passed:
        raise _error(result)
    return result


def _error(result: GradientCheck) -> GradientError:
    error = GradientError(str(result))
    error.check = result
    return error


def _check_recorded(
    f: Callable[..., Any],
    args: Sequence[Any],
    chosen: set[int] | None,
    order: int | None,
    rtol: float,
    elements: int | None,
    float32: bool,
    rng: np.random.Generator,
) -> GradientCheck:
    first = Recorded(f, args, chosen)
    try:
        out = first.output()
        if not out.requires_grad:
            first.backward(out, np.ones(out.size))
    except NoGradPathError as error:
        return _all(first, Verdict.NOT_CONNECTED, [str(error).partition("\nFix:")[0].rstrip(".")])
    if _differs(first):
        return _all(first, Verdict.NONDETERMINISTIC, [])
    subject: Recorded = first
    found: list[ArgumentCheck] = []
    notes: list[str] = []
    adjoint = 0.0
    for k in range(1, (2 if order is None else order) + 1):
        if k > 1:
            once = right_once(nodes_below(first.output()))
            if once and order is None:
                names = ", ".join(map(repr, once))
                notes.append(f"Order 2 was not checked: the rules of {names} are right only once.")
                break
            adjoint = off_adjoint(subject, rng) if k == 2 else adjoint
            size = subject.output().size
            subject = Slope2(subject, rng.uniform(0.5, 1.5, size) if size > 1 else np.ones(size))
        found += _compare(subject, rtol, elements, rng)
        if not all(a.passed for a in found):
            break
    causes: list[str] = []
    if all(a.passed for a in found):
        found, causes = single_precision(found, first, args, float32)
    if _differs(first, 1):
        return _all(first, Verdict.NONDETERMINISTIC, [])
    result = GradientCheck(found, causes, notes=notes, adjoint=adjoint)
    return result if result.passed else diagnose(result, subject, args)


def _check_written(
    subject: Written, rtol: float, elements: int | None, float32: bool, rng: np.random.Generator
) -> GradientCheck:
    by = "your gradient"
    if _differs(subject):
        return _all(subject, Verdict.NONDETERMINISTIC, [], by)
    misfits = shapes_of(subject)
    if misfits:
        checks = [
            unknown(name, x, 1, Verdict.DTYPE if name in misfits else Verdict.OK)
            for name, x in zip(subject.names, subject.start, strict=True)
        ]
        return GradientCheck(checks, causes=[*misfits.values()], by=by)
    causes: list[str] = []
    found = _compare(subject, rtol, elements, rng)
    if all(a.passed for a in found):
        found, causes = single_precision(found, subject, subject.args, float32)
    result = GradientCheck(found, causes, by=by)
    return result if result.passed else diagnose(result, subject, subject.args)


def _compare(
    subject: Subject, rtol: float, elements: int | None, rng: np.random.Generator
) -> list[ArgumentCheck]:
    comparison = Comparison(subject, rtol, rng)
    return [comparison.argument(i, elements) for i in range(len(subject.start))]


def _all(
    subject: Subject, verdict: Verdict, causes: list[str], by: str = "autograd"
) -> GradientCheck:
    """The same verdict for every element."""
    checks = [
        unknown(name, x, 1, verdict) for name, x in zip(subject.names, subject.start, strict=True)
    ]
    return GradientCheck(checks, causes=causes, by=by)


def _differs(subject: Subject, repeats: int = _REPEATS) -> bool:
    """Whether evaluations at the same point differ by more than the order of a sum may do."""
    one = np.asarray(subject.value(subject.start), np.float64)
    size = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    for _ in range(repeats):
        other = np.asarray(subject.value(subject.start), np.float64)
        if other.shape != one.shape:
            return True
        with np.errstate(invalid="ignore"):
            same = (np.abs(other - one) <= 1e-12 * size) | (other == one)
        if not np.all(same | (np.isnan(one) & np.isnan(other))):
            return True
    return False
