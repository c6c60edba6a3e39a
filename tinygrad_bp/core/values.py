"""`Values`: what a tensor holds, the two doors through which it is changed, and its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_bp.core.graph import Variable, Version
from tinygrad_bp.core.hooks import retains
from tinygrad_bp.core.messages import named, numbers, require_float
from tinygrad_bp.errors import (
    DTypeError,
    GradientNotKeptError,
    InplaceError,
    ShapeError,
    user_line,
    user_place,
)

if TYPE_CHECKING:
    from typing import Self

    from tinygrad_bp.core.tensor import Tensor


class Values(Variable):
    """The values of a tensor, which the graph has to know of when they change."""

    __slots__ = ("_grad", "name")

    _grad: Tensor | None
    name: str | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        shape: tuple[int, ...] = self._data.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        dtype: np.dtype[Any] = self._data.dtype
        return dtype

    @property
    def data(self) -> Any:
        """The values: an array in the memory of the tensor, or a NumPy scalar.

        Setting it, as ``w.data = values`` and ``w.data -= step`` do, gives a leaf other memory. The
        graph learns of it, as it does of `assign`; of what is written *into* the array, as by
        ``w.data[0] = 1``, it cannot.

        Raises
        ------
        InplaceError
            When it is set: the tensor is an intermediate value of a graph.
        DTypeError
            When it is set: no numbers, or none for which the tensor could require a gradient.
        ShapeError
            When it is set: the gradient that the tensor has is of another shape or dtype.
        """
        return self._data

    @data.setter
    def data(self, values: Any) -> None:
        array = numbers(values._data if isinstance(values, Variable) else values)
        if self.node is not None:
            raise InplaceError(
                f"the values of a tensor{named(self)} {self.shape} cannot be set: they were made "
                f"by {self.node.primitive.name!r}{self.node.where()} (at {user_line()}).\n"
                "Fix: compute a new tensor, or take a copy first: Tensor(t.detach())."
            )
        require_float(self.requires_grad, array.dtype, self.name)
        grad = self._grad
        if grad is not None and (grad.shape != array.shape or grad.dtype != array.dtype):
            raise ShapeError(
                f"values of shape {array.shape} and dtype {array.dtype} do not go with the "
                f"gradient of a tensor{named(self)} of shape {self.shape} and dtype {self.dtype} "
                f"(at {user_line()}). Nothing was changed.\nFix: set t.grad = None first."
            )
        if array is not self._data or self.version is None:
            self.version = Version()
        self.version.advance(user_place())
        self._data = array

    @property
    def grad(self) -> Tensor | None:
        """The gradient: None before a backward pass has reached this tensor.

        Raises
        ------
        GradientNotKeptError
            The tensor is an intermediate value, and `retain_grad` was not called on it.
        DTypeError
            When it is set: to something that is neither a tensor nor None.
        ShapeError
            When it is set: the gradient has another shape or dtype than the values.
        """
        if self._grad is None and self.node is not None and not retains(self.node):
            raise GradientNotKeptError(
                f"the gradient of an intermediate tensor{named(self)} {self.shape} (made by "
                f"{self.node.primitive.name!r}{self.node.where()}) is not kept.\n"
                "Fix: call retain_grad() on it before backward(), or read the gradient of a leaf."
            )
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Variable):
            raise DTypeError(
                f"the gradient of a tensor{named(self)} {self.shape} is a tensor or None, not of "
                f"type {type(value).__name__} (at {user_line()}).\n"
                "Fix: t.grad = None to begin anew, or t.grad = Tensor(values)."
            )
        if value is not None and (value.shape != self.shape or value.dtype != self.dtype):
            raise ShapeError(
                f"a gradient of shape {value.shape} and dtype {value.dtype} does not belong to a "
                f"tensor{named(self)} of shape {self.shape} and dtype {self.dtype} (at "
                f"{user_line()}).\nFix: give it that shape and dtype, as with astype()."
            )
        self._grad = value

    def assign(self, values: Any) -> Self:
        """Write new values into this leaf, in place: the one door for changing a tensor.

        The graph learns of it: a backward pass that would need the old values is an error.

        Parameters
        ----------
        values : array_like
            Broadcast to the shape of the tensor, and cast to its dtype.

        Returns
        -------
        Tensor
            This tensor.

        Raises
        ------
        InplaceError
            The tensor is an intermediate value of a graph, or shares its memory.
        ShapeError
            The values do not broadcast to the shape. Nothing was changed.
        """
        if self.node is not None or (self.version is not None and not self.version.assignable):
            raise InplaceError(
                f"a tensor{named(self)} {self.shape} that belongs to a recorded graph cannot be "
                f"assigned to (at {user_line()}). Nothing was changed.\n"
                "Fix: compute a new tensor, as with np.where(mask, values, t), or take a copy "
                "first: Tensor(t.detach())."
            )
        array = np.asarray(values._data if isinstance(values, Variable) else values)
        if array.dtype.kind == "c" and self.dtype.kind != "c":
            raise DTypeError(
                f"complex values cannot be assigned to a tensor{named(self)} of dtype {self.dtype} "
                f"(at {user_line()}). Nothing was changed.\nFix: pass their real part."
            )
        try:
            array = np.broadcast_to(array, self.shape)
        except ValueError as error:
            raise ShapeError(
                f"values of shape {array.shape} cannot be assigned to a tensor{named(self)} of "
                f"shape {self.shape} (at {user_line()}). Nothing was changed.\n"
                "Fix: pass values that broadcast to that shape; t.data = values takes any shape."
            ) from error
        if isinstance(self._data, np.ndarray) and self._data.flags.writeable:
            np.copyto(self._data, array, casting="unsafe")
        else:
            self._data = np.array(array, self.dtype)
        if self.version is None:
            self.version = Version()
        self.version.advance(user_place())
        return self
