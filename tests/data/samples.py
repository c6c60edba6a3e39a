"""Small files in the formats of the real ones."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tinygrad_bp.data import load_mnist
from tinygrad_bp.errors import DataNotFoundError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
ROOT = Path(__file__).resolve().parents[2]


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def tiny_arrays(train: int = 30, test: int = 10) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = []
    for count in (train, test):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        images[0, 0, :2] = 0, 255
        arrays += [images, (np.arange(count) % 10).astype(np.uint8)]
    return arrays


def write_idx_files(folder: Path, suffix: str = ".gz", dotted: bool = False) -> list[np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = tiny_arrays()
    for name, array in zip(NAMES, arrays, strict=True):
        name = name.replace("-idx", ".idx") if dotted else name
        content = idx_bytes(array)
        path = folder / (name + suffix)
        path.write_bytes(gzip.compress(content, mtime=0) if suffix else content)
    return arrays


def mnist_or_stand_in(folder: Path) -> Path:
    """Real digits where they are at hand, else pictures whose one bright row is the class."""
    for named in (os.environ.get("TINYGRAD_BP_DATA"), ROOT.parent / "shared" / "data"):
        try:
            if named:
                load_mnist(named, download=False)
                return Path(named).resolve()
        except DataNotFoundError:
            pass
    rng = np.random.default_rng(0)
    arrays = []
    for count in (2000, 500):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 2 * labels + 4] += 120
        arrays += [images, labels]
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / name).write_bytes(idx_bytes(array))
    return folder


def write_ex4_files(folder: Path) -> None:
    """Pictures whose class is the only bright row, and weights that see which row is bright."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.repeat(np.arange(10), 3)
    pictures = np.zeros((30, 20, 20))
    pictures[np.arange(30), labels * 2, :] = 1.0
    pictures[:, 1, 0] = 0.5
    columnwise = pictures.transpose(0, 2, 1).reshape(30, 400)
    y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    savemat(folder / "ex4data1.mat", {"X": columnwise, "y": y})
    first = np.zeros((25, 401))
    first[:, 0] = -5.0
    for unit in range(10):
        first[unit, 1 + unit * 2 :: 20] = 1.0
    last = np.zeros((10, 26))
    last[:, 0] = -5.0
    for row, digit in enumerate([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]):
        last[row, 1 + digit] = 10.0
    savemat(folder / "ex4weights.mat", {"Theta1": first, "Theta2": last})
