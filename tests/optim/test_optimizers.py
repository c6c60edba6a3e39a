"""Each optimizer against its paper, in a few lines of NumPy that share no code with ours."""

from __future__ import annotations

import numpy as np
import pytest
from optim.references import CASES, STEPS

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, StateDictError
from tinygrad_bp.optim import (
    ASGD,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    RMSprop,
    Rprop,
)

SHAPES = [(3, 4), (4,), (), (0, 2), (2, 1, 3)]


def start(dtype=np.float64, shapes=SHAPES):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def gradient(p, t):
    """Of a quadratic with curvatures from 0.5 to 3, plus something that changes with time."""
    curvature = np.linspace(0.5, 3, p.size, dtype=p.dtype).reshape(p.shape)
    return curvature * p + np.asarray(np.sin(0.3 * t + curvature), p.dtype)


@pytest.mark.parametrize(("kind", "reference", "settings"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_the_trajectory_is_that_of_the_paper(kind, reference, settings, dtype, tolerance):
    values = start(dtype)
    params = [tg.Tensor(p, requires_grad=True) for p in values]
    optimizer = kind(params, **settings)
    paths = [reference(p.astype(np.float64), gradient, **settings) for p in values]
    for t in range(STEPS):
        for p in params:
            p.grad = tg.Tensor(gradient(p.data, t), dtype=dtype)
        optimizer.step()
        for p, path in zip(params, paths, strict=True):
            assert p.dtype == dtype
            np.testing.assert_allclose(p.data, next(path), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kind", "reference", "settings"), CASES)
def test_blocks_and_joined_parameters_make_no_difference(monkeypatch, kind, reference, settings):
    def run(block, joined):
        monkeypatch.setattr("tinygrad_bp.optim.flat.BLOCK", block)
        monkeypatch.setattr("tinygrad_bp.optim.flat.JOINED", joined)
        params = [tg.Tensor(p, requires_grad=True) for p in start()]
        optimizer = kind(params, **settings)
        for t in range(5):
            for p in params:
                p.grad = tg.Tensor(gradient(p.data, t))
            optimizer.step()
        return [p.data for p in params]

    for a, b in zip(run(10**6, 10**6), run(5, 7), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "reference", "settings"), CASES)
@pytest.mark.parametrize("joined", [0, 8192])
def test_gradients_are_not_modified(monkeypatch, kind, reference, settings, joined):
    monkeypatch.setattr("tinygrad_bp.optim.flat.JOINED", joined)
    params = [tg.Tensor(p, requires_grad=True) for p in start()]
    optimizer = kind(params, **settings)
    for t in range(3):
        given = [gradient(p.data, t) for p in params]
        for p, g in zip(params, given, strict=True):
            p.grad = tg.Tensor(g)
        kept = [p.grad.data for p in params]
        optimizer.step()
        for p, g, array in zip(params, given, kept, strict=True):
            assert p.grad.data is array
            np.testing.assert_array_equal(array, g)


@pytest.mark.parametrize(("kind", "reference", "settings"), CASES)
def test_a_parameter_without_gradient_keeps_its_value_and_its_state(kind, reference, settings):
    """The path of each parameter is as if the steps without its gradient had not been."""
    values = start(shapes=[(3,), (2, 2), (4,)])
    present = np.random.default_rng(0).random((STEPS, 3)) < [0.9, 0.5, 1.0]
    params = [tg.Tensor(p, requires_grad=True) for p in values]
    optimizer = kind(params, **settings)
    paths = [reference(p, gradient, **settings) for p in values]
    count, expected = [0, 0, 0], list(values)
    for t in range(STEPS):
        for i, p in enumerate(params):
            p.grad = tg.Tensor(gradient(p.data, count[i])) if present[t, i] else None
        optimizer.step()
        for i, p in enumerate(params):
            if present[t, i]:
                count[i], expected[i] = count[i] + 1, next(paths[i])
            np.testing.assert_allclose(p.data, expected[i], rtol=1e-12, atol=1e-12)
    assert [state["step"] for state in optimizer.state_dict()["state"]] == count


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop, Adagrad])
def test_a_gradient_of_zero_moves_nothing_but_by_weight_decay(kind):
    p = tg.Tensor([1.0, -2.0], requires_grad=True)
    optimizer = kind([p], lr=0.1, weight_decay=0.0)
    p.grad = tg.Tensor([0.0, 0.0])
    optimizer.step()
    np.testing.assert_array_equal(p.data, [1.0, -2.0])


