from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, GraphError
from tinygrad_bp.optim import (
    SGD,
    Adam,
    GradientAccumulation,
    add_grad_noise_,
    centralize_grad_,
    clip_grad_norm_,
)


def leaf(values, dtype=float):
    p = tg.Tensor(values, requires_grad=True, dtype=dtype)
    p.grad = tg.Tensor(np.zeros(p.shape), dtype=dtype)
    return p


def test_noise_has_the_deviation_of_its_step_and_falls():
    for step, eta, gamma in [(0, 0.3, 0.55), (99, 1.0, 0.55), (9, 0.04, 1.0)]:
        p, q = leaf(np.zeros((200, 100))), leaf(np.zeros(10000))
        generator = np.random.default_rng(0)
        deviation = add_grad_noise_([p, q], step, eta, gamma, generator=generator)
        assert deviation == pytest.approx(np.sqrt(eta / (1 + step) ** gamma))
        for each in (p, q):
            assert each.grad.data.std() == pytest.approx(deviation, rel=0.03)
            assert abs(each.grad.data.mean()) < 4 * deviation / np.sqrt(each.size)


def test_noise_is_that_of_its_generator_and_keeps_the_dtype():
    found = []
    for _ in range(2):
        p, q = leaf([1.0, 2.0], np.float32), tg.Tensor([1.0], requires_grad=True)
        add_grad_noise_([p, q], 0, generator=np.random.default_rng(4))
        assert p.grad.dtype == np.float32
        assert q.grad is None
        found.append(p.grad.data)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", ["step", "eta", "gamma"])
def test_noise_of_negative_settings_is_refused(name):
    p = leaf([1.0])
    settings = {"step": 0, "generator": np.random.default_rng(0), name: -1}
    with pytest.raises(ArgumentError, match=f"{name} is -1(.|\n)*{name} >= 0"):
        add_grad_noise_([p], **settings)
    assert p.grad.data == [0.0]


def test_centered_gradients_leave_the_mean_of_each_unit_where_it_is():
    shapes = [(4, 3), (4, 2, 3, 3), (4,), (), (0, 3)]
    params = [leaf(np.ones(shape)) for shape in shapes]
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape) for shape in shapes]
    for p, g in zip(params, given, strict=True):
        p.grad = tg.Tensor(g)
    centralize_grad_(params)
    for p, g in zip(params, given, strict=True):
        rows = g.reshape(len(g), -1) if g.ndim > 1 and g.size else None
        if rows is None:
            np.testing.assert_array_equal(p.grad.data, g)
        else:
            expected = (rows - rows.mean(axis=1, keepdims=True)).reshape(g.shape)
            np.testing.assert_allclose(p.grad.data, expected, rtol=1e-14, atol=1e-15)
    before = params[0].data.mean(axis=1)
    SGD(params, lr=0.5).step()
    np.testing.assert_allclose(params[0].data.mean(axis=1), before, rtol=1e-14)


@pytest.mark.parametrize(
    "call", [centralize_grad_, lambda p: add_grad_noise_(p, 0, generator=np.random.default_rng(0))]
)
def test_without_a_gradient_there_is_nothing_to_change(call):
    with pytest.raises(GraphError, match="found no gradient on any of its 1 parameters"):
        call([tg.Tensor([1.0], requires_grad=True)])


def run(batches, accumulation):
    """Three steps on twelve samples, as one batch or as several."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    w = tg.Tensor(np.zeros(3), requires_grad=True)
    optimizer = Adam([w], lr=0.1)
    for _ in range(3):
        with GradientAccumulation(optimizer, accumulation) as accumulate:
            for part, its in zip(np.split(x, batches), np.split(y, batches), strict=True):
                accumulate(np.mean((part @ w - its) ** 2))
    return w.data


@pytest.mark.parametrize(("batches", "accumulation"), [(4, 4), (3, 3), (4, 9)])
def test_several_batches_make_the_step_of_one(batches, accumulation):
    np.testing.assert_allclose(run(batches, accumulation), run(1, 1), rtol=1e-12)


def test_steps_come_after_so_many_batches_and_gradients_of_before_do_not_count():
    p = tg.Tensor([0.0], requires_grad=True)
    optimizer = SGD([p], lr=1.0)
    p.grad = tg.Tensor([100.0])
    accumulate = GradientAccumulation(optimizer, 3)
    stepped = [accumulate((p * x).sum()) for x in (1.0, 2.0, 6.0, 8.0)]
    assert stepped == [False, False, True, False]
    assert (p.data.tolist(), accumulate.waiting) == ([-3.0], 1)
    assert accumulate.flush()
    assert p.data.tolist() == [-11.0]
    assert not accumulate.flush()
    assert p.grad is None


def test_what_comes_before_a_step_sees_the_mean_of_the_gradients():
    p, seen = tg.Tensor([0.0], requires_grad=True), []

    def clip():
        seen.append(p.grad.item())
        clip_grad_norm_([p], 1.0)

    with GradientAccumulation(SGD([p], lr=1.0), 2, before_step=clip) as accumulate:
        for x in (2.0, 4.0, 0.5):
            accumulate((p * x).sum())
    assert seen == [3.0, 0.5]
    assert p.data.tolist() == [-1.5]


def test_an_error_in_the_block_makes_no_step():
    p = tg.Tensor([0.0], requires_grad=True)
    with pytest.raises(RuntimeError), GradientAccumulation(SGD([p], lr=1.0), 3) as accumulate:
        accumulate((p * 2).sum())
        raise RuntimeError
    assert p.data == [0.0]


def test_no_batches_make_no_step():
    with pytest.raises(ArgumentError, match="batches is 0(.|\n)*batches >= 1"):
        GradientAccumulation(SGD([leaf([1.0])], lr=1.0), 0)
