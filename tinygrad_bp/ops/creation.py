"""Functions that make arrays, which ask tensors only when one is given as ``like=``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor, implements, without_derivative
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import OperationError, user_line
from tinygrad_bp.ops.refused import needs_gradient

without_derivative(
    dict.fromkeys(
        (np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.arange),
        "the result does not depend on the values",
    )
)


def _joined(value: Any) -> Any:
    """Nested lists that hold tensors as one tensor, and anything else as an array in one."""
    if isinstance(value, Variable):
        return value
    if needs_gradient(value):
        return np.stack([_joined(part) for part in value])
    return Tensor(value)


def _only_plain(name: str, options: dict[str, Any]) -> None:
    """Refuse what tensors do not have: another memory order, or another device."""
    plain = {"order": (None, "C", "K", "A"), "device": (None, "cpu"), "subok": (True, False)}
    for word, value in options.items():
        if value not in plain.get(word, ()):
            raise OperationError(
                f"np.{name} with {word}={value!r} is not available on tensors (at {user_line()})."
                f"\nFix: leave {word} away."
            )


@implements(np.array)
def array(
    object: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, **options: Any
) -> Any:
    """The values as one tensor, also out of nested lists of tensors; see `numpy.array`.

    NumPy calls it only with ``like=``: without, lists of tensors are turned into numbers, which is
    an error where one of them requires a gradient.

    Raises
    ------
    OperationError
        A memory order or a device was asked for.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> np.array([x, x * x], like=x)
    Tensor([2., 4.], made by stack)
    """
    _only_plain("array", options)
    values = _joined(object)
    if dtype is not None and np.dtype(dtype) != values.dtype:
        values = values.astype(dtype)
    elif values is object and copy:
        values = np.copy(values)
    missing = ndmin - values.ndim
    return values if missing <= 0 else np.reshape(values, (1,) * missing + values.shape)


@implements(np.asarray, np.asanyarray)
def asarray(a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    """The tensor itself, or what `array` makes of lists; see `numpy.asarray`.

    NumPy calls it only with ``like=``.
    """
    copy = options.pop("copy", None)
    return array(a, dtype, copy=copy, order=order, **options)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """An array filled with a value, to which the gradient flows; see `numpy.full`.

    NumPy calls it only with ``like=``.

    Raises
    ------
    OperationError
        A memory order or a device was asked for.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> np.full((2, 3), x, like=x).sum().backward()
    >>> x.grad
    Tensor(6.)
    """
    _only_plain("full", options)
    value = as_tensor(fill_value)
    value = value if dtype is None else value.astype(dtype)
    return np.copy(np.broadcast_to(value, shape))
