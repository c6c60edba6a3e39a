from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, MissingExtraError, NonFiniteError, ShapeError
from tinygrad_bp.optim import SGD, minimize_scipy
from tinygrad_bp.optim.scipy_bridge import BOUNDED, METHODS


def problem(dtype=np.float64):
    """A convex loss of two parameters, and its minimum."""
    w = tg.Tensor(np.ones((2, 2)), requires_grad=True, dtype=dtype)
    b = tg.Tensor(0.5, requires_grad=True, dtype=dtype)
    target = np.array([[1.0, 2.0], [3.0, 4.0]], dtype)

    def loss():
        error = w - target
        return np.sum(error * error * error * error + error * error) + (b - 2) * (b - 2)

    return loss, [w, b], [target, 2.0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_minimum_and_writes_it_back(method):
    loss, params, minimum = problem()
    result = minimize_scipy(loss, params, method=method)
    assert result.success
    for p, expected in zip(params, minimum, strict=True):
        np.testing.assert_allclose(p.data, expected, atol=2e-3)
        assert p.grad is None
    np.testing.assert_array_equal(result.x, np.append(params[0].data.ravel(), params[1].data))
    assert result.fun == pytest.approx(loss().item())


def test_float32_parameters_stay_float32():
    loss, params, minimum = problem(np.float32)
    minimize_scipy(loss, params, options={"maxiter": 50})
    assert [p.dtype for p in params] == [np.float32, np.float32]
    np.testing.assert_allclose(params[0].data, minimum[0], atol=1e-2)


def test_parameters_in_the_buffer_of_an_optimizer_are_written_in_place():
    loss, params, minimum = problem()
    optimizer = SGD(params, lr=0.1)
    views = [p.data for p in params]
    minimize_scipy(loss, params)
    assert all(p.data is view for p, view in zip(params, views, strict=True))
    loss().backward()
    optimizer.step()
    np.testing.assert_allclose(params[0].data, minimum[0], atol=1e-3)


def test_a_parameter_that_the_loss_does_not_need_stays():
    loss, params, _ = problem()
    unused = tg.Tensor([5.0], requires_grad=True)
    minimize_scipy(loss, [*params, unused])
    np.testing.assert_array_equal(unused.data, [5.0])


def test_options_reach_the_method():
    loss, params, _ = problem()
    assert minimize_scipy(loss, params, method="TNC", options={"maxfun": 2}).nfev <= 3


@pytest.mark.parametrize("method", METHODS)
def test_the_callback_and_the_end_see_the_iterate_and_not_the_last_trial(method):
    """In the curved valley of Rosenbrock's function, line searches try points that they drop."""
    p = tg.Tensor([-1.2, 1.0], requires_grad=True)
    losses = []

    def loss():
        across = p[1] - p[0] * p[0]
        return across * across * 100 + (p[0] - 1) * (p[0] - 1)

    def callback(x):
        np.testing.assert_array_equal(x, p.data)
        losses.append(loss().item())

    options = {"maxfun": 12} if method == "TNC" else {"maxiter": 5}
    result = minimize_scipy(loss, [p], method=method, options=options, callback=callback)
    assert losses[-1] < losses[0]
    for limit in range(1, 13):
        p.assign([-1.2, 1.0])
        options = {"maxfun" if method == "TNC" else "maxiter": limit}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = minimize_scipy(loss, [p], method=method, options=options)
        np.testing.assert_array_equal(result.x, p.data)
        assert loss().item() == result.fun


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_exception_the_parameters_hold_their_first_values(error):
    loss, params, _ = problem()
    count = 0

    def interrupted():
        nonlocal count
        count += 1
        if count == 4:
            raise error
        return loss()

    with pytest.raises(error):
        minimize_scipy(interrupted, params)
    np.testing.assert_array_equal(params[0].data, np.ones((2, 2)))
    assert params[1].item() == 0.5
    assert params[0].grad is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_is_an_error_and_restores_the_start():
    p = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(NonFiniteError, match=r"(?s)L-BFGS-B ended at a loss of nan.*Fix:"):
        minimize_scipy(lambda: np.sum(p * np.nan), [p])
    np.testing.assert_array_equal(p.data, [1.0])


def test_a_loss_with_axes_or_without_a_tensor_is_refused():
    p = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ShapeError, match=r"the loss is a Tensor of shape \(2,\)"):
        minimize_scipy(lambda: p * p, [p])
    with pytest.raises(ShapeError, match=r"the loss is a float of shape \(\)"):
        minimize_scipy(lambda: 1.0, [p])


