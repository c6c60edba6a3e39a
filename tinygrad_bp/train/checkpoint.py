"""Checkpoints: all that a run needs to continue bit for bit, in one safetensors file.

Arrays are stored as such; numbers, strings, and the states of random generators as JSON in the
header of the file. Nothing in it is executed when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_bp import io
from tinygrad_bp.errors import CheckpointError, DataError, DataNotFoundError, missing_extra
from tinygrad_bp.io.arrays import content_of
from tinygrad_bp.train.files import write_file

try:
    import safetensors  # noqa: F401 - `io` needs it, and a run should not learn so at its end
except ImportError as error:
    raise missing_extra("safetensors", "train", "tinygrad_bp.train") from error

_FORMAT = "tinygrad_bp checkpoint 1"
_ARRAY = "array:"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state: nested dictionaries and lists of arrays, numbers, strings and None.

    Raises
    ------
    OutputError
        The file cannot be written; an older one of that name is still whole.
    """
    arrays: dict[str, Any] = {}
    tree = _without_arrays(state, "", arrays)
    save_arrays(path, arrays, {"format": _FORMAT, "state": json.dumps(tree)})


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote; a tuple comes back as a list.

    Raises
    ------
    CheckpointError
        There is no such file, it is damaged, or it is not a checkpoint.
    """
    arrays, header = read_arrays(path)
    if header.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} is not a checkpoint of a run (its format is {header.get('format')!r}).\n"
            "Fix: give the folder of a run, which has a checkpoints/last.safetensors."
        )
    try:
        state: dict[str, Any] = _with_arrays(json.loads(header["state"]), arrays)
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged: {error}.\nFix: use another checkpoint."
        ) from None
    return state


def save_arrays(path: Path, arrays: Mapping[str, Any], header: dict[str, str]) -> None:
    """Write a safetensors file of arrays, with strings in its header, and make its folder."""
    write_file(path, content_of(path, arrays, header))


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The arrays of a safetensors file, and the strings of its header.

    Raises
    ------
    CheckpointError
        There is no such file, or it is damaged.
    """
    try:
        return io.read_arrays(path)
    except DataNotFoundError:
        reason = "there is no such file."
    except DataError as error:
        reason = str(error).partition("\n")[0].removeprefix(f"{path} cannot be used: ")
    raise CheckpointError(
        f"{path} cannot be read: {reason}\n"
        "Fix: give the folder of a run that has finished an epoch; a damaged file can be replaced "
        "by another checkpoint of its folder."
    )


def _without_arrays(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """The value with each array moved to `arrays`, and its name in its place."""
    if isinstance(value, dict):
        return {str(k): _without_arrays(v, f"{name}/{k}", arrays) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(v, f"{name}/{i}", arrays) for i, v in enumerate(value)]
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return _ARRAY + name
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {k: _with_arrays(v, arrays) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_arrays(v, arrays) for v in value]
    if isinstance(value, str) and value.startswith(_ARRAY):
        return arrays[value.removeprefix(_ARRAY)]
    return value
