"""A step of a Transformer encoder layer: forward, backward, and SGD."""

import numpy as np

NAME = "Transformer encoder layer, d 128, 4 heads, 64 tokens, batch 8"
LIMIT = 1.5
RATE = 0.01
OPTIONS = {"d_model": 128, "nhead": 4, "dropout": 0.0, "batch_first": True}


def _data():
    """Sequences, and what should come out."""
    return np.random.default_rng(0).normal(size=(2, 8, 64, 128)).astype(np.float32)


def ours():
    import tinygrad_bp as tg

    x, y = _data()
    model, loss = tg.nn.TransformerEncoderLayer(**OPTIONS, generator=0), tg.nn.MSELoss()
    optimizer = tg.optim.SGD(model.parameters(), RATE)

    def step():
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def theirs():
    import torch

    import tinygrad_bp as tg

    x, y = map(torch.tensor, _data())
    model, loss = torch.nn.TransformerEncoderLayer(**OPTIONS), torch.nn.MSELoss()
    values = tg.nn.TransformerEncoderLayer(**OPTIONS, generator=0).state_dict()
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def step():
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step
