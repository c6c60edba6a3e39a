"""The methods of `numpy.ndarray` on tensors, each by NumPy's function of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tinygrad_bp.core.messages import full_name, named
from tinygrad_bp.core.methods import Operators
from tinygrad_bp.core.registry import answer_for
from tinygrad_bp.errors import InplaceError, OperationError, user_line

if TYPE_CHECKING:
    from tinygrad_bp.core.tensor import Tensor

Axis = int | tuple[int, ...] | None


def _in_place(name: str, fix: str) -> Any:
    """The method of an array that writes into it, which on a tensor is an error."""

    def method(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise InplaceError(
            f"t.{name}() would write into a tensor{named(self)} {self.shape} (at {user_line()}). "
            f"Nothing was changed.\nFix: {fix}"
        )

    method.__doc__ = f"Refused, as it writes into the values. {fix[0].upper()}{fix[1:]}"
    return method


class ArrayMethods(Operators):
    """Methods of `numpy.ndarray`, differentiable where NumPy's are."""

    __slots__ = ()

    def _numpy(self, function: Any, *args: Any, **kwargs: Any) -> Tensor:
        answer: Any = answer_for(function)
        try:
            result: Tensor = answer(self, *args, **kwargs)
        except TypeError as error:
            rest = str(error).partition(" got an unexpected keyword argument '")[2]
            keyword = rest.partition("'")[0]
            if keyword not in kwargs:
                raise
            raise OperationError(
                f"t.{function.__name__}() has no argument {keyword!r} (at {user_line()}).\n"
                f"Fix: pass what {full_name(function)} takes; NumPy says axis= and keepdims=, "
                "never dim=."
            ) from error
        return result

    def sum(self, axis: Axis = None, dtype: Any = None, out: None = None, **kwargs: Any) -> Tensor:
        """Sum over `axis`; see `numpy.sum`, for `keepdims`, `initial` and `where` too."""
        return self._numpy(np.sum, axis=axis, dtype=dtype, out=out, **kwargs)

    def mean(self, axis: Axis = None, dtype: Any = None, out: None = None, **kwargs: Any) -> Tensor:
        """Mean over `axis`; see `numpy.mean`, for `keepdims` and `where` too."""
        return self._numpy(np.mean, axis=axis, dtype=dtype, out=out, **kwargs)

    def var(
        self, axis: Axis = None, dtype: Any = None, out: None = None, ddof: float = 0, **kwargs: Any
    ) -> Tensor:
        """Variance over `axis`; see `numpy.var`, for `keepdims`, `where` and `mean` too."""
        return self._numpy(np.var, axis=axis, dtype=dtype, out=out, ddof=ddof, **kwargs)

    def std(
        self, axis: Axis = None, dtype: Any = None, out: None = None, ddof: float = 0, **kwargs: Any
    ) -> Tensor:
        """Standard deviation over `axis`; see `numpy.std`."""
        return self._numpy(np.std, axis=axis, dtype=dtype, out=out, ddof=ddof, **kwargs)

    def prod(self, axis: Axis = None, dtype: Any = None, out: None = None, **kwargs: Any) -> Tensor:
        """Product over `axis`; see `numpy.prod`, for `keepdims`, `initial` and `where` too."""
        return self._numpy(np.prod, axis=axis, dtype=dtype, out=out, **kwargs)

    def cumsum(self, axis: int | None = None, dtype: Any = None, out: None = None) -> Tensor:
        """Running sum along `axis`; see `numpy.cumsum`."""
        return self._numpy(np.cumsum, axis=axis, dtype=dtype, out=out)

    def cumprod(self, axis: int | None = None, dtype: Any = None, out: None = None) -> Tensor:
        """Running product along `axis`; see `numpy.cumprod`."""
        return self._numpy(np.cumprod, axis=axis, dtype=dtype, out=out)

    def max(self, axis: Axis = None, out: None = None, **kwargs: Any) -> Tensor:
        """Largest element over `axis`; see `numpy.max`. Ties share the gradient evenly."""
        return self._numpy(np.max, axis=axis, out=out, **kwargs)

    def min(self, axis: Axis = None, out: None = None, **kwargs: Any) -> Tensor:
        """Smallest element over `axis`; see `numpy.min`. Ties share the gradient evenly."""
        return self._numpy(np.min, axis=axis, out=out, **kwargs)

    def argmax(self, axis: int | None = None, **kwargs: Any) -> Tensor:
        """Index of the largest element, a constant; see `numpy.argmax`."""
        return self._numpy(np.argmax, axis=axis, **kwargs)

    def argmin(self, axis: int | None = None, **kwargs: Any) -> Tensor:
        """Index of the smallest element, a constant; see `numpy.argmin`."""
        return self._numpy(np.argmin, axis=axis, **kwargs)

    def argsort(self, axis: int | None = -1, **kwargs: Any) -> Tensor:
        """Indices that would sort, a constant; see `numpy.argsort`."""
        return self._numpy(np.argsort, axis=axis, **kwargs)

    def argpartition(self, kth: Any, axis: int | None = -1, **kwargs: Any) -> Tensor:
        """Indices that would partition, a constant; see `numpy.argpartition`."""
        return self._numpy(np.argpartition, kth, axis=axis, **kwargs)

    def searchsorted(self, v: Any, side: Any = "left", sorter: Any = None) -> Tensor:
        """Places where `v` would be inserted, a constant; see `numpy.searchsorted`."""
        return self._numpy(np.searchsorted, v, side=side, sorter=sorter)

    def nonzero(self) -> Any:
        """Indices of the elements that are not 0; see `numpy.nonzero`."""
        return self._numpy(np.nonzero)

    def all(self, axis: Axis = None, **kwargs: Any) -> Tensor:
        """Whether all elements are true, a constant; see `numpy.all`."""
        return self._numpy(np.all, axis=axis, **kwargs)

    def any(self, axis: Axis = None, **kwargs: Any) -> Tensor:
        """Whether any element is true, a constant; see `numpy.any`."""
        return self._numpy(np.any, axis=axis, **kwargs)

    def round(self, decimals: int = 0) -> Tensor:
        """Rounded elements, a constant; see `numpy.round`."""
        return self._numpy(np.round, decimals)

    def clip(self, min: Any = None, max: Any = None, out: None = None, **kwargs: Any) -> Tensor:
        """Limit the elements to ``[min, max]``; see `numpy.clip`."""
        return self._numpy(np.clip, min, max, out=out, **kwargs)

    def conj(self) -> Tensor:
        """The complex conjugate; see `numpy.conj`."""
        return self._numpy(np.conjugate)

    conjugate = conj

    @property
    def real(self) -> Tensor:
        """The real part; see `numpy.real`."""
        return self._numpy(np.real)

    @property
    def imag(self) -> Tensor:
        """The imaginary part; see `numpy.imag`."""
        return self._numpy(np.imag)

    def dot(self, other: Any) -> Tensor:
        """Dot product; see `numpy.dot`."""
        return self._numpy(np.dot, other)

    def trace(
        self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
    ) -> Tensor:
        """Sum along a diagonal; see `numpy.trace`."""
        return self._numpy(np.trace, offset, axis1, axis2, dtype=dtype, out=out)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """The elements of a diagonal; see `numpy.diagonal`."""
        return self._numpy(np.diagonal, offset, axis1, axis2)

    def take(
        self, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
    ) -> Tensor:
        """Elements at integer places along `axis`; see `numpy.take`."""
        return self._numpy(np.take, indices, axis=axis, out=out, mode=mode)

    def repeat(self, repeats: Any, axis: int | None = None) -> Tensor:
        """Elements several times; see `numpy.repeat`."""
        return self._numpy(np.repeat, repeats, axis=axis)

    def compress(self, condition: Any, axis: int | None = None, out: None = None) -> Tensor:
        """The slices for which a condition holds; see `numpy.compress`."""
        answer: Any = answer_for(np.compress)
        result: Tensor = answer(condition, self, axis=axis, out=out)
        return result

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Tensor:
        """Elements of the choices that the values number; see `numpy.choose`."""
        return self._numpy(np.choose, choices, out=out, mode=mode)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Tensor:
        """Another shape for the same elements; see `numpy.reshape`."""
        target = shape[0] if len(shape) == 1 else shape
        return self._numpy(np.reshape, target, order=order, copy=copy)

    def flatten(self, order: str = "C") -> Tensor:
        """One axis for all elements."""
        return self._numpy(np.reshape, (-1,), order=order)

    def ravel(self, order: str = "C") -> Tensor:
        """One axis for all elements; see `numpy.ravel`."""
        return self._numpy(np.reshape, (-1,), order=order)

    def transpose(self, *axes: Any) -> Tensor:
        """Permute the axes, or reverse them; see `numpy.transpose`."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return self._numpy(np.transpose, order or None)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """Exchange two axes; see `numpy.swapaxes`."""
        return self._numpy(np.swapaxes, axis1, axis2)

    def copy(self, order: str = "C") -> Tensor:
        """A copy of the values, through which the gradient flows."""
        return self._numpy(np.copy, order=order)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Drop axes of length 1; see `numpy.squeeze`."""
        return self._numpy(np.squeeze, axis=axis)

    @property
    def T(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its axes reversed."""
        return self._numpy(np.transpose)

    @property
    def mT(self) -> Tensor:  # noqa: N802 - NumPy's name
        """The tensor with its last two axes exchanged; see `numpy.matrix_transpose`."""
        return self._numpy(np.matrix_transpose)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return int(self._data.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return int(self._data.nbytes)

    sort = _in_place("sort", "np.sort(t) returns a sorted tensor.")
    partition = _in_place("partition", "np.partition(t, kth) returns a partitioned tensor.")
    fill = _in_place("fill", "np.full_like(t, value), or t.assign(value) for a leaf.")
    put = _in_place("put", "t.at[index].set(values) returns a new tensor.")
    resize = _in_place("resize", "np.resize(t, shape) returns a new tensor.")
