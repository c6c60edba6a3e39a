from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from optim.stepping import KINDS, parameters, step

import tinygrad_bp as tg
from tinygrad_bp.errors import StateDictError
from tinygrad_bp.optim import LBFGS, SGD, Adam, Rprop


@pytest.mark.parametrize(
    "twin_of",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
)
def test_a_copy_of_parameters_and_optimizer_goes_its_own_way(twin_of):
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    step(optimizer, params, 0)
    twins, twin = twin_of((params, optimizer))
    before = [p.data.copy() for p in params]
    step(twin, twins, 1)
    for p, values in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, values)
    step(optimizer, params, 1)
    for a, b in zip(params, twins, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_a_run_is_resumed_bit_for_bit(kind, settings):
    whole, resumed = parameters(), parameters()
    reference, optimizer = kind(whole, lr=0.1, **settings), kind(resumed, lr=0.1, **settings)
    for t in range(4):
        step(reference, whole, t)
        step(optimizer, resumed, t)
    reference.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"] = 0.03
    saved = pickle.dumps(optimizer.state_dict())
    fresh = [tg.Tensor(p.data, requires_grad=True) for p in resumed]
    other = kind(fresh, lr=0.7, **settings)
    step(other, fresh, 9)
    for p, values in zip(fresh, resumed, strict=True):
        p.assign(values.data)
    other.load_state_dict(pickle.loads(saved))
    for t in range(4, 8):
        step(reference, whole, t)
        step(other, fresh, t)
    for a, b in zip(whole, fresh, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert other.param_groups[0]["lr"] == 0.03


def test_the_state_is_plain_data_and_a_copy():
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    assert optimizer.state_dict()["state"] == [{"step": 0}] * 3
    step(optimizer, params, 0)
    state = optimizer.state_dict()
    assert state["optimizer"] == "Adam"
    settings = {"lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    flags = {"amsgrad": False, "maximize": False}
    assert state["param_groups"] == [{**settings, **flags, "params": [0, 1, 2]}]
    assert [s["m"].shape for s in state["state"]] == [(3, 2), (4,), ()]
    kept = state["state"][0]["m"].copy()
    step(optimizer, params, 1)
    np.testing.assert_array_equal(state["state"][0]["m"], kept)


def test_settings_survive_json():
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    step(optimizer, params, 0)
    state = optimizer.state_dict()
    state["param_groups"] = json.loads(json.dumps(state["param_groups"]))
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)


def broken(**changes):
    params = parameters()
    optimizer = Adam(params, lr=0.1)
    step(optimizer, params, 0)
    return {**optimizer.state_dict(), **changes}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"it has no 'optimizer'.*it has no 'param_groups'.*it has no 'state'"),
        (broken(optimizer="SGD"), "it is the state of 'SGD'"),
        (broken(param_groups=[]), "it has 0 groups, not 1"),
        (broken(state=[]), "it has the state of 0 parameters, not 3"),
        (
            broken(param_groups=[{"lr": 0.1, "params": [0], "momentum": 0.9}]),
            r"group 0 has 1 parameters, not 3.*missing 'betas'.*unexpected 'momentum'",
        ),
        (
            broken(state=[{"step": 1}, {"step": 0, "m": np.zeros(4)}, {}]),
            r"number 0 \(3, 2\) float64: missing 'm'.*missing 'v'"
            r".*number 1 \(4,\) float32: unexpected 'm'.*number 2 .*missing 'step'",
        ),
        (
            broken(
                state=[{"step": 1, "m": np.zeros(6), "v": np.zeros((3, 2))}] + [{"step": 0}] * 2
            ),
            r"number 0 \(3, 2\) float64: 'm' has the shape \(6,\)",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_as_a_whole(state, message):
    params = parameters()
    optimizer = Adam(params, lr=0.2)
    step(optimizer, params, 0)
    before = pickle.dumps(optimizer.state_dict())
    with pytest.raises(StateDictError, match="(?s)Nothing was changed.*" + message + ".*Fix:"):
        optimizer.load_state_dict(state)
    assert pickle.dumps(optimizer.state_dict()) == before


ODD = [
    None,
    3,
    -1,
    7.5,
    "x",
    1j,
    float("nan"),
    [1],
    {},
    np.array("a"),
    np.array([1.0, 2.0]),
    [[1], []],
]


def places(tree, path=()):
    """The path to each part of a state."""
    yield path
    if isinstance(tree, (dict, list)):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(part, (*path, key))


def edited(tree, path, value):
    """A copy of a state with another value in one place."""
    if not path:
        return value
    tree = copy.copy(tree)
    tree[path[0]] = edited(tree[path[0]], path[1:], value)
    return tree


@pytest.mark.parametrize("kind", [SGD, Adam, Rprop, LBFGS])
def test_a_state_edited_anywhere_is_taken_or_refused_by_us_and_then_changes_nothing(kind):
    p = tg.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = kind([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    optimizer.step(closure)
    good = copy.deepcopy(optimizer.state_dict())
    before, refused = pickle.dumps(optimizer.state_dict()), 0
    for path in places(good):
        for value in ODD:
            try:
                optimizer.load_state_dict(edited(good, path, value))
            except StateDictError:
                refused += 1
                assert pickle.dumps(optimizer.state_dict()) == before
            else:  # what was taken can be gone on with
                optimizer.step(closure)
                optimizer.load_state_dict(good)
    assert refused > 100
