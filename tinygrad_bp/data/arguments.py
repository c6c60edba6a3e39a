"""What readers, datasets and transforms are called with, looked at before anything is read."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.errors import ArgumentError, DataError


def as_path(who: str, name: str, value: Any) -> Path:
    """The path of a file or folder.

    Examples
    --------
    >>> as_path("load_mnist", "data_dir", "data").name
    'data'
    """
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str) and "\0" not in path:
            return Path(path)
    raise ArgumentError(
        f"{who}: {name} is {value!r}, which is no path.\n"
        f"Fix: a text or a pathlib.Path, as {name}='data'."
    )


def is_number(x: Any) -> bool:
    """Whether something is a finite number, of Python or of NumPy.

    Examples
    --------
    >>> is_number(2), is_number("2"), is_number(True), is_number(math.nan)
    (True, False, False, False)
    """
    if isinstance(x, int | np.integer):
        return not isinstance(x, bool) and bool(-(2**63) <= x < 2**63)
    return isinstance(x, float | np.floating) and math.isfinite(x)


def is_dataset(x: Any) -> bool:
    """Whether something has a length and samples by number.

    Examples
    --------
    >>> is_dataset([1, 2]), is_dataset(np.ones(2)), is_dataset(np.ones(())), is_dataset(3)
    (True, True, False, False)
    """
    counted = hasattr(x, "__len__") and hasattr(x, "__getitem__")
    return counted and getattr(x, "ndim", 1) != 0


def as_array(who: str, x: Any) -> NDArray[Any]:
    """An array of what is one, or of nested lists of numbers.

    Raises
    ------
    DataError
        Lists of different lengths.

    Examples
    --------
    >>> as_array("pad_sequences", [1, 2])
    array([1, 2])
    """
    try:
        return np.asarray(x)
    except ValueError as error:
        raise DataError(
            f"{who}: {x!r} makes no array: its parts have different lengths.\n"
            "Fix: give arrays, or lists whose parts are of one length."
        ) from error
