"""What the losses beyond the common ones ask of targets and weights, and how they are reduced."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_bp.nn.targets import (
    Reduction,
    array_of,
    at_user,
    check_reduction,
    first_bad,
    scale,
    wrong_element,
)


def reduced(loss: str, each: Any, reduction: Reduction) -> Tensor:
    """Each number of a loss, their mean or their sum.

    Raises
    ------
    ArgumentError
        There is no such reduction.
    ShapeError
        The mean of nothing was asked for.

    Examples
    --------
    >>> reduced("l1_loss", as_tensor(np.array([1.0, 2.0])), "mean").item()
    1.5
    """
    if reduction == "none":
        return as_tensor(each)
    scale(loss, reduction, each.size)  # which refuses the mean of nothing
    total: Tensor = each.sum() if reduction == "sum" else each.mean()
    return total


def checked(loss: str, reduction: str, **numbers: Any) -> None:
    """Refuse a reduction that there is not, and settings that are negative or no number.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> checked("margin_ranking_loss", "mean", eps=0.5)
    """
    check_reduction(loss, reduction)
    for name, value in numbers.items():
        if not 0 <= value < float("inf"):
            raise ArgumentError(
                f"{at_user(loss)}: {name} is {value!r}.\nFix: {name} >= 0, and finite."
            )


def reals(*inputs: Any) -> list[Tensor]:
    """The inputs as tensors of real numbers: whole ones take the dtype of the others.

    Of uint8, 0 - 1 would be 255.

    Examples
    --------
    >>> reals(np.array([1, 2], np.uint8), np.zeros(2, np.float32))
    [Tensor([1., 2.], dtype=float32), Tensor([0., 0.], dtype=float32)]
    """
    tensors = [as_tensor(x) for x in inputs]
    if all(t.dtype.kind == "f" for t in tensors):
        return tensors
    dtype = np.result_type(*[t.dtype for t in tensors if t.dtype.kind == "f"] or [np.dtype(float)])
    return [t if t.dtype.kind == "f" else t.astype(dtype) for t in tensors]


def same_shape(loss: str, **inputs: Any) -> list[Tensor]:
    """The inputs as tensors of one shape.

    Raises
    ------
    ShapeError
        Names all of them.

    Examples
    --------
    >>> same_shape("contrastive_loss", x1=[1.0], x2=[2.0])
    [Tensor([1.]), Tensor([2.])]
    """
    tensors = reals(*inputs.values())
    if any(t.shape != tensors[0].shape for t in tensors):
        shapes = ", ".join(f"{name} {t.shape}" for name, t in zip(inputs, tensors, strict=True))
        raise ShapeError(
            f"{at_user(loss)}: the shapes of {shapes} differ; they are not broadcast.\n"
            "Fix: pass inputs of one shape."
        )
    return tensors


def one_for_each(loss: str, target: Any, shape: tuple[int, ...]) -> Any:
    """A target with one element for each sample, as an array or tensor.

    Raises
    ------
    ShapeError
        It has another shape.

    Examples
    --------
    >>> one_for_each("multi_margin_loss", [2, 0], (2,))
    array([2, 0])
    """
    y = target if isinstance(target, (Tensor, np.ndarray)) else np.asarray(target)
    if y.shape != shape:
        raise ShapeError(
            f"{at_user(loss)}: the target has shape {y.shape}, and there is one for each sample: "
            f"{shape}.\nFix: "
            + (
                f"target.reshape({shape})."
                if y.size == np.prod(shape)
                else "pass one target for each sample."
            )
        )
    return y


def check_signs(loss: str, target: Any) -> None:
    """Refuse targets that are neither 1 nor -1.

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_signs("hinge_loss", np.array([1, -1]))
    """
    y = array_of(target)
    bad = np.abs(y) != 1
    if bad.any():
        zero_one = np.isin(y, (0, 1)).all()
        fix = "2 * target - 1, for targets 0 and 1" if zero_one else "pass 1 and -1"
        raise wrong_element(loss, "targets are 1 or -1", y, bad, fix)


def check_binary(loss: str, target: Any) -> None:
    """Refuse targets that are neither 0 nor 1.

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_binary("contrastive_loss", np.array([1, 0]))
    """
    y = array_of(target)
    bad = (y != 0) & (y != 1)
    if bad.any():
        signs = np.isin(y, (-1, 1)).all()
        fix = "target > 0, for targets 1 and -1" if signs else "pass 0 and 1"
        raise wrong_element(loss, "targets are 0 or 1", y, bad, fix)


def check_not_negative(loss: str, what: str, given: Any, fix: str) -> None:
    """Refuse numbers below 0.

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_not_negative("poisson_nll_loss", "counts", np.array([0, 3]), "pass counts")
    """
    y = array_of(given)
    bad = ~(y >= 0)
    if bad.any():
        raise wrong_element(loss, f"{what} are 0 or more", y, bad, fix)


def class_weight(loss: str, weight: Any, classes: int, dtype: Any) -> Any:
    """The weight of each class as an array; None where there is none.

    Raises
    ------
    ArgumentError
        It is a text, or there are negative ones.
    ShapeError
        It is not one number for each class.

    Examples
    --------
    >>> class_weight("nll_loss", [1, 2, 0.5], 3, float)
    array([1. , 2. , 0.5])
    """
    if weight is None:
        return None
    w = element_weight(loss, weight, None, dtype)
    if w.shape != (classes,):
        raise ShapeError(
            f"{at_user(loss)}: weight has shape {w.shape}, and there are {classes} classes.\n"
            f"Fix: pass one number for each class: shape ({classes},)."
        )
    check_not_negative(loss, "weights", w, "pass 0 for a class that does not count")
    return w


def element_weight(
    loss: str, weight: Any, shape: tuple[int, ...] | None, dtype: Any, name: str = "weight"
) -> Any:
    """The weight of each element as an array or tensor that broadcasts to `shape`.

    Raises
    ------
    ArgumentError
        It is a text.
    ShapeError
        It does not broadcast.

    Examples
    --------
    >>> element_weight("binary_cross_entropy", 2, (3,), float)
    array(2.)
    """
    if isinstance(weight, str):
        raise ArgumentError(
            f"{at_user(loss)}: {name} is {weight!r}.\nFix: reduction={weight!r}, by its name."
        )
    if isinstance(weight, Tensor) and weight.requires_grad:
        w: Any = weight
    else:
        w = np.asarray(array_of(weight))
        w = w.astype(dtype if np.dtype(dtype).kind == "f" else float, copy=False)
    if shape is not None:
        try:
            fits = np.broadcast_shapes(w.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                f"{at_user(loss)}: {name} has shape {w.shape}, which does not broadcast to "
                f"{shape}.\nFix: pass a number for each element, or for each of the last axis."
            )
    return w


def refuse_probabilities(loss: str, prediction: Any, axis: int) -> None:
    """Refuse probabilities where their logarithms belong: each row in [0, 1], of sum 1.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> refuse_probabilities("kl_div", np.log(np.array([[0.25, 0.75]])), 1)
    """
    x = array_of(prediction)
    if x.size and x.min() >= 0 and np.allclose(x.sum(axis=axis), 1, atol=1e-4):
        raise ArgumentError(
            f"{at_user(loss)}: it takes the logarithms of probabilities, but got the "
            f"probabilities {x.shape} themselves: they are not negative and sum to 1.\n"
            "Fix: log_softmax in place of softmax; or np.log(probabilities)."
        )


def check_log_probabilities(loss: str, prediction: Any, axis: int) -> None:
    """Refuse what is no logarithm of a probability: probabilities themselves, and logits.

    Raises
    ------
    ArgumentError

    Examples
    --------
    >>> check_log_probabilities("nll_loss", np.log(np.array([[0.25, 0.75]])), 1)
    """
    refuse_probabilities(loss, prediction, axis)
    x = array_of(prediction)
    if x.size and x.max() > 1e-3:
        rule = "it takes the logarithms of probabilities, which are not above 0"
        logits = "; or cross_entropy, which takes logits" if loss == "nll_loss" else ""
        raise wrong_element(loss, rule, x, x > 1e-3, f"log_softmax as the last layer{logits}")


def integers(loss: str, labels: Any, what: str) -> Any:
    """Labels as an array of integers.

    Raises
    ------
    DTypeError
        They are not integers.

    Examples
    --------
    >>> integers("multi_margin_loss", [2, 0], "the target holds")
    array([2, 0])
    """
    y = np.asarray(array_of(labels))
    if y.dtype.kind not in "iu" and y.size:
        raise DTypeError(
            f"{at_user(loss)}: {what} class numbers and therefore integers, not {y.dtype}.\n"
            "Fix: target.astype(int)."
        )
    return y.astype(np.intp)


def check_classes(loss: str, labels: Any, classes: int) -> None:
    """Refuse labels that are no number of a class.

    Raises
    ------
    ArgumentError
        Names the first of them.

    Examples
    --------
    >>> check_classes("multi_margin_loss", np.array([2, 0]), 3)
    """
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        index, value = first_bad(labels, bad)
        raise ArgumentError(
            f"{at_user(loss)}: the label at index {index} is {value}, but logits of {classes} "
            f"classes have labels 0 to {classes - 1}.\nFix: number the classes from 0."
        )
