r"""Connectionist temporal classification: the probability of all ways to read a sequence.

A. Graves et al., "Connectionist temporal classification: Labelling unsegmented sequence data with
recurrent neural networks", ICML 2006. A label sequence is read along 2S + 1 states, blank, label,
blank, and so on; a way may stay in its state, go on to the next, or to the one after that, where
this passes over a blank between two labels that differ. Forward and backward sums run in
logarithms.

Composed of steps of `logaddexp`, forward and backward would take 96 ms in place of 14 for 100
steps of 16 samples with 20 labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive

#: The logarithm of a probability of 0. Infinity less infinity is no number; this less itself is 0.
NEVER = -1e30


def _sum(*terms: Any) -> Any:
    """The logarithm of the sum of exponentials of arrays."""
    a, b, *rest = terms
    if all(isinstance(t, np.ndarray) for t in terms):  # a third of the time of logaddexp
        most = np.maximum(a, b)
        for t in rest:
            np.maximum(most, t, out=most)
        total = np.exp(a - most)
        for t in (b, *rest):
            total += np.exp(t - most)
        np.log(total, out=total)
        total += most
        return total
    total = np.logaddexp(a, b)
    for t in rest:
        total = np.logaddexp(total, t)
    return total


def _moved(a: Any, by: int) -> Any:
    """The states moved to the right, or to the left, along the last axis; `NEVER` comes in."""
    states, gap = a.shape[-1], np.full((*a.shape[:-1], abs(by)), NEVER, a.dtype)
    if by > 0:
        return np.concatenate((gap, a), axis=-1)[..., :states]
    return np.concatenate((a, gap), axis=-1)[..., -by:]


def _last(lengths: Any, states: int) -> Any:
    """Whether a state is one of the two in which a label sequence may end."""
    at = np.arange(states)
    return (at == 2 * lengths[:, None]) | (at == 2 * lengths[:, None] - 1)


def _forward(e: Any, skip: Any, steps: Any) -> Any:
    """The sum over all ways from the start to each state at each step, that state's included."""
    first = np.where(np.arange(e.shape[2]) < 2, e[0], NEVER)
    sums = [first]
    for t in range(1, len(e)):
        before = sums[-1]
        over = np.where(skip, _moved(before, 2), NEVER)
        now = np.maximum(_sum(before, _moved(before, 1), over) + e[t], NEVER)
        sums.append(np.where((t < steps)[:, None], now, before))
    return np.stack(sums)


def _backward(e: Any, skip: Any, steps: Any, lengths: Any) -> Any:
    """The sum over all ways from each state at each step to the end, without that state's."""
    end = np.where(_last(lengths, e.shape[2]), 0, NEVER).astype(e.dtype)
    onto = np.concatenate((skip, np.zeros_like(skip, shape=(len(skip), 2))), axis=1)[:, 2:]
    sums: list[Any] = [end]
    for t in range(len(e) - 2, -1, -1):
        after = sums[-1] + e[t + 1]
        over = np.where(onto, _moved(after, -2), NEVER)
        now = np.maximum(_sum(after, _moved(after, -1), over), NEVER)
        sums.append(np.where((t < steps - 1)[:, None], now, end))
    return np.stack(sums[::-1])


def _total(forward: Any, lengths: Any) -> Any:
    """The logarithm of the probability of each label sequence."""
    at = np.arange(len(lengths))
    blank = forward[-1][at, 2 * lengths]
    label = np.where(lengths > 0, forward[-1][at, np.maximum(2 * lengths - 1, 0)], NEVER)
    return _sum(blank, label)


def _ctc(e: Any, skip: Any, steps: Any, lengths: Any) -> Any:
    with np.errstate(under="ignore"):
        sums = _forward(e, skip, steps)
        total = _total(sums, lengths)
    return np.where(total > NEVER / 2, -total, np.inf).astype(e.dtype), sums


def _ctc_vjp(g: Any, out: Any, e: Any, skip: Any, steps: Any, lengths: Any, *, saved: Any) -> Any:
    read = np.arange(len(e))[:, None] < steps
    possible = np.asarray(out.data if not isinstance(out, np.ndarray) else out) < np.inf
    with np.errstate(under="ignore"):
        sums = saved if isinstance(e, np.ndarray) else _forward(e, skip, steps)
        share = sums + _backward(e, skip, steps, lengths) - _total(sums, lengths)[:, None]
        passed = np.where((read & possible)[:, :, None], np.exp(share), 0)
    return -g[:, None] * passed


ctc = Primitive(
    "ctc",
    _ctc,
    [_ctc_vjp, None, None, None],
    formula=r"-\log \textstyle\sum_\pi \exp \sum_t e_{t, \pi_t}",
    vjp_formulas=[r"-P(\pi_t = s) \, \bar{z}", "0", "0", "0"],
    saves=True,
)
