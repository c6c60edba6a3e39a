"""The adjoint identity of a backward pass, free of numerical derivatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.testing.result import ADJOINT_LIMIT
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.subjects import Recorded, nodes_below


def off_adjoint(subject: Recorded, rng: np.random.Generator) -> float:
    r"""How far :math:`\langle Jv, u \rangle` is from :math:`\langle v, J^\top u \rangle`.

    No numerical derivative has a part in it. :math:`Jv` comes from the backward pass, recorded for
    another cotangent, as the transpose of what that does to cotangents: the two are the same only
    if rules are linear in their cotangent and record themselves right.
    """
    out = subject.output()
    if out.dtype != np.float64 or any(
        np.asarray(n.out).dtype != np.float64 for n in nodes_below(out)
    ):
        return 0.0
    u = rng.normal(size=out.shape)
    v = [rng.normal(size=a.shape) for a in subject.start]
    direct = subject.backward(out, u)
    start = Tensor(rng.normal(size=out.shape), requires_grad=True)
    for leaf in subject.leaves:
        leaf.grad = None
    out.backward(start, create_graph=True)
    terms = [
        np.sum(leaf.grad * w)
        for leaf, w in zip(subject.leaves, v, strict=True)
        if leaf.grad is not None
    ]
    for leaf in subject.leaves:
        leaf.grad = None
    total = sum(terms, Tensor(0.0))
    if total.requires_grad:
        total.backward()
    pushed = np.zeros(out.shape) if start.grad is None else start.grad.data
    for leaf in subject.leaves:
        leaf.grad = None
    forth = np.ravel(pushed * u)
    others = [np.ravel(g.data * w) for g, w in zip(direct, v, strict=True) if g is not None]
    back = np.concatenate([np.zeros(1), *others])
    size = float(np.sum(np.abs(forth)) + np.sum(np.abs(back)))
    off = abs(float(forth.sum() - back.sum()))
    # Behind a saturated tanh, say, the ends are small beside what cancels in the middle.
    if not (np.isfinite(off) and off > ADJOINT_LIMIT * max(size, subject.size())):
        return 0.0
    return off / size if off > _rounding(subject, u, direct, v, rng) else 0.0


def _rounding(
    subject: Recorded,
    u: Array,
    direct: Sequence[Tensor | None],
    v: Sequence[Array],
    rng: np.random.Generator,
) -> float:
    """What rounding may make of a product with the gradient, as where all of its terms cancel."""
    shaken = [a + rng.integers(-4, 5, a.shape) * np.spacing(a) for a in subject.start]
    for leaf, a in zip(subject.leaves, shaken, strict=True):
        leaf.data = a
    moved = subject.backward(subject.output(), u)
    for leaf, a in zip(subject.leaves, subject.start, strict=True):
        leaf.data = a
    return 64 * sum(
        float(np.sum(np.abs((m.data - g.data) * w)))
        for m, g, w in zip(moved, direct, v, strict=True)
        if m is not None and g is not None
    )
