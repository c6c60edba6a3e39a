"""What losses ask of predictions and targets before anything is computed, and the errors."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, nearest, user_line

Reduction = Literal["mean", "sum", "none"]
REDUCTIONS = ("mean", "sum", "none")


def check_reduction(loss: str, reduction: str) -> None:
    """Refuse a reduction that there is not.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> check_reduction("mse_loss", "mean")
    """
    if reduction not in REDUCTIONS:
        raise ArgumentError(
            f"{at_user(loss)}: there is no reduction {reduction!r}: "
            f"{nearest(reduction, REDUCTIONS)}\nFix: one of 'mean', 'sum' and 'none'."
        )


def scale(loss: str, reduction: str, count: int) -> float:
    """The factor of the sum over `count` terms: 1/count for a mean.

    Raises
    ------
    ArgumentError
        There is no such reduction.
    ShapeError
        The mean of nothing was asked for.

    Examples
    --------
    >>> scale("mse_loss", "mean", 4)
    0.25
    """
    if reduction == "mean":
        if not count:
            raise ShapeError(
                f"{at_user(loss)}: the mean over an empty batch has no value.\n"
                "Fix: pass at least one sample, or reduction='sum'."
            )
        return 1 / count
    check_reduction(loss, reduction)
    return 1.0


def pair(loss: str, prediction: Any, target: Any) -> tuple[Tensor, Any]:
    """Prediction and target as tensors or arrays of one shape.

    Integer and boolean targets take the dtype of the prediction, so that float32 stays float32,
    and such predictions that of the targets.

    Raises
    ------
    ShapeError
        The shapes differ: they are not broadcast.

    Examples
    --------
    >>> pair("mse_loss", np.array([0.5, 2.0]), [1, 2])
    (Tensor([0.5, 2. ]), array([1., 2.]))
    """
    prediction = as_tensor(prediction)
    if not isinstance(target, (Tensor, np.ndarray)):
        target = np.asarray(target)
    values = prediction.data
    if values.shape != target.shape:
        raise _mismatch(loss, values.shape, target.shape)
    if values.dtype.kind in "iub":  # of uint8, 0 - 1 would be 255
        prediction = prediction.astype(target.dtype if target.dtype.kind == "f" else float)
        values = prediction.data
    if target.dtype is not values.dtype and target.dtype.kind in "iub" and values.dtype.kind == "f":
        target = target.astype(values.dtype)
    return prediction, target


def check_probabilities(
    loss: str, given: Any, what: str = "targets", fix: str = "pass 0 and 1, or numbers between"
) -> None:
    """Refuse numbers outside of [0, 1].

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_probabilities("binary_cross_entropy_with_logits", np.array([0.0, 0.5, 1.0]))
    """
    values = array_of(given)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        bad = ~((values >= 0) & (values <= 1))
        raise wrong_element(loss, f"{what} are probabilities in [0, 1]", values, bad, fix)


def check_labels(loss: str, logits: Tensor, labels: Any) -> Any:
    """The labels of (N, C) logits: integers (N,) in [0, C), or rows (N, C) that sum to 1.

    None where some of them are -100, which does not count.

    Raises
    ------
    ShapeError
        The logits are not a matrix, or the labels have another shape.
    DTypeError
        The labels have shape (N,) but are not integers.
    ArgumentError
        A label is not in [0, C), or a row is no probability distribution.

    Examples
    --------
    >>> check_labels("cross_entropy", as_tensor(np.zeros((2, 3))), [2, 0])
    array([2, 0])
    """
    shape = logits.data.shape
    if len(shape) != 2 or not shape[1]:
        raise ShapeError(
            f"{at_user(loss)}: logits have shape (samples, classes), not {shape}.\nFix: "
            + ("logits[None], for a single sample." if len(shape) == 1 else "use reshape.")
        )
    if not isinstance(labels, (Tensor, np.ndarray)):
        labels = np.asarray(labels)
    if labels.shape == shape:
        labels = pair(loss, logits, labels)[1]
        check_rows(loss, array_of(labels))
    elif labels.shape == shape[:1]:
        if _check_integers(loss, array_of(labels), shape[1]):
            return None
    else:
        n, c = shape
        raise ShapeError(
            f"{at_user(loss)}: labels of shape {labels.shape} do not fit logits of shape {shape}."
            f"\nFix: pass integers of shape ({n},), or one-hot rows or probabilities of shape "
            f"({n}, {c})" + ("; here, labels.ravel()." if labels.shape == (n, 1) else ".")
        )
    if MODE.get().anomaly:
        refuse_softmax(loss, logits.data)
    return labels


def _check_integers(loss: str, labels: Any, classes: int) -> bool:
    """Whether some are -100; an error where others are no class."""
    if labels.dtype.kind not in "iu":
        raise DTypeError(
            f"{at_user(loss)}: labels of shape {labels.shape} are class numbers and therefore "
            f"integers, not {labels.dtype}.\nFix: labels.astype(int); or pass one-hot rows or "
            f"probabilities of shape ({len(labels)}, {classes})."
        )
    # Looked up by their places, which takes a third of the time of labels.min() and labels.max().
    if labels.size and not (
        labels.item(labels.argmin()) >= 0 and labels.item(labels.argmax()) < classes
    ):
        bad = ((labels < 0) | (labels >= classes)) & (labels != -100)
        if not bad.any():
            return True
        index, value = first_bad(labels, bad)
        raise ArgumentError(
            f"{at_user(loss)}: the label at index {index[0]} is {value}, but logits of "
            f"{classes} classes have labels 0 to {classes - 1}.\nFix: number the classes from 0, "
            f"or give the network {int(labels.max()) + 1} outputs."
            if value > 0
            else f"{at_user(loss)}: the label at index {index[0]} is {value}, but labels are 0 to "
            f"{classes - 1}.\nFix: leave out the samples without a class, or ignore_index={value}."
        )
    return False


def check_rows(loss: str, rows: Any) -> None:
    """Refuse rows that are no probability distributions.

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_rows("cross_entropy", np.array([[0.25, 0.75]]))
    """
    check_probabilities(loss, rows)
    sums = rows @ np.ones(rows.shape[1], rows.dtype)  # a tenth of the time of rows.sum(axis=1)
    wrong = np.abs(sums - 1) > 1e-2
    if wrong.any():
        index, value = first_bad(sums, wrong)
        raise ArgumentError(
            f"{at_user(loss)}: each row of the labels is a probability distribution, but row "
            f"{index[0]} sums to {value}.\nFix: labels / labels.sum(axis=1, keepdims=True); for "
            "classes that do not exclude each other, binary_cross_entropy_with_logits."
        )


def refuse_softmax(loss: str, logits: Any) -> None:
    """Refuse rows that have gone through a softmax.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> refuse_softmax("cross_entropy", np.zeros((2, 3)))
    """
    inside = logits.size and logits.min() >= 0 and logits.max() <= 1
    if inside and np.allclose(logits.sum(axis=1), 1, atol=1e-4):
        raise ArgumentError(
            f"{at_user(loss)}: the logits {logits.shape} are probabilities already: each row lies "
            "in [0, 1] and sums to 1. The loss takes the softmax itself.\n"
            "Fix: leave the softmax out of the network."
        )


def refuse_sigmoid(loss: str, logits: Tensor) -> None:
    """Refuse what a sigmoid has just made, under `detect_anomaly`.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> refuse_sigmoid("binary_cross_entropy_with_logits", as_tensor(np.zeros(3)))
    """
    node = logits.node
    if MODE.get().anomaly and node is not None and node.primitive.name == "sigmoid":
        raise ArgumentError(
            f"{at_user(loss)}: the logits {logits.shape} are probabilities already, made by a "
            "sigmoid. The loss takes the sigmoid itself.\n"
            "Fix: leave the sigmoid out of the network, or use binary_cross_entropy."
        )


def _mismatch(loss: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> ShapeError:
    if np.prod(prediction) == np.prod(target):
        fix = f"target.reshape({prediction})."
    elif target == prediction[:-1]:
        fix = f"for class labels, one-hot rows: np.eye({prediction[-1]})[target]."
    else:
        fix = f"np.broadcast_to(target, {prediction}), if that is meant."
    return ShapeError(
        f"{at_user(loss)}: the prediction has shape {prediction} and the target {target}; they "
        f"are not broadcast.\nFix: {fix}"
    )


def at_user(loss: str) -> str:
    """The loss for a message, with the module at work and the user's line."""
    path = MODE.get().path()
    return f"{loss}{f' in {path}' if path else ''} at {user_line()}"


def array_of(labels: Any) -> Any:
    """The values of a tensor; an array as it is."""
    return labels.data if isinstance(labels, Tensor) else labels


def first_bad(values: Any, bad: Any) -> tuple[tuple[int, ...], Any]:
    """Index and value of the first element that is marked as bad."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return index, values[index]


def wrong_element(loss: str, rule: str, values: Any, bad: Any, fix: str) -> ArgumentError:
    """The error that names a rule and the first element that breaks it."""
    index, value = first_bad(values, bad)
    return ArgumentError(
        f"{at_user(loss)}: {rule}, but the one at index {index} is {value}.\nFix: {fix}."
    )
