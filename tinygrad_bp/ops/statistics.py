"""Weighted means, covariances and correlations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_bp.core import as_tensor, implements
from tinygrad_bp.errors import ArgumentError, ShapeError, user_depth, user_line
from tinygrad_bp.ops.reductions import MISSING, Axis, cast
from tinygrad_bp.ops.shaping import normalized_axes


@implements(np.average)
def average(
    a: Any,
    axis: Axis = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = MISSING,
) -> Any:
    """Mean in which elements may weigh differently; see `numpy.average`.

    Parameters
    ----------
    a : Tensor or array
        Any shape.
    axis : int or tuple of int, optional
        All axes unless given.
    weights : Tensor or array, optional
        Of the shape of `a`, or of its lengths along `axis`; they have a gradient too.
    returned : bool
        Whether to return the sum of the weights too.

    Raises
    ------
    ArgumentError
        Weights sum to zero.
    ShapeError
        The weights do not fit.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.average(tg.Tensor([1.0, 4.0]), weights=[2.0, 1.0]).item()
    2.0
    """
    x, keep = as_tensor(a), keepdims is not MISSING and bool(keepdims)
    axes = None if axis is None else normalized_axes("average", axis, x)
    if weights is None:
        mean = np.mean(x, axis=axes, keepdims=keep)
        total: Any = as_tensor(np.asarray(x.size / max(mean.size, 1), mean.dtype))
    else:
        w = _weights(x, axes, as_tensor(weights))
        dtypes = (x.dtype, w.dtype) if x.dtype.kind in "fc" else (x.dtype, w.dtype, np.float64)
        dtype = np.result_type(*dtypes)
        total = np.sum(w, axis=axes, dtype=dtype, keepdims=keep)
        if (total.data == 0).any():
            raise ArgumentError(
                f"np.average: weights of shape {w.shape} sum to zero (at {user_line()}).\n"
                "Fix: pass weights of which some are not 0 in each slice."
            )
        mean = np.sum(cast(x, dtype) * cast(w, dtype), axis=axes, keepdims=keep) / total
    if not returned:
        return mean
    return mean, total if total.shape == mean.shape else np.broadcast_to(total, mean.shape)


def _weights(x: Any, axes: tuple[int, ...] | None, w: Any) -> Any:
    """The weights in a shape that broadcasts to that of x."""
    if w.shape == x.shape:
        return w
    if axes is None or w.shape != tuple(x.shape[i] for i in axes):
        raise ShapeError(
            f"np.average: weights of shape {w.shape} do not fit shape {x.shape} over axis {axes} "
            f"(at {user_line()}).\nFix: pass the shape of the array, or name the axes along which "
            "the weights lie."
        )
    w = np.transpose(w, tuple(np.argsort(axes).tolist()))
    return np.reshape(w, tuple(n if i in axes else 1 for i, n in enumerate(x.shape)))


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Covariance matrix of variables in rows; see `numpy.cov`.

    `aweights` may be a tensor and has a gradient; `fweights` are whole numbers.

    Raises
    ------
    ShapeError
        More than two axes, or weights of another number than observations.
    ArgumentError
        Negative weights, repetitions or a `ddof` that are not whole numbers.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.cov(tg.Tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if ddof is not None and ddof != int(ddof):
        raise ArgumentError(
            f"np.cov with ddof={ddof} (at {user_line()}).\nFix: pass a whole number."
        )
    parts = [as_tensor(t) for t in ((m,) if y is None else (m, y))]
    dtype = np.result_type(*(t.dtype for t in parts), np.float64) if dtype is None else dtype
    rows = [_variables(t, rowvar, dtype, i) for i, t in enumerate(parts)]
    if not rows[0].shape[0]:
        return as_tensor(np.zeros((0, 0)))
    x = np.concatenate(rows, axis=0) if len(rows) > 1 else rows[0]
    ddof = (0 if bias else 1) if ddof is None else ddof
    repeated, weighed = _observed("fweights", fweights, x), _observed("aweights", aweights, x)
    w = weighed if repeated is None else repeated if weighed is None else repeated * weighed
    mean, total = average(x, axis=1, weights=w, returned=True)
    free = _freedom(x, w, weighed, total[0], ddof)
    x = x - mean[:, None]
    c = np.dot(x, (x if w is None else x * w).T)
    factor = np.true_divide(1, free)
    return np.squeeze(c * (float(factor) if isinstance(factor, np.generic) else factor))


def _variables(t: Any, rowvar: bool, dtype: Any, i: int) -> Any:
    """One matrix of the observations, a variable in each row."""
    if t.ndim > 2:
        raise ShapeError(
            f"np.cov of shape {t.shape} (at {user_line()}): it has more than two axes.\n"
            "Fix: pass a matrix, a row for each variable."
        )
    x = cast(t if t.ndim == 2 else np.reshape(t, (1, -1)), dtype)
    if rowvar or (x.shape[0] == 1 if i else t.ndim == 1):
        return x
    return x.T


def _observed(name: str, weights: Any, x: Any) -> Any:
    """One weight for each observation, checked, or None."""
    if weights is None:
        return None
    w = cast(as_tensor(weights), float)
    if w.shape != x.shape[1:]:
        raise ShapeError(
            f"np.cov: {name} of shape {w.shape} for {x.shape[1]} observations "
            f"(at {user_line()}).\nFix: pass one for each observation."
        )
    whole = name == "aweights" or (w.data == np.around(w.data)).all()
    if not whole or (w.data < 0).any():
        raise ArgumentError(
            f"np.cov: {name} (at {user_line()}) must be "
            f"{'' if name == 'aweights' else 'whole numbers, '}0 or more."
            "\nFix: pass how much each observation counts."
        )
    return w


def _freedom(x: Any, w: Any, aweights: Any, total: Any, ddof: int) -> Any:
    """What the sum of squares is divided by; 0, with a warning, where nothing is left."""
    if w is None:
        free: Any = np.float64(x.shape[1] - ddof)
    elif aweights is None or ddof == 0:
        free = total - ddof
    else:
        free = total - ddof * np.sum(w * aweights) / total
    if free <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=user_depth())
        return np.float64(0)
    return free


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Correlation coefficients of variables in rows; see `numpy.corrcoef`.

    Raises
    ------
    ShapeError
        More than two axes.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> np.corrcoef(tg.Tensor([0.0, 1.0, 2.0]), [3.0, 2.0, 1.0])[0, 1].item()
    -1.0
    """
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    deviation = np.sqrt(np.diagonal(c))
    c = c / deviation[:, None] / deviation[None, :]
    # What rounding brought beyond 1 is brought back; at 1 itself the derivative stays.
    beyond = np.abs(c.data) > 1
    return np.where(beyond, np.sign(c.data), c) if beyond.any() else c
