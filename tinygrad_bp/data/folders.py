"""Where data files are looked for, and the error when they are not there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tinygrad_bp.data.arguments import as_path
from tinygrad_bp.errors import DataNotFoundError, missing_extra

__all__ = ["VARIABLE", "cache_folder"]

VARIABLE = "TINYGRAD_BP_DATA"
"""The environment variable that names the folder with data files."""

HELP = (
    f"name the folder that holds the files, or one that holds mnist/ and ex4/, with --data-dir, "
    f"data_dir= or the environment variable {VARIABLE}; or use `digits`, which needs no download"
)


def cache_folder() -> Path:
    """The user's cache folder for this package, where downloads go.

    Raises
    ------
    MissingExtraError
        pooch, which knows the place for each system, is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise missing_extra("pooch", "train", "the download of data") from error
    return Path(pooch.os_cache("tinygrad_bp"))


def named_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that the user named: by argument, else by the environment variable, else none."""
    named = os.environ.get(VARIABLE) if data_dir is None else data_dir
    if named is None or (isinstance(named, str) and not named):
        return None
    return as_path("the reader", "data_dir", named).expanduser()


def look_in(root: Path, name: str) -> list[Path]:
    """The folders to look in: the root itself, then the one in it with the dataset's name."""
    return [root, root / name]


def not_found(what: str, folders: Iterable[Path], files: Iterable[str]) -> DataNotFoundError:
    """The error that lists the folders and the files that were looked for."""
    places = [f"  {f}{'' if f.is_dir() else ' (there is no such folder)'}" for f in folders]
    variable = os.environ.get(VARIABLE)
    return DataNotFoundError(
        "\n".join(
            [
                f"{what} was not found. Looked in",
                *places,
                "for",
                *(f"  {name}" for name in files),
                f"{VARIABLE} is {variable!r}." if variable else f"{VARIABLE} is not set.",
                f"Fix: {HELP}.",
            ]
        )
    )
