"""What a check looks at: a function with its gradient, of tensors or in plain NumPy, in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.core import Node, Tensor
from tinygrad_bp.errors import ArgumentError, NoGradPathError, ShapeError
from tinygrad_bp.testing.slopes import Array
from tinygrad_bp.testing.values import Values

_SHAKES = 6
_ULPS = 4

#: Primitives of matrices, whose rounding errors are small beside the largest element alone.
MIXING = frozenset(
    (
        *("cholesky", "complement", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq"),
        *("lyapunov", "nuclear_norm", "pinv", "polar", "qr", "slogdet", "solve", "svd", "svdvals"),
    )
)


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

    def pulls(self, rows: Array, arrays: Sequence[Array] | None = None) -> list[list[Array | None]]:
        """For each cotangent of the flat outputs, the gradients; None where nothing arrives."""
        raise NotImplementedError

    def near(self, rng: np.random.Generator) -> list[Array]:
        """Arguments that are others in their last bits."""
        return [shake(a, self.precision(), rng) for a in self.start]

    def shaken(self, rows: Array, rng: np.random.Generator) -> list[list[Array | None]]:
        """The gradients where every number on the way to them is another in its last bits."""
        raise NotImplementedError

    def scatter(self, rows: Array) -> Array:
        """How far apart rounding leaves each number of the gradients, for each cotangent.

        What is put together of large terms that cancel shows here, and no fault of a rule does.
        """
        rng = np.random.default_rng(0)
        found = []
        for _ in range(_SHAKES):
            with np.errstate(all="ignore"):
                pulled = self.shaken(rows, rng)
            found.append([joined(parts, self.start) for parts in pulled])
        with np.errstate(invalid="ignore"):  # of what is infinite each time
            spread: Array = np.max(found, axis=0) - np.min(found, axis=0)
        return spread

    def precision(self) -> float:
        """What a number of the coarsest dtype in the computation is rounded by, relatively."""
        return _precision([self.value(self.start).dtype])

    def coarse(self) -> bool:
        """Whether some number in the computation is rounded to less than float64."""
        return self.precision() > float(np.finfo(np.float64).eps)

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
        self.f, self.argnums = f, argnums
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
        with self.at(arrays):
            return np.asarray(self.output().data)

    def at(self, arrays: Sequence[Array]) -> Values:
        """A context in which the arguments have other values."""
        return Values(self.leaves, arrays)

    def nodes(self, arrays: Sequence[Array]) -> list[Node]:
        """The graph at other values of the arguments."""
        with self.at(arrays):
            return nodes_below(self.output())

    def precision(self) -> float:
        """What the coarsest dtype in the graph rounds by."""
        out = self.output()
        return _precision([out.dtype, *(np.asarray(n.out).dtype for n in nodes_below(out))])

    def size(self) -> float:
        """How large any result in the graph is."""
        return _largest([n.out for n in nodes_below(self.output())])

    def pulls(self, rows: Array, arrays: Sequence[Array] | None = None) -> list[list[Array | None]]:
        """Go back once for each cotangent."""
        with self.at(self.start if arrays is None else arrays):
            return self._pulled(self.output(), rows)

    def near(self, rng: np.random.Generator) -> list[Array]:
        """Arguments that are others in their last bits, by the measure of what is done to them."""
        eps = self.precision()
        whole = any(n.primitive.name in MIXING for n in nodes_below(self.output()))
        return [shake(a, eps, rng, whole) for a in self.start]

    def shaken(self, rows: Array, rng: np.random.Generator) -> list[list[Array | None]]:
        """Go back from other last bits of the arguments, with other last bits of cotangents."""
        with self.at(self.near(rng)):
            out = self.output()
            with shaking(out, self.precision(), rng):
                return self._pulled(out, rows)

    def _pulled(self, out: Tensor, rows: Array) -> list[list[Array | None]]:
        if not out.requires_grad:  # as the gradient of a linear function, which is a constant
            return [[None] * len(self.leaves) for _ in rows]
        return [[None if g is None else g.data for g in self.backward(out, row)] for row in rows]

    def backward(self, out: Tensor, row: Any, create_graph: bool = False) -> list[Tensor | None]:
        """The gradients for one cotangent of the flat output."""
        cotangent = row
        if not isinstance(row, Tensor):
            cotangent = np.asarray(row).reshape(out.shape).astype(out.dtype)
        with grads_apart(out, self.leaves):
            out.backward(cotangent, retain_graph=True, create_graph=create_graph)
            return [leaf.grad for leaf in self.leaves]


class Slope2(Recorded):
    """The gradient of a recorded function, for one cotangent, as a function itself."""

    def __init__(self, first: Recorded, cotangent: Array) -> None:
        self.order = first.order + 1
        self.first, self.cotangent = first, cotangent
        self.leaves, self.names, self.start = first.leaves, first.names, first.start

    def value(self, arrays: Sequence[Array]) -> NDArray[Any]:
        """Evaluate at other values of the arguments."""
        with self.at(arrays):
            found = self.first.backward(self.first.output(), self.cotangent)
        return joined([None if g is None else g.data for g in found], self.start)

    def output(self) -> Tensor:
        """All gradients in one flat tensor, recorded."""
        found = self.first.backward(self.first.output(), self.cotangent, create_graph=True)
        parts = [
            Tensor(np.zeros(a.size)) if g is None else np.ravel(g)
            for g, a in zip(found, self.start, strict=True)
        ]
        joined: Tensor = np.concatenate(parts)  # type: ignore[assignment]  # of tensors
        return joined


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
            values[i] = np.array(array) if np.ndim(array) else np.asarray(array)[()]
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

    def gradients(self, arrays: Sequence[Array] | None = None) -> list[NDArray[Any]]:
        """What the user's gradient returns, an array for each argument."""
        found = self.gradient(*self._with(self.start if arrays is None else arrays))
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

    def pulls(self, rows: Array, arrays: Sequence[Array] | None = None) -> list[list[Array | None]]:
        """Go back once for each cotangent."""
        return self._pulled(self.start if arrays is None else arrays, rows)

    def shaken(self, rows: Array, rng: np.random.Generator) -> list[list[Array | None]]:
        """The gradient at other last bits of the arguments."""
        return self._pulled(self.near(rng), rows)

    def _pulled(self, arrays: Sequence[Array], rows: Array) -> list[list[Array | None]]:
        found = [np.asarray(g, np.float64) for g in self.gradients(arrays)]
        return [[float(row.ravel()[0]) * g for g in found] for row in rows]


