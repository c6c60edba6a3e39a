"""Rows of activations: every one of PyTorch, with its arguments at random."""

from __future__ import annotations

import numpy as np
from with_torch.rows import Case, row

import tinygrad_bp as tg


def _input(rng: np.random.Generator, shape=None):
    if shape is None:
        shape = rng.integers(1, 5, size=rng.integers(1, 4))
    return rng.normal(0, 3, size=shape)


def _row(name: str, options: str, draw=lambda rng: ()) -> None:
    """A row of an activation that works on every element; `draw` gives its arguments."""

    def make(rng: np.random.Generator) -> Case:
        import torch

        arguments = draw(rng)
        ours = getattr(tg.nn, name)(*arguments)
        return Case(ours, getattr(torch.nn, name)(*arguments), (_input(rng),))

    row(name, options)(make)


def _number(low: float, high: float):
    return lambda rng: (float(rng.uniform(low, high)),)


for _name in (
    "ReLU",
    "ReLU6",
    "Sigmoid",
    "Tanh",
    "SiLU",
    "SELU",
    "Mish",
    "Softsign",
    "LogSigmoid",
    "Tanhshrink",
    "Hardswish",
):
    _row(_name, "")
_row("GELU", "approximate", lambda rng: (str(rng.choice(["none", "tanh"])),))
_row("LeakyReLU", "negative_slope", _number(0, 1))
_row("ELU", "alpha", _number(0.1, 2))
# Powers of 2, since PyTorch rounds 1 / alpha to single precision in the gradient.
_row("CELU", "alpha", lambda rng: (2.0 ** float(rng.integers(-3, 3)),))
_row("Hardshrink", "lambd", _number(0, 3))
_row("Softshrink", "lambd", _number(0, 3))
_row("Threshold", "threshold, value", lambda rng: tuple(rng.uniform(-2, 2, size=2).tolist()))
_row("Hardtanh", "min_val, max_val", lambda rng: (-rng.uniform(0, 3), rng.uniform(0, 3)))
_row(
    "Softplus",
    "beta, threshold",
    lambda rng: (float(rng.uniform(0.2, 3)), float(rng.choice([1.0, 5.0, 20.0, 30.0]))),
)


@row("Hardsigmoid", "against its relu6(x + 3) / 6, since its own gradient is in single precision")
def hardsigmoid(rng: np.random.Generator) -> Case:
    import torch

    def theirs(x):
        return torch.nn.functional.relu6(x + 3) / 6

    return Case(tg.nn.functional.hardsigmoid, theirs, (_input(rng),))


@row("PReLU", "num_parameters, init, channels or none")
def prelu(rng: np.random.Generator) -> Case:
    import torch

    shape = tuple(int(n) for n in rng.integers(1, 5, size=rng.integers(1, 5)))
    n = shape[1] if len(shape) > 1 and rng.integers(2) else 1
    init = float(rng.uniform(0, 1))
    ours = tg.nn.PReLU(n, init, dtype=float)
    ours.weight.assign(rng.normal(size=n))
    return Case(ours, torch.nn.PReLU(n, init), (_input(rng, shape),))


@row("RReLU", "lower, upper, in eval mode; in training with lower = upper")
def rrelu(rng: np.random.Generator) -> Case:
    import torch

    training = bool(rng.integers(2))
    low = float(rng.uniform(0.1, 0.5))
    high = low if training else low + float(rng.uniform(0, 0.5))
    ours, theirs = tg.nn.RReLU(low, high, generator=rng), torch.nn.RReLU(low, high)
    return Case(ours.train(training), theirs.train(training), (_input(rng),))


@row("GLU", "axis")
def glu(rng: np.random.Generator) -> Case:
    import torch

    shape = rng.integers(1, 4, size=rng.integers(1, 4))
    axis = int(rng.integers(-len(shape), len(shape)))
    shape[axis] *= 2
    return Case(tg.nn.GLU(axis), torch.nn.GLU(axis), (_input(rng, shape),))


@row("Softmax, Softmin, LogSoftmax", "axis")
def softmaxes(rng: np.random.Generator) -> Case:
    import torch

    shape = rng.integers(1, 5, size=rng.integers(1, 4))
    axis = int(rng.integers(-len(shape), len(shape)))
    name = str(rng.choice(["Softmax", "Softmin", "LogSoftmax"]))
    ours = getattr(tg.nn, name)(axis)
    return Case(ours, getattr(torch.nn, name)(axis), (_input(rng, shape),))


@row("Softmax2d", "a batch or a single image")
def softmax2d(rng: np.random.Generator) -> Case:
    import torch

    shape = rng.integers(1, 4, size=rng.integers(3, 5))
    return Case(tg.nn.Softmax2d(), torch.nn.Softmax2d(), (_input(rng, shape),))
