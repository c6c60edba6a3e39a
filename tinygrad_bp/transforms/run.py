"""One run of a user's function inside of a transform: arguments in, checked outputs out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor, enable_grad, is_grad_enabled
from tinygrad_bp.core.tensor import constant, recorded, wrap
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, user_depth, user_line
from tinygrad_bp.transforms.checks import IndependentWarning, fitting, name_of
from tinygrad_bp.transforms.exchange import Pair, exchanged, turn
from tinygrad_bp.transforms.linear import Exact, Linear, Variables, zeros
from tinygrad_bp.transforms.trees import Tree, is_real, kind_of

Argnums = int | Sequence[int]


class Asked(NamedTuple):
    """How results come back: recorded in a graph outside or not, as tensors or as arrays."""

    record: bool
    tensors: bool


class Run:
    """A function evaluated on variables, in place of the arguments that are differentiated by.

    Parameters
    ----------
    who : str
        The transform, for messages.
    fun : callable
        The user's function.
    argnums : int or sequence of int
        Positions of the arguments to differentiate by.
    args, kwargs : tuple, dict
        All arguments.
    has_aux : bool
        Whether `fun` returns a pair, of which the second is handed through.
    keep : bool
        Whether passes come later, when others may have written into the arrays.

    Attributes
    ----------
    roots : list of Tensor
        The outputs that are real numbers.
    linear : Linear
        From the variables to the roots.
    recording : bool
        Whether operations are recorded outside.
    """

    def __init__(
        self,
        who: str,
        fun: Callable[..., Any],
        argnums: Argnums,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        has_aux: bool = False,
        keep: bool = False,
    ) -> None:
        self.who, self.name = who, name_of(fun)
        self.recording = is_grad_enabled()
        self.single = not isinstance(argnums, Sequence)
        positions = self._positions(argnums, len(args))
        self.variables = Variables()
        self._beyond: bool | None = None
        self._given = False
        with turn(), enable_grad():
            out = self._evaluate(fun, positions, args, kwargs, keep)
        self.aux = None
        if has_aux:
            out, self.aux = self._pair(out)
        self.out = Tree(out, "the output")
        self.roots = [
            leaf.value if isinstance(leaf.value, Tensor) else as_tensor(leaf.value)
            for leaf in self.out.leaves
            if is_real(leaf.value)
        ]
        self.linear = Linear(self.roots, self.variables.all, self.variables.start)

    def _evaluate(
        self,
        fun: Callable[..., Any],
        positions: list[int],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        keep: bool,
    ) -> Any:
        """Call the function with variables in place of the arguments at these positions."""
        self.trees = [Tree(args[i], f"argument {i}") for i in positions]
        values = list(args)
        pairs: list[Pair] = []
        for i, tree in zip(positions, self.trees, strict=True):
            values[i], exchanges = self._variables_in(tree, keep)
            pairs += exchanges
        if len({id(p) for p, _ in pairs}) < len(pairs):
            raise ArgumentError(
                f"{self.who} of {self.name!r}: two arguments share a parameter, so that neither "
                f"has a gradient of its own (at {user_line()}).\nFix: pass the module once."
            )
        try:
            with exchanged(pairs):
                return as_exchanged(fun(*values, **kwargs), pairs)
        finally:
            self.variables.close()

    def _positions(self, argnums: Argnums, count: int) -> list[int]:
        if not count:
            example = ", as in vjp(f, x)" if self.who == "vjp" else ""
            raise ArgumentError(
                f"{self.who} of {self.name!r} got no positional argument to differentiate by (at "
                f"{user_line()}).\nFix: pass what to differentiate by without its name{example}; "
                "keyword arguments are not differentiated by."
            )
        asked: list[Any] = list(argnums) if isinstance(argnums, Sequence) else [argnums]
        wrong = [
            i for i in asked if not isinstance(i, (int, np.integer)) or not -count <= i < count
        ]
        positions = [] if wrong else [int(i) % count for i in asked]
        if wrong or not asked or len(set(positions)) < len(positions):
            raise ArgumentError(
                f"{self.who} of {self.name!r}: argnums={argnums!r} does not name different ones of "
                f"the {count} positional arguments (at {user_line()}).\n"
                "Fix: positions from 0, one or a tuple of them; keyword arguments are not "
                "differentiated by."
            )
        return positions

    def _variables_in(self, tree: Tree, keep: bool) -> tuple[Any, list[Pair]]:
        """The argument with variables in it, and what to exchange in modules."""
        values, pairs = [], []
        for leaf in tree.leaves:
            value = leaf.value
            if not is_real(value):
                values.append(value)
                continue
            self._given = self._given or isinstance(value, Tensor)
            connect = self.recording or leaf.of_module
            variable = self.variables.add(value, str(leaf), connect, copy=keep)
            if leaf.of_module:
                pairs.append((value, variable.node))
                if value.node is None:
                    self.variables.own.add(id(value))
            values.append(variable)
        if tree.leaves and not any(is_real(leaf.value) for leaf in tree.leaves):
            whole = f"{tree.leaves[0]} is {kind_of(tree.leaves[0].value)}"
            what = (
                whole if tree.is_leaf else f"nothing in {tree.leaves[0].path[0]} is a real number"
            )
            raise DTypeError(
                f"{self.who} of {self.name!r} differentiates by real floating-point numbers, but "
                f"{what} (at {user_line()}).\n"
                "Fix: use a float, as 2.0 in place of 2 or x.astype(float); or name another "
                "argument with argnums."
            )
        return tree.build(values, modules=True), pairs

    def _pair(self, out: Any) -> Any:
        if isinstance(out, tuple) and len(out) == 2:
            return out
        raise ArgumentError(
            f"{self.who} with has_aux=True needs a function that returns a pair (value, aux), but "
            f"{self.name!r} returned {kind_of(out)} (at {user_line()}).\n"
            "Fix: return value, aux; or leave has_aux away."
        )

    def number(self) -> Tensor:
        """The output, which has to be one real number."""
        root = self.array()
        if root.size != 1:
            raise ShapeError(
                f"{self.who} needs a function whose value is one number, but {self.name!r} "
                f"returned shape {root.shape} (at {user_line()}).\n"
                "Fix: reduce it, as with .sum() or .mean(); or use jacobian for all derivatives, "
                "vjp for a weighted sum of them, or elementwise_grad where each output depends on "
                "the input at its own place alone."
            )
        return root

    def array(self) -> Tensor:
        """The output, which has to be one array of real numbers."""
        self.check_real()
        if not self.out.is_leaf:
            kinds = ", ".join(kind_of(leaf.value) for leaf in self.out.leaves[:4])
            raise DTypeError(
                f"{self.who} needs a function that returns one tensor, but {self.name!r} returned "
                f"a container of {kinds} (at {user_line()}).\n"
                "Fix: return one value; with has_aux=True a pair (value, aux) is allowed; vjp and "
                "jacobian take any container."
            )
        return self.roots[0]

    def check_real(self) -> None:
        """Refuse outputs of which there is no derivative."""
        if self.roots:
            return
        value = self.out.leaves[0].value if self.out.is_leaf else None
        if isinstance(value, (Tensor, np.ndarray, np.generic)):
            fix = (
                "return real floating-point numbers: what is counted or compared has no "
                "derivative; a smooth loss in its place has one."
            )
        else:
            fix = "return a tensor that is computed from the arguments with NumPy's functions."
        what = kind_of(value) if self.out.is_leaf else "no real numbers in its container"
        raise DTypeError(
            f"{self.who} needs a function that returns real floating-point numbers, but "
            f"{self.name!r} returned {what} (at {user_line()}).\nFix: {fix}"
        )

    def asked(self, *others: Any) -> Asked:
        """How results are to come back, given what else goes in (cotangents or tangents).

        They are recorded where something outside may want their derivatives, and tensors where
        a tensor went in or where they are recorded.
        """
        tensors = self._given or any(isinstance(x, Tensor) for x in others)
        if not (self.recording and is_grad_enabled()):
            return Asked(False, tensors)
        if any(isinstance(x, Tensor) and x.requires_grad for x in others):
            return Asked(True, True)
        return Asked(self.beyond, tensors or self.beyond)

    @property
    def beyond(self) -> bool:
        """Whether what the function computed depends on something that requires a gradient."""
        if self._beyond is None:
            leads = self.variables.leads_beyond
            self._beyond = any(leads(root) for root in self.roots)
        return self._beyond

    def outputs(self) -> Any:
        """The outputs as the caller gets them."""
        asked, roots = self.asked(), iter(self.roots)
        leaves = [
            self.settled(next(roots) if is_real(leaf.value) else leaf.value, asked)
            for leaf in self.out.leaves
        ]
        return self.out.build(leaves)

    def settled_aux(self) -> Any:
        """What the function returned beside its value."""
        tree, asked = Tree(self.aux, "aux"), self.asked()
        return tree.build([self.settled(leaf.value, asked) for leaf in tree.leaves], modules=True)

    def settled(self, value: Any, asked: Asked) -> Any:
        """A tensor in the graph of what lies outside, or as a constant; anything else as it is."""
        if not isinstance(value, Tensor):
            return value
        result = self.variables.settled(value, self.recording)
        return result if asked.tensors or result.requires_grad else result._data

    def warn_independent(self) -> None:
        """Warn of arguments on which no output depends, and say what cut them off, if known."""
        if any(type(root._cut) is Exact for root in self.roots):
            return
        reached = self.variables.reached_from(self.roots)
        missing = [v.name for i, v in enumerate(self.variables.all) if i not in reached]
        if not missing:
            return
        cuts = [root._cut for root in self.roots if root._cut is not None]
        why = f"Closest: {cuts[0]}.\n" if cuts else ""
        if not any(isinstance(leaf.value, Tensor) for leaf in self.out.leaves):
            first = next(leaf.value for leaf in self.out.leaves if is_real(leaf.value))
            why = f"It returned {kind_of(first)}, which is no tensor.\n"
        warnings.warn(
            f"{self.who}: the output of {self.name!r} does not depend on "
            f"{', '.join(str(name) for name in missing)}; that derivative is zero (at "
            f"{user_line()}).\n{why}"
            "Fix: compute with NumPy's functions on the arguments, without float(), .data, "
            ".detach() or no_grad(); or leave out what is not used.",
            IndependentWarning,
            stacklevel=user_depth(),
        )

    def gradients(self, parts: Sequence[Any], asked: Asked) -> Any:
        """What a pass found, in the structure of the arguments; zeros where nothing arrived."""
        if any(part is None for part in parts):
            self.warn_independent()
        return self.structured(self.finished(parts, asked))

    def finished(self, parts: Sequence[Any], asked: Asked) -> list[Any]:
        """For each variable a derivative of its shape; zeros where nothing arrived."""
        known: set[int] = set()
        return [
            self.result(zeros(v) if part is None else part, asked, part is None, known, v)
            for v, part in zip(self.variables.all, parts, strict=True)
        ]

    def tangent(self, pushed: Sequence[Any], asked: Asked) -> Any:
        """Tangents of the roots, in the structure of the output."""
        rest = iter(
            [
                self.result(zeros(root) if part is None else part, asked, part is None)
                for root, part in zip(self.roots, pushed, strict=True)
            ]
        )
        return self.out.build(
            [next(rest) if is_real(leaf.value) else None for leaf in self.out.leaves]
        )

    def result(
        self,
        part: Any,
        asked: Asked,
        missing: bool = False,
        known: set[int] | None = None,
        variable: Any = None,
    ) -> Any:
        """A derivative as the caller gets it.

        Parameters
        ----------
        part : Tensor or array
            What a pass found.
        asked : Asked
            How it is to come back.
        missing : bool
            Whether it stands for nothing that was found.
        known : set of int, optional
            See `Variables.leads_beyond`.
        variable : Tensor, optional
            What the derivative belongs to.
        """
        if isinstance(part, Tensor):
            settled: Tensor = self.variables.settled(part, self.recording, known)
            if settled.requires_grad:
                return settled
            part = settled._data.copy()  # a tensor's array may be that of another one
        if not asked.tensors:
            return part if part.ndim else part[()]
        result = wrap(part)
        why = None if variable is None else self._why_constant(variable)
        if asked.record or missing:  # then it is constant because it is the same everywhere
            why = Exact(why or f"{self.who} of {self.name!r}, which is the same everywhere")
        result._cut = why
        return result

    def _why_constant(self, variable: Tensor) -> str | None:
        """What to say to those who want a derivative that was not recorded."""
        if not self.recording:
            return f"a derivative was cut off by no_grad() around {self.who} of {self.name!r}"
        source = variable.node.x if variable.node is not None else None
        if id(source) in self.variables.own:
            return constant(0.0, (source,), f"{self.who}, which takes modules as plain values")._cut
        return None

    def structured(self, values: Sequence[Any]) -> Any:
        """Values for all variables, in the structure of the arguments, None where there is none."""
        rest = iter(values)
        built = [
            tree.build([next(rest) if is_real(leaf.value) else None for leaf in tree.leaves])
            for tree in self.trees
        ]
        return built[0] if self.single else tuple(built)

    def directions(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the arguments, checked, one for each variable."""
        found: list[Any] = []
        for tree, tangent in zip(self.trees, tangents, strict=True):
            name = tree.leaves[0].path[0] if tree.leaves else "an empty argument"
            values = tree.matched(tangent, f"{self.who}: the tangent of {name}")
            real = [(x, v) for x, v in zip(tree.leaves, values, strict=True) if is_real(x.value)]
            for leaf, value in real:
                variable = self.variables.all[len(found)]
                found.append(fitting(value, variable, f"{self.who}: the tangent of {leaf}"))
        return found


def as_exchanged(out: Any, pairs: Sequence[Pair]) -> Any:
    """What a function returned, with parameters among it as what they stand for at the moment."""
    own = {id(parameter) for parameter, _ in pairs}
    tree = Tree(out, "the output") if own else None
    if tree is None or not any(id(x.value) in own and not x.of_module for x in tree.leaves):
        return out
    values = [
        recorded(x.value._data, x.value.node) if id(x.value) in own else x.value
        for x in tree.leaves
    ]
    return tree.build(values, modules=True)
