"""IDX, the format of the MNIST files: a magic number, the sizes of the axes, the values.

Format: http://yann.lecun.com/exdb/mnist (all numbers are big-endian). The magic number is
``00 00 type axes``: 0x00000803 for images (unsigned bytes, three axes), 0x00000801 for labels.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data.arguments import as_path
from tinygrad_bp.errors import DataError, require_argument

__all__ = ["read_idx"]

LIMIT = 2**30
"""No IDX file may claim more bytes than this: a few kilobytes of gzip can unpack to terabytes."""

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_AGAIN = "Fix: fetch the file again, or remove it and use another copy."


def open_plain(path: Path) -> io.BufferedIOBase:
    """The content of a file, unpacked when it starts as gzip does, whatever its name says."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def looks_like_html(start: bytes) -> bool:
    """Whether a file starts as a web page does: what a dead mirror sends instead of data."""
    return start.lstrip()[:1] == b"<"


def read_idx(path: str | os.PathLike[str], axes: int | None = None) -> NDArray[Any]:
    """The array in an IDX file, gzip or plain.

    Parameters
    ----------
    path : path
        The file; whether it is packed is seen from its content.
    axes : int, optional
        The number of axes that it must have, as 3 for MNIST's images and 1 for its labels, which
        must also be unsigned bytes.

    Returns
    -------
    ndarray
        In the machine's byte order.

    Raises
    ------
    DataError
        The file cannot be read, is not IDX, is truncated, is damaged or has bytes left over.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    path = as_path("read_idx", "path", path)
    right = axes is None or (type(axes) is int and 0 < axes < 256)
    require_argument(right, "read_idx", "axes", axes, "a number of axes, as 3 for images")
    try:
        with open_plain(path) as stream:
            dtype, shape = _header(path, stream, axes)
            return _values(path, stream, dtype, shape)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} could not be read: {error}.\n{_AGAIN}") from error


def _header(
    path: Path, stream: io.BufferedIOBase, axes: int | None
) -> tuple[np.dtype[Any], list[int]]:
    start = stream.read(4)
    kind = _TYPES.get(start[2]) if len(start) == 4 and start[:2] == b"\0\0" else None
    if kind is None or not start[3] or (axes is not None and start[2:] != bytes([8, axes])):
        raise DataError(f"{path}: {_expected(axes)}, found {_found(start)}.\n{_AGAIN}")
    sizes = stream.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise DataError(
            f"{path}: the header is cut: expected {4 + 4 * start[3]} bytes, found "
            f"{4 + len(sizes)}.\n{_AGAIN}"
        )
    dtype, shape = np.dtype(kind), np.frombuffer(sizes, ">u4").tolist()
    if (claimed := math.prod(shape) * dtype.itemsize) > LIMIT:
        raise DataError(
            f"{path}: the header claims {tuple(shape)} values, {claimed:,} bytes; expected at "
            f"most {LIMIT:,}.\n{_AGAIN}"
        )
    return dtype, shape


def _expected(axes: int | None) -> str:
    if axes is None:
        return "expected an IDX file, which starts with 00 00"
    what = {1: "labels", 3: "images"}.get(axes, f"{axes} axes")
    return f"expected magic number 0x{0x800 + axes:08x} (IDX, unsigned bytes, {what})"


def _found(start: bytes) -> str:
    if not start:
        return "an empty file"
    if looks_like_html(start):
        return "a web page (HTML)"
    return f"0x{start.hex()}"


def _values(
    path: Path, stream: io.BufferedIOBase, dtype: np.dtype[Any], shape: list[int]
) -> NDArray[Any]:
    values = np.empty(shape, dtype)
    room = values.reshape(-1).view(np.uint8).data
    filled = 0
    try:
        while filled < len(room) and (part := stream.read1(len(room) - filled)):
            room[filled : filled + len(part)] = part
            filled += len(part)
        more = stream.read(1)
    except EOFError:  # the packed stream ends without its end mark
        more = b""
        if filled == len(room):
            raise
    if filled < len(room) or more:
        found = "more" if more else f"only {filled:,}"
        raise DataError(
            f"{path}: the header says {tuple(shape)}, expected {len(room):,} bytes of values, "
            f"found {found}.\n{_AGAIN}"
        )
    return values.astype(dtype.newbyteorder("="), copy=False)
