from __future__ import annotations

import pickle

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.errors import ArgumentError, StateDictError
from tinygrad_bp.optim import AveragedModel, get_ema_avg_fn, update_bn


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(3, 4, dtype=float, generator=rng),
        nn.BatchNorm1d(4, dtype=float),
        nn.Linear(4, 2, dtype=float, generator=rng),
    )


def values(model):
    return np.concatenate([p.data.ravel() for p in model.parameters()])


def wander(model, averaged, steps=5):
    """Change the parameters at random, and say what they were at each update."""
    rng, seen = np.random.default_rng(1), []
    for _ in range(steps):
        for p in model.parameters():
            p.assign(rng.normal(size=p.shape))
        averaged.update_parameters(model)
        seen.append(values(model))
    return seen


def test_the_average_is_the_mean_of_what_the_parameters_were():
    model = network()
    averaged = AveragedModel(model)
    seen = wander(model, averaged)
    np.testing.assert_allclose(values(averaged), np.mean(seen, axis=0), rtol=1e-13)
    assert averaged.n_averaged.item() == 5
    x = np.ones((2, 3))
    np.testing.assert_array_equal(averaged.eval()(x).data, averaged.module(x).data)


def test_the_moving_average_forgets_exponentially():
    model = network()
    averaged = AveragedModel(model, get_ema_avg_fn(0.8))
    expected, *rest = wander(model, averaged)
    for found in rest:
        expected = 0.8 * expected + 0.2 * found
    np.testing.assert_allclose(values(averaged), expected, rtol=1e-13)


def test_the_model_itself_is_none_of_the_copy():
    model = network()
    averaged = AveragedModel(model)
    before = values(averaged)
    for p in model.parameters():
        p.assign(np.zeros(p.shape))
    np.testing.assert_array_equal(values(averaged), before)
    averaged.update_parameters(model)
    model[0].weight.assign(np.ones((4, 3)))
    assert not values(averaged).any()


@pytest.mark.parametrize("use_buffers", [False, True])
def test_buffers_are_copied_or_averaged(use_buffers):
    model = network()
    averaged = AveragedModel(model, use_buffers=use_buffers)
    for mean in (1.0, 3.0):
        model[1].running_mean.assign(np.full(4, mean))
        model[1].num_batches_tracked.assign(int(mean))
        averaged.update_parameters(model)
    assert averaged.module[1].running_mean.data.tolist() == [2.0 if use_buffers else 3.0] * 4
    assert averaged.module[1].num_batches_tracked.item() == 3


def test_an_average_is_saved_and_goes_on():
    model, other = network(), network(1)
    averaged = AveragedModel(model)
    wander(model, averaged, 3)
    again = AveragedModel(other)
    again.load_state_dict(averaged.state_dict())
    assert set(averaged.state_dict()) == {
        "n_averaged",
        *(f"module.{name}" for name in model.state_dict()),
    }
    for each, its in ((model, averaged), (other, again)):
        wander(each, its)
    np.testing.assert_allclose(values(averaged), values(again), rtol=1e-14)
    np.testing.assert_array_equal(values(pickle.loads(pickle.dumps(again))), values(again))


def test_another_model_is_refused_and_changes_nothing():
    averaged = AveragedModel(network())
    before = values(averaged)
    with pytest.raises(StateDictError, match=r"(?s)other parameters.*: 1.bias, 1.num_b.*of.$"):
        averaged.update_parameters(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    np.testing.assert_array_equal(values(averaged), before)
    assert averaged.n_averaged.item() == 0


@pytest.mark.parametrize("decay", [-0.1, 1.1, np.nan])
def test_a_decay_is_a_share(decay):
    with pytest.raises(ArgumentError, match="Fix: 0 <= decay <= 1"):
        get_ema_avg_fn(decay)


@pytest.mark.parametrize("pairs", [False, True])
def test_statistics_are_made_anew_over_all_batches_and_modes_are_put_back(pairs):
    model = network()
    model.eval()
    model[2].train()
    model[1].momentum = 0.3
    model[1].running_mean.assign(np.full(4, 1e9))
    model[1].num_batches_tracked.assign(7)
    batches = np.random.default_rng(2).normal(size=(3, 6, 3))
    update_bn([(x, None) for x in batches] if pairs else batches, model)
    hidden = batches @ model[0].weight.data.T + model[0].bias.data
    norm = model[1]
    np.testing.assert_allclose(norm.running_mean.data, hidden.mean(axis=1).mean(axis=0), rtol=1e-10)
    expected = hidden.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(norm.running_var.data, expected, rtol=1e-10)
    assert norm.num_batches_tracked.item() == 3
    assert norm.momentum == 0.3
    assert [m.training for m in (model, *model.children())] == [False, False, False, True]
    assert model[0].weight.grad is None


def test_modes_are_put_back_after_an_error_and_a_network_without_statistics_is_not_run():
    model = network().eval()
    with pytest.raises(tg.errors.TgError):
        update_bn([np.zeros((2, 9))], model)
    assert not any(m.training for m in model.modules())
    assert model[1].momentum == 0.1
    update_bn([np.zeros((2, 9))], nn.Linear(3, 4))
