"""One NaN in an image or in a gradient: the same elements become NaN as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg

torch = pytest.importorskip("torch")

CALLS = {
    "area": ("interpolate", {"size": (2, 7), "mode": "area"}),
    "bilinear": ("interpolate", {"size": (7, 3), "mode": "bilinear"}),
    "corners": ("interpolate", {"size": (7, 9), "mode": "bilinear", "align_corners": True}),
    "same": ("interpolate", {"size": (4, 5), "mode": "bilinear", "align_corners": True}),
    "scaled": ("interpolate", {"scale_factor": (1.2, 1.1), "mode": "bilinear"}),
    "nearest": ("interpolate", {"size": (7, 3)}),
    "adaptive": ("adaptive_avg_pool2d", {"output_size": (3, 2)}),
    "unfold": ("unfold", {"kernel_size": 2, "padding": 1}),
    "fold": ("fold", {"output_size": (3, 6), "kernel_size": 2}),
}


@pytest.mark.parametrize("name", CALLS)
def test_nan_spreads_as_in_torch(name):
    function, keywords = CALLS[name]
    ours, theirs = (getattr(m.functional, function) for m in (tg.nn, torch.nn))
    rng = np.random.default_rng(8)
    clean = rng.normal(size=(1, 4, 10) if name == "fold" else (1, 2, 4, 5))
    for i in range(clean.size):
        x = clean.copy()
        x.flat[i] = np.nan
        leaf, leaf_ = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        z, z_ = ours(leaf, **keywords), theirs(leaf_, **keywords)
        np.testing.assert_allclose(z.data, z_.detach().numpy(), atol=1e-12)
        g = rng.normal(size=z.shape)
        g.flat[i % g.size] = np.nan
        z.backward(g)
        z_.backward(torch.tensor(g))
        np.testing.assert_allclose(leaf.grad.data, leaf_.grad.numpy(), atol=1e-12)
