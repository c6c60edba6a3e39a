"""`Tensor`: an array that remembers how it was computed, and can tell its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.array_methods import ArrayMethods
from tinygrad_bp.core.backward import backward_pass
from tinygrad_bp.core.cotangents import not_shared, starting_cotangent
from tinygrad_bp.core.graph import Node, Version, release
from tinygrad_bp.core.hooks import Hook, HookHandle, KeepGradient, keep_gradients, retains
from tinygrad_bp.core.messages import named, no_array, no_path, numbers, require_float
from tinygrad_bp.core.methods import _COMMON
from tinygrad_bp.core.mode import enable_grad, is_grad_enabled, recorded_pass
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.core.values import Values
from tinygrad_bp.errors import GraphError, user_line, user_place

Array = npt.NDArray[Any]
_ACCUMULATING = RLock()


class Tensor(Values, ArrayMethods):
    """An n-dimensional array that records what is computed from it, for the backward pass.

    NumPy's functions and operators work on tensors and record themselves: ``np.sin(t)``,
    ``t @ w``, ``np.sum(t, axis=0)``.

    Parameters
    ----------
    data : array_like
        The values. They are copied.
    requires_grad : bool, default False
        Whether gradients with respect to this tensor are wanted; then it is a leaf of the graph.
    dtype : dtype, optional
        NumPy's choice for `data` unless given.
    name : str, optional
        Shown in pictures and messages.

    Attributes
    ----------
    data : ndarray or NumPy scalar
        The values. To change them, use `assign`, or set ``t.data`` to other numbers.
    grad : Tensor or None
        The gradient, of the shape and dtype of the tensor, after a backward pass.
    requires_grad : bool
        Whether gradients flow to this tensor.
    node : Node or None
        The application of a primitive that made it; None for leaves and constants.
    name : str or None
        Its name.

    Raises
    ------
    DTypeError
        A gradient was asked of numbers that are not real floating-point numbers.
    ShapeError
        The data is ragged: some of its rows are longer than others.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x**2).sum()
    >>> y.backward()
    >>> x.grad
    Tensor([2., 4., 6.])
    """

    __slots__ = ("_cut",)
    __array_priority__ = 1000.0

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        dtype: npt.DTypeLike | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(data, Tensor):
            data = data.numpy()
        try:
            array = numbers(np.array(data, dtype=dtype))
        except ValueError as error:
            raise no_array(error) from error
        require_float(requires_grad, array.dtype, name)
        self._data = array
        self._requires_grad = requires_grad
        self.node = None
        self.version = Version()
        self.hooks = None
        self.name = name
        self._grad = None
        self._cut: str | None = None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this tensor; setting it is `requires_grad_`."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        self.requires_grad_(requires_grad)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return self.node is None

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add to `grad` of every leaf its gradient of this value.

        The graph is freed afterwards, unless it is retained. Gradients add up over calls: set
        them to None in between, as `zero_grad` of modules and optimizers does. When an error is
        raised, no gradient has been changed.

        Parameters
        ----------
        gradient : array_like, optional
            The cotangent of this tensor, of its shape; 1 for a tensor with a single element.
        retain_graph : bool, default False
            Keep the graph for another backward pass.
        create_graph : bool, default False
            Record the backward pass itself, so that gradients can be differentiated again; the
            graph is then retained.

        Raises
        ------
        NoGradPathError
            Nothing that this tensor depends on requires a gradient.
        ShapeError
            The tensor has several elements and `gradient` was not given, or does not fit.
        GraphError
            The graph was freed by an earlier pass.
        InplaceError
            A value has been assigned to since it was used.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> x = tg.Tensor(2.0, requires_grad=True)
        >>> (x**3).backward(create_graph=True)
        >>> x.grad.item()
        12.0
        >>> slope, x.grad = x.grad, None
        >>> slope.backward()
        >>> x.grad.item()
        12.0
        """
        if not self._requires_grad:
            raise no_path(self)
        cotangent = starting_cotangent(self, gradient)
        if create_graph:
            with recorded_pass():
                start = as_tensor(cotangent)
                if start.dtype != self.dtype:
                    start = start.astype(self.dtype)
                leaves, _, hooked = backward_pass(self, start, recorded)
                self._accumulate(leaves)
                keep_gradients(hooked)
            return
        if isinstance(cotangent, Tensor):
            cotangent = cotangent._data.astype(self.dtype, copy=False)
        leaves, visited, hooked = backward_pass(self, cotangent)
        self._accumulate(leaves)
        if hooked:
            keep_gradients(hooked)
        if not retain_graph:
            release(visited, user_place())

    @staticmethod
    def _accumulate(leaves: list[tuple[Any, Any, int]]) -> None:
        """Add the gradients to all leaves or none; one thread at a time, so that none is lost."""
        with _ACCUMULATING:
            totals: list[tuple[Any, Tensor]] = []
            for leaf, g, own in leaves:
                before = leaf._grad
                if isinstance(g, Tensor):
                    total = not_shared(g) if before is None else before + g
                elif before is None:
                    total = recorded(g if own else np.array(g), None)
                elif before.requires_grad:  # it was recorded, and stays so
                    with enable_grad():
                        total = before + recorded(g, None)
                else:
                    total = recorded(before._data + g, None)
                totals.append((leaf, total))
            for leaf, total in totals:
                leaf._grad = total

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate tensor, after its hooks; a leaf always does."""
        if not self.requires_grad:
            raise no_path(self)
        if self.node is None or retains(self.node):
            return
        if self.node.hooks is None:
            self.node.hooks = []
        self.node.hooks.append(KeepGradient(self, as_tensor))

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call ``hook(gradient)`` in each backward pass that reaches this tensor.

        What the hook returns takes the gradient's place; None leaves it. It sees the complete
        gradient, summed over all uses.

        Parameters
        ----------
        hook : callable
            Takes and returns a tensor of the shape of this one.

        Returns
        -------
        HookHandle
            ``handle.remove()`` takes the hook away.

        Examples
        --------
        >>> import tinygrad_bp as tg
        >>> x = tg.Tensor(1.0, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> (x * 2).backward()
        >>> x.grad.item()
        20.0
        """
        if not self.requires_grad:
            raise no_path(self)
        watcher = Hook(hook, as_tensor)
        owner = self if self.node is None else self.node
        if owner.hooks is None:
            owner.hooks = []
        owner.hooks.append(watcher)
        handle = HookHandle(owner.hooks)
        owner.hooks.sort(key=lambda h: isinstance(h, KeepGradient))  # it keeps what goes on
        return handle

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether gradients with respect to this leaf are wanted; returns the tensor."""
        if self.node is not None:
            raise GraphError(
                f"requires_grad cannot be set on{named(self)} {self.shape}, the output of "
                f"{self.node.primitive.name!r}.\n"
                "Fix: set it on a leaf; to cut the graph here, use detach()."
            )
        require_float(requires_grad, self.dtype, self.name)
        self._requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same values, in the same memory, as a constant: no gradient flows through."""
        result = constant(self._data, (self,), "detach()" if self.requires_grad else None)
        share_memory(result, self)
        return result

    def astype(self, dtype: npt.DTypeLike) -> Tensor:
        """The values in another dtype; differentiable between real floating-point dtypes."""
        target = np.dtype(dtype)
        if target.kind != "f":
            return constant(
                self._data.astype(target), (self,), "astype()" if self.requires_grad else None
            )
        result: Tensor = PRIMITIVES["astype"](self, dtype=target)
        return result

    def __copy__(self) -> Tensor:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Copy values and gradient; the graph stays behind, so what it made is a constant."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> Any:
        return _restore, (type(self), self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        return {
            "data": np.array(self._data),
            "requires_grad": self.requires_grad and self.node is None,
            "name": self.name,
            "grad": None if self._grad is None else np.array(self._grad._data),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._data = state["data"]
        self._requires_grad = state["requires_grad"]
        self.node, self.hooks, self._cut, self.version = None, None, None, Version()
        self.name = state["name"]
        self._grad = None if state["grad"] is None else wrap(state["grad"])


_COMMON.add(Tensor)


def recorded(data: Any, node: Node | None) -> Tensor:
    """The output of a node as a tensor; without a node, a constant around the array itself."""
    t = _new(Tensor)
    t._data = data
    t._requires_grad = node is not None
    t.node = node
    t.version = None
    t.hooks = None
    t.name = None
    t._grad = None
    t._cut = None
    return t


_new = object.__new__


def wrap(data: Any) -> Tensor:
    """A tensor around an array, without a copy and without a graph."""
    return recorded(data, None)


def constant(data: Any, inputs: Sequence[Any], cut: str | None) -> Tensor:
    """A result through which no gradient flows.

    Parameters
    ----------
    data : ndarray or NumPy scalar
        The values.
    inputs : sequence
        What it was computed from; where the graph was cut behind one of them, so it was here.
    cut : str or None
        What cuts the graph here; None where no input requires a gradient.
    """
    result = recorded(data, None)
    if cut is None:
        for x in inputs:
            if isinstance(x, Tensor) and x._cut is not None:
                result._cut = x._cut
                break
    else:
        cutters = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
        why = cut if is_grad_enabled() else f"no_grad() around {cut}"
        by = f"cut off by {why} at {user_line()}"
        what = " and ".join(dict.fromkeys(_called(x) for x in cutters))
        result._cut = f"{what} {'was' if ' and ' not in what else 'were'} {by}"
        if is_grad_enabled():
            for x in cutters:
                if x.node is None:
                    x._cut = by
    return result


def _called(x: Tensor) -> str:
    """What a tensor that was cut off is called: by its name, or by what made it."""
    if x.name:
        return repr(x.name)
    if x.node is None:
        return "a tensor that requires a gradient"
    path = x.node.mode.path()
    return f"the output of {x.node.primitive.name!r}{f' in {path}' if path else ''}"


def as_tensor(data: Any) -> Tensor:
    """The tensor itself, or a constant tensor in the memory of an array.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.zeros(3)
    >>> as_tensor(values).data is values
    True
    """
    if isinstance(data, Tensor):
        return data
    try:
        return wrap(np.asarray(data))
    except ValueError as error:
        raise no_array(error) from error


def _restore(kind: type[Tensor], state: dict[str, Any]) -> Tensor:
    tensor = kind.__new__(kind)
    tensor.__setstate__(state)
    return tensor


def share_memory(view: Tensor, source: Tensor) -> None:
    """Let a tensor that lies in the memory of another learn of changes to it."""
    if source.version is None:
        source.version = Version(assignable=source.node is None)
    view.version = source.version
