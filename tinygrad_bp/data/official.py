"""The official MNIST files: sizes, checksums and the mirrors that serve them."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from tinygrad_bp.data.idx import open_plain

__all__ = ["MNIST_SOURCES", "RemoteFile", "Source"]


@dataclass(frozen=True)
class RemoteFile:
    """A file that mirrors serve.

    The sum of the content decides for a gzip file: copies that were packed anew are as good.

    Parameters
    ----------
    name : str
        Its name, at the mirrors and in the folder.
    size, sha256 : int, str
        Bytes and checksum of the file.
    content_size, content_sha256 : int, str, optional
        The same of what a gzip file unpacks to.
    """

    name: str
    size: int
    sha256: str
    content_size: int | None = None
    content_sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """Files that together are a dataset, and the addresses of the folders that serve them."""

    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


MNIST_SOURCES = (
    Source(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        (
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                47_040_016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                60_008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                7_840_016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                10_008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    ),
    Source(
        ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",),
        (
            RemoteFile(
                "mnist.npz",
                11_490_434,
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
            ),
        ),
    ),
)
"""What `download_mnist` tries, best first. yann.lecun.com has not served the files since 2021."""


def digest(path: Path, *, unpack: bool = False, limit: int | None = None) -> tuple[int, str]:
    """Bytes and sha256 of a file or, with `unpack`, of what it unpacks to, read up to `limit`."""
    total, sha256 = 0, hashlib.sha256()
    with open_plain(path) if unpack else path.open("rb") as stream:
        while part := stream.read1(2**20):
            total += len(part)
            sha256.update(part)
            if limit is not None and total > limit:
                break
    return total, sha256.hexdigest()


def problem(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with a downloaded file; None when its content is the official one."""
    size, sha256 = digest(path)
    if file.content_size is None:
        right = (size, sha256) == (file.size, file.sha256)
        return None if right else _differs("file", size, sha256, file.size, file.sha256)
    try:
        content_size, content_sha256 = digest(path, unpack=True, limit=file.content_size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        wrong = _differs("file", size, sha256, file.size, file.sha256)
        return f"{wrong}; it cannot be unpacked: {error}"
    expected = (file.content_size, file.content_sha256)
    if (content_size, content_sha256) == expected:
        return None
    return _differs("content", content_size, content_sha256, file.content_size, expected[1])


def _differs(what: str, size: int, sha256: str, official: int, official_sha256: str | None) -> str:
    sums = f"sha256 {sha256[:12]}…, expected {str(official_sha256)[:12]}…"
    return f"wrong {what}: {size:,} bytes, expected {official:,}; {sums}"
