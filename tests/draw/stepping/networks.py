"""A network and its loss, of which pages tell."""

from __future__ import annotations

import numpy as np

from tinygrad_bp import nn


def model_and_loss(n=4, sizes=(3, 4, 2)):
    rng = np.random.default_rng(0)
    a, b, c = sizes
    model = nn.Sequential(nn.Linear(a, b, generator=0), nn.Tanh(), nn.Linear(b, c, generator=1))
    x = rng.normal(size=(n, a)).astype(np.float32)
    return model, nn.functional.cross_entropy(model(x), np.arange(n) % c)
