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


SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.0}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.6, "total_iters": 4}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 3}),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / (t + 2)}),
    ("LambdaLR", {"lr_lambda": [lambda t: 1 / (t + 2), lambda t: 0.9**t]}),
    ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 3}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 12}),
    ("OneCycleLR", {"max_lr": [1.0, 0.5], "epochs": 3, "steps_per_epoch": 4, "three_phase": True}),
    (
        "OneCycleLR",
        {
            "max_lr": 1.0,
            "total_steps": 15,
            "pct_start": 0.5,
            "anneal_strategy": "linear",
            "base_momentum": 0.5,
            "max_momentum": [0.9, 0.7],
            "div_factor": 5,
            "final_div_factor": 50,
        },
    ),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 12, "cycle_momentum": False}),
]


def sequential(package, optimizer):
    s = package
    parts = [
        s.LinearLR(optimizer, 0.1, total_iters=3),
        s.ExponentialLR(optimizer, 0.8),
        s.ConstantLR(optimizer, 0.5, 2),
    ]
    return s.SequentialLR(optimizer, parts, [3, 8])


def chained(package, optimizer):
    s = package
    return s.ChainedScheduler(
        [
            s.ConstantLR(optimizer, 0.5, 3),
            s.CosineAnnealingLR(optimizer, 12),
            s.StepLR(optimizer, 4),
        ]
    )


def swa(package, optimizer):
    home = torch.optim.swa_utils if package is torch.optim.lr_scheduler else package
    return home.SWALR(optimizer, [0.05, 0.01], 4, "linear")


def of(name, settings):
    return lambda package, optimizer: getattr(package, name)(optimizer, **settings)


@pytest.mark.parametrize(
    "build", [*(of(name, settings) for name, settings in SCHEDULES), sequential, chained, swa]
)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_rates_and_momenta_are_those_of_torch(kind, build):
    (a, one), (b, other) = both(kind, {"lr": 0.1}, start()[:2])
    one = getattr(optim, kind)([{"params": [a[0]]}, {"params": [a[1]], "lr": 0.3}], lr=0.1)
    groups = [{"params": [b[0]]}, {"params": [b[1]], "lr": 0.3}]
    other = getattr(torch.optim, kind)(groups, lr=0.1)
    ours, theirs = build(optim, one), build(torch.optim.lr_scheduler, other)
    for p in b:
        p.grad = torch.zeros_like(p)
    for _ in range(12):
        for mine, its in zip(one.param_groups, other.param_groups, strict=True):
            assert mine["lr"] == pytest.approx(its["lr"], rel=1e-9, abs=1e-12)
            for key in ("momentum", "betas"):
                if key in mine:
                    assert mine[key] == pytest.approx(its[key], rel=1e-9)
        other.step()
        ours.step()
        theirs.step()


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.3},
        {"lr": 0.1, "history_size": 3, "max_iter": 7},
        {"line_search_fn": "strong_wolfe"},
        {"lr": 5.0, "line_search_fn": "strong_wolfe", "max_iter": 8, "history_size": 4},
        {"lr": 0.01, "line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 9},
    ],
)
def test_lbfgs_takes_the_steps_and_evaluations_of_torch(settings):
    values = [np.linspace(-1, 1, 4), np.linspace(0.5, 1.5, 3)]
    (ours, one), (theirs, other) = both("LBFGS", settings, values)
    counts = [0, 0]

    def closure(which, params, optimizer):
        def call():
            counts[which] += 1
            optimizer.zero_grad()
            loss = sum(
                (20 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum() + (p**4).sum()
                for p in params
            )
            loss.backward()
            return loss

        return call

    for _ in range(4):
        a, b = one.step(closure(0, ours, one)), other.step(closure(1, theirs, other))
        assert a.item() == pytest.approx(b.item(), rel=1e-8)
        assert counts[0] == counts[1]
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("decay", [None, 0.9])
def test_averaged_models_and_their_statistics_are_those_of_torch(decay, use_buffers):
    ours = tg.nn.Sequential(tg.nn.Linear(3, 4, dtype=float), tg.nn.BatchNorm1d(4, dtype=float))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    utils = torch.optim.swa_utils
    one = optim.AveragedModel(ours, decay and optim.get_ema_avg_fn(decay), use_buffers)
    other = utils.AveragedModel(
        theirs, avg_fn=decay and utils.get_ema_avg_fn(decay), use_buffers=use_buffers
    )
    rng = np.random.default_rng(0)
    for _ in range(4):
        state = {
            name: rng.uniform(0.5, 1, x.shape) if x.dtype.kind == "f" else x
            for name, x in ours.state_dict().items()
        }
        ours.load_state_dict(state)
        theirs.load_state_dict({name: torch.tensor(x) for name, x in state.items()})
        one.update_parameters(ours)
        other.update_parameters(theirs)
    batches = rng.normal(size=(3, 5, 3))
    for update in (False, True):
        if update:
            optim.update_bn(batches, one)
            utils.update_bn(torch.tensor(batches), other)
        found = other.state_dict()
        for name, x in one.state_dict().items():
            np.testing.assert_allclose(x, found[name].numpy(), rtol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"patience": 1, "factor": 0.5, "cooldown": 2},
        {"mode": "max", "patience": 0, "threshold": 0.05, "threshold_mode": "abs"},
        {"patience": 0, "threshold": 0.1, "min_lr": 0.02, "eps": 0.01},
    ],
)
def test_a_plateau_is_where_torch_finds_one(settings):
    (_, one), (_, other) = both("SGD", {"lr": 0.1}, start())
    ours = optim.ReduceLROnPlateau(one, **settings)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **settings)
    for metric in np.abs(np.random.default_rng(0).normal(1, 0.1, 60).cumsum() % 3) + 0.1:
        ours.step(metric)
        theirs.step(metric)
        assert one.param_groups[0]["lr"] == pytest.approx(other.param_groups[0]["lr"], rel=1e-12)
        assert ours.best == theirs.best
