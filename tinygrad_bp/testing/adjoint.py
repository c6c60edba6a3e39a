r"""The adjoint identity of a backward pass, which holds to rounding.

.. math:: \langle Jv, u \rangle = \langle v, J^\top u \rangle

No numerical derivative has a part in it. :math:`Jv` comes from the backward pass, recorded for
another cotangent, as the transpose of what that does to cotangents: the two are the same only if
rules are linear in their cotangent and record themselves right.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.compare import SAFETY
from tinygrad_bp.testing.result import ADJOINT_LIMIT
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.subjects import Recorded, grads_apart, nodes_below, shaking

_EPS = float(np.finfo(np.float64).eps)
_SHAKES = 4


class _Vectors(NamedTuple):
    """Tangents of the arguments, the cotangent of the products, and that of the recorded pass."""

    v: list[Array]
    u: Array
    w: Array


def off_adjoint(subject: Recorded, rng: np.random.Generator) -> float:
    """How far the two products are from each other, relatively; 0 within what rounding leaves."""
    out = subject.output()
    if any(np.asarray(n.out).dtype != np.float64 for n in nodes_below(out)):
        return 0.0
    v = [rng.normal(size=a.shape) for a in subject.start]
    vectors = _Vectors(v, rng.normal(size=out.shape), rng.normal(size=out.shape))
    forth, back = _products(subject, vectors, None)
    size = float(np.sum(np.abs(forth)) + np.sum(np.abs(back)))
    off = abs(float(forth.sum() - back.sum()))
    if not (np.isfinite(off) and off > ADJOINT_LIMIT * size):
        return 0.0
    return off / size if off > _rounding(subject, vectors) else 0.0


def _products(
    subject: Recorded, vectors: _Vectors, rng: np.random.Generator | None
) -> tuple[Array, Array]:
    """The terms of both products; with `rng`, every cotangent is another in its last bits."""
    out = subject.output()
    start = Tensor(vectors.w, requires_grad=True)
    with nullcontext() if rng is None else shaking(out, _EPS, rng):
        direct = subject.backward(out, vectors.u)
        recorded = subject.backward(out, start, create_graph=True)
    total = Tensor(0.0)
    for g, v in zip(recorded, vectors.v, strict=True):
        total = total if g is None else total + np.sum(g * v)
    forth = np.zeros(out.shape)
    with grads_apart(total, [start]), nullcontext() if rng is None else shaking(total, _EPS, rng):
        if total.requires_grad:
            total.backward(retain_graph=True)
        if start.grad is not None:
            forth = start.grad.data * vectors.u
    back = [g.data * v for g, v in zip(direct, vectors.v, strict=True) if g is not None]
    return np.ravel(forth), np.concatenate([np.zeros(1), *map(np.ravel, back)])


def _rounding(subject: Recorded, vectors: _Vectors) -> float:
    """What rounding may put the products apart by, as where large terms cancel on the way."""
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        pairs = [_products(subject, vectors, rng) for _ in range(_SHAKES)]
    ends = [(float(forth.sum()), float(back.sum())) for forth, back in pairs]
    return SAFETY * float(np.sum(np.ptp(ends, axis=0)))
