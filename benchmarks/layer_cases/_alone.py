"""A layer alone, forward and backward to its input and parameters, on both sides."""

import numpy as np


def _values(shape):
    """What goes in, and the gradient that comes back."""
    rng = np.random.default_rng(0)
    return (rng.normal(1, 2, size=shape).astype(np.float32) for _ in range(2))


def ours(name, argument, shape):
    import tinygrad_bp as tg

    x, gradient = _values(shape)
    x, layer = tg.Tensor(x, requires_grad=True), getattr(tg.nn, name)(argument)

    def step():
        x.grad = layer.weight.grad = layer.bias.grad = None
        out = layer(x)
        out.backward(gradient)
        return float(out.data.flat[1] + x.grad.data.flat[1] * 100 + layer.weight.grad.data[1])

    return step


def theirs(name, argument, shape):
    import torch

    x, gradient = (torch.tensor(v) for v in _values(shape))
    layer = getattr(torch.nn, name)(argument)
    x.requires_grad_()

    def step():
        x.grad = layer.weight.grad = layer.bias.grad = None
        out = layer(x)
        out.backward(gradient)
        found = (out.detach().flatten()[1], x.grad.flatten()[1] * 100, layer.weight.grad[1])
        return float(sum(float(v) for v in found))

    return step
