"""Autograd's gradients held against numerical ones, element by element."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_bp.core import Tensor
from tinygrad_bp.errors import ArgumentError, GradientError, NoGradPathError
from tinygrad_bp.testing.numerical import numerical_gradient


class GradientCheck(NamedTuple):
    """What a check found where no element was wrong.

    `difference` is the largest difference, relative to the largest element of the gradient of the
    same argument; `arguments` has it for each (those of order 2 end in ``" (order 2)"``). Of the
    `elements` compared, `inconclusive` many have an error bar wider than the tolerance.
    """

    difference: float
    arguments: dict[str, float]
    elements: int
    inconclusive: int


def check_gradients(
    f: Callable[..., Tensor],
    *args: Any,
    order: int = 1,
    rtol: float = 1e-7,
    elements: int | None = None,
) -> GradientCheck:
    """Compare autograd's gradient of a function with the 5-point numerical one.

    An element is wrong where the two differ by more than `rtol` times its size *and* by more than
    the error bar of the numerical one: what is too noisy to tell is never called wrong.

    Parameters
    ----------
    f : callable
        Called with `args`; returns a tensor. One with axes is reduced by a sum with random weights.
    *args : array, Tensor, float or Module
        Real numbers are differentiated by, as float64 copies, and so are the parameters of a
        module, of which `f` gets a copy. Anything else (integers, labels) is passed on as it is.
    order : {1, 2}
        With 2, the gradient's own gradient, in one random direction, is checked as well.
    rtol : float, default 1e-7
        Relative tolerance for each element.
    elements : int, optional
        Compare at most this many elements of each argument, drawn at random.

    Raises
    ------
    GradientError
        An element is wrong. The message names the worst one.
    NoGradPathError
        `f` returns no tensor, or one that is cut off from its arguments.

    Examples
    --------
    >>> check = check_gradients(lambda x, y: x * x * y, np.array([1.0, 2.0]), 3.0, order=2)
    >>> check.difference < 1e-9, check.inconclusive
    (True, 0)
    """
    if order not in (1, 2):
        raise ArgumentError(f"check_gradients knows the orders 1 and 2, not {order!r}.")
    given = [_in_float64(arg) for arg in args]
    leaves: dict[str, Tensor] = {}
    for i, arg in enumerate(given):
        if hasattr(arg, "named_parameters"):
            named = list(arg.named_parameters())
        else:
            named = [("", arg)] if isinstance(arg, Tensor) and arg.requires_grad else []
        for name, leaf in named:
            known = name or leaf.name or f"argument {i}"
            leaves[known if known not in leaves else f"{known} (argument {i})"] = leaf
    if not leaves:
        raise ArgumentError(
            "check_gradients found nothing to differentiate by among its arguments: "
            f"{', '.join(type(arg).__name__ for arg in args) or 'none were given'}.\n"
            "Fix: pass real floating-point arrays or tensors, or a module with parameters."
        )
    rng = np.random.default_rng(0)
    shape = _shape_of_output(f(*given))
    weights = rng.uniform(0.5, 1.5, shape)
    summed = f"the sum of the outputs {shape} times random weights" if shape else ""
    directions = {name: rng.uniform(0.5, 1.5, leaf.shape) for name, leaf in leaves.items()}

    def value() -> Tensor:
        out = f(*given)
        return np.sum(out * weights) if out.shape else out

    def slope() -> Tensor:
        gradients = _backward(value(), leaves, create_graph=True)
        return sum((np.sum(g * directions[name]) for name, g in gradients.items()), Tensor(0.0))

    differences: dict[str, float] = {}
    compared = unsure = 0
    for function, suffix in ((value, ""), (slope, " (order 2)"))[:order]:
        root = function()
        # The slope of a linear function is a constant: there is no graph to go back through.
        exact = _backward(root, leaves) if root.requires_grad or function is value else {}
        for name, leaf in leaves.items():
            g = exact[name].data.ravel() if name in exact else np.zeros(leaf.size)
            some = rng.permutation(leaf.size)[:elements]
            start = leaf.data

            def at(values: Any, leaf: Tensor = leaf, function: Any = function) -> Any:
                leaf.data = values
                return function().data

            numeric, error = (a.ravel()[some] for a in numerical_gradient(at, start, elements=some))
            leaf.data = start
            label = name + suffix
            differences[label], more = _compare(
                label, leaf, some, g[some], numeric, error, rtol, summed
            )
            compared, unsure = compared + len(some), unsure + more
    return GradientCheck(max(differences.values()), differences, compared, unsure)


def _in_float64(arg: Any) -> Any:
    """A leaf or module of float64 copies, or what cannot be differentiated by, as it is."""
    if hasattr(arg, "named_parameters"):
        twin = copy.deepcopy(arg)
        for _, parameter in twin.named_parameters():
            parameter.grad = None
            parameter.data = parameter.data.astype(np.float64)
        return twin
    array = arg.data if isinstance(arg, Tensor) else arg
    if isinstance(array, (np.ndarray, np.floating, float)) and np.asarray(array).dtype.kind == "f":
        name = arg.name if isinstance(arg, Tensor) else None
        return Tensor(array, requires_grad=True, dtype=np.float64, name=name)
    return arg


def _shape_of_output(out: Any) -> tuple[int, ...]:
    if not isinstance(out, Tensor):
        raise NoGradPathError(
            f"f returned a value of type {type(out).__name__}: it does not depend on the arguments "
            "through tensors, and has no gradient.\n"
            "Fix: return one tensor, computed from the arguments with NumPy's functions and "
            "without .data, .item(), .numpy() or float()."
        )
    return out.shape


def _backward(
    root: Tensor, leaves: dict[str, Tensor], create_graph: bool = False
) -> dict[str, Tensor]:
    """The gradients of `root` with respect to the leaves that it depends on."""
    for leaf in leaves.values():
        leaf.grad = None
    root.backward(create_graph=create_graph)
    found = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    for leaf in leaves.values():
        leaf.grad = None
    return found


def _compare(
    name: str,
    leaf: Tensor,
    some: Any,
    exact: Any,
    numeric: Any,
    error: Any,
    rtol: float,
    summed: str,
) -> tuple[float, int]:
    """The largest relative difference, and the number of inconclusive elements.

    `summed` tells what was differentiated where that is not the function's output itself.
    """
    known = np.isfinite(error)
    with np.errstate(invalid="ignore"):
        difference = np.where(known, np.abs(exact - numeric), 0.0)
    size = np.where(known, np.maximum(np.abs(exact), np.abs(numeric)), 0.0)
    wrong = ~np.isfinite(exact) | ~(difference <= np.maximum(rtol * size, error))
    if wrong.any():
        worst = int(np.argmax(np.where(wrong, np.nan_to_num(difference, nan=np.inf), -1.0)))
        index = tuple(int(i) for i in np.unravel_index(some[worst], leaf.shape))
        raise GradientError(
            f"the gradient of {name} {leaf.shape} is wrong at {wrong.sum()} of {len(some)} "
            f"elements, most at index {index}: autograd gives {exact[worst]:.12g}, the numerical "
            f"derivative is {numeric[worst]:.12g} with an error of at most {error[worst]:.1g}"
            + (f"; both numbers are of {summed}" if summed else "")
            + ".\nFix: check parts of the function to find the backward rule at fault; near a "
            "kink, move the input away from it."
        )
    scale = float(np.max(size, initial=0.0))
    unsure = ~known | ((error > rtol * scale) & (difference > 0))
    return float(np.max(difference, initial=0.0)) / (scale or 1.0), int(unsure.sum())
