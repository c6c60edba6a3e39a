"""What the modules of linear algebra share: checks of shapes, and errors that name the matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_bp import errors
from tinygrad_bp.core.graph import Variable
from tinygrad_bp.errors import AxisError, OperationError, ShapeError, user_line
from tinygrad_bp.ops.shaping import normalized_axes

#: What helps where LAPACK does not converge.
FINITE = "pass finite numbers."


class LinAlgError(errors.LinAlgError, np.linalg.LinAlgError):
    """Ours and NumPy's at once; it is made here because `errors` does not import NumPy."""


def operand(x: Any) -> Any:
    """What can be asked for its axes: lists and numbers become arrays."""
    return x if hasattr(x, "ndim") else np.asarray(x)


def values(x: Any) -> Any:
    """The array of a tensor, for what a rule decides by the numbers, as which of them tie."""
    return np.asarray(x._data if isinstance(x, Variable) else x)


def transposed(x: Any) -> Any:
    """Each matrix of a stack with rows and columns exchanged."""
    return x.swapaxes(-1, -2)


def triangle(g: Any, uplo: str = "L") -> Any:
    """The symmetric part of a cotangent, as it belongs to one triangle.

    LAPACK reads one triangle of a symmetric matrix, so an element off the diagonal stands for
    two; that is the derivative of NumPy's function, and it is what a numerical derivative finds.
    """
    mask = half_lower(g)
    return (g + transposed(g)) * (mask if uplo == "L" else mask.T)


def from_lower(x: Any) -> Any:
    """The symmetric matrix of which x gives the lower triangle; the upper one is not looked at."""
    n = x.shape[-1]
    lower = np.where(np.tri(n, dtype=bool), x, 0)
    return lower + transposed(np.where(np.tri(n, k=-1, dtype=bool), x, 0))


def half_lower(x: Any) -> Any:
    """A mask of x's last two axes: 1 below the diagonal, 1/2 on it, 0 above."""
    n = x.shape[-1]
    mask = np.tri(n, dtype=x.dtype)
    mask[range(n), range(n)] = 0.5
    return mask


def check_matrices(name: str, *arrays: Any) -> None:
    """Require two axes or more."""
    for x in arrays:
        if x.ndim < 2:
            raise ShapeError(
                f"np.linalg.{name} of shape {x.shape} (at {user_line()}): it needs a matrix or a "
                "stack of matrices.\nFix: pass two axes or more, as with x[None, :] or x[:, None]."
            )


def check_square(name: str, x: Any) -> None:
    """Require two axes or more, the last two of one length."""
    check_matrices(name, x)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            f"np.linalg.{name} of shape {x.shape} (at {user_line()}): the last two axes have the "
            f"lengths {x.shape[-2]} and {x.shape[-1]}, and it needs a square matrix.\n"
            "Fix: pass (…, n, n); of other matrices there are pinv, lstsq and svd."
        )


def checked(
    name: str, compute: Callable[..., Any], x: Any, *rest: Any, fix: str, **params: Any
) -> Any:
    """Call a function of `numpy.linalg`; where it fails, say of which matrix, and what helps."""
    try:
        return compute(x, *rest, **params)
    except np.linalg.LinAlgError as error:
        shapes = " and ".join(str(np.shape(a)) for a in (x, *rest) if isinstance(a, np.ndarray))
        raise LinAlgError(
            f"np.linalg.{name} of {shapes} (at {user_line()}): {error}{_which(name, x)}.\n"
            f"Fix: {fix}"
        ) from error


def in_rule(
    name: str, of: Any, compute: Callable[..., Any], *arrays: Any, why: str, fix: str
) -> Any:
    """Call a function of `numpy.linalg` for the gradient of `of`; where it fails, say why."""
    try:
        return compute(*arrays)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(
            f"np.linalg.{name} of {of.shape} has no gradient (at {user_line()}): {why}.\nFix: {fix}"
        ) from error


def _which(name: str, x: Any) -> str:
    """Words for the first matrix of a stack on which a function of `numpy.linalg` fails alone."""
    if np.ndim(x) > 2:
        for place in np.ndindex(x.shape[:-2]):
            try:
                if name == "solve":
                    np.linalg.inv(x[place])
                else:
                    getattr(np.linalg, name)(x[place])
            except np.linalg.LinAlgError:
                return f", of the matrix at {list(place)} of the stack"
    return ""


def no_out(name: str, out: Any) -> None:
    """Refuse ``out=``."""
    if out is not None:
        raise OperationError(
            f"np.{name} with out= is not available on tensors, whose values are never written "
            f"(at {user_line()}).\nFix: leave out= away and use what is returned."
        )


def unfit(name: str, a: Any, b: Any, why: str) -> ShapeError:
    """The error for shapes that a product cannot work on."""
    return ShapeError(
        f"np.{name} of {a.shape} and {b.shape} (at {user_line()}): {why}.\n"
        "Fix: make shapes and axes fit, as with reshape, transpose, or an axis of length 1."
    )


def gufunc(
    name: str,
    core: tuple[int, int, int],
    compute: Any,
    x: Any,
    y: Any,
    *,
    out: None = None,
    axes: Any = None,
    dtype: Any = None,
    **options: Any,
) -> Any:
    """A product on the last axes, with the options that NumPy's generalized ufuncs have.

    `core` says on how many axes of both inputs it works, and how many of the result come of them.
    """
    no_out(name, out)
    if options:
        raise OperationError(
            f"np.{name} with {', '.join(f'{key}=' for key in options)} is not available on "
            f"tensors (at {user_line()}).\nFix: leave it away; there are axes= and dtype=."
        )
    x, y = operand(x), operand(y)
    if x.ndim < core[0] or y.ndim < core[1]:
        raise unfit(name, x, y, f"it needs {core[0]} axes of the first, {core[1]} of the second")
    if dtype is not None:
        x, y = x.astype(dtype), y.astype(dtype)
    if axes is None:
        return compute(x, y)
    places = [a if isinstance(a, (tuple, list)) else (a,) for a in axes]
    if [len(a) for a in places] not in (list(core), [n for n in core if n]):
        raise AxisError(
            f"np.{name} with axes={axes} (at {user_line()}): it works on {core[0]} and {core[1]} "
            f"axes, and {core[2]} come out.\nFix: pass a list with one tuple of axes for each."
        )
    z = compute(_moved(name, x, places[0]), _moved(name, y, places[1]))
    if not core[2]:
        return z
    ends = tuple(range(-core[2], 0))
    return np.moveaxis(z, ends, normalized_axes(name, tuple(places[2]), z))


def _moved(name: str, x: Any, axes: Any) -> Any:
    """The array with some axes moved to the end."""
    return np.moveaxis(x, normalized_axes(name, tuple(axes), x), tuple(range(-len(axes), 0)))


def _kind(result: Any) -> Any:
    """NumPy's named tuple, which it does not name in public."""
    return type(result)


SlogdetResult = _kind(np.linalg.slogdet(np.eye(1)))
QRResult = _kind(np.linalg.qr(np.eye(1)))
SVDResult = _kind(np.linalg.svd(np.eye(1)))
EighResult = _kind(np.linalg.eigh(np.eye(1)))
EigResult = _kind(np.linalg.eig(np.eye(1)))
