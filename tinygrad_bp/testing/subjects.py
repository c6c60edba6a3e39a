"""What a check looks at: a function with its gradient, of tensors or in plain NumPy, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.errors import ArgumentError, NoGradPathError, ShapeError
from tinygrad_bp.testing.slopes import Array


class Subject:
    """A function of flat arrays and, for each of its outputs, its gradient.

    Attributes
    ----------
    names : list of str
        What the arguments are called.
    start : list of ndarray
        Their values.
    order : int
        1 for the function itself; 2 for its gradient, as a function of the same arguments; 3 for
        the gradient of that.
    """

    names: list[str]
    start: list[Array]
    order = 1

    def value(self, arrays: Sequence[Array]) -> NDArray[Any]:
        """The outputs, of their own shape and dtype."""
        raise NotImplementedError

    def pulls(self, rows: Array) -> list[list[Array | None]]:
        """For each cotangent of the flat outputs, the gradients; None where nothing arrives."""
        raise NotImplementedError

    def precision(self) -> float:
        """What a number of the coarsest dtype in the computation is rounded by, relatively."""
        return _precision([self.value(self.start).dtype])

    def size(self) -> float:
        """How large numbers in the computation become, as far as that is known."""
        return _largest([self.value(self.start)])


class Recorded(Subject):
    """A function of tensors, whose gradient is autograd's."""

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        argnums: set[int] | None = None,
        double: bool = True,
    ) -> None:
        self.f = f
        self.given = [_copy(a, argnums is None or i in argnums, double) for i, a in enumerate(args)]
        self.leaves: list[Tensor] = []
        self.names = []
        for i, arg in enumerate(self.given):
            if hasattr(arg, "named_parameters"):
                named = list(arg.named_parameters()) if argnums is None or i in argnums else []
            else:
                named = [("", arg)] if isinstance(arg, Tensor) and arg.requires_grad else []
            for name, leaf in named:
                known = name or leaf.name or f"argument {i}"
                self.names.append(known if known not in self.names else f"{known} (argument {i})")
                self.leaves.append(leaf)
        if not self.leaves:
            raise nothing_real(args)
        self.start = [leaf.data for leaf in self.leaves]

    def output(self) -> Tensor:
        """The output, recorded."""
        out = self.f(*self.given)
        if not isinstance(out, Tensor):
            raise NoGradPathError(
                f"f returned a value of type {type(out).__name__}: it does not depend on the "
                "arguments through tensors, and has no gradient.\n"
                "Fix: return one tensor, computed from the arguments with NumPy's functions and "
                "without .data, .item(), .numpy() or float()."
            )
        return out

    def value(self, arrays: Sequence[Array]) -> NDArray[Any]:
        """Evaluate at other values of the arguments."""
        with _Values(self.leaves, arrays):
            return np.asarray(self.output().data)

    def precision(self) -> float:
        """What the coarsest dtype in the graph rounds by."""
        out = self.output()
        return _precision([out.dtype, *(np.asarray(n.out).dtype for n in nodes_below(out))])

    def size(self) -> float:
        """How large any result in the graph is."""
        return _largest([n.out for n in nodes_below(self.output())])

    def pulls(self, rows: Array) -> list[list[Array | None]]:
        """Go back once for each cotangent."""
        out = self.output()
        return [[None if g is None else g.data for g in self.backward(out, row)] for row in rows]

    def backward(self, out: Tensor, row: Any, create_graph: bool = False) -> list[Tensor | None]:
        """The gradients for one cotangent of the flat output."""
        for leaf in self.leaves:
            leaf.grad = None
        cotangent = np.asarray(row).reshape(out.shape).astype(out.dtype)
        out.backward(cotangent, retain_graph=True, create_graph=create_graph)
        found = [leaf.grad for leaf in self.leaves]
        for leaf in self.leaves:
            leaf.grad = None
        return found


class Slope2(Recorded):
    """The gradient of a recorded function, for one cotangent, as a function itself."""

    def __init__(self, first: Recorded, cotangent: Array) -> None:
        self.order = first.order + 1
        self.first, self.cotangent = first, cotangent
        self.leaves, self.names, self.start = first.leaves, first.names, first.start

    def value(self, arrays: Sequence[Array]) -> NDArray[Any]:
        """Evaluate at other values of the arguments."""
        with _Values(self.leaves, arrays):
            found = self.first.backward(self.first.output(), self.cotangent)
        parts = [
            np.zeros(a.size) if g is None else np.asarray(g.data, np.float64).ravel()
            for g, a in zip(found, self.start, strict=True)
        ]
        return np.concatenate(parts)

    def output(self) -> Tensor:
        """All gradients in one flat tensor, recorded."""
        found = self.first.backward(self.first.output(), self.cotangent, create_graph=True)
        parts = [
            Tensor(np.zeros(a.size)) if g is None else np.ravel(g)
            for g, a in zip(found, self.start, strict=True)
        ]
        joined: Tensor = np.concatenate(parts)  # type: ignore[assignment]  # of tensors
        return joined

    def pulls(self, rows: Array) -> list[list[Array | None]]:
        """Go back once for each cotangent."""
        out = self.output()
        if not out.requires_grad:  # the gradient of a linear function is a constant
            return [[None] * len(self.leaves) for _ in rows]
        return [[None if g is None else g.data for g in self.backward(out, row)] for row in rows]


