#!/usr/bin/env python3
"""What the workers of a `DataLoader` are worth, on a source that waits and on two that compute.

    python benchmarks/loader.py

Each number is samples a second, the median of three epochs, with a training step of 2 ms beside
each batch of 16; processes are started before. Pillow and `tinygrad_bp` are needed.
"""

from __future__ import annotations

import io
import os
import statistics
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np
from PIL import Image

from tinygrad_bp.data import DataLoader

COUNT, BATCH = 192, 16


class Waits:
    """Comes over a network, 2 ms after it was asked for."""

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        time.sleep(0.002)
        return np.full((28, 28), index, np.float32)


class DecodesPNG(Waits):
    """A PNG of 256×256 pixels, decoded by Pillow, which lets go of Python's lock meanwhile."""

    def __init__(self):
        noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(noise).save(file, "PNG")
        self.png = file.getvalue()

    def __getitem__(self, index):
        return np.asarray(Image.open(io.BytesIO(self.png)))


class ParsesText(Waits):
    """A line of 4,000 numbers as text, taken apart in Python."""

    def __init__(self):
        self.line = ",".join(f"{x:.4f}" for x in np.random.default_rng(0).random(4000))

    def __getitem__(self, index):
        return np.array([float(number) for number in self.line.split(",")], np.float32)


def rate(source, **options):
    loader = DataLoader(source, batch_size=BATCH, **options)
    next(iter(loader))
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in loader:
            time.sleep(0.002)
        seconds.append(time.perf_counter() - began)
    return COUNT / statistics.median(seconds)


COLUMNS = {
    "none": {},
    "2 threads": {"num_workers": 2},
    "8 threads": {"num_workers": 8},
    "2 processes": {"num_workers": 2, "worker_kind": "process"},
}

if __name__ == "__main__":
    print(f"{'source':12}" + "".join(f"{name:>14}" for name in COLUMNS))
    for source in (Waits(), DecodesPNG(), ParsesText()):
        rates = [rate(source, **options) for options in COLUMNS.values()]
        print(f"{type(source).__name__:12}" + "".join(f"{r:>14,.0f}" for r in rates))
