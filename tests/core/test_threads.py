"""Backward passes of several threads that end in the same leaf."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import tinygrad_bp as tg


def test_no_gradient_is_lost_where_threads_add_to_one_leaf():
    x = tg.Tensor(np.ones(200_000), requires_grad=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda k: (x * float(k)).sum().backward(), range(32)))
    finally:
        sys.setswitchinterval(before)
    np.testing.assert_array_equal(x.grad.data, sum(range(32)))
