"""Arrays by name, to a file and back, in the format that the file has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, DataError, DataNotFoundError, user_line
from tinygrad_bp.files import write_atomically
from tinygrad_bp.io import npz, tensors

Arrays = dict[str, npt.NDArray[Any]]


def write_arrays(
    path: str | Path, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays under their names, as `read_arrays` reads them.

    Parameters
    ----------
    path : str or Path
        ``.npz`` at its end gives NumPy's archive, anything else a safetensors file. What was there
        is replaced in one step.
    arrays : mapping of str to array_like
        Real numbers, integers or truth values.
    metadata : mapping of str to str, optional
        Kept in the header of a safetensors file.

    Raises
    ------
    ArgumentError
        A name, a dtype or the metadata is not what such a file holds. Nothing was written.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.safetensors")
    ...     write_arrays(path, {"x": [1.0, 2.0]}, {"unit": "m"})
    ...     read_arrays(path)
    ({'x': array([1., 2.])}, {'unit': 'm'})
    """
    write_atomically(path, content_of(path, arrays, metadata))


def content_of(
    path: str | Path, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> bytes:
    """What `write_arrays` writes to a file of this name."""
    values = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    for name, array in values.items():
        _check_text(path, "a name", name)
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise ArgumentError(
                f"{path}: {name!r} has the dtype {array.dtype}, which such a file does not hold "
                f"(at {user_line()}). Nothing was written.\nFix: array.astype(np.float64)"
            )
    for key, value in (metadata or {}).items():
        _check_text(path, "the metadata", key)
        _check_text(path, f"the metadata {key!r}", value)
    if Path(path).suffix == ".npz":
        if metadata:
            raise ArgumentError(
                f"{path}: an .npz archive has no metadata (at {user_line()}). Nothing was written."
                "\nFix: a name that ends in .safetensors."
            )
        return npz.dump(values)
    return tensors.dump(values, metadata or {})


def read_arrays(path: str | Path) -> tuple[Arrays, dict[str, str]]:
    """The arrays of a safetensors file or ``.npz`` archive, and the metadata of its header.

    Which of the two it is, its first bytes tell. Nothing in it is executed: pickled objects are
    refused.

    Raises
    ------
    DataNotFoundError
        There is no such file.
    DataError
        It is damaged, or neither of the two.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise DataNotFoundError(
            f"{path} is not there (at {user_line()}).\nFix: the path of a file that save wrote."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error} (at {user_line()}).\n"
            "Fix: the path of a file that you may read."
        ) from error
    try:
        if content[:2] == b"PK":
            return npz.parse(content), {}
        if content[:1] == b"\x80" and content[1:2] in (b"\2", b"\3", b"\4", b"\5"):
            raise DataError(f"it is a pickle, which may run code.\n{npz.OF_TORCH}")
        return tensors.parse(content)
    except DataError as error:
        raise DataError(f"{path} cannot be used: {error}") from error


def _check_text(path: Any, what: str, text: Any) -> None:
    fine = isinstance(text, str)
    if fine:
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            fine = False
    if not fine:
        raise ArgumentError(
            f"{path}: {what} is {text!r}, and such a file holds Unicode text (at {user_line()}). "
            "Nothing was written.\nFix: str(...), or json.dumps(...) for data."
        )
