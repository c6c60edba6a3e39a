"""The loss of label sequences that are shorter than what they are read from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import targets as checked_targets
from tinygrad_bp.nn.functional import loss_checks as checks
from tinygrad_bp.nn.targets import Reduction
from tinygrad_bp.ops.ctc import NEVER, ctc

_NAME = "ctc_loss"


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    r"""Connectionist temporal classification: minus the log-probability of label sequences.

    The network gives each step the probabilities of all classes, one of which is a blank. Every
    way through them that reads as the labels counts, where equal classes in a row read as one, and
    blanks as nothing. A. Graves et al., ICML 2006.

    Parameters
    ----------
    log_probs : array_like
        Shape (T, N, C), steps first, or (T, C): what `log_softmax` over the classes gives.
    targets : array_like
        Integers: the labels of each sample, shape (N, S); or all one after the other, shape
        (sum of `target_lengths`,).
    input_lengths, target_lengths : array_like
        How many steps and labels of each sample count, shape (N,), or ().
    blank : int, default 0
        The class that is read as nothing.
    reduction : {"mean", "sum", "none"}
        Over the samples; in the mean, each loss is divided by the number of its labels first.
    zero_infinity : bool, default False
        Whether labels that no way reads, as there are too few steps, count 0 in place of an
        infinite loss. Their gradient is 0 in any case.

    Raises
    ------
    ShapeError
        The shapes or lengths do not fit.
    DTypeError
        Labels or lengths are not integers.
    ArgumentError
        A label is no class, or the blank; the input is probabilities or logits; or there is no
        such reduction.

    Examples
    --------
    >>> probabilities = np.array([[[0.4, 0.6]], [[0.5, 0.5]]])  # of a blank and of the class 1
    >>> loss = ctc_loss(np.log(probabilities), [[1]], [2], [1])
    >>> np.exp(-loss.item()).round(9).item()  # 1 − 0.4 · 0.5: all but two blanks
    0.8
    """
    checked_targets.check_reduction(_NAME, reduction)
    x = as_tensor(log_probs)
    if x.ndim not in (2, 3) or 0 in x.shape:
        raise ShapeError(
            f"{checked_targets.at_user(_NAME)}: log_probs have shape (steps, samples, classes) or "
            f"(steps, classes), not {x.shape}.\n"
            "Fix: use reshape; np.swapaxes(x, 0, 1), where samples come first."
        )
    one = x.ndim == 2
    checks.check_log_probabilities(_NAME, x, -1)
    x = x[:, None] if one else x
    steps, samples, classes = x.shape
    read = _lengths("input_lengths", input_lengths, samples, 1, steps)
    labels, lengths = _labels(targets, target_lengths, samples, classes, blank)
    states = np.full((samples, 2 * labels.shape[1] + 1), blank)
    states[:, 1::2] = labels
    skip = np.zeros(states.shape, bool)
    skip[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    at = np.broadcast_to(states, (steps, *states.shape))
    seen: Any = np.take_along_axis(x, at, axis=2)
    each: Any = ctc(np.maximum(seen, NEVER), skip, read, lengths)
    if zero_infinity:
        each = np.where(np.isfinite(each.data), each, 0)
    if one:
        each = each[0]
    if reduction == "mean":
        each = each / np.maximum(lengths[0] if one else lengths, 1).astype(x.dtype)
    return checks.reduced(_NAME, each, reduction)


def _lengths(name: str, given: Any, samples: int, least: int, most: int) -> Any:
    """Lengths as integers of each sample, within their bounds."""
    lengths = np.atleast_1d(checks.integers(_NAME, given, f"{name} are"))
    if lengths.shape != (samples,):
        raise ShapeError(
            f"{checked_targets.at_user(_NAME)}: {name} has shape {lengths.shape}, and there are "
            f"{samples} samples.\nFix: one length for each sample."
        )
    bad = (lengths < least) | (lengths > most)
    if bad.any():
        index, value = checked_targets.first_bad(lengths, bad)
        raise ShapeError(
            f"{checked_targets.at_user(_NAME)}: {name} at index {index} is {value}.\n"
            f"Fix: lengths from {least} to {most}."
        )
    return lengths


def _labels(
    given: Any, target_lengths: Any, samples: int, classes: int, blank: int
) -> tuple[Any, Any]:
    """Labels (N, S), with any class but the blank behind the end of each, and their lengths."""
    if not 0 <= blank < classes:
        raise ArgumentError(
            f"{checked_targets.at_user(_NAME)}: blank is {blank!r}, and classes are 0 to "
            f"{classes - 1}.\nFix: one of them."
        )
    labels = checks.integers(_NAME, given, "targets are")
    labels = labels[None] if labels.ndim == samples == 1 else labels
    if labels.ndim == 2 and len(labels) == samples:
        lengths = _lengths("target_lengths", target_lengths, samples, 0, labels.shape[1])
    else:
        lengths = _lengths("target_lengths", target_lengths, samples, 0, labels.size)
        if labels.shape != (lengths.sum(),):
            raise ShapeError(
                f"{checked_targets.at_user(_NAME)}: targets have shape {labels.shape}, for "
                f"{samples} samples of {lengths.sum()} labels in all.\n"
                f"Fix: shape ({samples}, the most labels), or ({lengths.sum()},)."
            )
        rows = np.full((samples, int(lengths.max(initial=0))), -1)
        rows[np.arange(rows.shape[1]) < lengths[:, None]] = labels
        labels = rows
    counts = np.arange(labels.shape[1]) < lengths[:, None]
    checks.check_classes(_NAME, np.where(counts, labels, 0), classes)
    if (labels[counts] == blank).any():
        index, _ = checked_targets.first_bad(labels, counts & (labels == blank))
        raise ArgumentError(
            f"{checked_targets.at_user(_NAME)}: the label at index {index} is {blank}, which is "
            "the blank.\nFix: keep a class for the blank that no label has, as 0."
        )
    return np.where(counts, labels, (blank + 1) % classes), lengths
