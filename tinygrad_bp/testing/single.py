"""The same gradient in the dtype in which the arguments were given, where that is not float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_bp.testing.result import ArgumentCheck, all_verdicts
from tinygrad_bp.testing.subjects import Recorded
from tinygrad_bp.testing.verdicts import Verdict

_OFF = 1e-2  # of the largest element: far above what rounding leaves of a stable gradient
_STABLE = 1e-4


def single_precision(
    f: Callable[..., Any],
    args: Sequence[Any],
    argnums: set[int] | None,
    found: list[ArgumentCheck],
    first: Recorded,
) -> tuple[list[ArgumentCheck], list[str]]:
    """The checks with verdicts DTYPE where a gradient in the given dtype is another, and causes."""
    given = Recorded(f, args, argnums, double=False)
    if all(leaf.dtype == np.float64 for leaf in given.leaves):
        return found, []
    out = given.output()
    rows = np.ones(out.size)
    gradients = given.backward(out, rows)
    exact = first.backward(first.output(), rows)
    near = _gradients_near(first, rows)
    causes: dict[str, str] = {}
    for name, leaf, g, e, other in zip(
        given.names, given.leaves, gradients, exact, near, strict=True
    ):
        if g is None or e is None or other is None or not leaf.size:
            continue
        if g.shape != leaf.shape or g.dtype != leaf.dtype:
            causes[name] = (
                f"in {leaf.dtype} the gradient of {name} is {g.dtype} {g.shape}, for an argument "
                f"that is {leaf.dtype} {leaf.shape}"
            )
        elif leaf.dtype == np.float32 and _another(g.data, e.data, other.data):
            causes[name] = f"run in {leaf.dtype}, the gradient of {name} has other numbers"
    checks = [
        dataclasses.replace(a, verdicts=all_verdicts(Verdict.DTYPE, a.shape))
        if a.name in causes and a.order == 1
        else a
        for a in found
    ]
    return checks, [*causes.values()]


def _another(single: Any, exact: Any, near: Any) -> bool:
    """Whether a gradient in float32 differs by more than the problem's condition explains."""
    single = np.asarray(single, np.float64)
    if not (np.isfinite(exact).all() and np.isfinite(near).all()):
        return False
    scale = float(np.max(np.abs(exact)))
    if not 1e-25 < scale < 1e25 or np.max(np.abs(exact - near)) > _STABLE * scale:
        return False
    return not np.max(np.abs(single - exact)) <= _OFF * scale


def _gradients_near(subject: Recorded, rows: Any) -> list[Any]:
    """Gradients at arguments that differ from the given ones as much as float32 does."""
    rng = np.random.default_rng(0)
    before = [leaf.data for leaf in subject.leaves]
    for leaf in subject.leaves:
        off = 4e-7 * rng.uniform(-1.0, 1.0, leaf.shape) * np.maximum(np.abs(leaf.data), 1e-3)
        leaf.data = leaf.data + off
    try:
        return list(subject.backward(subject.output(), rows))
    finally:
        for leaf, data in zip(subject.leaves, before, strict=True):
            leaf.data = data
