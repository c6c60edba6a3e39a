"""Download by pooch, from one mirror after another, held against checksums and resumable.

A file is collected as ``NAME.part`` in its folder. Only when its checksum is right does it get its
name, by one atomic renaming; a broken connection is taken up where it broke, in this run or in the
next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygrad_bp.data.arguments import as_path
from tinygrad_bp.data.folders import HELP, cache_folder
from tinygrad_bp.data.idx import looks_like_html
from tinygrad_bp.data.official import MNIST_SOURCES, RemoteFile, Source, problem
from tinygrad_bp.errors import DownloadError, missing_extra

__all__ = ["download_mnist"]

TRIES = 5
"""How often one mirror is asked to continue a file, as long as each try brought new bytes."""

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for each next piece."""

_log = logging.getLogger(__name__)


def download_mnist(
    folder: str | os.PathLike[str] | None = None,
    *,
    sources: Sequence[Source] = MNIST_SOURCES,
    timeout: tuple[float, float] = TIMEOUT,
) -> Path:
    """Download the MNIST files that a folder lacks.

    Parameters
    ----------
    folder : path, optional
        By default ``mnist`` in the user's cache folder. Files in it are kept as they are.
    sources : sequence of Source
        What to fetch and from where; the second is tried when the first cannot be had complete.
    timeout : (float, float)
        Seconds to wait for a connection, and for each next piece.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DownloadError
        No source could be had; the message is a table of what was tried.
    MissingExtraError
        pooch is not installed.
    """
    folder = (
        as_path("download_mnist", "folder", folder)
        if folder is not None
        else cache_folder() / "mnist"
    )
    tried: list[tuple[str, str]] = []
    for source in sources:
        mirrors = list(source.mirrors)
        lacking = [file for file in source.files if not (folder / file.name).is_file()]
        if all(_from_mirrors(folder, file, mirrors, timeout, tried) for file in lacking):
            return folder
    raise DownloadError(_table(folder, sources, tried))


def _from_mirrors(
    folder: Path,
    file: RemoteFile,
    mirrors: list[str],
    timeout: tuple[float, float],
    tried: list[tuple[str, str]],
) -> bool:
    for mirror in tuple(mirrors):
        url = mirror + file.name
        try:
            _retrieve(folder, file, url, timeout)
        except _MirrorError as error:
            tried.append((url, str(error)))
            mirrors.remove(mirror)
            mirrors.append(mirror)  # the next file asks it last
        except OSError as error:
            raise DownloadError(
                f"{file.name} could not be written to {folder}: {error}.\n"
                "Fix: make room there, or allow writing; what has come is kept and continued."
            ) from error
        else:
            return True
    return False


def _retrieve(folder: Path, file: RemoteFile, url: str, timeout: tuple[float, float]) -> None:
    try:
        import pooch
    except ImportError as error:
        raise missing_extra("pooch", "train", "the download of data") from error
    _log.info("downloading %s (%s bytes) to %s", url, f"{file.size:,}", folder)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # it would advise to note down the checksum
    try:
        pooch.retrieve(
            url, known_hash=None, fname=file.name, path=folder, downloader=_Resuming(file, timeout)
        )
    finally:
        logger.setLevel(level)


class _MirrorError(Exception):
    """Why one mirror did not deliver one file."""


class _Resuming:
    """A downloader for pooch that continues a ``.part`` file and checks what it has got."""

    def __init__(self, file: RemoteFile, timeout: tuple[float, float]) -> None:
        self.file = file
        self.timeout = timeout
        self.limit = max(file.size, file.content_size or 0) + 2**16

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        part = Path(output_file).with_name(self.file.name + ".part")
        # A part left over from before may be of another file: then a second pass starts from zero.
        for _ in range(2):
            continued = _size(part) > 0
            self._collect(url, part)
            wrong = problem(part, self.file)
            if wrong is None:
                part.replace(output_file)
                return
            part.unlink()
            if not continued:
                break
        raise _MirrorError(wrong)

    def _collect(self, url: str, part: Path) -> None:
        import requests
        import urllib3

        for attempt in range(TRIES):
            have = _size(part)
            try:
                self._receive(url, part, have)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if _size(part) <= have or attempt == TRIES - 1:
                    raise _MirrorError(_reason(error, _size(part))) from error
            else:
                return

    def _receive(self, url: str, part: Path, have: int) -> None:
        import requests

        # Ranges and sizes count the bytes of the file, so the server must not pack them once more.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # there is nothing after what we have; the checksum decides
            response.raise_for_status()
            more = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status_code == requests.codes.partial_content and not more:
                raise _MirrorError("it sent another range than it was asked for")
            chunks = response.raw.stream(2**14, decode_content=False)
            first = next(chunks, b"")
            if not more and looks_like_html(first[:64]):
                raise _MirrorError(
                    f"HTTP {response.status_code}, but a web page (HTML) and not the file"
                )
            with part.open("ab" if more else "wb") as out:
                out.write(first)
                for chunk in chunks:
                    out.write(chunk)
                    if out.tell() > self.limit:
                        raise _MirrorError(f"it sent more than {self.limit:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception, received: int) -> str:
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return f"no answer in time, after {received:,} bytes"
    if received and isinstance(error, urllib3.exceptions.ProtocolError):
        return f"the connection broke after {received:,} bytes"
    root: BaseException = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    return f"no connection: {root}"


def _table(folder: Path, sources: Sequence[Source], tried: list[tuple[str, str]]) -> str:
    width = max((len(url) for url, _ in tried), default=0)
    files = [
        " and ".join(f"{file.name} ({file.size:,} bytes)" for file in source.files)
        for source in sources
    ]
    return "\n".join(
        [
            "MNIST could not be downloaded. Tried",
            *(f"  {url:<{width}}  {reason}" for url, reason in tried),
            f"Wanted in {folder}: {'; or '.join(files)}.",
            "Fix: try again later, which continues what has come; put the files there by hand; "
            f"{HELP}.",
        ]
    )
