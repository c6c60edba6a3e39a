"""A step of an LSTM: forward, backward, and SGD."""

import numpy as np

NAME = "LSTM, 64 units, 50 steps, batch 32"
LIMIT = 1.5
RATE = 0.01
SHAPES = {
    "weight_ih_l0": (256, 64),
    "weight_hh_l0": (256, 64),
    "bias_ih_l0": (256,),
    "bias_hh_l0": (256,),
}


def _values():
    """Sequences, what should come out, and the parameters: the same on both sides."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50, 32, 64)).astype(np.float32)
    bound = 64**-0.5
    return x, y, {n: rng.uniform(-bound, bound, s).astype(np.float32) for n, s in SHAPES.items()}


def ours():
    import tinygrad_bp as tg

    x, y, values = _values()
    model, loss = tg.nn.LSTM(64, 64), tg.nn.MSELoss()
    model.load_state_dict(values)
    optimizer = tg.optim.SGD(model.parameters(), RATE)

    def step():
        optimizer.zero_grad()
        value = loss(model(x)[0], y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def theirs():
    import torch

    x, y, values = _values()
    x, y = torch.tensor(x), torch.tensor(y)
    model, loss = torch.nn.LSTM(64, 64), torch.nn.MSELoss()
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def step():
        optimizer.zero_grad()
        value = loss(model(x)[0], y)
        value.backward()
        optimizer.step()
        return value.item()

    return step
