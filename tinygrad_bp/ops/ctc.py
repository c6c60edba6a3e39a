r"""Connectionist temporal classification: the probability of all ways to read a sequence.

A. Graves et al., "Connectionist temporal classification: Labelling unsegmented sequence data with
recurrent neural networks", ICML 2006. A label sequence is read along 2S + 1 states, blank, label,
blank, and so on; a way may stay in its state, go on to the next, or to the one after that, where
this passes over a blank between two labels that differ. Forward and backward sums run in
logarithms.

Composed of steps of `logaddexp`, forward and backward would take 22 ms in place of 2.4 for 100
steps of 16 samples with 20 labels, in float32.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_bp.core import Primitive

#: The logarithm of a probability of 0. Infinity less infinity is no number; this less itself is 0.
NEVER = -1e30


def _sum(terms: Any) -> Any:
    """The logarithm of the sum of exponentials along the first axis; an array is written over."""
    if not isinstance(terms, np.ndarray):
        return functools.reduce(np.logaddexp, terms)
    most = np.maximum.reduce(terms, axis=0)
    terms -= most
    # Further below, exp takes seven times as long in float64, for what adds nothing to 1 or more.
    np.maximum(terms, -700, out=terms)
    total = np.add.reduce(np.exp(terms, out=terms), axis=0)
    np.log(total, out=total)
    total += most
    return total


def _sums(e: Any, begin: Any, over: Any) -> Any:
    """The sums over all ways from the beginning to each state at each step, its own included.

    A way comes from the state itself, from the one before, or `over` that from the one before it.
    """
    samples, states = begin.shape
    if not isinstance(e, np.ndarray):
        sums, nowhere = [e[0] + begin], np.full((samples, 2), NEVER, e.dtype)
        for now in e[1:]:
            wide = np.concatenate((nowhere, sums[-1]), axis=1)
            sums.append(_sum((wide[:, :-2] + over, wide[:, 1:-1], sums[-1])) + now)
        return np.stack(sums)
    wide = np.full((len(e), samples, states + 2), NEVER, e.dtype)
    before = np.moveaxis(sliding_window_view(wide, states, axis=2), 2, 0)
    entry = np.stack((over, *np.zeros((2, *over.shape), e.dtype)))
    out = wide[:, :, 2:]
    np.add(e[0], begin, out=out[0])
    for t in range(1, len(e)):
        np.add(_sum(before[:, t - 1] + entry), e[t], out=out[t])
    return out


def _ways(e: Any, skip: Any, steps: Any, lengths: Any) -> tuple[Any, Any]:
    """The logarithm of the probability of each label sequence, and of its ways through each state.

    What comes before a state and what comes after it are sums of one kind, the latter with steps
    and states turned around. They are made together, as of twice as many samples: most of the time
    goes into calls, of which there are half as many.
    """
    samples, states = skip.shape
    state, at = np.arange(states), np.arange(samples)
    ends = (state == 2 * lengths[:, None]) | (state == 2 * lengths[:, None] - 1)
    begins = np.concatenate((np.broadcast_to(state < 2, ends.shape), ends[:, ::-1]))
    over = np.zeros(begins.shape, bool)
    over[:samples], over[samples:, 2:] = skip, skip[:, :1:-1]
    begin, over = (np.where(mask, 0, NEVER).astype(e.dtype) for mask in (begins, over))
    turned = np.maximum(steps - 1 - np.arange(len(e))[:, None], 0), at
    sums = _sums(np.concatenate((e, e[turned][:, :, ::-1]), axis=1), begin, over)
    before, after = sums[:, :samples], sums[:, samples:][turned][:, :, ::-1]
    blank = before[steps - 1, at, 2 * lengths]
    label = before[steps - 1, at, np.maximum(2 * lengths - 1, 0)]
    total = _sum(np.stack((blank, np.where(lengths > 0, label, NEVER).astype(e.dtype))))
    return total, before - e + after


def _shares(e: Any, skip: Any, steps: Any, lengths: Any) -> tuple[Any, Any]:
    """The logarithm of the probability of each label sequence, and the share of its states."""
    total, ways = _ways(e, skip, steps, lengths)
    counts = (np.arange(len(e))[:, None] < steps) & (total > NEVER / 2)
    return total, np.exp(np.where(counts[:, :, None], ways - total[:, None], NEVER))


def _ctc(e: Any, skip: Any, steps: Any, lengths: Any) -> Any:
    with np.errstate(under="ignore"):
        total, shares = _shares(e, skip, steps, lengths)
    return np.where(total > NEVER / 2, -total, np.inf).astype(e.dtype), shares


def _ctc_vjp(g: Any, out: Any, e: Any, skip: Any, steps: Any, lengths: Any, *, saved: Any) -> Any:
    if not isinstance(e, np.ndarray):
        with np.errstate(under="ignore"):
            saved = _shares(e, skip, steps, lengths)[1]
    return -g[:, None] * saved


ctc = Primitive(
    "ctc",
    _ctc,
    [_ctc_vjp, None, None, None],
    formula=r"-\log \textstyle\sum_\pi \exp \sum_t e_{t, \pi_t}",
    vjp_formulas=[r"-P(\pi_t = s) \, \bar{z}", "0", "0", "0"],
    saves=True,
)
