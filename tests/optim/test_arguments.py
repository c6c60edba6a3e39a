"""What is given to the functions of `tinygrad_bp.optim` that is of another kind than they take."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn, optim
from tinygrad_bp.errors import TgError

GENERATOR = np.random.default_rng(0)
ODD = [3, -1, "x", 1j, float("nan"), True, [1], {}, (0.5,), np.ones(2), np.array("a"), object()]


def leaves():
    p = tg.Tensor([1.0, 2.0], requires_grad=True)
    (p * p).sum().backward()
    return [p]


def sgd():
    return optim.SGD(leaves(), lr=0.1)


def network():
    return nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


# What is called with something odd, and what of it is none.
CALLS = {
    "clip_grad_norm_ of": (lambda x: optim.clip_grad_norm_(x, 1.0), []),
    "max_norm": (lambda x: optim.clip_grad_norm_(leaves(), x), [3]),
    "clip_grad_value_ of": (lambda x: optim.clip_grad_value_(x, 1.0), []),
    "clip_value": (lambda x: optim.clip_grad_value_(leaves(), x), [3]),
    "step": (lambda x: optim.add_grad_noise_(leaves(), x, generator=GENERATOR), [3]),
    "eta": (lambda x: optim.add_grad_noise_(leaves(), 1, x, generator=GENERATOR), [3]),
    "gamma": (lambda x: optim.add_grad_noise_(leaves(), 1, 1, x, generator=GENERATOR), [3]),
    "generator": (lambda x: optim.add_grad_noise_(leaves(), 1, generator=x), []),
    "centralize_grad_ of": (optim.centralize_grad_, []),
    "optimizer": (lambda x: optim.GradientAccumulation(x, 2), []),
    "batches": (lambda x: optim.GradientAccumulation(sgd(), x), [3]),
    "before_step": (lambda x: optim.GradientAccumulation(sgd(), 2, x), []),
    "loss": (lambda x: optim.GradientAccumulation(sgd(), 2)(x), []),
    "AveragedModel of": (optim.AveragedModel, []),
    "avg_fn": (lambda x: optim.AveragedModel(network(), x), []),
    "update_parameters": (lambda x: optim.AveragedModel(network()).update_parameters(x), []),
    "decay": (optim.get_ema_avg_fn, []),
    "update_bn of": (lambda x: optim.update_bn([], x), []),
    "parameters": (optim.SGD, []),
    "a parameter": (lambda x: optim.SGD([*leaves(), x]), []),
    "a group": (lambda x: optim.SGD([{"params": leaves()}, x]), []),
    "parameters of a group": (lambda x: optim.SGD([{"params": x}]), []),
    "closure": (lambda x: sgd().step(x), []),
    "closure of LBFGS": (lambda x: optim.LBFGS(leaves()).step(x), []),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_of_another_kind_is_refused_with_a_fix(name):
    call, taken = CALLS[name]
    for odd in ODD:
        if not any(odd is x for x in taken):
            with pytest.raises(TgError, match=r"\nFix: "):
                call(odd)


@pytest.mark.parametrize("loss", ["x", None, 1j, [1.0], np.ones(2), object()])
def test_a_closure_that_returns_no_loss_is_told(loss):
    with pytest.raises(
        TgError, match=r"closure of LBFGS.step\(\) returned .*\n?Fix: let it return"
    ):
        optim.LBFGS(leaves()).step(lambda: loss)


@pytest.mark.parametrize("loader", [3, None, 1j, np.array(1.0), object()])
def test_what_has_no_batches_is_refused_before_statistics_are_lost(loader):
    model = network()
    model(np.ones((4, 2), np.float32))
    before = model.state_dict()
    with pytest.raises(TgError, match=r"update_bn got loader=.*\nFix: pass batches"):
        optim.update_bn(loader, model)
    for name, values in model.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
