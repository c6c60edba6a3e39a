"""The tensors that belong to a module: those that are trained, and those that are only kept."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor
from tinygrad_bp.nn.arguments import real


class Parameter(Tensor):
    """A tensor that is trained: a leaf that requires a gradient.

    Parameters
    ----------
    data : array_like
        The first values. They are copied.
    dtype : dtype, optional
        NumPy's choice for `data` unless given.
    name : str, optional
        Shown in pictures and messages.

    Raises
    ------
    DTypeError
        The dtype is not one of real floating-point numbers.

    Examples
    --------
    >>> Parameter([1.0, 2.0], name="scale")
    Tensor([1., 2.], name='scale', requires_grad=True)
    """

    __slots__ = ()

    def __init__(
        self, data: Any, dtype: npt.DTypeLike | None = None, name: str | None = None
    ) -> None:
        kind = None if dtype is None else real(dtype)
        super().__init__(data, requires_grad=True, dtype=kind, name=name)


class Buffer(Tensor):
    """A tensor that is saved with its module but not trained, as a running mean.

    A plain constant tensor as an attribute is *not* saved, so that a module may keep what it
    computed last. New values are written with `assign`.

    Parameters
    ----------
    data : array_like
        The first values. They are copied.
    dtype : dtype, optional
        NumPy's choice for `data` unless given.
    name : str, optional
        Shown in pictures and messages.

    Examples
    --------
    >>> Buffer([0.0, 0.0]).requires_grad
    False
    """

    __slots__ = ()

    def __init__(
        self, data: Any, dtype: npt.DTypeLike | None = None, name: str | None = None
    ) -> None:
        super().__init__(data, dtype=dtype, name=name)
