"""A report on MNIST files: whether they are the official ones, digit by digit."""

from __future__ import annotations

import os

import numpy as np

from tinygrad_bp.data.mnist import find_mnist, load_mnist
from tinygrad_bp.data.official import MNIST_SOURCES, digest

__all__ = ["describe_mnist"]


def describe_mnist(data_dir: str | os.PathLike[str] | None = None) -> str:
    """Which files `load_mnist` reads, their sizes and checksums, and how often each digit occurs.

    Parameters
    ----------
    data_dir : path, optional
        As in `load_mnist`; nothing is downloaded.

    Returns
    -------
    str
        A line a file (bytes and sha256 of the file and of its content, and whether the content is
        the official one) and a line a split (examples of each class).

    Raises
    ------
    DataNotFoundError
        The files are not there.
    DataError
        A file is damaged, or is something else than its name says.
    """
    data = load_mnist(data_dir, download=False)
    official = {
        sha256
        for source in MNIST_SOURCES
        for file in source.files
        for sha256 in (file.sha256, file.content_sha256)
    }
    lines = []
    for path in find_mnist(data_dir, download=False):
        (size, packed), (content_size, content) = digest(path), digest(path, unpack=True)
        verdict = "official" if content in official else "not the official content"
        lines.append(f"{path}: {verdict}")
        lines.append(f"  file     {size:>11,} bytes  sha256 {packed}")
        lines.append(f"  content  {content_size:>11,} bytes  sha256 {content}")
    for name in ("train", "validation", "test"):
        if (examples := getattr(data, name)) is not None:
            counts = np.bincount(examples.labels, minlength=data.classes)
            lines.append(f"{name}: {len(examples):,} = {' + '.join(map(str, counts.tolist()))}")
    return "\n".join(lines)
