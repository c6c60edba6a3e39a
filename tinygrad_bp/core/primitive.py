"""Primitives: an operation's forward function, its VJPs and its formula, side by side.

A primitive is written in plain NumPy and knows nothing of tensors. Given arrays, it runs at the
speed of NumPy. Given tensors, `Primitive.__call__` records a `Node`, from which the backward pass
applies the vector-Jacobian products (VJPs).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinygrad_bp.core.anomaly import check_finite, watched
from tinygrad_bp.core.cotangents import Joint, sum_to_shape
from tinygrad_bp.core.graph import NO_PARAMS, NOTHING, Node, clock
from tinygrad_bp.core.messages import explain, plain
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.core.registry import FUNCTIONS, PRIMITIVES, load_late
from tinygrad_bp.core.tensor import Tensor, constant, recorded, share_memory
from tinygrad_bp.errors import (
    INSIDE,
    ArgumentError,
    VJPError,
    user_line,
)

_new = object.__new__
_getframe: Callable[[int], Any] = sys._getframe
_PLAIN = {np.ndarray, np.float64, np.float32, float, int}  # the types that rules can count on
F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., Any]


class _EachArgument:
    """One rule for any number of inputs: ``rules[i]`` is the rule with the position bound to i."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __getitem__(self, i: int) -> Rule:
        return functools.partial(self.rule, i)