class Written(Subject):
    """A function in plain NumPy, with a gradient written by hand."""

    def __init__(
        self,
        f: Callable[..., Any],
        gradient: Callable[..., Any],
        args: Sequence[Any],
        argnums: set[int] | None,
    ) -> None:
        self.f, self.gradient, self.args = f, gradient, list(args)
        self.places = [
            i
            for i, a in enumerate(args)
            if (argnums is None or i in argnums) and real_array(a) is not None
        ]
        if not self.places:
            raise nothing_real(args)
        self.names = [f"argument {i}" for i in self.places]
        self.start = [np.array(real_array(args[i]), np.float64) for i in self.places]

    def _with(self, arrays: Sequence[Array]) -> list[Any]:
        values = [np.array(a) if isinstance(a, np.ndarray) else a for a in self.args]
        for i, array in zip(self.places, arrays, strict=True):
            # A number stays one, for functions that want a float.
            values[i] = np.array(array) if array.ndim else np.float64(array)
        return values

    def value(self, arrays: Sequence[Array]) -> NDArray[Any]:
        """Evaluate at other values of the arguments."""
        value = np.asarray(self.f(*self._with(arrays)))
        if value.size != 1:
            raise ShapeError(
                f"a gradient written by hand is that of one number, but f returned shape "
                f"{value.shape}.\nFix: check the function that the gradient belongs to, as a loss."
            )
        return value

    def gradients(self) -> list[NDArray[Any]]:
        """What the user's gradient returns, an array for each argument."""
        found = self.gradient(*self._with(self.start))
        several = isinstance(found, (tuple, list)) and (len(self.places) > 1 or len(found) == 1)
        parts = list(found) if several else [found]
        if len(parts) != len(self.places):
            raise ArgumentError(
                f"the gradient returned {len(parts)} array{'s' * (len(parts) != 1)} for "
                f"{len(self.places)} real arguments ({', '.join(self.names)}).\n"
                "Fix: return a tuple with one array per argument, or name with argnums= those "
                "that it belongs to."
            )
        return [np.asarray(part) for part in parts]

    def pulls(self, rows: Array) -> list[list[Array | None]]:
        """Go back once for each cotangent."""
        found = [np.asarray(g, np.float64) for g in self.gradients()]
        return [[float(row.ravel()[0]) * g for g in found] for row in rows]


class _Values:
    """Other values in some leaves, for the time of one evaluation."""

    def __init__(self, leaves: Sequence[Tensor], arrays: Sequence[Array]) -> None:
        self.leaves, self.arrays = leaves, arrays

    def __enter__(self) -> None:
        # Not by `data`, which notes each change: what was recorded before is as it was afterwards.
        self.before = [leaf._data for leaf in self.leaves]
        for leaf, array in zip(self.leaves, self.arrays, strict=True):
            leaf._data = array if array.ndim else array[()]

    def __exit__(self, *exception: object) -> None:
        for leaf, array in zip(self.leaves, self.before, strict=True):
            leaf._data = array


def _precision(dtypes: Sequence[Any]) -> float:
    return max(float(np.finfo(d).eps) for d in (np.dtype(np.float64), *dtypes) if d.kind == "f")


def _largest(arrays: Sequence[Any]) -> float:
    real = [np.abs(np.asarray(a, np.float64)) for a in arrays if np.asarray(a).dtype.kind == "f"]
    return max((float(np.max(a, initial=0.0, where=np.isfinite(a))) for a in real), default=0.0)


def real_array(arg: Any) -> Any:
    """The array of a real argument, or None for anything that is not differentiated by."""
    array = arg.data if isinstance(arg, Tensor) else arg
    if isinstance(array, (np.ndarray, np.floating, float)) and np.asarray(array).dtype.kind == "f":
        return array
    return None


def nothing_real(args: Sequence[Any]) -> ArgumentError:
    """The error where no argument can be differentiated by."""
    return ArgumentError(
        "check_gradients found nothing to differentiate by among its arguments: "
        f"{', '.join(type(arg).__name__ for arg in args) or 'none were given'}.\n"
        "Fix: pass real floating-point arrays or tensors, or a module with parameters."
    )


def _copy(arg: Any, wanted: bool, double: bool) -> Any:
    """A leaf or module of copies, in float64 or as given; what is not real, as it is."""
    if hasattr(arg, "named_parameters"):
        twin = copy.deepcopy(arg)
        for _, parameter in twin.named_parameters():
            parameter.grad = None
            if double:
                parameter.data = parameter.data.astype(np.float64)
        return twin
    array = real_array(arg)
    if array is None:
        return arg
    name = arg.name if isinstance(arg, Tensor) else None
    dtype = np.float64 if double else np.asarray(array).dtype
    return Tensor(np.array(array), requires_grad=wanted, dtype=dtype, name=name)


def nodes_below(output: Tensor) -> list[Node]:
    """The nodes below a tensor, in the order in which they were recorded."""
    seen: dict[int, Node] = {}
    stack = [output.node]
    while stack:
        node = stack.pop()
        if node is None or node.number in seen:
            continue
        seen[node.number] = node
        stack.extend(x for x in node.sources if isinstance(x, Node))
    return [seen[number] for number in sorted(seen)]


def right_once(nodes: Sequence[Node]) -> list[str]:
    """The names of primitives whose rules are right for first derivatives only."""
    return sorted({node.primitive.name for node in nodes if node.primitive.once})
