from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.testing.several import numerical_gradients
from tinygrad_bp.transforms import (
    jvp,
    vjp,
)

X = np.array([0.3, -1.2, 2.0])


def value(t):
    """The array of what is no tensor, or a constant one."""
    return np.asarray(t)


# A composition may drop an argument.
@pytest.mark.filterwarnings("ignore::tinygrad_bp.transforms.IndependentWarning")
@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    shape=st.sampled_from([(), (3,), (2, 3)]),
)
def test_forward_and_backward_are_adjoint_and_agree_with_differences(seed, steps, shape):
    rng = np.random.default_rng(seed)
    x, y, v, w = (rng.uniform(-1, 1, shape) for _ in range(4))
    functions = [
        lambda x, y: (np.sin(x) * y, x),
        lambda x, y: (x + y, np.exp(-x * x)),
        lambda x, y: (np.tanh(y), np.sin(x * y)),
        lambda x, y: (x / (2 + y * y), y),
        lambda x, y: (np.mean(x) * y, x - np.mean(y)),
        lambda x, y: (np.sqrt(1 + x * x), np.cos(y * y)),
        lambda x, y: (y, x),
        lambda x, y: (np.logaddexp(x, y), x[..., ::-1] if np.ndim(x) else x),
    ]

    def f(x, y):
        for k in steps:
            x, y = functions[k](x, y)
        return {"x": x * 1.0, "y": (y * 1.0,)}

    out, pullback = vjp(f, x, y)
    cotangent = {"x": rng.normal(size=out["x"].shape), "y": (rng.normal(size=out["y"][0].shape),)}
    back = pullback(cotangent)
    same, forward = jvp(f, (x, y), (v, w))
    np.testing.assert_array_equal(same["x"], out["x"])
    left = np.sum(forward["x"] * cotangent["x"])
    left += np.sum(forward["y"][0] * cotangent["y"][0])
    right = np.sum(back[0] * v) + np.sum(back[1] * w)
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)

    def projected(x, y):
        out = f(x, y)
        return np.sum(out["x"] * cotangent["x"]) + np.sum(out["y"][0] * cotangent["y"][0])

    for g, numerical in zip(back, numerical_gradients(projected, [x, y])[0], strict=True):
        scale = max(1.0, np.max(np.abs(numerical)))
        np.testing.assert_allclose(g, numerical, rtol=0, atol=1e-6 * scale)


def test_a_pullback_may_be_called_often_and_keeps_its_values():
    x = X.copy()
    out, pullback = vjp(np.square, x)
    x[:] = 0.0
    for k in (1.0, 2.0):
        np.testing.assert_allclose(value(pullback(np.full(3, k))[0]), 2 * X * k)
    np.testing.assert_allclose(value(out), X**2)


def test_a_pullback_after_an_assignment_is_an_error_that_names_both():
    w = tg.Tensor([1.0, 2.0], name="w")
    model = tg.nn.Linear(2, 1)
    _, pullback = vjp(lambda m: np.sum(m(np.ones(2)) ** 2), model)
    model.weight.assign(0.0)
    with pytest.raises(errors.InplaceError, match=r"assigned a new value at test_vjp_jvp.py:\d+"):
        pullback(1.0)
    _, pullback = vjp(np.square, w)  # of tensors, vjp keeps copies
    w.assign(0.0)
    np.testing.assert_array_equal(value(pullback(np.ones(2))[0]), [2.0, 4.0])


def test_vjp_hands_through_what_comes_beside():
    out, _pullback, aux = vjp(lambda x: (x * 2, x + 1), 3.0, has_aux=True)
    assert (value(out), value(aux)) == (6.0, 4.0)


def test_a_pullback_is_differentiable_by_its_cotangent():
    u = tg.Tensor(X, requires_grad=True)
    _, pullback = vjp(np.sin, X)
    np.sum(pullback(u)[0] * 2.0).backward()
    np.testing.assert_allclose(u.grad.data, 2 * np.cos(X))


@pytest.mark.parametrize("change", [lambda t: t, lambda t: t * 1.0])
def test_a_cotangent_that_came_beside_the_value_keeps_its_graph(change):
    w = tg.Tensor(2.0, requires_grad=True)
    _, pullback, aux = vjp(lambda x: (x**2, x * w), X, has_aux=True)
    np.sum(pullback(change(aux))[0]).backward()  # sum of 2x · xw
    assert w.grad.item() == pytest.approx(2 * np.sum(X**2))


def test_a_pullback_made_without_recording_gives_constants_and_says_so():
    u = tg.Tensor(X, requires_grad=True)
    with tg.no_grad():
        _, pullback = vjp(np.sin, X)
    pulled = pullback(u)[0]
    np.testing.assert_allclose(value(pulled), np.cos(X) * X)
    with pytest.raises(errors.NoGradPathError, match=r"cut off by no_grad\(\) around vjp of 'sin'"):
        np.sum(pulled).backward()


def test_outputs_that_are_no_real_numbers_are_handed_through():
    out, pullback = vjp(lambda x: {"y": x * 2, "label": "a", "n": 3, "mask": x > 0}, X)
    assert (out["label"], out["n"]) == ("a", 3)
    assert out["mask"].dtype == bool
    np.testing.assert_array_equal(value(pullback({"y": X})[0]), 2 * X)
    out, tangent = jvp(lambda x: [x * 2, None], (X,), (X,))
    assert (out[1], tangent[1]) == (None, None)


def test_a_tangent_of_none_is_zero_and_a_single_argument_needs_no_tuple():
    _, t = jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, None))
    assert value(t) == 3.0
    _, t = jvp(np.sin, X, X)
    np.testing.assert_allclose(value(t), np.cos(X) * X)


def test_large_values_do_not_overflow_where_several_outputs_are_joined():
    _out, pullback = vjp(lambda x: (x * 2, x * 3), 1e200)
    assert value(pullback((1e200, 0.0))[0]) == 2e200


def test_outputs_of_different_dtypes():
    x = np.array([1.0, 2.0], np.float32)
    (a, b), pullback = vjp(lambda x: (x * 2, x.astype(np.float64) * 3), x)
    assert (a.dtype, b.dtype) == (np.float32, np.float64)
    g = pullback((np.ones(2), np.ones(2)))[0]
    assert g.dtype == np.float32
    _, (ta, tb) = jvp(lambda x: (x * 2, x.astype(np.float64) * 3), (x,), (x,))
    assert (ta.dtype, tb.dtype) == (np.float32, np.float64)
