"""L-BFGS: beside SciPy's minima and PyTorch's decisions written out, and what it refuses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy import optimize

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, GraphError, NonFiniteError, StateDictError
from tinygrad_bp.optim import LBFGS
from tinygrad_bp.optim.line_search import Point, strong_wolfe


def rosenbrock(p):
    return np.sum(100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2)


def quadratic(p):
    curvature = np.linspace(0.5, 3, p.size)
    return np.sum(curvature * (p - 1) ** 2) / 2


def closure_of(optimizer, f, *params):
    def closure():
        optimizer.zero_grad()
        loss = sum(f(p) for p in params)
        loss.backward()
        return loss

    return closure


def make(values, **settings):
    p = tg.Tensor(values, requires_grad=True)
    return p, LBFGS([p], **settings)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_it_finds_the_minimum_of_rosenbrock_in_few_evaluations(n):
    p, optimizer = make(
        np.linspace(-1, 1, n), max_iter=300, line_search_fn="strong_wolfe", tolerance_change=1e-14
    )
    closure = closure_of(optimizer, rosenbrock, p)
    first = optimizer.step(closure)
    assert first.item() == rosenbrock(np.linspace(-1, 1, n))
    scipys = optimize.minimize(optimize.rosen, np.linspace(-1, 1, n), jac=optimize.rosen_der)
    assert rosenbrock(p.data) < 1e-12
    assert optimizer.state_dict()["memory"]["evaluations"] < 2 * scipys.nfev + 20


def inverse_hessian(steps, changes, n):
    """By its definition, Nocedal & Wright (7.16): a matrix."""
    scale = steps[-1] @ changes[-1] / (changes[-1] @ changes[-1])
    h = scale * np.eye(n)
    for s, y in zip(steps, changes, strict=True):
        rho = 1 / (y @ s)
        v = np.eye(n) - rho * np.outer(y, s)
        h = v.T @ h @ v + rho * np.outer(s, s)
    return h


@pytest.mark.parametrize("history", [2, 100])
def test_without_a_line_search_its_steps_are_those_of_the_matrix(history):
    start = np.random.default_rng(0).normal(size=6)
    p, optimizer = make(start, lr=0.5, max_iter=12, history_size=history)
    optimizer.step(closure_of(optimizer, quadratic, p))
    curvature = np.linspace(0.5, 3, 6)
    x, g, steps, changes = start, curvature * (start - 1), [], []
    for t in range(12):
        d = -g if not t else -inverse_hessian(steps[-history:], changes[-history:], 6) @ g
        step = d * 0.5 * (min(1, 1 / np.abs(g).sum()) if not t else 1)
        x = x + step
        steps, changes = [*steps, step], [*changes, curvature * step]
        g = curvature * (x - 1)
    np.testing.assert_allclose(p.data, x, rtol=1e-9)


def test_several_parameters_are_one_vector_and_those_without_a_gradient_stay():
    start = np.random.default_rng(1).normal(size=6)
    one, single = make(start, max_iter=7)
    single.step(closure_of(single, quadratic, one))
    a, b, c = (
        tg.Tensor(x, requires_grad=True) for x in (start[:2], start[2:].reshape(2, 2), [5.0])
    )
    several = LBFGS([a, b, c], max_iter=7)
    several.step(closure_of(several, lambda p: quadratic(np.concatenate([p, b.ravel()])), a))
    np.testing.assert_allclose(np.concatenate([a.data, b.data.ravel()]), one.data, rtol=1e-12)
    assert c.data == [5.0]


def test_to_maximize_is_to_minimize_with_the_sign_turned():
    found = []
    for sign in (1, -1):
        p, optimizer = make([2.0, -1.0], line_search_fn="strong_wolfe", maximize=sign < 0)
        optimizer.step(closure_of(optimizer, lambda p, sign=sign: sign * quadratic(p), p))
        found.append(p.data)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_a_run_goes_on_bit_for_bit_from_its_state(search):
    p, optimizer = make(np.linspace(-1, 1, 4), max_iter=5, lr=0.1, line_search_fn=search)
    closure = closure_of(optimizer, rosenbrock, p)
    optimizer.step(closure)
    q, other = make(p.data, max_iter=5, lr=0.1, line_search_fn=search)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step(closure)
    other.step(closure_of(other, rosenbrock, q))
    np.testing.assert_array_equal(p.data, q.data)


def test_float32_stays_float32():
    p, optimizer = make(np.zeros(3, np.float32), line_search_fn="strong_wolfe")
    optimizer.step(closure_of(optimizer, quadratic, p))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.data, 1, rtol=1e-5)


def test_a_loss_without_bound_ends_at_the_limit_of_evaluations():
    p, optimizer = make([1.0], max_iter=50, max_eval=20, line_search_fn="strong_wolfe")
    optimizer.step(closure_of(optimizer, lambda p: -np.sum(p), p))
    assert optimizer.state_dict()["memory"]["evaluations"] <= 21
    assert np.isfinite(p.data).all()


def test_a_region_where_the_loss_is_not_finite_is_stepped_back_from():
    p, optimizer = make([-3.0], lr=40.0, max_iter=50, line_search_fn="strong_wolfe")
    with np.errstate(all="ignore"):
        optimizer.step(closure_of(optimizer, lambda p: np.sum(-p - np.log(3 - p) * 4), p))
    np.testing.assert_allclose(p.data, -1.0, atol=1e-4)


def test_an_error_in_the_closure_leaves_the_parameters_where_they_were():
    p, optimizer = make([2.0], line_search_fn="strong_wolfe")
    calls = []

    def closure():
        calls.append(p.data.copy())
        if len(calls) == 2:
            raise RuntimeError("no")
        return closure_of(optimizer, quadratic, p)()

    with pytest.raises(RuntimeError):
        optimizer.step(closure)
    assert p.data == [2.0]
    assert calls[1] != [2.0]
    calls.clear()
    calls.extend([0, 0, 0])
    optimizer.step(closure)
    np.testing.assert_allclose(p.data, 1.0)


@pytest.mark.parametrize(
    ("f", "slope", "t"),
    [
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 100.0),
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 1e-3),
        (lambda t: np.cos(t) * 3 - t, lambda t: -np.sin(t) * 3 - 1, 0.1),
        (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2, 1.0),  # Moré-Thuente
        (
            lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
            lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
            10.0,
        ),
    ],
)
@pytest.mark.parametrize("c2", [0.9, 0.1])
def test_the_point_found_fulfils_the_strong_wolfe_conditions(f, slope, t, c2):
    def along(t):
        return Point(t, f(t), np.array([slope(t)]), slope(t))

    start = along(0.0)
    point, count = strong_wolfe(along, start, t, 1.0, 1e-12, 50, c2=c2)
    assert point.f <= start.f + 1e-4 * point.t * start.slope
    assert abs(point.slope) <= c2 * abs(start.slope)
    assert count <= 20


def test_what_makes_no_sense_is_refused():
    p, optimizer = make([1.0])
    with pytest.raises(ArgumentError, match="(?s)needs a closure.*zero_grad"):
        optimizer.step()
    with pytest.raises(ArgumentError, match="'strong_wolfe'"):
        LBFGS([p], line_search_fn="wolfe")
    with pytest.raises(ArgumentError, match="LBFGS got 2 groups"):
        LBFGS([{"params": [p]}, {"params": [tg.Tensor([1.0], requires_grad=True)]}])
    with pytest.raises(GraphError, match="found no gradient"):
        optimizer.step(lambda: tg.Tensor(1.0))
    with pytest.raises(NonFiniteError, match="(?s)starts from a loss of nan.*detect_anomaly"):
        optimizer.step(closure_of(optimizer, lambda p: np.sum(p) * np.nan, p))
    assert p.data == [1.0]


def test_a_state_of_something_else_is_refused():
    _, optimizer = make([1.0, 2.0])
    before = optimizer.state_dict()
    _, longer = make([1.0, 2.0, 3.0])
    longer.step(closure_of(longer, quadratic, longer.param_groups[0]["params"][0]))
    for state in (longer.state_dict(), {k: v for k, v in before.items() if k != "memory"}):
        with pytest.raises(StateDictError, match="no memory for 2 numbers"):
            optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before