def test_an_unknown_method_is_refused_with_the_nearest():
    p = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(ArgumentError, match=r"(?s)no method 'LBFGS-B'.*did you mean 'L-BFGS-B'"):
        minimize_scipy(lambda: np.sum(p * p), [p], method="LBFGS-B")
    with pytest.raises(ArgumentError, match="minimize_scipy got no parameters"):
        minimize_scipy(lambda: np.sum(p * p), [])


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    p = tg.Tensor([1.0], requires_grad=True)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad-bp\[train\]'"):
        minimize_scipy(lambda: np.sum(p * p), [p])


@pytest.mark.parametrize("method", BOUNDED)
def test_methods_with_bounds_find_the_minimum_within_them(method):
    from scipy import optimize

    loss, params, _ = problem()
    warnings.filterwarnings("ignore", "delta_grad == 0.0", UserWarning)  # of trust-constr
    bounds = [(None, 0.5), (0, None), (None, None), (5, 6), (0, 1)]
    result = minimize_scipy(loss, params, method, bounds=bounds, tol=1e-9)
    np.testing.assert_allclose(params[0].data, [[0.5, 2.0], [3.0, 5.0]], atol=2e-3)
    np.testing.assert_allclose(params[1].data, 1.0, atol=2e-3)
    assert all(high is None or x <= high for x, (_, high) in zip(result.x, bounds, strict=True))
    loss, params, _ = problem()
    minimize_scipy(loss, params, method, bounds=optimize.Bounds(0, 1.5))
    np.testing.assert_allclose(params[0].data, [[1.0, 1.5], [1.5, 1.5]], atol=2e-3)


def test_the_tolerance_says_when_to_end():
    evaluations = []
    for tol in (1.0, 1e-12):
        loss, params, _ = problem()
        evaluations.append(minimize_scipy(loss, params, tol=tol).nfev)
    assert evaluations[0] < evaluations[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": 3}, "got loss=3.*Fix: a function of nothing"),
        ({"options": 3}, "got options=3.*Fix: a dict, as"),
        ({"callback": 3}, "got callback=3.*Fix: a function of a vector"),
        ({"method": 3}, "no method 3.*Fix: known: BFGS"),
        ({"method": np.ones(2)}, "no method array"),
        ({"tol": "x"}, "got tol='x'.*Fix: a number from 0 on"),
        ({"tol": float("nan")}, "got tol=nan"),
        ({"tol": 1j}, "got tol=1j"),
        ({"bounds": 3}, "no 5 pairs .*Fix: .* with 5 pairs, or scipy.optimize.Bounds"),
        ({"bounds": [(0, 1)]}, "no 5 pairs"),
        ({"bounds": [(0, 1, 2)] * 5}, "no 5 pairs"),
        ({"bounds": [(1, 0)] * 5}, "no 5 pairs"),
        ({"bounds": [("a", 0)] * 5}, "no 5 pairs"),
        ({"bounds": [(0, float("nan"))] * 5}, "no 5 pairs"),
        ({"bounds": [(0, 1)] * 5, "method": "CG"}, "bounds for CG.*Fix: .*L-BFGS-B, SLSQP, TNC"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_and_change_nothing(given, message):
    loss, params, _ = problem()
    before = [p.data.copy() for p in params]
    with pytest.raises(ArgumentError, match="(?s)" + message):
        minimize_scipy(**{"loss": loss, "parameters": params, **given})
    for p, values in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, values)
