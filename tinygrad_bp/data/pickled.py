"""`mnist.pkl.gz` read without trusting it: NumPy arrays, and nothing else, come out of the pickle.

A pickle is a program that may import and call anything. Here every name that it asks for is either
replaced by a stand-in that only takes notes, or refused; NumPy itself never sees the file's
instructions, since its own `__setstate__` trusts them.
"""

from __future__ import annotations

import io
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data.arguments import as_path
from tinygrad_bp.data.idx import looks_like_html, open_plain
from tinygrad_bp.errors import DataError, TgError, a_kind

__all__ = ["read_pickled_arrays"]

LIMIT = 2**29
"""No pickle may unpack to more bytes: `mnist.pkl.gz` holds 220 MB."""

_AGAIN = "Fix: use another copy of the file, or the IDX files."


class _Array:
    """Stands in for `ndarray` and for the function that NumPy pickles it with."""

    def __init__(self, *ignored: Any) -> None:
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran, content = state
        self.array = _array(content, dtype, shape, "F" if fortran else "C")


class _FromBuffer(_Array):
    """Stands in for the function that protocol 5 makes arrays with."""

    def __init__(self, content: Any, dtype: Any, shape: Any, order: Any, *ignored: Any) -> None:
        self.array = _array(content, dtype, shape, "F" if order == "F" else "C")


class _DType:
    """Stands in for `dtype`: a kind and a byte order, and only of numbers."""

    def __init__(self, code: str, *ignored: Any) -> None:
        if code not in {f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8)} - {"f1"}:
            raise pickle.UnpicklingError(f"dtype {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder("<" if state[1] == "|" else state[1])


class _Bytes(bytes):
    """Stands in for what Python 3 writes bytes for Python 2 with: `codecs.encode`, `bytes()`."""

    def __new__(cls, text: str = "", encoding: str = "latin1") -> _Bytes:
        return super().__new__(cls, text, "latin1")

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("bytes with a state")


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    if isinstance(content, str):  # Python 2's bytes, through encoding="latin1"
        content = content.encode("latin1")
    sizes = [int(size) for size in shape]
    if not isinstance(dtype, _DType) or not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("an array that is not made of numbers")
    if min(sizes, default=1) < 0 or math.prod(sizes) * dtype.dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"an array of shape {tuple(sizes)} in {len(content)} bytes")
    values = np.frombuffer(content, dtype.dtype).reshape(sizes, order=order)
    return values.astype(dtype.dtype.newbyteorder("="), copy=False)


_ALLOWED: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _FromBuffer,
    ("numpy._core.numeric", "_frombuffer"): _FromBuffer,
    ("_codecs", "encode"): _Bytes,
    ("__builtin__", "bytes"): _Bytes,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: Any, path: Path) -> None:
        super().__init__(stream, encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> type:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        raise DataError(
            f"{self.path} is a pickle that asks for {module}.{name}; only NumPy arrays are read, "
            f"and nothing of it was executed.\n{_AGAIN}"
        )


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `LIMIT` bytes."""

    def __init__(self, stream: io.BufferedIOBase, path: Path) -> None:
        self.stream, self.path, self.left = stream, path, LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.stream.read1(len(buffer))
        self.left -= len(part)
        if self.left < 0:
            raise DataError(
                f"{self.path} unpacks to more than {LIMIT:,} bytes, which no MNIST does.\n{_AGAIN}"
            )
        buffer[: len(part)] = part
        return len(part)


def read_pickled_arrays(path: str | os.PathLike[str]) -> Any:
    """The arrays in a pickle, gzip or plain, in the tuples, lists and dicts that hold them.

    Parameters
    ----------
    path : path
        A file pickled by Python 2 or 3 with any protocol.

    Returns
    -------
    tuple, list, dict, ndarray, number, string or None
        What was pickled.

    Raises
    ------
    DataError
        The file cannot be read, is damaged, or asks for anything but NumPy arrays of numbers.

    Examples
    --------
    >>> import pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "arrays.pkl")
    ...     _ = path.write_bytes(pickle.dumps((np.arange(3), [np.eye(2)])))
    ...     read_pickled_arrays(path)
    (array([0, 1, 2]), [array([[1., 0.],
           [0., 1.]])])
    """
    path = as_path("read_pickled_arrays", "path", path)
    try:
        with open_plain(path) as stream:
            buffered = io.BufferedReader(_Bounded(stream, path), 2**20)
            if looks_like_html(buffered.peek(16)[:16]):
                raise DataError(f"{path}: expected a pickle, found a web page (HTML).\n{_AGAIN}")
            return _unwrap(_Unpickler(buffered, path).load())
    except TgError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: expected a pickle of arrays, found {what}.\n{_AGAIN}") from error


def _unwrap(value: Any, depth: int = 0) -> Any:
    if depth > 8:
        raise pickle.UnpicklingError("containers nested more than 8 deep")
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, tuple | list):
        return type(value)(_unwrap(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return {key: _unwrap(item, depth + 1) for key, item in value.items()}
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise pickle.UnpicklingError(a_kind(value))
