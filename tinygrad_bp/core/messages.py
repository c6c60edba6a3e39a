"""The words of errors that several parts of the engine raise."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import (
    ArgumentError,
    AxisError,
    DTypeError,
    IndexingError,
    NoGradPathError,
    OperationError,
    ShapeError,
    TgError,
    user_line,
)


def named(tensor: Any) -> str:
    """The name of a tensor in quotes after a blank, or nothing."""
    return f" {tensor.name!r}" if tensor.name else ""


def require_float(requires_grad: bool, dtype: np.dtype[Any], name: str | None) -> None:
    """Refuse a gradient with respect to numbers that are not real floating-point ones."""
    if requires_grad and dtype.kind != "f":
        raise DTypeError(
            f"a tensor{f' {name!r}' if name else ''} of dtype {dtype} cannot require a gradient "
            f"(at {user_line()}).\n"
            "Fix: use real floating-point numbers: Tensor([1.0, 2.0]) or dtype=float."
        )


def numbers(data: Any) -> Any:
    """The data as an array, or as the NumPy scalar that it is; anything but numbers is refused."""
    array = data if isinstance(data, np.generic) else np.asarray(data)
    if array.dtype.kind not in "fiubc":
        raise DTypeError(
            f"a tensor holds numbers, not {array.dtype} (at {user_line()}).\n"
            "Fix: pass numbers in a shape that is not ragged; to join tensors, use np.stack."
        )
    return array


def plain(x: Any) -> Any:
    """An input that is no tensor as rules can count on it; masked arrays are refused.

    ``[1, 2] * 2`` would repeat the list, and ``*`` of a `numpy.matrix`, as SciPy's ``todense()``
    gives, is the product of matrices.

    Raises
    ------
    DTypeError
        Some elements are masked: tensors have no masks.

    Examples
    --------
    >>> plain([1, 2]), plain(3.0)
    (array([1, 2]), 3.0)
    """
    if hasattr(x, "mask") and isinstance(x, np.ma.MaskedArray):
        raise DTypeError(
            f"a masked array of shape {x.shape} would lose its mask among tensors (at "
            f"{user_line()}).\nFix: pass m.filled(value), or m.data and the mask apart, as in "
            "np.where(m.mask, 0, m.data * t) or np.sum(t, where=~m.mask)."
        )
    return np.asarray(x) if isinstance(x, (list, tuple, np.ndarray)) else x


def no_array(error: ValueError) -> TgError:
    """The error for data of which NumPy can make no array."""
    kind = ShapeError if "inhomogeneous" in str(error) else ArgumentError
    return kind(
        f"no tensor can be made of this (at {user_line()}): {error}\n"
        "Fix: pass numbers in a shape that is not ragged; to join tensors, use np.stack."
    )


def no_path(tensor: Any) -> NoGradPathError:
    """The error for a gradient asked of a value that depends on nothing that requires one."""
    cut = tensor._cut or ""
    step = " A step is w.assign(w - step); w -= step makes another tensor, here a constant."
    return NoGradPathError(
        f"a tensor{named(tensor)} {tensor.shape} {tensor.dtype} does not depend on any tensor "
        f"that requires a gradient (at {user_line()}).\n"
        + (f"Closest: {cut}.\n" if cut else "")
        + "Fix: create the inputs with requires_grad=True, and compute with NumPy's functions on "
        "tensors, outside of no_grad() and without detach() or .data."
        + (step if "no_grad() around subtract" in cut else "")
    )


def full_name(function: Any) -> str:
    """What a user writes for a function: ``np.sin``, ``np.linalg.inv``, ``scipy.special.erf``."""
    name = getattr(function, "__name__", str(function))
    home = getattr(function, "__module__", None)
    if getattr(np, name, None) is function:
        return f"np.{name}"
    if isinstance(home, str) and home.startswith("numpy"):
        return f"np{home.removeprefix('numpy')}.{name}"
    special = sys.modules.get("scipy.special")
    return f"scipy.special.{name}" if getattr(special, name, None) is function else name


def unknown(function: Any, why: str) -> OperationError:
    """The error for a NumPy function, or a way to call it, that has no rule."""
    name = full_name(function)
    return OperationError(
        f"{name} cannot be differentiated: {why} (at {user_line()}).\n"
        f"Fix: write the rule as a tinygrad_bp.Primitive and register it with "
        f"tinygrad_bp.implements({name}); or, if no gradient is wanted, call it on t.data."
    )


def explain(error: Exception, name: str, values: Sequence[Any]) -> Exception:
    """What NumPy said when a forward function failed, as an error of ours that says where."""
    if isinstance(error, TgError):
        return error
    arrays = ", ".join(
        f"{v.shape} {v.dtype}" if isinstance(v, (np.ndarray, np.generic)) else repr(v)[:40]
        for v in values
    )
    path = MODE.get().path()
    kind: type[TgError] = ShapeError
    fix = "make shapes and axes fit, as with reshape, transpose, or an axis of length 1."
    if isinstance(error, np.exceptions.AxisError):
        kind, fix = AxisError, "name an axis that the array has."
    elif isinstance(error, IndexError):
        kind, fix = IndexingError, "stay within the shape."
    elif "as an integer" in str(error):
        kind, fix = DTypeError, "pass an integer where NumPy takes one, as for axis=."
    elif isinstance(error, TypeError) and re.search("(positional|keyword) arg", str(error)):
        kind, fix = OperationError, "pass each input by position, and options by their names."
    elif isinstance(error, TypeError):
        kind, fix = DTypeError, "pass numbers, or arrays of numbers, of a dtype that fits."
    elif "cannot reshape" in str(error):
        fix = "ask for as many elements as there are; -1 stands for the length that is left."
    elif "einstein" in str(error):
        fix = "write the subscripts as in np.einsum('ij,jk->ik', a, b)."
    elif "zero-size" in str(error):
        kind, fix = ArgumentError, "pass at least one element."
    elif "integer powers" in str(error):
        kind, fix = ArgumentError, "use floating-point numbers."
    return kind(
        f"{name}{f' in {path}' if path else ''} cannot work on inputs {arrays} "
        f"(at {user_line()}): {error}\nFix: {fix}"
    )
