"""Cells against their formulas in NumPy, and recurrent networks against cells step by step."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import GRUCell, LSTMCell, NetworkSpec, RNNCell, Sequential
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(4)
CELLS = [RNNCell, GRUCell, LSTMCell]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_formula(cell, x, states):
    """The new states, from matrices that are cut into gates."""
    p = {name: value.astype(float) for name, value in cell.state_dict().items()}
    given = x @ p["weight_ih"].T + p.get("bias_ih", 0)
    kept = states[0] @ p["weight_hh"].T + p.get("bias_hh", 0)
    if isinstance(cell, RNNCell):
        return [np.tanh(given + kept)]
    n = cell.hidden_size
    a, b = ([part[:, k * n : (k + 1) * n] for k in range(cell.gates)] for part in (given, kept))
    if isinstance(cell, GRUCell):
        r, u = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        return [(1 - u) * np.tanh(a[2] + r * b[2]) + u * states[0]]
    i, f, g, o = (x + y for x, y in zip(a, b, strict=True))
    c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def as_list(out):
    return list(out) if isinstance(out, tuple) else [out]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_its_formula(kind, bias):
    cell = kind(3, 2, bias, dtype=float, generator=0)
    states = [RNG.normal(size=(4, 2)) for _ in range(2 if kind is LSTMCell else 1)]
    x = RNG.normal(size=(4, 3))
    found = as_list(cell(x, states if len(states) > 1 else states[0]))
    for ours, expected in zip(found, by_formula(cell, x, states), strict=True):
        np.testing.assert_allclose(ours.data, expected, rtol=1e-13)
    zeros = [np.zeros((4, 2))] * len(states)
    without = as_list(cell(x))
    for ours, expected in zip(without, by_formula(cell, x, zeros), strict=True):
        np.testing.assert_allclose(ours.data, expected, rtol=1e-13)
    single = as_list(cell(x[0]))
    for ours, expected in zip(single, without, strict=True):
        np.testing.assert_allclose(ours.data, expected.data[0], rtol=1e-13)


def test_the_other_nonlinearity_of_a_simple_cell():
    cell = RNNCell(3, 50, nonlinearity="relu", dtype=float, generator=0)
    h = cell(RNG.normal(size=(4, 3)), RNG.normal(size=(4, 50))).data
    assert (h == 0).any()
    assert h.max() > 1
    assert repr(cell) == "RNNCell(3, 50, nonlinearity='relu')"


@pytest.mark.parametrize("kind", CELLS)
def test_the_gradients_of_a_cell_are_the_numerical_ones(kind):
    cell = kind(2, 2, dtype=float, generator=0)

    def loss(model, x):
        return sum(np.sum(np.sin(part)) for part in as_list(model(x)))

    assert check_gradients(loss, cell, RNG.normal(size=(2, 2)), order=2).passed


@pytest.mark.parametrize("kind", CELLS)
def test_parameters_have_the_names_shapes_and_first_values_of_the_field(kind):
    cell = kind(5, 100, generator=0)
    rows = cell.gates * 100
    assert {n: p.shape for n, p in cell.named_parameters()} == {
        "weight_ih": (rows, 5),
        "weight_hh": (rows, 100),
        "bias_ih": (rows,),
        "bias_hh": (rows,),
    }
    for p in cell.parameters():
        assert p.dtype == np.float32
        assert 0.09 < np.abs(p.data).max() <= np.float32(0.1)
    assert cell(np.zeros((1, 5), np.float32))[0].dtype == np.float32
    assert list(kind(5, 1, bias=False).state_dict()) == ["weight_ih", "weight_hh"]


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_in_a_spec_knows_the_length_of_its_input(kind):
    extra = {"returns": "last"} if kind is LSTMCell else {}
    spec = NetworkSpec((3,), [{"type": kind.__name__, "hidden_size": 2, **extra}])
    model = spec.build(0)
    assert model(np.zeros((4, 3), np.float32)).shape == (4, 2)
    assert NetworkSpec.from_module(model, (3,)) == spec


def test_wrong_sizes_inputs_and_states_are_told():
    with pytest.raises(ArgumentError, match="hidden_size is a positive integer, not 0"):
        GRUCell(3, 0)
    with pytest.raises(ArgumentError, match="(?s)is 'tanh' or 'relu', not 'relo'.*Fix: .*relu"):
        RNNCell(3, 2, nonlinearity="relo")
    with pytest.raises(ShapeError, match=r"in Sequential.0 \(RNNCell\): input \(4, 2\), expected"):
        Sequential(RNNCell(3, 2))(np.zeros((4, 2)))
    with pytest.raises(ShapeError, match=r"in LSTMCell \(LSTMCell\): state \(1, 2\), expected \(4"):
        LSTMCell(3, 2)(np.zeros((4, 3)), [np.zeros((1, 2))] * 2)


def test_both_states_of_an_lstm_carry_gradients():
    cell = LSTMCell(3, 2, dtype=float, generator=0)
    states = [tg.Tensor(np.ones((4, 2)), requires_grad=True) for _ in range(2)]
    cell(np.ones((4, 3)), states)[1].sum().backward()
    assert all(np.all(state.grad.data != 0) for state in states)
