"""Optimizers and schedules beside PyTorch's, over whole trajectories."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import optim

torch = pytest.importorskip("torch")

SHAPES = [(3, 4), (4,), (2, 1, 3)]
MAX = {"maximize": True}
CASES = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True, **MAX}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.6), "weight_decay": 0.1, "amsgrad": True, **MAX}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05, "betas": (0.5, 0.6), "eps": 1e-3, "amsgrad": True, **MAX}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, **MAX}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.1, "eps": 1e-3, **MAX}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3, **MAX}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, **MAX}),
    ("Adagrad", {"lr": 0.2}),
    ("Adagrad", {"lr": 0.2, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 1e-3, **MAX}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.5, **MAX}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.05, "etas": (0.3, 1.5), "step_sizes": (0.01, 0.2), **MAX}),
    ("ASGD", {"lr": 0.05}),
    ("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 5, "weight_decay": 0.1, **MAX}),
]


def start():
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradient(p, t):
    """Of a quadratic with curvatures from 0.5 to 3, plus something that changes with time."""
    curvature = np.linspace(0.5, 3, p.size).reshape(p.shape)
    return curvature * p + np.sin(0.3 * t + curvature)


@pytest.fixture(autouse=True)
def _numbers_in_float64():
    """NAdam and ASGD of PyTorch keep numbers in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def both(name, settings, values):
    ours = [tg.Tensor(p, requires_grad=True) for p in values]
    theirs = [torch.tensor(p, requires_grad=True) for p in values]
    return (ours, getattr(optim, name)(ours, **settings)), (
        theirs,
        getattr(torch.optim, name)(theirs, **settings),
    )


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_the_trajectory_is_that_of_torch(name, settings):
    (ours, one), (theirs, other) = both(name, settings, start())
    for t in range(40):
        for p, q in zip(ours, theirs, strict=True):
            g = gradient(p.data, t)
            p.grad, q.grad = tg.Tensor(g), torch.tensor(g)
        one.step()
        other.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_the_defaults_are_those_of_torch():
    for name in {name for name, _ in CASES}:
        (_, one), (_, other) = both(name, {}, start())
        for key, value in one.param_groups[0].items():
            if key != "params":
                assert other.param_groups[0][key] == value, (name, key)
