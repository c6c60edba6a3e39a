"""Sequences against sequences: interpolation, convolution, correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_bp.core import Primitive, as_tensor, implements
from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError, nearest, user_line

_MODES = {0: "valid", 1: "same", 2: "full"}

# On arrays the rules take NumPy's own way to the part that is needed.
_convolve = Primitive(
    "convolve",
    np.convolve,
    [
        lambda g, out, x, y: np.correlate(g, y, "valid"),
        lambda g, out, x, y: np.correlate(g, x, "valid"),
    ],
    formula=r"z_k = \textstyle\sum_i x_i \, y_{k-i}",
    vjp_formulas=[
        r"\textstyle\sum_k \bar{z}_k \, y_{k-i}",
        r"\textstyle\sum_k \bar{z}_k \, x_{k-i}",
    ],
)


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """Convolution of two sequences; see `numpy.convolve`.

    Raises
    ------
    ShapeError
        An argument has more than one axis.
    ArgumentError
        An argument is empty, or there is no such mode.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.convolve(tg.Tensor([1.0, 2.0, 3.0]), [1.0, 1.0], "valid")
    Tensor([3., 5.])
    """
    word, x, y = _mode("convolve", mode), _sequence("convolve", a), _sequence("convolve", v)
    z = _convolve(x, y)
    shorter, longer = sorted((x.size, y.size))
    if word == "full":
        return z
    if word == "same":
        return z[(shorter - 1) // 2 : (shorter - 1) // 2 + longer]
    return z[shorter - 1 : longer]


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Cross-correlation of two sequences; see `numpy.correlate`.

    Raises
    ------
    ShapeError
        An argument has more than one axis.
    ArgumentError
        An argument is empty, or there is no such mode.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.correlate(tg.Tensor([1.0, 2.0, 3.0]), [0.0, 1.0])
    Tensor([2., 3.])
    """
    word, x, y = _mode("correlate", mode), _sequence("correlate", a), _sequence("correlate", v)
    if y.dtype.kind == "c":
        y = np.conj(y)
    z = _convolve(x, y[::-1])
    if word == "full":
        return z
    n, m = x.size, y.size
    if word == "same":
        start = (m - 1) // 2 if n >= m else n // 2
        return z[start : start + max(n, m)]
    return z[min(n, m) - 1 : max(n, m)]


def _mode(name: str, mode: Any) -> str:
    word = _MODES.get(mode, mode) if isinstance(mode, int) else mode
    if word not in _MODES.values():
        raise ArgumentError(
            f"np.{name} has no mode {mode!r} (at {user_line()}).\n"
            f"Fix: {nearest(str(mode), _MODES.values())}"
        )
    return str(word)


def _sequence(name: str, a: Any) -> Any:
    x = as_tensor(a)
    if x.ndim > 1:
        raise ShapeError(
            f"np.{name} of shape {x.shape} (at {user_line()}): it has more than one axis.\n"
            "Fix: pass one line at a time."
        )
    if not x.size:
        raise ArgumentError(
            f"np.{name}: an argument is empty (at {user_line()}).\nFix: pass one element or more."
        )
    return x if x.ndim else np.reshape(x, 1)


@implements(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate along straight lines between points; see `numpy.interp`.

    Differentiable in all of its arguments. On a point the derivative is that of the line which
    begins there, on the last point that of the line which ends there.

    Parameters
    ----------
    x : Tensor or array
        Where to evaluate; any shape.
    xp, fp : Tensor or array
        (n,), the points, of which `xp` increases unless there is a period.
    left, right : number or Tensor, optional
        The value beyond the points; that of the nearest one unless given.
    period : number or Tensor, optional
        The period of `x`; then `left` and `right` are not used.

    Raises
    ------
    ShapeError
        The points are not two vectors of one length.
    ArgumentError
        There is no point, or the period is 0.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.interp(tg.Tensor([0.5, 3.0]), [0.0, 1.0, 2.0], [0.0, 10.0, 40.0])
    Tensor([ 5., 40.])
    """
    t, xs, fs = (_double(a) for a in (x, xp, fp))
    if xs.ndim != 1 or fs.shape != xs.shape:
        raise ShapeError(
            f"np.interp: points of shapes {xs.shape} and {fs.shape} (at {user_line()}).\n"
            "Fix: pass two vectors of one length."
        )
    if not xs.size:
        raise ArgumentError(f"np.interp: there is no point (at {user_line()}).\nFix: pass some.")
    if period is not None:
        span = np.abs(_double(period))
        if not span.data:
            raise ArgumentError(f"np.interp with period=0 (at {user_line()}).\nFix: another one.")
        t, xs = t % span, xs % span
        order = np.argsort(xs.data)
        xs, fs = xs[order], fs[order]
        xs = np.concatenate([xs[-1:] - span, xs, xs[:1] + span])
        fs = np.concatenate([fs[-1:], fs, fs[:1]])
        left = right = None
    below, above = t.data < xs.data[0], t.data > xs.data[-1]
    z = _between(t, xs, fs, below | above | np.isnan(t.data))
    z = np.where(below, fs[0] if left is None else left, z)
    z = np.where(above, fs[-1] if right is None else right, z)
    nan = np.isnan(t.data)
    return np.where(nan, np.nan, z) if xs.size > 1 and nan.any() else z


def _double(a: Any) -> Any:
    t = as_tensor(a)
    if t.dtype.kind == "c":
        raise DTypeError(
            f"np.interp of complex numbers is not available on tensors (at {user_line()}).\n"
            "Fix: interpolate the real and the imaginary part."
        )
    return t if t.dtype == float else t.astype(float)


def _between(t: Any, xs: Any, fs: Any, outside: Any) -> Any:
    """The lines at t; where it is outside, something finite."""
    if xs.size == 1:
        return np.broadcast_to(fs[0], t.shape)
    t = np.where(outside, xs.data[0], t) if outside.any() else t
    places = np.searchsorted(xs.data, t.data, side="right") - 1
    k = np.clip(places, 0, xs.size - 2)
    near = np.minimum(places, xs.size - 1)  # on the last point, that point itself
    width = xs[k + 1] - xs[k]
    slope = (fs[k + 1] - fs[k]) / np.where(width.data == 0, 1, width)
    return fs[near] + slope * (t - xs[near])
