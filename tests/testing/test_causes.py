"""What is said of recorded graphs whose gradients are wrong, in five lines at most."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.errors import GradientError
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(12, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=3)


def failure(f, *args, **kwargs):
    with pytest.raises(GradientError) as caught:
        check_gradients(f, *args, **kwargs)
    assert len(str(caught.value).splitlines()) <= 5
    return caught.value.check


@pytest.fixture
def broken(monkeypatch):
    """A check of one layer, where a rule of it is broken."""

    def check(name, i, change):
        primitive = PRIMITIVES[name]
        rules = [primitive.vjps[k] for k in range(len(primitive.vjp_formulas))]
        right = rules[i]
        rules[i] = lambda g, out, *inputs, **params: change(right(g, out, *inputs, **params))
        monkeypatch.setattr(primitive, "vjps", tuple(rules))
        return failure(lambda w, b: np.mean((X @ w + b) ** 2), W, B, order=1)

    return check


@pytest.mark.parametrize(
    ("name", "i", "change", "cause"),
    [
        ("power", 0, lambda p: 2 * p, "it is twice too large"),
        ("power", 0, lambda p: p / 2, "a factor 2 is missing"),
        ("power", 0, lambda p: -p, "the sign is turned"),
        ("power", 0, lambda p: 0 * p, "there is no gradient at all where there should be one"),
        (
            "mean",
            0,
            lambda p: 36 * p,
            "it is not divided by 36, the number of elements that 'mean'",
        ),
        ("mean", 0, lambda p: p / 36, "puts together, once too often"),
        ("matmul", 1, lambda p: p.T, "the gradient is the transpose of what it should be"),
        (
            "matmul",
            1,
            lambda p: p * [[1], [0], [1]],
            "the gradient is 0 where there should be one at",
        ),
        ("matmul", 1, lambda p: p + 0.5, "a term is too much: the same 0.5 everywhere"),
        ("matmul", 1, lambda p: p - 0.5 * W, "a term is missing: 0.5 times the argument itself"),
    ],
)
def test_a_cause_is_told_beside_the_rule(broken, name, i, change, cause):
    check = broken(name, i, change)
    assert cause in str(check)
    assert f"Blame: the rule of the primitive {name!r} for its input {i} is wrong" in str(check)


def test_a_broadcast_that_was_undone_by_a_mean_or_not_at_all_is_told():
    def bias(change):
        @tg.primitive(lambda g, out, x, b: g, lambda g, out, x, b: change(g))
        def add_bias(x, b):
            return x + b

        return lambda b: np.sum(np.sin(add_bias(X, b)))

    check = failure(bias(lambda g: g.mean(axis=0)), B, order=1)
    assert "it is 1/12 of what it should be" in str(check)
    check = failure(bias(lambda g: np.full(3, g.sum())), B, order=1)
    assert "summed over axis 0, along which nothing was broadcast" in str(check)


def line_of(f, text):
    lines, first = inspect.getsourcelines(f)
    return first + next(k for k, line in enumerate(lines) if text in line)


def penalized(w, b):
    penalty = 0.1 * np.sum(w.data**2)
    data = np.mean((X @ w + b) ** 2)
    return data + penalty


def detached(w, b):
    h = np.tanh(X @ w + b)
    return np.sum(h * h.detach())


def copied(w, b):
    return np.sum(np.sin(w) * tg.Tensor(np.array(b.data), requires_grad=True) + b)


def sloping(w, b):
    return np.sum(tg.nn.functional.leaky_relu(X @ w, float(b.data[0])) + b)


@pytest.mark.parametrize(
    ("f", "failed", "text", "place"),
    [
        (penalized, ["argument 0"], "data + penalty", "input 1 of 'add'"),
        (detached, ["argument 0", "argument 1"], "h.detach", "input 1 of 'multiply'"),
        (copied, ["argument 1"], "np.array(b", "input 1 of 'multiply'"),
        (sloping, ["argument 1"], "leaky", "the parameter 'slope' of 'leaky_relu'"),
    ],
)
def test_a_term_that_is_not_recorded_is_told_with_its_place(f, failed, text, place):
    check = failure(f, W, B)
    assert [a.name for a in check.arguments if not a.passed] == failed
    assert "Cause: a term is missing: part of the way to the output is not rec" in str(check)
    at = f"at test_causes.py:{line_of(f, text)}"
    assert f"Blame: {place} is a constant {at}, and yet changes with {failed[0]}" in str(check)
    assert "Fix: compute with tensors all the way, without .data" in str(check)
    assert not check.blamed


def test_a_cut_that_shows_at_second_order_alone_is_told():
    check = failure(lambda w: np.sum((w - w.data.mean()) ** 2), B)
    assert "Cause: the derivatives of order 1 are right; a term is missing" in str(check)
    assert "Blame: input 1 of 'subtract' is a constant" in str(check)


def test_a_kink_does_not_hide_a_cut():
    def f(w):
        return np.sum(np.abs(w)) + np.sum(w.data**2)

    check = failure(f, np.array([0.0, 1.0]))
    assert "Blame: input 1 of 'add' is a constant" in str(check)


def test_a_hook_that_changes_a_gradient_is_told():
    def hooked(w):
        h = X @ w
        h.retain_grad()
        h.register_hook(lambda g: 2 * g)
        return np.sum(np.sin(h))

    check = failure(hooked, W)
    assert "a hook sees the gradient of the output of 'matmul' at test_causes.py:" in str(check)
    assert "it is twice too large" in str(check)


def test_a_graph_that_is_another_for_other_values_leaves_the_place_unknown():
    def f(w):
        start = 1.0 * w if w.data[0] == B[0] else w
        return np.sum(np.sin(start)) + np.sum(w.data**2)

    check = failure(f, B)
    assert "Cause: each rule is right by itself, so that part of the way from" in str(check)
    assert "a term is missing: 2 times the argument itself" in str(check)
    assert "Blame" not in str(check)


def _through_float32(x):
    return np.sin(x.astype(np.float32))


def _beside_a_kink(x):
    return np.abs(x) + np.sin(x)


@pytest.mark.parametrize("f", [_through_float32, _beside_a_kink])
def test_neither_float32_nor_a_kink_hides_what_is_no_fault_of_a_rule(f, monkeypatch):
    x = np.array([0.0, 0.5, 1.5])
    assert check_gradients(lambda x: np.sum(f(x)), x).passed

    def hooked(x):
        h = f(x)
        h.register_hook(lambda g: 1.01 * g)
        return np.sum(h)

    assert "a hook sees the gradient" in str(failure(hooked, x))

    def cut(x):
        return np.sum(f(x) * x.data.astype(np.float32))

    assert "a term is missing" in str(failure(cut, x + 0.5))

    # A backward pass that forgets to undo a broadcast, in place of a sum.
    monkeypatch.setattr(
        "tinygrad_bp.core.cotangents.sum_to_shape", lambda g, shape: g[0].reshape(shape)
    )
    assert not failure(lambda x: np.sum(f(x) * np.arange(6.0).reshape(2, 3)), x).blamed


def test_where_steps_tell_nothing_a_rule_is_acquitted_only_if_it_is_right():
    def fine(sine, x):
        return np.sum(np.abs(x) * sine(366896502460.94635 * x))

    x = np.array([-1.1378, 0.6235])
    check = check_gradients(lambda x: fine(np.sin, x), x, order=1)
    assert check.inconclusive
    assert "more finely than steps can tell" in str(check)
    wrong = tg.Primitive(
        "sine_of_a_test",
        np.sin,
        [lambda g, out, x: 1.01 * g * np.cos(x)],
        formula="",
        vjp_formulas=[""],
    )
    try:
        assert "'sine_of_a_test' for its input 0" in str(
            failure(lambda x: fine(wrong, x), x, order=1)
        )
    finally:
        del PRIMITIVES["sine_of_a_test"]
