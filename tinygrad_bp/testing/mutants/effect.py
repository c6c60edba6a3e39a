"""Whether a mutant changes anything, which is asked before any check is: of the numbers alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.catalogue.ties import ties_of
from tinygrad_bp.testing.mutants.mutant import Mutant
from tinygrad_bp.testing.mutants.operators import AROUND
from tinygrad_bp.testing.mutants.rows import rows_of, scaled
from tinygrad_bp.testing.setting import Draw, values_of
from tinygrad_bp.testing.unusual import LARGE, SMALL

_DRAWS = (Draw(101), Draw(102, rounded=True))


@cache
def _situations(primitive: str, kind: type) -> list[tuple[Any, list[Any]]]:
    """How to call the primitive, and on which arrays, of the precision that is asked for."""
    found: list[tuple[Any, list[Any]]] = []
    for case in rows_of(primitive):
        for draw in _DRAWS:
            for shapes in case.shapes:
                found.append((case.call, values_of(case, shapes, draw)))
        for factor in (LARGE, SMALL):
            arrays = scaled(case, factor, _DRAWS[0])
            if arrays is not None:
                found.append((case.call, arrays))
    found += [(tie.call, [np.asarray(a) for a in tie.inputs]) for tie in ties_of(primitive)]
    return [(call, [a.astype(kind) for a in arrays]) for call, arrays in found]


def _numbers(primitive: str, kind: type, second: bool) -> Iterator[list[Any]]:
    """Gradients of one or both orders in each situation, and whether their memory is theirs."""
    for call, arrays in _situations(primitive, kind):
        found: list[Any] = []
        with contextlib.suppress(Exception):
            leaves = [Tensor(a, requires_grad=True) for a in arrays]
            out = call(*leaves)
            weights = np.asarray(np.random.default_rng(0).uniform(0.5, 1.5, out.shape), out.dtype)
            (out + call(*leaves)).backward(weights)
            found += [None if x.grad is None else np.array(x.grad.data) for x in leaves]
            found += [x.grad is not None and np.shares_memory(x.grad.data, weights) for x in leaves]
            found += [x.grad is not None and x.grad.dtype.num for x in leaves]
            if second:
                found += _second(call, leaves, weights)
        yield found


def _second(call: Any, leaves: list[Tensor], weights: Any) -> list[Any]:
    """Recorded gradients, and the gradients of their squares."""
    for x in leaves:
        x.grad = None
    v = Tensor(weights, requires_grad=True)
    call(*leaves).backward(v, create_graph=True)
    first = [x.grad for x in leaves]
    found = [None if g is None else np.array(g.data) for g in first]
    for x in (*leaves, v):
        x.grad = None
    total = sum(((g * g).sum() for g in first if g is not None), Tensor(0.0))
    if total.requires_grad:
        total.backward()
    return found + [None if x.grad is None else np.array(x.grad.data) for x in (*leaves, v)]


@cache
def _right(primitive: str, kind: type, second: bool) -> list[list[Any]]:
    return list(_numbers(primitive, kind, second))


def _same(a: Any, b: Any, rough: bool = False) -> bool:
    """Equal but for rounding, or roughly; no gradient is a gradient of zeros."""
    if a is None or b is None:
        other = b if a is None else a
        return other is None or not np.any(other)
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return bool(a == b)
    if a.shape != b.shape:
        return False
    eps = {"float64": 1e-12, "float32": 1e-5}.get(a.dtype.name, 0.0)
    eps = eps**0.25 if rough else eps
    # What is 0 on one side only is compared with what gradients usually are.
    scale = np.max(np.abs(a), initial=1.0 if rough else 1e-3, where=np.isfinite(a))
    close = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= eps * scale)
    return bool(np.all(close))


def has_effect(mutant: Mutant) -> bool:
    """Whether any gradient of order 1 or 2 is another number than that of the right rules.

    Examples
    --------
    >>> from tinygrad_bp.testing.mutants import every_mutant
    >>> sin = {m.operator: m for m in every_mutant(["sin"])}
    >>> has_effect(sin["sign turned"]), has_effect(sin["un-broadcasting left out"])
    (True, False)
    """
    from tinygrad_bp.testing.mutants.judge import limited

    # A mutant that moves its inputs by a hair changes much at ties alone, and a hair elsewhere.
    rough = mutant.operator.startswith("ties")
    # What changes values does so at first order; what is wrong in float32 is right in float64.
    second = mutant.operator not in AROUND
    kind = np.float32 if "float32" in mutant.operator else np.float64
    with limited(60.0):
        right = _right(mutant.primitive, kind, second)
    try:
        with mutant.installed(), limited(20.0):
            for one, other in zip(right, _numbers(mutant.primitive, kind, second), strict=True):
                if len(one) != len(other) or not all(
                    _same(a, b, rough) for a, b in zip(one, other, strict=True)
                ):
                    return True
    except Exception:
        return True
    return False
