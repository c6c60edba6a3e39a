"""States of modules that have a layer in two places go to PyTorch and come from there."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_bp import nn
from tinygrad_bp.nn import NetworkSpec

torch = pytest.importorskip("torch")


def test_a_state_of_pytorch_with_a_shared_layer_loads_and_gives_the_same():
    layer = torch.nn.Linear(3, 3)
    theirs = torch.nn.Sequential(layer, torch.nn.Tanh(), torch.nn.Sequential(layer))
    spec = NetworkSpec(
        3,
        [
            {"type": "Linear", "out_features": 3},
            {"type": "Tanh"},
            {"type": "Sequential", "layers": [{"type": "Shared", "of": "0"}]},
        ],
    )
    ours = spec.build(0)
    state = theirs.state_dict()
    assert len(state) == 4  # PyTorch has each value twice
    ours.load_state_dict({name: value.numpy() for name, value in state.items()})
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).numpy(), rtol=1e-6)


def test_a_tied_embedding_of_pytorch_loads():
    theirs = torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Linear(3, 7))
    theirs[1].weight = theirs[0].weight
    ours = nn.Sequential(nn.Embedding(7, 3), nn.Linear(3, 7))
    ours[1].weight = ours[0].weight
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.array([[0, 3], [6, 1]])
    with torch.no_grad():
        np.testing.assert_allclose(ours(x).data, theirs(torch.tensor(x)).numpy(), rtol=1e-6)
    assert list(ours.state_dict()) == ["0.weight", "1.bias"]