class Primitive:
    r"""A differentiable operation: forward function, one VJP per input, and their formulas.

    Parameters
    ----------
    name : str
        Unique name, as pictures and messages show it.
    forward : callable
        ``forward(*inputs, **params)`` on arrays; it returns an array and changes no input.
    vjps : sequence of callables, or callable
        ``vjps[i](g, out, *inputs, **params)`` is the cotangent of input i, given the cotangent
        `g` of the output: :math:`\bar{x}_i = J_i^\top \bar{z}`. None marks an input that has no
        derivative. A single callable ``vjp(i, g, out, *inputs, **params)`` serves an operation
        with any number of inputs; with `joint`, it is ``vjp(g, out, *inputs, **params)``, which
        returns a list of all cotangents, so that n inputs do not take n calls. Rules are plain
        NumPy, change nothing, and return a new array, a view, or one of their arguments. The
        cotangent may have the shape to which the input was broadcast, and any real dtype: the
        backward pass sums and casts it.
    formula : str
        The operation in LaTeX, with the inputs named as in the rules and the output ``z``.
    vjp_formulas : sequence of str
        The cotangents in LaTeX, in which ``\bar{z}`` is the cotangent of the output.
    saves : bool
        Whether `forward` returns ``(out, saved)``, an array that spares the rules work. They get
        it as the keyword ``saved``; applied to tensors, they must compute it anew, for it carries
        no gradient.
    view : bool
        Whether the output may share memory with the first input.
    analytic : bool
        Whether the function is analytic, so that the complex step applies to it.
    kinks : str
        Where there is no derivative, and which value the rule takes there.
    joint : bool
        Whether `vjps` is one callable for all inputs together.
    once : bool
        Whether the rules are right only once, because they compute something that has no rule or
        is kept as a constant. They then get arrays always, and differentiating what they return
        is an error.

    Raises
    ------
    ArgumentError
        The name is taken.

    Examples
    --------
    >>> import numpy as np, tinygrad_bp as tg
    >>> cube = tg.Primitive(
    ...     "cube",
    ...     lambda x: x**3,
    ...     [lambda g, out, x: g * 3 * x**2],
    ...     formula="x^3",
    ...     vjp_formulas=[r"3 x^2 \bar{z}"],
    ... )
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    Tensor([ 3., 12.])
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        vjps: Sequence[Rule | None] | Rule,
        *,
        formula: str,
        vjp_formulas: Sequence[str],
        saves: bool = False,
        view: bool = False,
        analytic: bool = True,
        kinks: str = "",
        joint: bool = False,
        once: bool = False,
    ) -> None:
        load_late()
        if name in PRIMITIVES:
            raise ArgumentError(f"there is a primitive named {name!r} already.\nFix: another name.")
        self.name = name
        self.forward = forward
        self.vjps: Any = tuple(vjps) if not callable(vjps) else _EachArgument(vjps)
        if joint and callable(vjps):
            self.vjps = Joint(name, vjps)
        self.formula = formula
        self.vjp_formulas = tuple(vjp_formulas)
        self.saves = saves
        self.view = view
        self.analytic = analytic
        self.kinks = kinks
        self.once = once
        PRIMITIVES[name] = self

    def apply(self, *inputs: Any, **params: Any) -> Tensor:
        """Apply to tensors, arrays or numbers, recording a node where a gradient is required.

        To be called within the package alone; calling the primitive itself does the same.
        """
        values: Sequence[Any]
        rest: tuple[Any, ...] = ()
        needed = False
        count = len(inputs)
        # Up to three inputs are told apart because the loop below costs 0.3 to 0.6 µs more.
        if count == 2 or count == 3:
            x, y = inputs[0], inputs[1]
            if isinstance(x, Tensor):
                a, needed = x._data, x._requires_grad
                x = x.node or x
            else:
                a = x = x if type(x) in _PLAIN else plain(x)
            if isinstance(y, Tensor):
                b = y._data
                needed = needed or y._requires_grad
                y = y.node or y
            else:
                b = y = y if type(y) in _PLAIN else plain(y)
            values = (a, b)
            if count == 3:
                z = inputs[2]
                if isinstance(z, Tensor):
                    values = (a, b, z._data)
                    needed = needed or z._requires_grad
                    rest = (z.node or z,)
                else:
                    z = z if type(z) in _PLAIN else plain(z)
                    values, rest = (a, b, z), (z,)
        elif count == 1 and isinstance(inputs[0], Tensor):
            x, y = inputs[0], NOTHING
            needed = x._requires_grad
            values, x = (x._data,), x.node or x
        else:
            values = []
            found: list[Any] = []
            for x in inputs:
                if isinstance(x, Tensor):
                    values.append(x._data)
                    found.append(x.node or x)
                    needed = needed or x._requires_grad
                else:
                    x = x if type(x) in _PLAIN else plain(x)
                    values.append(x)
                    found.append(x)
            x = found[0] if found else NOTHING
            y = found[1] if count > 1 else NOTHING
            rest = tuple(found[2:])
        try:
            if count == 2:
                out = self.forward(a, b, **params) if params else self.forward(a, b)
            else:
                out = self.forward(*values, **params) if params else self.forward(*values)
        except (ValueError, TypeError, IndexError) as error:
            raise explain(error, self.name, values) from error
        saved = None
        if self.saves:
            out, saved = out
        mode = MODE.get()
        if mode.anomaly:
            check_finite(self.name, values, out)
        if needed and mode.recording:
            # Filled in here and not by Node(...) and a function for the tensor: a call of a class
            # runs __init__ by way of C. Both cost 0.3 of the 1.3 microseconds of recording.
            node = Node()
            node.primitive = self
            node.x = x
            node.y = y
            node.rest = rest
            node.params = params or NO_PARAMS
            node.saved = saved
            node.out = out
            node.mode = watched(mode, (*values, out)) if mode.anomaly else mode
            node.number = next(clock)
            node.hooks = node.freed_at = None
            frame = _getframe(2)  # the caller of apply is always one of ours
            while INSIDE[frame.f_code.co_filename] and frame.f_back is not None:
                frame = frame.f_back
            node.code = frame.f_code
            node.instruction = frame.f_lasti
            result = _new(Tensor)
            result._data = out
            result._requires_grad = True
            result.node = node
            result.version = result.hooks = result.name = result._grad = result._cut = None
        else:
            result = constant(out, inputs, self.name if needed else None)
        if self.view and isinstance(inputs[0], Tensor) and type(out) is np.ndarray:
            share_memory(result, inputs[0])
        return result

    def __call__(self, *inputs: Any, **params: Any) -> Tensor:
        """Apply to tensors, arrays or numbers; see `apply`."""
        return self.apply(*inputs, **params)

    as_tensor = staticmethod(recorded)  # how the graph, which knows no tensors, makes one

    def tied(self, part: Any, *inputs: Any) -> Tensor:
        """What a rule that is right once returned, as a tensor that cannot be differentiated."""
        return _once.apply(part, *inputs, of=self.name)

    def value(self, *values: Any, **params: Any) -> Any:
        """Compute the forward function of arrays, without what it saves for the rules."""
        out = self.forward(*values, **params)
        return out[0] if self.saves else out

    def __repr__(self) -> str:
        return f"<Primitive {self.name}>"


def implements(*functions: Any) -> Callable[[F], F]:
    """Register a function of tensors as what answers for NumPy functions of the same signature."""
    load_late()  # what the user registers comes after, and so in place of, what ships
    for asked in functions:
        if not callable(asked):
            raise ArgumentError(
                f"implements takes functions of NumPy, not {asked!r} (at {user_line()}).\n"
                "Fix: the function itself, as in implements(np.sin)."
            )

    def register(function: F) -> F:
        # A bound method is called without a detour through C, which a callable instance takes.
        answer = function.apply if isinstance(function, Primitive) else function
        for numpy_function in functions:
            FUNCTIONS[numpy_function] = answer
        return function

    return register


def _cast(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype)


# The backward pass itself needs these two, so they live here and not in `ops`.
Primitive(
    "sum_to_shape",
    lambda x, *, shape: sum_to_shape(x, shape),
    [lambda g, out, x, *, shape: np.broadcast_to(g, x.shape)],
    formula=r"\textstyle\sum_{\text{broadcast}} x",
    vjp_formulas=[r"\text{broadcast}(\bar{z})"],
)
Primitive(
    "astype",
    _cast,
    [lambda g, out, x, *, dtype: g],
    formula=r"x",
    vjp_formulas=[r"\bar{z}"],
)


def _twice(i: int, g: Any, out: Any, *inputs: Any, of: str) -> Any:
    raise VJPError(
        f"the rules of {of!r} are right only once, but a derivative of its gradient was wanted (at "
        f"{user_line()}).\n"
        f"Fix: write the rules of {of!r} with NumPy functions that have rules themselves, and make "
        "the Primitive without once=True."
    )


# What a rule that is right only once returned, tied to all that it was computed from. It is no
# operation of its own, so it is not among them.
_once = Primitive("once", lambda part, *inputs, of: part, _twice, formula="x", vjp_formulas=[""])
del PRIMITIVES["once"]

# The same value as another node: whatever is computed from it is younger than this node is.
Primitive(
    "identity",
    lambda x: x,
    [lambda g, out, x: g],
    formula=r"x",
    vjp_formulas=[r"\bar{z}"],
    view=True,
)