def joined(parts: Sequence[Any], like: Sequence[Array]) -> Array:
    """One flat array of the gradients, with zeros for those that nothing arrived at."""
    flat = [
        np.zeros(a.size) if g is None else np.asarray(g, np.float64).ravel()
        for g, a in zip(parts, like, strict=True)
    ]
    return np.concatenate(flat)


def moved(x: Array, by: float = 2.0**-6) -> Array:
    """Other numbers near by, of the same signs, each moved by another part of itself."""
    parts = by * np.linspace(0.5, 1.0, x.size).reshape(x.shape)
    return np.where(x == 0, parts, x * (1 + parts)).astype(x.dtype)


def shake(a: Any, precision: float, rng: np.random.Generator, whole: bool = False) -> Any:
    """The same numbers, but for a few last bits of each, or of the largest of the whole array."""
    steps = rng.integers(-_ULPS, _ULPS + 1, np.shape(a))
    size = np.max(np.abs(a), initial=0.0) if whole else np.abs(a)
    return (a + size * (precision * steps)).astype(a.dtype)


@contextmanager
def shaking(end: Tensor, precision: float, rng: np.random.Generator) -> Iterator[None]:
    """Put other last bits into each cotangent of a graph, by hooks that are gone afterwards."""
    nodes = nodes_below(end)
    before = [node.hooks for node in nodes]
    for node, hooks in zip(nodes, before, strict=True):
        node.hooks = [*(hooks or ()), lambda g: shake(g, precision, rng)]
    try:
        yield
    finally:
        for node, hooks in zip(nodes, before, strict=True):
            node.hooks = hooks


@contextmanager
def grads_apart(end: Tensor, leaves: Sequence[Tensor]) -> Iterator[None]:
    """No gradients at some leaves and at all below a tensor, and afterwards those of before."""
    below = [x for node in nodes_below(end) for x in node.sources if isinstance(x, Tensor)]
    before = [(leaf, leaf._grad) for leaf in {id(x): x for x in [*leaves, *below]}.values()]
    for leaf, _ in before:
        leaf._grad = None
    try:
        yield
    finally:
        for leaf, grad in before:
            leaf._grad = grad


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
