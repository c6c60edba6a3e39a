"""What is infinite or no number goes through rectifiers as through their formulas."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.ops import rectifiers

X = np.array([-np.inf, -1e30, -1.0, 1.0, 1e30, np.inf, np.nan])
CALLS = {
    "hardtanh": (
        lambda x: rectifiers.hardtanh(x, low=-2.0, high=3.0),
        [-2.0, -2.0, -1.0, 1.0, 3.0, 3.0, np.nan],
        [0, 0, 1, 1, 0, 0, 0],
    ),
    "hardshrink": (
        lambda x: rectifiers.hardshrink(x, limit=1.0),
        [-np.inf, -1e30, 0, 0, 1e30, np.inf, np.nan],
        [1, 1, 0, 0, 1, 1, 0],
    ),
    "softshrink": (
        lambda x: rectifiers.softshrink(x, limit=0.5),
        [-np.inf, -1e30, -0.5, 0.5, 1e30, np.inf, np.nan],
        [1, 1, 1, 1, 1, 1, 0],
    ),
    "threshold": (
        lambda x: rectifiers.threshold(x, limit=0.0, other=7.0),
        [7.0, 7.0, 7.0, 1.0, 1e30, np.inf, np.nan],
        [0, 0, 0, 1, 1, 1, 1],
    ),
    "prelu": (
        lambda x: rectifiers.prelu(x, 0.5),
        [-np.inf, -5e29, -0.5, 1.0, 1e30, np.inf, np.nan],
        [0.5, 0.5, 0.5, 1, 1, 1, 0.5],
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_and_nan(name, dtype):
    call, expected, slopes = CALLS[name]
    x = tg.Tensor(X.astype(dtype), requires_grad=True)
    y = call(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.data, expected, rtol=1e-6)
    y.backward(np.ones(7, dtype))
    np.testing.assert_array_equal(x.grad.data, slopes)


def test_hardswish_is_x_far_above_and_0_far_below():
    x = tg.Tensor([-1e30, 0.0, 1e30], requires_grad=True)
    y = rectifiers.hardswish(x)
    np.testing.assert_array_equal(y.data, [0, 0, 1e30])
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad.data, [0, 0.5, 1])
