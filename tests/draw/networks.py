"""Graphs that several tests draw."""

from __future__ import annotations

import numpy as np

import tinygrad_bp as tg
from tinygrad_bp import nn


class Block(nn.Module):
    def __init__(self, width, seed):
        self.up = nn.Linear(width, 2 * width, generator=seed)
        self.down = nn.Linear(2 * width, width, generator=seed)

    def forward(self, x):
        return x + self.down(np.tanh(self.up(x)))


class Deep(nn.Module):
    """Identical blocks in a row, each with a skip connection and parameters of its own."""

    def __init__(self, blocks=12, width=4):
        self.embed = nn.Linear(3, width, generator=0)
        self.blocks = [Block(width, k) for k in range(blocks)]
        self.head = nn.Linear(width, 2, generator=1)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Reused(nn.Module):
    """One layer that is called several times, and a skip connection over all of them."""

    def __init__(self, calls=2):
        self.first = nn.Linear(3, 4, generator=0)
        self.hidden = nn.Linear(4, 4, generator=1)
        self.calls = calls

    def forward(self, x):
        start = h = self.first(x)
        for _ in range(self.calls):
            h = np.tanh(self.hidden(h))
        return h + start


def samples():
    return tg.Tensor(np.ones((5, 3), np.float32), name="x")


def perceptron():
    """A loss of three layers."""
    model = nn.Sequential(nn.Linear(3, 8, generator=0), nn.ReLU(), nn.Linear(8, 2, generator=1))
    labels = tg.as_tensor(np.array([0, 1, 1, 0, 1]))
    labels.name = "y"
    return nn.functional.cross_entropy(model(samples()), labels)


def expression():
    """Five operations."""
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    w = tg.Tensor([1.0, -2.0], requires_grad=True, name="w")
    return np.sum(np.sin(w * x) + x) / 2.0


def chain(length):
    """Two operations again and again."""
    y = tg.Tensor(1.0, requires_grad=True, name="x")
    for _ in range(length):
        y = y * 0.999 + 1.0
    return y


def tangle(operations, seed=0, width=20):
    """Operations on values picked at random, in which nothing repeats."""
    rng = np.random.default_rng(seed)
    values = [tg.Tensor(float(k), requires_grad=True, name=f"x{k}") for k in range(width)]
    for _ in range(operations // 2):
        i, j, k = rng.integers(0, width, 3)
        values[k] = np.sin(
            (np.add, np.multiply, np.subtract)[rng.integers(3)](values[i], values[j])
        )
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
