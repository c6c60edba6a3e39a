"""Multiply-adds of a summary are half of the operations that PyTorch counts."""

from __future__ import annotations

import pytest

from tinygrad_bp import nn

torch = pytest.importorskip("torch")

BLOCK = {"nhead": 2, "dim_feedforward": 12, "batch_first": True}
CASES = {
    "Linear": (("Linear", (4, 5), {}), (3, 4)),
    "Conv1d": (("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}), (4, 9)),
    "Conv2d": (("Conv2d", (4, 6, (3, 2)), {"dilation": 2}), (4, 9, 8)),
    "Conv3d": (("Conv3d", (2, 3, 2), {}), (2, 4, 5, 6)),
    "ConvTranspose2d": (("ConvTranspose2d", (4, 6, 3), {"stride": 2, "groups": 2}), (4, 5, 6)),
    "LSTMCell": (("LSTMCell", (4, 5), {}), (4,)),
    "GRUCell": (("GRUCell", (4, 5), {}), (4,)),
    "RNN": (("RNN", (4, 5), {"batch_first": True, "num_layers": 2}), (7, 4)),
    "MultiheadAttention": (("MultiheadAttention", (6, 2), {"batch_first": True}), (5, 6)),
    "TransformerEncoderLayer": (("TransformerEncoderLayer", (6,), BLOCK), (5, 6)),
}


@pytest.mark.parametrize("name", CASES)
def test_multiply_adds_are_those_of_pytorch(name):
    from torch.utils.flop_counter import FlopCounterMode

    (kind, sizes, options), shape = CASES[name]
    ours, theirs = (getattr(room, kind)(*sizes, **options) for room in (nn, torch.nn))
    x = torch.zeros((2, *shape))
    inputs = (x, x, x) if kind == "MultiheadAttention" else (x,)
    with FlopCounterMode(display=False) as counter:
        theirs.train()(*inputs)  # in eval mode, attention is one operation that is not counted
    assert 2 * ours.summary(shape, batch_size=2).multiply_adds == counter.get_total_flops() > 0
