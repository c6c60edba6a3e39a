"""Writing the files of a run, with an error that says what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygrad_bp.errors import OutputError, TgError
from tinygrad_bp.files import write_atomically


def write_file(path: Path, content: bytes | str) -> None:
    """Write a whole file or nothing, and make its folder where that is not there.

    Parameters
    ----------
    path : Path
        The file; an older one is replaced.
    content : bytes or str
        Text is written as UTF-8.

    Raises
    ------
    OutputError
        The disk is full, or the folder cannot be written to. `path` is what it was before.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(Path(folder) / "new" / "a.txt", "one")
    ...     (Path(folder) / "new" / "a.txt").read_text()
    'one'
    """
    with writing(path):
        write_atomically(path, content)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of a file, and turn what goes wrong in the block into an `OutputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except TgError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Nothing was half written: a "
            "file of that name is what it was before.\n"
            "Fix: make room, or choose a folder that you may write to, as with --out DIR."
        ) from error
