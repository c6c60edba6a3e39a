"""Jacobians, Hessians, and products with Hessians that never are written out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_bp.core import Tensor, as_tensor
from tinygrad_bp.errors import ArgumentError, user_line
from tinygrad_bp.transforms.checks import values_of
from tinygrad_bp.transforms.first import as_arguments, described, gradient_function
from tinygrad_bp.transforms.linear import Linear, ones
from tinygrad_bp.transforms.run import Argnums, Run
from tinygrad_bp.transforms.trees import is_real


def jacobian(
    fun: Callable[..., Any], argnums: Argnums = 0, mode: str | None = None
) -> Callable[..., Any]:
    r"""The function that gives all derivatives of all outputs of `fun`.

    Parameters
    ----------
    fun : callable
        Returns an array, or a container of arrays.
    argnums : int or tuple of int, default 0
        Which arguments to differentiate by. Of a tuple, there is a tuple of Jacobians.
    mode : {"reverse", "forward"}, optional
        One backward pass for each element of the output, or one :math:`J v` for each element of
        the input. Without it, what takes fewer passes.

    Returns
    -------
    callable
        Of the same arguments; for an array it returns the shape ``out.shape + in.shape``.
        Of containers it returns the containers of the output, in which those of the input lie.

    Raises
    ------
    ArgumentError
        There is no such mode.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    if mode not in (None, "reverse", "forward"):
        raise ArgumentError(
            f"jacobian has no mode {mode!r} (at {user_line()}).\n"
            'Fix: "reverse", "forward", or None, which takes what is quicker.'
        )

    @functools.wraps(fun, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _jacobian("jacobian", fun, argnums, mode, args, kwargs)

    return described(wrapper, fun, "jacobian")


def hessian(fun: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that gives all second derivatives of `fun`: the Jacobian of its gradient.

    Parameters
    ----------
    fun : callable
        Returns one real number.
    argnums : int or tuple of int, default 0
        Which arguments to differentiate by. Of a tuple, there is a tuple of tuples of blocks.

    Returns
    -------
    callable
        Of the same arguments; for an array it returns the shape ``in.shape + in.shape``.
        Of containers it returns containers in containers.

    Examples
    --------
    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    gradient = gradient_function("hessian", fun, argnums)

    @functools.wraps(fun, updated=())
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _jacobian("hessian", gradient, argnums, "reverse", args, kwargs)

    return described(wrapper, fun, "hessian")


def hvp(fun: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    r"""The product of the Hessian of a function with a vector, :math:`\nabla^2 f(x)\, v`.

    The gradient is recorded, and `tangents` are pulled back through it: the Hessian is symmetric.
    This takes about the time of three gradients, whatever the number of arguments.

    Parameters
    ----------
    fun : callable
        Returns one real number.
    primals : tuple
        The arguments; a single one that is no tuple may be given as it is.
    tangents : tuple
        The vector, of the structure of `primals`; None for zeros.

    Returns
    -------
    tuple
        The product, of the structure of `primals`; for a single argument that is no tuple, its
        own structure.

    Examples
    --------
    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    points, directions = as_arguments("hvp", fun, primals, tangents)
    argnums: Argnums = tuple(range(len(points))) if points is primals else 0
    run = Run("hvp", fun, argnums, points, {})
    root = run.number()
    given = run.directions(directions)
    slopes = run.linear.pull([as_tensor(ones(root))], record=True)
    if any(slope is None for slope in slopes):
        run.warn_independent()
    arrived = [i for i, slope in enumerate(slopes) if slope is not None]
    asked = run.asked(*given)
    second = Linear([slopes[i] for i in arrived], run.variables.all, run.variables.start)
    vector = [given[i] for i in arrived]
    parts = second.pull(vector if asked.record else values_of(vector), asked.record)
    return run.structured(run.finished(parts, asked))


def _jacobian(
    who: str,
    fun: Callable[..., Any],
    argnums: Argnums,
    mode: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    run = Run(who, fun, argnums, args, kwargs)
    run.check_real()
    run.warn_independent()
    asked = run.asked()
    if mode is None:
        # What is pushed forward goes back through a recorded backward pass, which is longer.
        inputs = sum(variable.size for variable in run.variables.all)
        mode = "forward" if 3 * inputs < sum(root.size for root in run.roots) else "reverse"
    blocks = (_by_rows if mode == "reverse" else _by_columns)(run, asked.record)
    known: set[int] = set()
    rows = iter(
        [
            run.structured([run.result(block, asked, False, known) for block in row])
            for row in blocks
        ]
    )
    return run.out.build([next(rows) if is_real(leaf.value) else None for leaf in run.out.leaves])


def _by_rows(run: Run, record: bool) -> list[list[Any]]:
    """For each root and variable a block, from one backward pass for each element of a root."""
    blocks = []
    for k, root in enumerate(run.roots):
        rest = [np.zeros(r.shape, r.dtype) for r in run.roots]
        rows: list[list[Any]] = [[] for _ in run.variables.all]
        for unit in _units(root):
            rest[k] = unit
            for row, part in zip(rows, run.linear.pull(rest, record), strict=True):
                row.append(part)
        blocks.append(
            [
                _joined(row, v, root.shape + v.shape, v.shape, axis=0)
                for row, v in zip(rows, run.variables.all, strict=True)
            ]
        )
    return blocks


def _by_columns(run: Run, record: bool) -> list[list[Any]]:
    """For each root and variable a block, from one pass forward for each element of a variable."""
    columns: list[list[list[Any]]] = [[[] for _ in run.variables.all] for _ in run.roots]
    for k, variable in enumerate(run.variables.all):
        rest = [np.zeros(v.shape, v.dtype) for v in run.variables.all]
        for unit in _units(variable):
            rest[k] = unit
            for column, part in zip(columns, run.linear.push(rest, record), strict=True):
                column[k].append(part)
    return [
        [
            _joined(column[k], v, root.shape + v.shape, root.shape, axis=-1)
            for k, v in enumerate(run.variables.all)
        ]
        for root, column in zip(run.roots, columns, strict=True)
    ]


def _units(tensor: Tensor) -> Iterator[Any]:
    """Arrays of the shape of a tensor with a single 1, which goes through all places."""
    for i in range(tensor.size):
        unit = np.zeros(tensor.size, tensor.dtype)
        unit[i] = 1
        yield unit.reshape(tensor.shape)


def _joined(
    parts: list[Any], variable: Tensor, shape: tuple[int, ...], each: tuple[int, ...], axis: int
) -> Any:
    """Rows or columns as one block, in the dtype of the variable; None among them are zeros."""
    if all(part is None for part in parts):
        return np.zeros(shape, variable.dtype)
    nothing = np.zeros(each, variable.dtype)
    joined: Any = np.stack([nothing if part is None else part for part in parts], axis=axis)
    if joined.dtype != variable.dtype:
        joined = joined.astype(variable.dtype)
    return joined.reshape(shape)