def test_decoupled_decay_does_not_enter_the_state():
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = AdamW([p], lr=0.1, weight_decay=0.5)
    p.grad = tg.Tensor([0.0])
    optimizer.step()
    np.testing.assert_allclose(p.data, [0.95])
    np.testing.assert_array_equal(optimizer.state_dict()["state"][0]["m"], [0.0])


def test_a_constant_gradient_does_not_break_the_centered_form():
    p = tg.Tensor([1.0, 1e-3], requires_grad=True)
    optimizer = RMSprop([p], lr=1e-3, alpha=0.5, centered=True)
    for _ in range(200):
        p.grad = tg.Tensor([0.1, 0.7])
        optimizer.step()
    assert np.isfinite(p.data).all()


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop, Adagrad])
def test_settings_in_float64_leave_float32_parameters_as_they_are(kind):
    p = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    optimizer = kind([p], lr=np.float64(0.1), weight_decay=np.float64(0.1))
    assert type(optimizer.param_groups[0]["lr"]) is float
    optimizer.param_groups[0]["lr"] = np.float64(0.05)
    p.grad = tg.Tensor([1.0, 1.0], dtype=np.float32)
    optimizer.step()
    assert p.dtype == np.float32
    state = optimizer.state_dict()["state"][0]
    assert all(state[name].dtype == np.float32 for name in state if name != "step")


def test_an_optimizer_trains_through_the_engine():
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(20, 3)), np.array([1.0, -2.0, 0.5])
    w = tg.Tensor(np.zeros(3), requires_grad=True, name="w")
    optimizer = Adam([w], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        error = np.sum(x * w, axis=1) - x @ target
        np.sum(error * error).backward()
        optimizer.step()
    np.testing.assert_allclose(w.data, target, atol=1e-3)


@pytest.mark.parametrize(("kind", "reference", "settings"), CASES)
def test_to_maximize_is_to_minimize_with_the_gradient_turned(kind, reference, settings):
    def run(sign):
        params = [tg.Tensor(p, requires_grad=True) for p in start()]
        optimizer = kind(params, **settings, maximize=sign < 0)
        for t in range(5):
            for p in params:
                p.grad = tg.Tensor(sign * gradient(p.data, t))
            optimizer.step()
        return [p.data for p in params]

    for a, b in zip(run(1), run(-1), strict=True):
        np.testing.assert_array_equal(a, b)


def test_averaged_descent_keeps_the_mean_of_where_it_went():
    p = tg.Tensor([1.0, -2.0], requires_grad=True)
    optimizer, seen = ASGD([p], lr=0.1, lambd=0.01, t0=3), []
    for t in range(10):
        p.grad = tg.Tensor(gradient(p.data, t))
        optimizer.step()
        seen.append(p.data.copy())
        expected = np.mean(seen[4:], axis=0) if t > 4 else p.data
        average = optimizer.state_dict()["state"][0]["average"]
        np.testing.assert_allclose(average, expected, rtol=1e-13)


def test_etas_and_step_sizes_out_of_order_are_refused():
    for settings in ({"etas": (1.2, 0.5)}, {"step_sizes": (1.0, 0.1)}):
        with pytest.raises(ArgumentError, match="(?s)Rprop got .*Fix: choose 0 < etas"):
            Rprop([tg.Tensor([1.0], requires_grad=True)], **settings)


def test_a_closure_is_called_first_and_its_loss_returned():
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    np.testing.assert_allclose(p.data, [0.8])
    optimizer.zero_grad()
    p.grad = tg.Tensor([1.0])
    assert optimizer.step() is None


def test_a_state_from_before_there_was_a_flag_is_that_of_the_flag_off():
    params = [tg.Tensor(p, requires_grad=True) for p in start()]
    state = Adam(params).state_dict()
    (group,) = state["param_groups"]
    del group["maximize"], group["amsgrad"]
    optimizer = Adam(params, lr=0.5)
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.param_groups[0]["amsgrad"] is False
    with pytest.raises(StateDictError, match="missing 'amsgrad'"):
        Adam(params, amsgrad=True).load_state_dict(state)
