"""What a tensor shares with `numpy.ndarray`: operators, conversions and NumPy's protocols.

Each operator calls what is registered for NumPy's function of its name. They are kept apart from
`Tensor` so that the graph's own part of it can be read in one sitting.
"""

from __future__ import annotations

import opcode
import operator
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.messages import full_name, named, unknown
from tinygrad_bp.core.registry import FUNCTIONS, UFUNC_METHODS, answer_for
from tinygrad_bp.errors import ConversionError, InplaceError, ShapeError, user_line

if TYPE_CHECKING:
    from tinygrad_bp.core.tensor import Tensor

_OPERANDS = (Variable, np.ndarray, np.generic, int, float, complex, list, tuple)
_STORE = opcode.opmap["STORE_SUBSCR"]  # what Python runs for ``out[i] = value``
_READERS = ("numpy.testing", "numpy._core.arrayprint")  # what they compute with it, they keep
_COMMON = {float, int, np.ndarray}  # found at once; `Tensor` adds itself


def _binary(function: Any) -> Callable[[Any, Any], Tensor]:
    """The method of a binary operator; types that it does not know may answer themselves."""

    def method(self: Any, other: Any) -> Any:
        if type(other) in _COMMON or isinstance(other, _OPERANDS):
            return FUNCTIONS[function](self, other)
        return NotImplemented

    method.__doc__ = f"See `numpy.{function.__name__}`."
    return method


def _reflected(function: Any) -> Callable[[Any, Any], Tensor]:
    """The method of a binary operator whose left operand is not a tensor."""

    def method(self: Any, other: Any) -> Any:
        if type(other) in _COMMON or isinstance(other, _OPERANDS):
            return FUNCTIONS[function](other, self)
        return NotImplemented

    method.__doc__ = f"See `numpy.{function.__name__}`, with the operands exchanged."
    return method


def _unary(function: Any) -> Callable[[Any], Tensor]:
    def method(self: Any) -> Any:
        return FUNCTIONS[function](self)

    method.__doc__ = f"See `numpy.{function.__name__}`."
    return method


