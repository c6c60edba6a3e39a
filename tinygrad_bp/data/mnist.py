"""MNIST: 60,000 training and 10,000 test digits of 28×28 pixels, from any of its usual files."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_bp.data.collection import Collection, Examples
from tinygrad_bp.data.folders import cache_folder, look_in, named_folder, not_found
from tinygrad_bp.data.idx import LIMIT, looks_like_html, read_idx
from tinygrad_bp.data.official import MNIST_SOURCES
from tinygrad_bp.data.pickled import read_pickled_arrays
from tinygrad_bp.errors import DataError, a_kind

__all__ = ["load_mnist"]

_OTHERS = ("mnist.npz", "mnist.pkl.gz", "mnist.pkl")
_AGAIN = "Fix: fetch the file again, or remove it and use another copy."


def load_mnist(
    data_dir: str | os.PathLike[str] | None = None, *, download: bool = True
) -> Collection:
    """MNIST from local files, else from the user's cache folder, else from the network.

    The files may be the four IDX files (gzip or plain, also with a dot before ``idx``), Keras's
    ``mnist.npz``, or ``mnist.pkl.gz``, whose pixels of 0..1 become 0..255 again. Local files are
    taken as they are once their structure is sound; a download is held against checksums.

    Parameters
    ----------
    data_dir : path, optional
        The folder that holds the files, or one that holds ``mnist/``; by default what the
        environment variable ``TINYGRAD_BP_DATA`` names. Nothing is downloaded when either is given.
    download : bool
        Whether to download what is missing in the cache folder.

    Returns
    -------
    Collection
        Pixels uint8 0..255, (60000, 784) and (10000, 784); ``mnist.pkl.gz`` has 50,000 training
        digits and 10,000 of validation.

    Raises
    ------
    DataNotFoundError
        The files are not there; the message lists the folders and names.
    DataError
        A file is damaged, or is something else than its name says.
    DownloadError
        No mirror delivered the files.
    MissingExtraError
        Neither a folder is named nor pooch installed, which finds the cache folder.
    """
    files = find_mnist(data_dir, download=download)
    if len(files) > 1:
        return _from_idx(*files)
    return _from_npz(files[0]) if files[0].suffix == ".npz" else _from_pickle(files[0])


def find_mnist(
    data_dir: str | os.PathLike[str] | None = None, *, download: bool = True
) -> list[Path]:
    """The files that `load_mnist` reads, with the same arguments and errors: four or one."""
    named = named_folder(data_dir)
    if named is not None:
        folders = look_in(named, "mnist")
    else:
        folders = [cache_folder() / "mnist"]
        if download and not _complete(folders[0]):
            from tinygrad_bp.data.download import download_mnist

            download_mnist(folders[0])
    for folder in folders:
        if files := _complete(folder):
            return files
    raise not_found("MNIST", folders, _wanted(folders))


def _complete(folder: Path) -> list[Path]:
    """The first complete set of files in a folder; none when there is none."""
    four = [found for file in MNIST_SOURCES[0].files if (found := _find_idx(folder, file.name))]
    if len(four) == len(MNIST_SOURCES[0].files):
        return four
    return next(([folder / name] for name in _OTHERS if (folder / name).is_file()), [])


def _find_idx(folder: Path, packed: str) -> Path | None:
    plain = packed.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    names = (packed, plain, f"{dotted}.gz", dotted)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _wanted(folders: list[Path]) -> list[str]:
    lines = []
    for file in MNIST_SOURCES[0].files:
        found = next(filter(None, (_find_idx(folder, file.name) for folder in folders)), None)
        state = f"found {found}" if found else "missing"
        lines.append(f"{file.name} ({file.size:,} bytes; also unpacked): {state}")
    return [*lines, f"or, instead of these four, one of {', '.join(_OTHERS)}"]


def _from_idx(*files: Path) -> Collection:
    train_images, train_labels, test_images, test_labels = (
        read_idx(file, axes) for file, axes in zip(files, (3, 1, 3, 1), strict=True)
    )
    return Collection(
        "mnist",
        _examples(train_images, train_labels, files[0], files[1]),
        _examples(test_images, test_labels, files[2], files[3]),
        image_shape=train_images.shape[1:],
        source=str(files[0].parent),
    )


def _examples(images: NDArray[Any], labels: NDArray[Any], source: Path, other: Path) -> Examples:
    if images.ndim < 2 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{source} and {other} do not belong together: images of shape {images.shape}, labels "
            f"of shape {labels.shape}; expected one label for each image.\n{_AGAIN}"
        )
    if not images.size:
        raise DataError(f"{source} holds no images: its shape is {images.shape}.\n{_AGAIN}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{other}: expected integer labels, found {labels.dtype}.\n{_AGAIN}")
    return Examples(images.reshape(len(images), -1), labels.astype(np.int64))


def _from_npz(path: Path) -> Collection:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with zipfile.ZipFile(path) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > LIMIT:
                raise DataError(f"{path} unpacks to {size:,} bytes, over {LIMIT:,}.\n{_AGAIN}")
        with np.load(path, allow_pickle=False) as content:
            if absent := [name for name in names if name not in content.files]:
                raise DataError(
                    f"{path}: expected the arrays {', '.join(names)}, found "
                    f"{', '.join(content.files) or 'none'}; missing {', '.join(absent)}.\n{_AGAIN}"
                )
            x_train, y_train, x_test, y_test = (content[name] for name in names)
    except DataError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        with path.open("rb") as file:
            html = looks_like_html(file.read(16))
        what = "a web page (HTML)" if html else f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: expected an .npz archive, found {what}.\n{_AGAIN}") from error
    if x_train.dtype != np.uint8 or x_test.dtype != np.uint8:
        raise DataError(
            f"{path}: expected uint8 images, found {x_train.dtype} and {x_test.dtype}.\n{_AGAIN}"
        )
    return Collection(
        "mnist",
        _examples(x_train, y_train, path, path),
        _examples(x_test, y_test, path, path),
        image_shape=x_train.shape[1:],
        source=str(path),
    )


def _from_pickle(path: Path) -> Collection:
    content = read_pickled_arrays(path)
    try:
        splits = [(images, labels) for images, labels in content]
        if len(splits) != 3 or not all(isinstance(a, np.ndarray) for pair in splits for a in pair):
            raise ValueError
        side = int(splits[0][0].shape[1] ** 0.5)
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"{path}: expected three pairs (images, labels) for training, validation and test, "
            f"found {a_kind(content)} of something else.\n{_AGAIN}"
        ) from error
    train, validation, test = (
        _examples(_pixels(images, path), labels, path, path) for images, labels in splits
    )
    return Collection("mnist", train, test, validation, image_shape=(side, side), source=str(path))


def _pixels(images: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Give back the bytes of pixels that were divided by 256 (the well-known file) or 255."""
    if images.dtype == np.uint8:
        return images.astype(np.uint8, copy=False)
    for scale in (256.0, 255.0):
        scaled = images * images.dtype.type(scale)
        pixels: NDArray[Any] = np.rint(scaled)
        if (
            pixels.min(initial=0) >= 0
            and pixels.max(initial=0) <= 255
            and np.allclose(scaled, pixels, rtol=0, atol=1e-3)
        ):
            return pixels.astype(np.uint8)
    raise DataError(
        f"{path}: expected pixels of 0..255, or these divided by 255 or 256, found "
        f"{images.min():g}..{images.max():g}.\n{_AGAIN}"
    )
