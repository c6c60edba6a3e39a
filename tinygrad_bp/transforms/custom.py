"""`custom_vjp`: a function with a derivative that its author wrote."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from tinygrad_bp.core import Primitive, Tensor, as_tensor, enable_grad, is_grad_enabled, no_grad
from tinygrad_bp.core.tensor import wrap
from tinygrad_bp.errors import ArgumentError, GraphError, VJPError, user_line
from tinygrad_bp.transforms.checks import name_of
from tinygrad_bp.transforms.exchange import Pair, exchanged, turn
from tinygrad_bp.transforms.joint import Call, Packed, rule, without_graph
from tinygrad_bp.transforms.linear import Variables
from tinygrad_bp.transforms.run import as_exchanged
from tinygrad_bp.transforms.trees import Leaf, Tree, kind_of

#: Functions whose forward function is at work; to call them by their own name there is no loop.
_EVALUATING: ContextVar[tuple[Any, ...]] = ContextVar("tinygrad_bp_evaluating", default=())


class custom_vjp:  # noqa: N801 - named as the field names it
    r"""A function whose vector-Jacobian product is written by hand: a decorator.

    `defvjp` gives it two functions. ``forward(*args)`` returns ``(out, residuals)``, where
    residuals are whatever the other needs; ``backward(residuals, g)`` returns a tuple with one
    cotangent for each argument, of its structure, shape and real dtype, or None for zero. Written
    with NumPy's functions on tensors, they are differentiated again for higher orders.

    Arguments come to ``forward`` by position, those that were given by name or left at their
    defaults too, and each has a cotangent. What stands after ``*`` in the signature of `fun` comes
    to ``forward`` by its name, if it was given, and has none.

    Parameters
    ----------
    fun : callable
        What is called where no gradient is wanted.

    Raises
    ------
    ArgumentError
        When it is called: `defvjp` was not.
    GraphError
        When it is called: it uses a tensor that requires a gradient and is no argument, whose
        gradient would be lost.
    VJPError
        In the backward pass: what `backward` returned does not fit the arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_bp.transforms import grad
    >>> @custom_vjp
    ... def softplus(x):
    ...     return np.log1p(np.exp(x))
    >>> def forward(x):
    ...     return softplus(x), x
    >>> def backward(x, g):
    ...     return (g / (1 + np.exp(-x)),)
    >>> softplus.defvjp(forward, backward)
    >>> grad(softplus)(0.0), grad(grad(softplus))(0.0)
    (np.float64(0.5), np.float64(0.25))
    """

    def __init__(self, fun: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fun)
        self.fun = fun
        self.forward: Callable[..., Any] | None = None
        self.backward: Callable[..., Any] | None = None
        # One for each function, so that pictures and messages show the function's name.
        self._primitive = copy.copy(_CUSTOM)
        self._primitive.name = name_of(fun)

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Say how to evaluate the function for a gradient, and what the gradient is."""
        self.forward, self.backward = forward, backward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate the function, recording it as one operation where a gradient is required."""
        if self.forward is None:
            raise ArgumentError(
                f"{name_of(self.fun)!r} has no derivative yet (at {user_line()}).\n"
                f"Fix: {name_of(self.fun)}.defvjp(forward, backward), after its definition."
            )
        if kwargs or getattr(self.fun, "__defaults__", None):
            import inspect  # rarely needed, and not quick to import

            bound = inspect.signature(self.fun).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
            kwargs = {name: kwargs[name] for name in bound.kwargs if name in kwargs}
        if not is_grad_enabled() or self in _EVALUATING.get():
            return self.fun(*args, **kwargs)
        with turn():
            call = _ByHand(self, args, kwargs)
            if not call.inputs:
                return self.fun(*args, **kwargs)
            tensors = [leaf.value for leaf in call.inputs]
            call.evaluate()
        return call.packed.build(self._primitive(*tensors, call=call))


class _ByHand(Call):
    """One application of a function with a derivative of its own."""

    packed: Packed
    residuals: Any
    value: Any

    def __init__(
        self, function: custom_vjp, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        super().__init__(name_of(function.fun))
        self.function, self.keywords = function, keywords
        self.trees = [Tree(arg, f"argument {i}") for i, arg in enumerate(args)]
        self.inputs = [
            leaf
            for tree in self.trees
            for leaf in tree.leaves
            if isinstance(leaf.value, Tensor) and leaf.value.requires_grad
        ]
        self.paths = {leaf.path for leaf in self.inputs}

    def evaluate(self) -> None:
        """Run the forward function, and keep its value and its residuals as constants."""
        variables = Variables()
        given = [variables.add(x.value, str(x), connect=False) for x in self.inputs]
        variables.own = {id(x.value) for x in self.inputs if x.of_module}
        args, pairs = self._arguments(given)
        token = _EVALUATING.set((*_EVALUATING.get(), self.function))
        try:
            with enable_grad(), exchanged(pairs):
                out, residuals = as_exchanged(self._forward(args), pairs)
        finally:
            _EVALUATING.reset(token)
            variables.close()
        self.packed = Packed(out)
        if not self.packed.roots:
            raise VJPError(
                f"{self.name!r} with a derivative of its own returned "
                f"{kind_of(out)} (at {user_line()}).\nFix: return real floating-point numbers."
            )
        kept = Tree(residuals, "residuals")
        others = [leaf.value for leaf in kept.leaves if not leaf.of_module]
        for tensor in (*self.packed.roots, *others):
            if isinstance(tensor, Tensor) and variables.leads_beyond(tensor):
                raise GraphError(
                    f"{self.name!r} uses a tensor that requires a gradient and is none of its "
                    f"arguments; backward returns no gradient for it (at {user_line()}).\n"
                    "Fix: pass it as an argument, or use its .detach() as a constant."
                )
        self.residuals = kept.build(
            [without_graph(leaf.value) for leaf in kept.leaves], modules=True
        )
        self.value = self.packed.value()
        self.packed = Packed(
            self.packed.tree.build([without_graph(leaf.value) for leaf in self.packed.tree.leaves])
        )

    def pull(self, g: Any, out: Any, inputs: Sequence[Any]) -> list[Any]:
        """What the backward function returns, checked."""
        backward: Any = self.function.backward
        if any(isinstance(x, Tensor) for x in (g, *inputs)):
            args, pairs = self._arguments([as_tensor(x) for x in inputs])
            with enable_grad(), exchanged(pairs):
                # The residuals anew, so that they depend on the arguments.
                _, residuals = self._forward(args)
                return self._checked(backward(residuals, self.packed.build(as_tensor(g))))
        with no_grad():
            parts = self._checked(backward(self.residuals, self.packed.build(wrap(g))))
        return [None if p is None else p._data.copy() for p in parts]

    def _arguments(self, values: Sequence[Tensor]) -> tuple[list[Any], list[Pair]]:
        """The arguments with these tensors as inputs, and what to exchange in modules for it."""
        rest = iter(values)
        args, pairs = [], []
        for tree in self.trees:
            leaves = []
            for leaf in tree.leaves:
                value = next(rest) if leaf.path in self.paths else leaf.value
                leaves.append(value)
                if leaf.of_module and value.node is not None:
                    pairs.append((leaf.value, value.node))
            args.append(tree.build(leaves, modules=True))
        return args, pairs

    def _forward(self, args: Sequence[Any]) -> tuple[Any, Any]:
        """The pair that the forward function returns."""
        forward: Any = self.function.forward
        result = forward(*args, **self.keywords)
        if not isinstance(result, tuple) or len(result) != 2:
            raise VJPError(
                f"the forward function of {self.name!r} returned {kind_of(result)} (at "
                f"{user_line()}).\nFix: return a pair (out, residuals)."
            )
        return result

    def _checked(self, given: Any) -> list[Any]:
        """The cotangents of the inputs, or an error that names the function and the argument."""
        count = len(self.trees)
        if count == 1 and not isinstance(given, (tuple, list)):
            given = (given,)
        if not isinstance(given, (tuple, list)) or len(given) != count:
            got = len(given) if isinstance(given, (tuple, list)) else kind_of(given)
            raise self._wrong(f"returned {got} for {count} arguments", f"a tuple of {count}")
        parts: list[Any] = []
        for tree, cotangent in zip(self.trees, given, strict=True):
            try:
                values = tree.matched(cotangent, "its cotangent")
            except ArgumentError as error:
                raise self._wrong(f"does not fit an argument: {error}", "that structure") from error
            for leaf, value in zip(tree.leaves, values, strict=True):
                if leaf.path in self.paths:
                    parts.append(self._fitting(leaf, value))
        return parts

    def _fitting(self, leaf: Leaf, value: Any) -> Tensor | None:
        if value is None:
            return None
        try:
            part = as_tensor(value)
            kind = part.dtype.kind
        except (TypeError, ValueError):
            kind = "O"
        if kind not in "fiub":
            raise self._wrong(f"returned {kind_of(value)} for {leaf}", "real numbers")
        if part.shape != leaf.value.shape:
            raise self._wrong(
                f"returned shape {part.shape} for {leaf} of shape {leaf.value.shape}",
                f"shape {leaf.value.shape}, summing over what was broadcast",
            )
        return part if part.dtype == leaf.value.dtype else part.astype(leaf.value.dtype)

    def _wrong(self, what: str, fix: str) -> VJPError:
        return VJPError(
            f"the backward function of {self.name!r} {what} (at {user_line()}).\n"
            f"Fix: return {fix}; None stands for a cotangent of zero."
        )


_CUSTOM = Primitive(
    "custom_vjp",
    lambda *values, call: call.value,
    rule,
    formula=r"f(x, y, \dots)",
    vjp_formulas=[r"\text{backward}(\text{residuals}, \bar{z})"],
)
