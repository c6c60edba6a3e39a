"""What transforms check and say: cotangents that fit, names of functions, a warning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import DTypeError, ShapeError, user_line
from tinygrad_bp.transforms.linear import zeros
from tinygrad_bp.transforms.trees import kind_of


class IndependentWarning(UserWarning):
    """What a derivative was asked of does not depend on what it was asked for."""


def fitting(value: Any, variable: Tensor, what: str) -> Any:
    """A tangent or cotangent in the dtype of what it belongs to, if it has its shape."""
    if value is None:
        return zeros(variable)._data
    array = value if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"{what} is {kind_of(value)}, not real numbers (at {user_line()}).\n"
            f"Fix: pass numbers of shape {variable.shape}."
        )
    if array.shape != variable.shape:
        raise ShapeError(
            f"{what} has shape {array.shape}, but it belongs to numbers of shape {variable.shape} "
            f"(at {user_line()}).\nFix: pass shape {variable.shape}."
        )
    return array if array.dtype == variable.dtype else array.astype(variable.dtype)


def name_of(fun: Any) -> str:
    """What a function is called in messages."""
    return str(getattr(fun, "__name__", None) or type(fun).__name__)


def values_of(parts: Sequence[Any]) -> list[Any]:
    """The arrays of tensors, for a pass that is not recorded."""
    return [x._data if isinstance(x, Tensor) else x for x in parts]
