"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tinygrad_bp.errors import OutputError


def write_atomically(path: str | Path, content: bytes | str) -> None:
    """Write to a temporary name in the same folder, then take the final name in one step.

    Parameters
    ----------
    path : str or Path
        The file; what was there is replaced, or left as it was when writing fails. A device or a
        pipe, as /dev/stdout, stays one and is written to.
    content : bytes or str
        All of it; text is written as UTF-8.

    Raises
    ------
    OutputError
        The disk is full, or the folder is missing or may not be written to.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(pathlib.Path(folder, "a.txt"), "text")
    ...     pathlib.Path(folder, "a.txt").read_text()
    'text'
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            path.write_bytes(data)  # replaced, /dev/null would be a file from now on
        else:
            _write(path, data)
    except OSError as error:
        missing = "" if path.parent.is_dir() else f"the folder {path.parent} does not exist; "
        raise OutputError(
            f"{path} cannot be written: {missing}{error.strerror or error}. What was there is as "
            "it was.\nFix: make room, or name a folder that exists and that you may write to."
        ) from error


def _write(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
