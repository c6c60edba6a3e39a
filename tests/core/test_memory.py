"""What a step frees is there for the next step, counted in pages that the system had to fetch."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
{first}

def step():
    arrays = [np.ones(500_000, np.float32) for _ in range(6)]  # 12 MB
    return sum(float(a[0]) for a in arrays)

for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
"""


def pages_per_step(first: str) -> float:
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that gives back")
def test_a_step_finds_the_memory_of_the_one_before():
    assert pages_per_step("import tinygrad_bp") < 100 < pages_per_step("")
