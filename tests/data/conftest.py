"""Small files in the formats of the real ones, and the real ones where they are at hand."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


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


def _real_folder() -> Path | None:
    named = os.environ.get("TINYGRAD_BP_DATA")
    root = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return root if (root / "ex4").is_dir() and (root / "mnist").is_dir() else None


REAL = _real_folder()


@pytest.fixture(autouse=True)
def _no_data_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINYGRAD_BP_DATA", raising=False)


@pytest.fixture(params=["written", "real"] if REAL else ["written"])
def data_root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with mnist/ and ex4/."""
    if request.param == "real":
        assert REAL is not None
        return REAL
    write_idx_files(tmp_path / "mnist")
    write_ex4_files(tmp_path / "ex4")
    return tmp_path