class Operators:
    """Operators and conversions of `numpy.ndarray`, differentiable where NumPy's are."""

    __slots__ = ()

    _data: Any
    node: Any
    name: str | None
    requires_grad: bool
    shape: Any
    dtype: Any

    __add__, __radd__ = _binary(np.add), _reflected(np.add)
    __sub__, __rsub__ = _binary(np.subtract), _reflected(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply), _reflected(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide), _reflected(np.divide)
    __pow__, __rpow__ = _binary(np.power), _reflected(np.power)
    __matmul__, __rmatmul__ = _binary(np.matmul), _reflected(np.matmul)
    __mod__, __rmod__ = _binary(np.remainder), _reflected(np.remainder)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide), _reflected(np.floor_divide)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)

    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __eq__ = _binary(np.equal)  # type: ignore[assignment] # element by element, as NumPy's
    __ne__ = _binary(np.not_equal)  # type: ignore[assignment]
    __and__, __rand__ = _binary(np.bitwise_and), _reflected(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or), _reflected(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor), _reflected(np.bitwise_xor)
    __lshift__, __rlshift__ = _binary(np.left_shift), _reflected(np.left_shift)
    __rshift__, __rrshift__ = _binary(np.right_shift), _reflected(np.right_shift)
    __divmod__, __rdivmod__ = _binary(np.divmod), _reflected(np.divmod)
    __invert__ = _unary(np.invert)
    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self._data.size)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self._data)))

    def __getitem__(self, index: Any) -> Tensor:
        result: Tensor = FUNCTIONS[operator.getitem](self, index)
        return result

    @property
    def at(self) -> Any:
        """Copies with some elements changed, in place of writing to them.

        ``x.at[index].set(v)``, and ``add``, ``subtract``, ``multiply``, ``divide``, ``power``,
        ``min``, ``max``; `index` is whatever ``x[index]`` takes, and gradients flow to `x` and `v`.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> tg.Tensor([1.0, 2.0, 3.0]).at[-1].set(0.0)
        Tensor([1., 2., 0.])
        """
        indexer: Any = answer_for("at")
        return indexer(self)

    def item(self) -> Any:
        """The only element, as a Python number."""
        if self._data.size != 1:
            raise ShapeError(
                f"a tensor{named(self)} of shape {self.shape} has no single element (at "
                f"{user_line()}).\n"
                "Fix: reduce it first, as with .sum() or .mean(), or index it."
            )
        return self._data.item()

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values as an array, in the same memory.

        Raises
        ------
        ConversionError
            The tensor requires a gradient, which an array cannot carry.
        """
        return np.asarray(self)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._data.tolist()

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InplaceError(
            f"the elements of a tensor{named(self)} {self.shape} cannot be written to (at "
            f"{user_line()}). Nothing was changed.\n"
            "Fix: compute a new tensor, as with t = t.at[index].set(value), np.where(mask, values, "
            "t) or np.stack; to change all of a leaf, use t.assign(values)."
        )

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self._data == (value._data if isinstance(value, Variable) else value)))

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def __complex__(self) -> complex:
        return complex(self._number())

    def _number(self) -> Any:
        """The only element, unless it would be lost in an array or within a function of NumPy.

        ``out[i] = t`` asks for it too, and so does ``np.sum(array, initial=t)``: NumPy looks for
        tensors among the arrays alone, not among what stands beside them.
        """
        if self.requires_grad:
            frame = sys._getframe(2)
            if frame.f_code.co_code[frame.f_lasti] == _STORE:
                raise ConversionError(
                    f"a tensor{named(self)} {self.shape} that requires a gradient would become a "
                    f"plain number in an array (at {user_line()}). Nothing was changed.\n"
                    "Fix: collect the tensors in a list and use np.stack(list); or begin with a "
                    "tensor, t = t.at[i].set(value)."
                )
            module = frame.f_globals.get("__name__", "")
            if module.startswith("numpy.") and not module.startswith(_READERS):
                raise ConversionError(
                    f"a tensor{named(self)} {self.shape} that requires a gradient would become a "
                    f"plain number within a function of NumPy (at {user_line()}).\n"
                    "Fix: make the array beside it a tensor too, as_tensor(array), so that the "
                    "function records itself; or pass t.data, where no gradient is wanted."
                )
        return self.item()

    def __index__(self) -> int:
        return operator.index(self._data)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._data), separator=", ", prefix="Tensor(")
        facts = [text]
        if self.dtype not in (np.dtype(float), np.dtype(int), np.dtype(bool)):
            facts.append(f"dtype={self.dtype}")
        if self.name:
            facts.append(f"name={self.name!r}")
        if self.node is not None:
            facts.append(f"made by {self.node.primitive.name}")
        elif self.requires_grad:
            facts.append("requires_grad=True")
        return f"Tensor({', '.join(facts)})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self.requires_grad:
            raise ConversionError(
                f"a tensor{named(self)} {self.shape} that requires a gradient would become a "
                f"constant array (at {user_line()}).\n"
                "Fix: use t.data for its values or t.detach() for a constant tensor; to stay in "
                "the graph, call NumPy's functions on the tensor itself, and join tensors with "
                "np.stack or np.concatenate."
            )
        return np.array(self._data, dtype=dtype, copy=copy)

    def __dlpack__(self, **kwargs: Any) -> Any:
        return np.asarray(self).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return np.asarray(self._data).__dlpack_device__()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = FUNCTIONS.get(ufunc)
        if len(inputs) == 1 and function is not None and not kwargs and method == "__call__":
            return function(inputs[0])
        out = kwargs.pop("out", None) or ()
        for x in (*inputs, *(a for a in out if a is not None)):
            if not isinstance(x, _OPERANDS):
                return NotImplemented
            if isinstance(x, np.ndarray) and x.dtype == object:
                raise unknown(ufunc, "an array of objects is among its arguments")
        if any(x is not None for x in out):
            raise InplaceError(
                f"{full_name(ufunc)} with out=, or an operator like +=, cannot write the result "
                f"of a tensor into an array (at {user_line()}). Nothing was changed.\n"
                "Fix: x = x + t in place of x += t, or x += t.data where no gradient is wanted; "
                "without out=, use what is returned."
            )
        function = function or answer_for(ufunc)
        if function is None:
            raise unknown(ufunc, "it has no rule")
        if hasattr(function, "method"):  # it gives a constant
            return function.method(method, *inputs, **kwargs)
        if method == "__call__" and not kwargs:
            return function(*inputs)
        return UFUNC_METHODS[method](ufunc, *inputs, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if not all(issubclass(t, (Variable, np.ndarray)) for t in types):
            return NotImplemented
        ours = answer_for(function)
        if ours is None:
            raise unknown(function, "it has no rule")
        return ours(*args, **kwargs)
