"""Bilinear forms, and vectors of length 1, as functions of tensors; `nn.functional` offers them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn.arguments import weak
from tinygrad_bp.nn.targets import at_user


def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Tensor:
    r"""A number for each of several bilinear forms, :math:`x_1^\top W_k x_2 + b_k`.

    Parameters
    ----------
    x1 : array_like
        Shape (..., in1_features).
    x2 : array_like
        Shape (..., in2_features), with the same axes before the last.
    weight : array_like
        Shape (out_features, in1_features, in2_features).
    bias : array_like, optional
        Shape (out_features,).

    Raises
    ------
    ShapeError
        The shapes do not go together.

    Examples
    --------
    >>> bilinear([1.0, 2.0], [3.0, 4.0], np.array([np.eye(2)]), [0.5])
    Tensor([11.5])
    """
    x1, x2, weight = as_tensor(x1), as_tensor(x2), as_tensor(weight)
    sizes = (*x1.shape[-1:], *x2.shape[-1:])
    if weight.ndim != 3 or sizes != weight.shape[1:] or x1.shape[:-1] != x2.shape[:-1]:
        raise ShapeError(
            f"{at_user('bilinear')}: inputs {x1.shape} and {x2.shape}, with a weight of shape "
            f"{weight.shape}.\nFix: (…, n) and (…, m), alike but for the last axis, with (k, n, m)."
        )
    if bias is not None and np.shape(bias) != weight.shape[:1]:
        raise ShapeError(
            f"{at_user('bilinear')}: a bias of shape {np.shape(bias)}, with a weight of shape "
            f"{weight.shape}.\nFix: a bias of shape {weight.shape[:1]}."
        )
    forms: Any = np.tensordot(x1, weight, (-1, 1))
    found: Any = np.matmul(forms, np.expand_dims(x2, -1))[..., 0]
    result: Tensor = found if bias is None else found + as_tensor(bias)
    return result


def normalize(
    x: Any, p: float = 2.0, axis: int = 1, eps: float = 1e-12, *, dim: int | None = None
) -> Tensor:
    """Vectors along an axis, divided by their length.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float, default 2.0
        Of which norm the length is meant.
    axis : int, default 1
        That of the vectors.
    eps : float, default 1e-12
        Shorter vectors are divided by this.
    dim : int, optional
        The axis, by PyTorch's name for it.

    Raises
    ------
    ShapeError
        There is no such axis.
    ArgumentError
        `eps` is negative.

    Examples
    --------
    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    Tensor([[0.6, 0.8],
            [0. , 0. ]])
    """
    eps = weak(eps)
    x, axis = as_tensor(x), axis if dim is None else dim
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(
            f"{at_user('normalize')}: there is no axis {axis} in shape {x.shape}.\n"
            "Fix: name the axis of the vectors, as axis=-1."
        )
    if not 0 <= eps < math.inf:
        raise ArgumentError(f"{at_user('normalize')}: eps is {eps!r}.\nFix: eps >= 0, and finite.")
    length: Any = np.linalg.norm(x, ord=p, axis=axis, keepdims=True)
    result: Tensor = x / np.maximum(length, eps)
    return result
