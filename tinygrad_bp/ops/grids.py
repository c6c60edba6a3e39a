"""Numbers between two ends, and the coordinates of grids."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.core.tensor import constant
from tinygrad_bp.errors import ArgumentError, ShapeError, user_line
from tinygrad_bp.ops.shaping import broadcast_to, expand_dims, normalized_axes, reshape


def _weights(out: Any, num: int, endpoint: bool, axis: int) -> Any:
    """How far each number is on the way from the first end to the second, along the axis."""
    steps = num - 1 if endpoint else num
    t = np.arange(num, dtype=out.dtype) / max(steps, 1)
    return t.reshape((-1,) + (1,) * (out.ndim - 1 - axis))


_linspace = Primitive(
    "linspace",
    lambda x, y, *, num, endpoint, axis: np.linspace(x, y, num, endpoint, axis=axis),
    [
        lambda g, out, x, y, *, num, endpoint, axis: np.sum(
            g * (1 - _weights(out, num, endpoint, axis)), axis=axis
        ),
        lambda g, out, x, y, *, num, endpoint, axis: np.sum(
            g * _weights(out, num, endpoint, axis), axis=axis
        ),
    ],
    formula=r"(1 - t_i) \, x + t_i \, y, \; 0 \le t_i \le 1",
    vjp_formulas=[
        r"\textstyle\sum_i (1 - t_i) \, \bar{z}_i",
        r"\textstyle\sum_i t_i \, \bar{z}_i",
    ],
)


def _geometric(x: Any, y: Any, *, num: int, endpoint: bool, axis: int) -> Any:
    return np.geomspace(x, y, num, endpoint, axis=axis)


_geomspace = Primitive(
    "geomspace",
    _geometric,
    [
        lambda g, out, x, y, *, num, endpoint, axis: (
            np.sum(g * out * (1 - _weights(out, num, endpoint, axis)), axis=axis) / x
        ),
        lambda g, out, x, y, *, num, endpoint, axis: (
            np.sum(g * out * _weights(out, num, endpoint, axis), axis=axis) / y
        ),
    ],
    formula=r"x^{1 - t_i} \, y^{t_i}, \; 0 \le t_i \le 1",
    vjp_formulas=[
        r"\textstyle\sum_i (1 - t_i) \, \frac{z_i}{x} \, \bar{z}_i",
        r"\textstyle\sum_i t_i \, \frac{z_i}{y} \, \bar{z}_i",
    ],
    analytic=False,  # only because NumPy's takes another way through complex numbers
)


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Numbers at equal distances between two ends, which may be tensors; see `numpy.linspace`.

    Raises
    ------
    ArgumentError
        `num` is negative.
    AxisError
        The result has no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> stop = tg.Tensor(4.0, requires_grad=True)
    >>> np.linspace(0.0, stop, 3).sum().backward()
    >>> stop.grad
    Tensor(1.5)
    """
    result = _between("linspace", _linspace, start, stop, num, endpoint, dtype, axis)
    if not retstep:
        return result
    steps = operator.index(num) - bool(endpoint)
    if steps < 1:
        return result, np.nan
    return result, (as_tensor(stop) - as_tensor(start)) / steps


@implements(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Numbers at equal ratios between two ends, which may be tensors; see `numpy.geomspace`.

    Raises
    ------
    ArgumentError
        An end is 0, the ends differ in sign, or `num` is negative.
    AxisError
        The result has no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.geomspace(1.0, tg.Tensor(100.0), 3)
    Tensor([  1.,  10., 100.])
    """
    if not np.all(np.sign(_values(start)) * np.sign(_values(stop)) > 0):
        raise ArgumentError(
            f"np.geomspace between {_values(start)} and {_values(stop)} (at {user_line()}).\n"
            "Fix: both ends positive, or both negative; a geometric sequence does not pass 0."
        )
    return _between("geomspace", _geomspace, start, stop, num, endpoint, dtype, axis)


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Powers of the base, the exponents at equal distances; see `numpy.logspace`.

    Raises
    ------
    ArgumentError
        `num` is negative.
    AxisError
        The result has no such axis.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.logspace(0.0, tg.Tensor(2.0), 3)
    Tensor([  1.,  10., 100.])
    """
    if np.ndim(_values(base)):
        widest = max(np.ndim(_values(x)) for x in (start, stop, base))
        start, stop, base = (_widened(as_tensor(x), widest) for x in (start, stop, base))
        base = expand_dims(base, axis)
    powers = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return powers if dtype is None else powers.astype(dtype)


def _between(
    name: str,
    primitive: Primitive,
    start: Any,
    stop: Any,
    num: int,
    endpoint: bool,
    dtype: Any,
    axis: int,
) -> Any:
    num = operator.index(num)
    if num < 0:
        raise ArgumentError(
            f"np.{name} cannot make {num} numbers (at {user_line()}).\nFix: ask for 0 or more."
        )
    shapes = np.shape(_values(start)), np.shape(_values(stop))
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeError(
            f"np.{name}: ends of shapes {shapes[0]} and {shapes[1]} do not broadcast "
            f"(at {user_line()}).\nFix: lengths must agree, counted from the last axis, or be 1."
        ) from error
    (axis,) = normalized_axes(name, operator.index(axis), np.empty(shape), len(shape) + 1)
    if dtype is not None and np.dtype(dtype).kind != "f":
        ends = _values(start), _values(stop)
        function = np.linspace if name == "linspace" else np.geomspace
        values = function(*ends, num, endpoint, dtype=dtype, axis=axis)
        cut = any(isinstance(x, Variable) and x.requires_grad for x in (start, stop))
        return constant(values, (start, stop), f"{name} with dtype={dtype}" if cut else None)
    result = primitive(start, stop, num=num, endpoint=bool(endpoint), axis=axis)
    return result if dtype is None else result.astype(dtype)


def _widened(a: Any, ndim: int) -> Any:
    return reshape(a, (1,) * (ndim - a.ndim) + a.shape)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinates of all points of a grid, given those along its axes; see `numpy.meshgrid`.

    With or without `copy`, memory is shared where it can be: a tensor's values are never written.

    Raises
    ------
    ArgumentError
        `indexing` is neither 'xy' nor 'ij'.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> x, y = np.meshgrid(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0, 5.0]))
    >>> x.shape, y[:, 0]
    ((3, 2), Tensor([3., 4., 5.]))
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(
            f"np.meshgrid has no indexing {indexing!r} (at {user_line()}).\nFix: 'xy' or 'ij'."
        )
    n = len(xi)
    places = list(range(n))
    if indexing == "xy" and n > 1:
        places[:2] = 1, 0
    grids = []
    for x, place in zip(xi, places, strict=True):
        shape = [1] * n
        shape[place] = -1
        grids.append(reshape(as_tensor(x), shape))
    if sparse:
        return tuple(grids)
    whole = np.broadcast_shapes(*(g.shape for g in grids))
    return tuple(broadcast_to(g, whole) for g in grids)


def _values(x: Any) -> Any:
    return x._data if isinstance(x, Variable) else x
