"""Hypothesis profiles: `dev` for quick runs, `ci` for every commit, `thorough` now and then."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits

from tinygrad_bp.testing.profiles import load_profile

load_profile()

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each worker has a core. Where BLAS has more threads than that, they wait for each other.
    threadpool_limits(1)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the programs that tests start
