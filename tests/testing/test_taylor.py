from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.core.registry import PRIMITIVES
from tinygrad_bp.errors import ArgumentError, GradientError
from tinygrad_bp.testing import taylor_test

X = np.random.default_rng(0).normal(size=6)


@pytest.fixture
def wrong_exp():
    yield tg.Primitive(
        "wrong_exp", np.exp, [lambda g, out, x: g * 1.01 * out], formula="", vjp_formulas=[""]
    )
    del PRIMITIVES["wrong_exp"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("f", [np.exp, np.sin, np.tanh, lambda x: x**3, lambda x: x[:3] * x[3:]])
def test_the_remainder_of_a_right_gradient_shrinks_at_order_two(f, seed):
    table = taylor_test(f, X, seed=seed)
    assert table.order == pytest.approx(2.0, abs=0.25)
    assert table.passed
    assert len(table.steps) == 11
    np.testing.assert_allclose(table.steps[:-1] / table.steps[1:], 2.0)


def test_that_of_a_wrong_one_shrinks_at_order_one(wrong_exp):
    table = taylor_test(lambda x: np.sum(wrong_exp(x)), X, check=False, halvings=14)
    assert table.order == pytest.approx(1.0, abs=0.1)
    assert not table.passed
    with pytest.raises(GradientError, match=r"at order (1|0\.9)") as caught:
        taylor_test(lambda x: np.sum(wrong_exp(x)), X, halvings=14)
    assert not caught.value.check.passed


def test_a_linear_function_leaves_no_remainder():
    assert taylor_test(lambda x: 3 * x, X).order == np.inf
    assert taylor_test(lambda x, y: x * 1e8 - y, X, 2.0).passed


def test_a_function_cut_off_from_its_argument_fails():
    assert not taylor_test(lambda x: tg.Tensor(np.exp(x.data)), X, check=False).passed


def test_a_gradient_by_hand_is_tested_without_tensors():
    def loss(w, x):
        return np.mean((x @ w) ** 2)

    def gradient(w, x):
        return 2 * x.T @ (x @ w) / len(x)

    x = np.random.default_rng(1).normal(size=(9, 6))
    assert taylor_test(loss, X, x, gradient=gradient, argnums=0).passed
    table = taylor_test(
        loss, X, x, gradient=lambda w, x: gradient(w, x) / 2, argnums=0, check=False
    )
    assert table.order == pytest.approx(1.0, abs=0.1)


def test_arguments_of_all_sizes_move_in_proportion():
    assert taylor_test(lambda x: np.sum(x**3), np.array([1e4, 1e-4, -3e6])).passed


def test_it_prints_as_a_table():
    lines = str(taylor_test(np.exp, X, halvings=8)).splitlines()
    assert lines[0].split() == ["step", "change", "remainder", "order"]
    assert len(lines) == 11
    assert lines[1].split()[0] == "6.250e-02"
    assert lines[-1] == "The remainder shrinks at order 2.00: right."


def test_it_can_be_plotted():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = taylor_test(np.exp, X).plot()
    assert len(axes.lines) == 4
    assert axes.get_xlabel() == "step"
    assert taylor_test(np.sin, X).plot(axes) is axes
    pyplot.close("all")


def test_fewer_than_eight_halvings_are_refused():
    with pytest.raises(ArgumentError, match="8 halvings or more, not 3"):
        taylor_test(np.exp, X, halvings=3)
