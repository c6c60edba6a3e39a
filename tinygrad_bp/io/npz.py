"""NumPy's ``.npz``: a ZIP archive of arrays, without pickled objects."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, DataError, user_line

OF_TORCH = (
    "Fix: where PyTorch is, safetensors.torch.save_file(model.state_dict(), 'model.safetensors'), "
    "and load that."
)
_AGAIN = "Fix: fetch or write the file again."


def dump(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The content of an archive, the same for the same arrays.

    Not by `numpy.savez`, which takes the names as keywords beside its own, as ``file``.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            if "\0" in name or len(name.encode()) > 60_000:
                raise ArgumentError(
                    f"{name[:50]!r} cannot be a name in an archive (at {user_line()}). Nothing was "
                    "written.\nFix: a file whose name ends in .safetensors."
                )
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return stream.getvalue()


def parse(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive.

    Raises
    ------
    DataError
        The archive is damaged, or holds something other than arrays of numbers.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if any(member.filename.endswith("data.pkl") for member in members):
                raise DataError(f"it holds a pickle of PyTorch, which may run code.\n{OF_TORCH}")
            arrays = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise DataError(f"it has {name!r} twice.\n{_AGAIN}")
                arrays[name] = _array(archive, member)
            return arrays
    except DataError:
        raise
    # The readers of ZIP, of the compressions and of the headers raise whatever comes to them.
    except Exception as error:
        reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        raise DataError(f"it is no whole .npz archive: {reason}.\n{_AGAIN}") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """One array; its header must fit its length before any memory is taken for it."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, column_order, dtype = read(file)
        start = file.tell()
        if dtype.hasobject:
            raise DataError(
                f"{member.filename!r} holds pickled objects, which may run code.\n"
                "Fix: np.savez of arrays of numbers."
            )
        count = 1
        for n in shape:
            count *= n
        if min(shape, default=0) < 0 or start + count * dtype.itemsize != member.file_size:
            raise DataError(
                f"{member.filename!r} says that its shape is {shape}, and has "
                f"{member.file_size - start} bytes.\n{_AGAIN}"
            )
        data = bytearray(file.read())
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if column_order else array.reshape(shape)
