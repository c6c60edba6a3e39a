"""Transforms of first order: gradients, and the derivative as a linear map in both directions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_bp.core import Tensor
from tinygrad_bp.core.graph import clock
from tinygrad_bp.core.tensor import wrap
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.transforms.checks import fitting, name_of, values_of
from tinygrad_bp.transforms.linear import ones
from tinygrad_bp.transforms.run import Argnums, Run
from tinygrad_bp.transforms.trees import Tree, is_real, kind_of

F = TypeVar("F", bound=Callable[..., Any])


def value_and_grad(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that gives a value of `fun` and its gradient; see `grad`.

    Parameters
    ----------
    fun : callable
        Returns one real number; with `has_aux`, a pair of it and anything else.
    argnums : int or tuple of int, default 0
        Which arguments to differentiate by. Of a tuple, the gradient is a tuple.
    has_aux : bool, default False
        Whether `fun` returns a pair.

    Returns
    -------
    callable
        Of the same arguments; it returns ``(value, gradient)``, or ``((value, aux), gradient)``.

    Examples
    --------
    >>> value_and_grad(lambda x: x**3)(2.0)
    (np.float64(8.0), np.float64(12.0))
    """

    @functools.wraps(fun, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        value, aux, gradient = _evaluate("value_and_grad", fun, argnums, has_aux, args, kwargs)
        return ((value, aux) if has_aux else value), gradient

    return described(wrapper, fun, "value_and_grad")


def grad(
    fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that gives the gradient of `fun`.

    Arguments are numbers, arrays, tensors, modules, and nested dicts, lists, tuples, named tuples
    and dataclasses of them. The gradient has the structure of the argument, with None for what is
    no real number, and a dict from names for a module.

    Where arrays and numbers go in, arrays and NumPy scalars come out; where a tensor or a module
    does, tensors. They are constants, unless something outside requires a gradient: another
    transform, or a tensor that `fun` uses. Then they are tensors that can be differentiated. No
    tensor's `grad` is written to.

    Parameters
    ----------
    fun : callable
        Returns one real number; with `has_aux`, a pair of it and anything else.
    argnums : int or tuple of int, default 0
        Which arguments to differentiate by. Of a tuple, the gradient is a tuple.
    has_aux : bool, default False
        Whether `fun` returns a pair.

    Returns
    -------
    callable
        Of the same arguments; it returns the gradient, or ``(gradient, aux)``.

    Raises
    ------
    ShapeError
        When it is called: `fun` returned several numbers.
    DTypeError
        When it is called: `fun` returned integers, truth values or no numbers, or an argument to
        differentiate by is none of real floating-point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> grad(np.tanh)(0.0)
    np.float64(1.0)
    >>> grad(grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    >>> grad(lambda p: np.sum(p["w"] * p["x"]))({"w": np.array([1.0, 2.0]), "x": 3.0})
    {'w': array([3., 3.]), 'x': np.float64(3.0)}
    """
    return gradient_function("grad", fun, argnums, has_aux)


def elementwise_grad(fun: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The derivative of a function that works on each element by itself, at each element.

    What is computed is the gradient of the sum of all outputs. That is the derivative of each
    output by the input at its own place where no other input matters to it, as for ``np.sin``;
    where others matter, their derivatives are summed, and `jacobian` tells them apart.

    Parameters
    ----------
    fun : callable
        Returns one array of any shape.
    argnums : int or tuple of int, default 0
        Which arguments to differentiate by.

    Examples
    --------
    >>> import numpy as np
    >>> elementwise_grad(np.square)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """

    @functools.wraps(fun, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = Run("elementwise_grad", fun, argnums, args, kwargs)
        asked = run.asked()
        return run.gradients(run.linear.pull([ones(run.array())], asked.record), asked)

    return described(wrapper, fun, "elementwise_grad")


def gradient_function(
    who: str, fun: Callable[..., Any], argnums: Argnums, has_aux: bool = False
) -> Callable[..., Any]:
    """What `grad` returns, under the name of the transform that asks for it."""

    @functools.wraps(fun, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _, aux, gradient = _evaluate(who, fun, argnums, has_aux, args, kwargs)
        return (gradient, aux) if has_aux else gradient

    return described(wrapper, fun, who)


def _evaluate(
    who: str,
    fun: Callable[..., Any],
    argnums: Argnums,
    has_aux: bool,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, Any, Any]:
    """Value, what came beside it, and gradient."""
    run = Run(who, fun, argnums, args, kwargs, has_aux)
    root = run.number()
    asked = run.asked()
    gradient = run.gradients(run.linear.pull([ones(root)], asked.record), asked)
    value = root if asked.record else wrap(root._data) if asked.tensors else root._data
    return value, run.settled_aux(), gradient


def described(wrapper: Callable[..., Any], fun: Any, who: str) -> Callable[..., Any]:
    """The function that a transform returns, under a name that says what it is."""
    name = name_of(fun)
    wrapper.__name__ = wrapper.__qualname__ = f"{who}({name})"
    return wrapper


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    r"""The value of a function, and the map from cotangents of it to those of its arguments.

    Parameters
    ----------
    fun : callable
        Returns an array, or a container of arrays.
    *primals : numbers, arrays, tensors, modules or containers
        The arguments; all are differentiated by. Arrays are copied.
    has_aux : bool, default False
        Whether `fun` returns a pair, of which the second is handed through.

    Returns
    -------
    out : array, Tensor or container
        The value: arrays where arrays went in, as for `grad`.
    pullback : callable
        ``pullback(cotangent)`` is :math:`J^\top` times a cotangent of the structure of `out`: a
        tuple with one cotangent for each argument. It may be called any number of times.
    aux : object
        Only with `has_aux`.

    Examples
    --------
    >>> import numpy as np
    >>> out, pullback = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), 3.0)
    >>> out
    array([3., 6.])
    >>> pullback(np.array([1.0, 0.0]))
    (array([3., 0.]), np.float64(1.0))
    """
    run = Run("vjp", fun, tuple(range(len(primals))), primals, {}, has_aux, keep=True)
    run.check_real()
    run.warn_independent()

    def pullback(cotangent: Any) -> Any:
        values = run.out.matched(cotangent, "the cotangent given to a pullback")
        real = [v for v, x in zip(values, run.out.leaves, strict=True) if is_real(x.value)]
        given = [
            fitting(value, root, "the cotangent given to a pullback")
            for value, root in zip(real, run.roots, strict=True)
        ]
        asked, since = run.asked(*given), next(clock)
        parts = run.linear.pull(given if asked.record else values_of(given), asked.record)
        if asked.record and not run.beyond:
            run.variables.cut_off(parts, since, given)
        return run.structured(run.finished(parts, asked))

    out = run.outputs()
    return (out, pullback, run.settled_aux()) if has_aux else (out, pullback)


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    r"""The value of a function, and how it changes when its arguments move along tangents.

    :math:`J v` comes from two backward passes: :math:`J^\top u` is recorded, and as it is linear
    in :math:`u`, the gradient of :math:`\langle J^\top u, v \rangle` by :math:`u` is :math:`J v`.

    Parameters
    ----------
    fun : callable
        Returns an array, or a container of arrays.
    primals : tuple
        The arguments; a single one that is no tuple may be given as it is.
    tangents : tuple
        Their tangents, of the same structure; None for one that does not move.

    Returns
    -------
    out, tangent : array, Tensor or container
        The value, and its tangent of the same structure: arrays where arrays went in.

    Examples
    --------
    >>> import numpy as np
    >>> jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    points, directions = as_arguments("jvp", fun, primals, tangents)
    run = Run("jvp", fun, tuple(range(len(points))), points, {})
    run.check_real()
    run.warn_independent()
    given = run.directions(directions)
    asked = run.asked(*given)
    pushed = run.linear.push(given if asked.record else values_of(given), asked.record)
    return run.outputs(), run.tangent(pushed, asked)


def as_arguments(who: str, fun: Any, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Primals and tangents as tuples of the same length."""
    if not isinstance(primals, tuple) or hasattr(primals, "_fields"):
        primals, tangents = (primals,), (tangents,)
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(primals) or not primals:
        got = len(tangents) if isinstance(tangents, (tuple, list)) else kind_of(tangents)
        raise ArgumentError(
            f"{who} of {fun!r} has {len(primals)} arguments, but as tangents it got {got} (at "
            f"{user_line()}).\nFix: two tuples, primals and tangents, of the same length."
        )
    return primals, tangents


def stop_gradient(x: Any) -> Any:
    """The same values as constants: no gradient flows through.

    Parameters
    ----------
    x : Tensor or container
        A tensor, or a dict, list, tuple, named tuple or dataclass. What is no tensor is left alone.

    Examples
    --------
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    tree = Tree(x, "argument 0")
    if any(leaf.of_module for leaf in tree.leaves):
        raise ArgumentError(
            f"stop_gradient has no constant module to return (at {user_line()}).\n"
            "Fix: apply it to what the module returns, or call parameter.requires_grad_(False)."
        )
    return tree.build([v.detach() if isinstance(v, Tensor) else v for _, v, _ in tree.leaves])
