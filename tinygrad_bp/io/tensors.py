"""The safetensors format: a length, a JSON header, and the bytes of the arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.errors import ArgumentError, DataError, missing_extra, user_line

_METADATA = "__metadata__"
_DTYPES = {
    "BOOL": "?",
    **{f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
_AGAIN = "Fix: fetch or write the file again."


def dump(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The content of a file: the same for the same arrays and metadata, byte for byte."""
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise missing_extra("safetensors", "train", "a safetensors file") from error
    if _METADATA in arrays:
        raise ArgumentError(
            f"the name {_METADATA!r} of an array is one that the format has for itself (at "
            f"{user_line()}). Nothing was written.\nFix: another name."
        )
    content: bytes = save(dict(arrays))
    if not metadata:
        return content
    # Put in here, and not by the library, which writes it in another order each time.
    start = 8 + int.from_bytes(content[:8], "little")
    header = {_METADATA: dict(sorted(metadata.items())), **json.loads(content[8:start])}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[start:]


def parse(content: bytes) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a file.

    Raises
    ------
    DataError
        The file is cut, its header lies about what follows, or a name or dtype makes no sense.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise missing_extra("safetensors", "train", "a safetensors file") from error
    try:
        found = deserialize(content)  # type: ignore[no-untyped-call]  # safetensors has no types
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length], object_pairs_hook=_once)
    except (SafetensorError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"it is no whole safetensors file: {error}.\n{_AGAIN}") from None
    arrays = {name: _array(name, part) for name, part in found}
    return dict(sorted(arrays.items())), header.get(_METADATA) or {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys differ: of two that do not, readers see another one each."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) > 1 else []
    if twice:
        raise DataError(f"its header has {twice[0]!r} twice.\n{_AGAIN}")
    return dict(pairs)


def _array(name: str, part: Mapping[str, Any]) -> npt.NDArray[Any]:
    kind, shape, data = part["dtype"], part["shape"], part["data"]
    if kind == "BF16":  # the upper half of a float32, which NumPy has
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if kind not in _DTYPES:
        raise DataError(
            f"{name!r} has the dtype {kind}, which NumPy lacks.\n"
            "Fix: write the file again, with tensor.float() in PyTorch."
        )
    return np.frombuffer(data, _DTYPES[kind]).reshape(shape)
