"""Datasets that workers can be sent: classes of a module that other processes import, too."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_bp.data import Dataset


class Squares(Dataset[Any]):
    """A vector and a number for each index."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.array([index, -index], np.float32), index * index


class Uneven(Squares):
    """Samples that come sooner the later they are asked for."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        time.sleep(0.002 * ((self.count - index) % 5))
        return super().__getitem__(index)


class Broken(Squares):
    """Has no sample 5."""

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        if index == 5:
            raise OSError("the disk is gone")
        return super().__getitem__(index)


class Ragged(Squares):
    """Sample 5 has another shape."""

    def __getitem__(self, index: int) -> Any:
        return np.zeros(3 if index == 5 else 2)


class DeadlyOnce(Squares):
    """Sample 5 ends the process that fetches it first; a file tells the next ones."""

    def __init__(self, count: int, mark: Path) -> None:
        super().__init__(count)
        self.mark = mark

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        if index == 5 and not self.mark.exists():
            self.mark.touch()
            os._exit(3)
        return super().__getitem__(index)


class Unmakeable(Squares):
    """Can be sent, and not be received."""

    def __reduce__(self) -> Any:
        return _fail, ()


def _fail() -> None:
    raise ImportError("no such module here")


class Workers(Squares):
    """Tells by which process each sample was fetched, which takes a while."""

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.02)
        return os.getpid()


class Meeting(Squares):
    """No sample comes before `together` of them are being fetched at the same time."""

    def __init__(self, count: int, together: int) -> None:
        super().__init__(count)
        self.barrier = threading.Barrier(together, timeout=20)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        self.barrier.wait()
        return super().__getitem__(index)


def jitter(x: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
    """A transform with something random in it."""
    return x if generator is None else x + generator.normal(size=x.shape).astype(x.dtype)
