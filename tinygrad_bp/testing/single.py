"""A gradient run once more in the dtypes that its arguments were given in, or in float32."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.compare import SAFETY
from tinygrad_bp.testing.result import ArgumentCheck, all_verdicts
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.subjects import Recorded, Subject, Written, real_array
from tinygrad_bp.testing.verdicts import Verdict

_OFF = 1e-2  # of the largest element: far above what rounding leaves of a stable gradient
_STABLE = 1e-4
_NEAR = 4  # points near by, of which one at least falls to the other side of a kink


def single_precision(
    found: list[ArgumentCheck], first: Subject, args: Sequence[Any], float32: bool
) -> tuple[list[ArgumentCheck], list[str]]:
    """The checks with verdicts DTYPE where a gradient in float32 is another, and causes.

    Without `float32`, a function of tensors is run in the dtypes of its arguments.
    """
    args = [_single(arg) for arg in args] if float32 else args
    coarse = _in_given_dtypes(first, args) if float32 or isinstance(first, Recorded) else None
    if coarse is None:
        return found, []
    subject, given = coarse
    causes: dict[str, str] = {}
    rows = np.ones((1, np.size(first.value(first.start))))
    exact, near = first.pulls(rows)[0], _gradients_near(first, rows)
    ends = np.cumsum([0, *(a.size for a in first.start)])
    for name, (x, g), e, others, end in zip(first.names, given, exact, near, ends[1:], strict=True):
        if g is None or e is None or not x.size:
            continue
        if g.shape != x.shape or g.dtype != x.dtype:
            causes[name] = (
                f"in {x.dtype} the gradient of {name} is {g.dtype} {g.shape}, for an argument "
                f"that is {x.dtype} {x.shape}"
            )
        elif x.dtype == np.float32 and _another(g, e, others):
            rounding = SAFETY * subject.scatter(rows)[0, end - x.size : end].reshape(x.shape)
            if np.all(np.abs(g - e) <= rounding):  # as of a matrix of no full rank
                continue
            k = np.unravel_index(np.argmax(np.abs(g - e)), x.shape) if x.shape else ()
            causes[name] = (
                f"run in {x.dtype}, the gradient of {name} has other numbers: {g[k]:.6g} in place "
                f"of {e[k]:.6g} at index {tuple(map(int, k))}"
            )
    checks = [
        dataclasses.replace(a, verdicts=all_verdicts(Verdict.DTYPE, a.shape))
        if a.name in causes and a.order == 1
        else a
        for a in found
    ]
    return checks, [*causes.values()]


def _in_given_dtypes(
    first: Subject, args: Sequence[Any]
) -> tuple[Subject, list[tuple[Any, Any]]] | None:
    """The subject, and each argument with its gradient, in the dtypes of `args`.

    None where all are float64.
    """
    if isinstance(first, Recorded):
        given = Recorded(first.f, args, first.argnums, double=False)
        if all(leaf.dtype == np.float64 for leaf in given.leaves):
            return None
        out = given.output()
        pulled = given.backward(out, np.ones(out.size))
        gradients = [None if g is None else g.data for g in pulled]
        return given, list(zip([leaf.data for leaf in given.leaves], gradients, strict=True))
    assert isinstance(first, Written)
    single = Written(first.f, first.gradient, args, {*first.places})
    start: list[Any] = [a.astype(np.float32) for a in first.start]
    return single, list(zip(start, single.gradients(start), strict=True))


def _single(arg: Any) -> Any:
    """Real numbers in float32, also those of a module; all else as it is."""
    if hasattr(arg, "named_parameters"):
        twin = copy.deepcopy(arg)
        for _, parameter in twin.named_parameters():
            parameter.data = parameter.data.astype(np.float32)
        return twin
    array = real_array(arg)
    if array is None:
        return arg
    single = np.asarray(array).astype(np.float32)
    if isinstance(arg, Tensor):
        return Tensor(single, requires_grad=arg.requires_grad, name=arg.name)
    return single[()]


def _another(single: Any, exact: Array, near: Sequence[Array | None]) -> bool:
    """Whether a gradient in float32 differs by more than the problem's condition explains."""
    single = np.asarray(single, np.float64)
    if not np.isfinite(exact).all():
        return False
    scale = float(np.max(np.abs(exact)))
    off = [np.inf if a is None else np.max(np.abs(exact - a)) for a in near]
    if not (1e-25 < scale < 1e25 and all(d <= _STABLE * scale for d in off)):
        return False
    return not np.max(np.abs(single - exact)) <= _OFF * scale


def _gradients_near(subject: Subject, rows: Array) -> list[tuple[Array | None, ...]]:
    """Gradients by each argument, at points as far from the given one as float32 may put it."""
    rng, found = np.random.default_rng(0), []
    for _ in range(_NEAR):
        near = [
            a + 4e-7 * rng.uniform(-1.0, 1.0, a.shape) * np.maximum(np.abs(a), 1e-3)
            for a in subject.start
        ]
        found.append(subject.pulls(rows, near)[0])
    return list(zip(*found, strict=True))
