"""Recurrent networks against their cells, one step and one sample after another."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError, SpecError
from tinygrad_bp.nn import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    NetworkSpec,
    RNNCell,
    pack_padded_sequence,
    pad_packed_sequence,
)
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(6)
KINDS = [(RNN, RNNCell), (GRU, GRUCell), (LSTM, LSTMCell)]
NETWORKS = [kind for kind, _ in KINDS]


def as_list(states):
    return list(states) if isinstance(states, tuple) else [states]


def step_by_step(model, cell_kind, x):
    """Outputs and last states of one sample (steps, features), each layer and direction a cell."""
    values, ends = model.state_dict(), []
    for k in range(model.num_layers):
        outputs = []
        for way in ("", "_reverse")[: 1 + model.bidirectional]:
            suffix = f"_l{k}{way}"
            cell = cell_kind(x.shape[1], model.hidden_size, model.bias, dtype=float)
            cell.load_state_dict({n: values[n + suffix] for n in cell.state_dict()})
            state, found = None, []
            for step in x[::-1] if way else x:
                state = cell(step, state)
                found.append(as_list(state)[0].data)
            outputs.append(np.array(found[::-1] if way else found))
            ends.append([each.data for each in as_list(state)])
        x = np.concatenate(outputs, axis=1)
    return x, [np.stack(each) for each in zip(*ends, strict=True)]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("kind", "cell"), KINDS)
def test_a_network_is_its_cells_step_by_step(kind, cell, layers, bidirectional):
    model = kind(3, 4, layers, bidirectional=bidirectional, dtype=float, generator=0)
    x = RNG.normal(size=(5, 2, 3))
    y, after = model(x)
    for n in range(2):
        expected, ends = step_by_step(model, cell, x[:, n])
        np.testing.assert_allclose(y.data[:, n], expected, rtol=1e-12)
        for state, end in zip(as_list(after), ends, strict=True):
            np.testing.assert_allclose(state.data[:, n], end, rtol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "cell"), KINDS)
def test_packed_samples_are_what_each_of_them_is_alone(kind, cell, bidirectional):
    model = kind(3, 2, 2, bidirectional=bidirectional, batch_first=True, dtype=float, generator=0)
    x, lengths = RNG.normal(size=(3, 5, 3)), [2, 5, 1]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, after = model(packed)
    padded, told = pad_packed_sequence(y, batch_first=True)
    assert told.tolist() == lengths
    for n, length in enumerate(lengths):
        expected, ends = step_by_step(model, cell, x[n, :length])
        np.testing.assert_allclose(padded.data[n, :length], expected, rtol=1e-12)
        assert not padded.data[n, length:].any()
        for state, end in zip(as_list(after), ends, strict=True):
            np.testing.assert_allclose(state.data[:, n], end, rtol=1e-12)


def test_padding_of_a_network_with_relu_does_not_grow():
    model = RNN(1, 2, nonlinearity="relu", generator=0)
    for p in model.parameters():
        p.assign(np.full(p.shape, 9.0))
    packed = pack_padded_sequence(np.ones((400, 2, 1), np.float32), [400, 1])
    short = pack_padded_sequence(np.ones((1, 1, 1), np.float32), [1])
    with np.errstate(over="ignore", invalid="ignore"):
        after = model(packed)[1]
        (after[:, 1].sum()).backward()
    np.testing.assert_array_equal(after.data[:, 1], model(short)[1].data[:, 0])
    assert all(np.isfinite(p.grad.data).all() for p in (model.weight_ih_l0, model.bias_hh_l0))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}])
@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_are_the_numerical_ones(kind, options):
    model = kind(2, 1, dtype=float, generator=0, **options)

    def loss(model, x):
        y, after = model(x)
        return np.sum(np.sin(y)) + sum(np.sum(state**2) for state in as_list(after))

    assert check_gradients(loss, model, RNG.normal(size=(3, 2, 2)), order=1).passed


def test_gradients_of_a_projected_lstm_and_of_packed_ones():
    model = LSTM(2, 3, proj_size=2, dtype=float, generator=0)
    assert model.weight_hr_l0.shape == (2, 3)

    def loss(model, x):
        y, after = model(pack_padded_sequence(x, [3, 1]))
        return np.sum(np.sin(y.data)) + sum(np.sum(state**2) for state in after)

    assert check_gradients(loss, model, RNG.normal(size=(3, 2, 2)), order=1).passed


@pytest.mark.parametrize("kind", NETWORKS)
def test_samples_first_and_a_single_sample_give_the_same(kind):
    model = kind(3, 2, dtype=float, generator=0)
    turned = kind(3, 2, batch_first=True, dtype=float, generator=0)
    x = RNG.normal(size=(4, 2, 3))
    y, after = model(x)
    z, states = turned(x.swapaxes(0, 1))
    np.testing.assert_array_equal(z.data, y.data.swapaxes(0, 1))
    alone, state = model(x[:, 0])
    np.testing.assert_allclose(alone.data, y.data[:, 0], rtol=1e-13)
    triples = zip(as_list(states), as_list(after), as_list(state), strict=True)
    for a, b, c in triples:
        np.testing.assert_array_equal(a.data, b.data)
        np.testing.assert_allclose(c.data, b.data[:, 0], rtol=1e-13)


@pytest.mark.parametrize("kind", NETWORKS)
def test_states_are_handed_on_from_part_to_part(kind):
    model = kind(3, 2, num_layers=2, dtype=float, generator=0)
    x = RNG.normal(size=(6, 2, 3))
    whole, after = model(x)
    first, between = model(x[:2])
    second, end = model(x[2:], between)
    np.testing.assert_allclose(np.concatenate((first.data, second.data)), whole.data, rtol=1e-12)
    for a, b in zip(as_list(end), as_list(after), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_what_is_returned_can_be_the_sequence_or_the_last_states():
    x = RNG.normal(size=(4, 2, 3))
    for kind in NETWORKS:
        y, after = kind(3, 2, 2, bidirectional=True, dtype=float, generator=0)(x)
        h = as_list(after)[0].data
        options = {"bidirectional": True, "dtype": float, "generator": 0}
        sequence = kind(3, 2, 2, returns="sequence", **options)(x)
        np.testing.assert_array_equal(sequence.data, y.data)
        last = kind(3, 2, 2, returns="last", **options)(x)
        np.testing.assert_array_equal(last.data, np.concatenate((h[2], h[3]), axis=-1))
        np.testing.assert_array_equal(last.data[:, :2], y.data[-1, :, :2])
        np.testing.assert_array_equal(last.data[:, 2:], y.data[0, :, 2:])


def test_dropout_is_between_layers_in_training_alone():
    x = np.ones((4, 2, 3))
    one = LSTM(3, 8, dropout=0.5, dtype=float, generator=0)
    np.testing.assert_array_equal(one(x)[0].data, one(x)[0].data)
    two = LSTM(3, 8, 2, dropout=0.5, dtype=float, generator=0)
    assert [name for name, _ in two.generators()] == ["generator"]
    assert not np.array_equal(two(x)[0].data, two(x)[0].data)
    plain = LSTM(3, 8, 2, dtype=float, generator=0)
    np.testing.assert_array_equal(two.eval()(x)[0].data, plain(x)[0].data)


def test_parameters_have_the_names_and_the_order_of_the_field():
    model = LSTM(3, 100, 2, bidirectional=True, proj_size=4, generator=0)
    names = [
        f"{name}_l{k}{way}"
        for k in range(2)
        for way in ("", "_reverse")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert list(model.state_dict()) == names
    assert model.weight_ih_l1_reverse.shape == (400, 8)
    for p in model.parameters():
        assert p.dtype == np.float32
        assert np.abs(p.data).max() <= np.float32(0.1)
    assert repr(model) == "LSTM(3, 100, num_layers=2, bidirectional=True, proj_size=4)"


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_spec_declares_networks_of_which_the_sizes_follow(kind):
    layers = [
        {"type": kind.__name__, "hidden_size": 4, "batch_first": True, "returns": "sequence"},
        {"type": kind.__name__, "hidden_size": 2, "batch_first": True, "returns": "last"},
        {"type": "Linear", "out_features": 1},
    ]
    spec = NetworkSpec((7, 3), layers)
    model = spec.build(0)
    assert model(np.zeros((5, 9, 3), np.float32)).shape == (5, 1)
    assert NetworkSpec.from_module(model, (7, 3)) == spec
    assert [each.shape for each in spec.shapes()] == [(7, 4), (2,), (1,)]


def test_a_spec_may_wire_what_a_network_returns():
    lstm = {"type": "LSTM", "hidden_size": 4, "batch_first": True, "name": "lstm"}
    linear = {"type": "Linear", "out_features": 2, "inputs": ["lstm.0"]}
    spec = NetworkSpec((7, 3), [lstm, linear])
    model = spec.build(0)
    x = np.zeros((5, 7, 3), np.float32)
    np.testing.assert_array_equal(model(x).data, model["1"](model["lstm"](x)[0]).data)
    assert NetworkSpec.from_module(model, (7, 3)) == spec
    with pytest.raises(SpecError, match="which is several arrays"):
        NetworkSpec((7, 3), [lstm, {"type": "Linear", "out_features": 2}])


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        ((7, 3), {"returns": "last"}, r"(?s)layer 0 \(GRU\) has batch_first = false.*Fix: batch_f"),
        ((3,), {"batch_first": True, "returns": "last"}, r"takes sequences .* has \(3,\)"),
    ],
)
def test_a_spec_says_what_a_network_of_sequences_needs(shape, options, text):
    with pytest.raises(SpecError, match=text):
        NetworkSpec(shape, [{"type": "GRU", "hidden_size": 2, **options}])


def test_wrong_arguments_and_shapes_are_told():
    for wrong in (1.0, "0.5", True):
        with pytest.raises(ArgumentError, match=r"the dropout of RNN lies in \[0, 1\), not"):
            RNN(3, 2, dropout=wrong)
    assert RNN(3, 2, 2, dropout=np.float32(0.5)).dropout == 0.5  # as Dropout takes it
    with pytest.raises(ArgumentError, match="proj_size is 2, and the states have 2 units"):
        LSTM(3, 2, proj_size=2)
    with pytest.raises(ArgumentError, match="did you mean 'last'"):
        GRU(3, 2, returns="lest")
    with pytest.raises(ShapeError, match=r"input \(4, 2, 2\), expected \(steps, samples, 3\)"):
        GRU(3, 2)(np.zeros((4, 2, 2)))
    with pytest.raises(ShapeError, match=r"input \(2, 0, 3\), expected \(samples, steps, 3\)"):
        GRU(3, 2, batch_first=True)(np.zeros((2, 0, 3)))
    with pytest.raises(ShapeError, match=r"state \(1, 4, 2\), expected \(1, 2, 2\)"):
        LSTM(3, 2)(np.zeros((4, 2, 3)), (np.zeros((1, 4, 2)),) * 2)


def test_a_network_over_a_long_sequence_records_no_node_for_each_step():
    x = tg.Tensor(np.zeros((1000, 1, 3)), requires_grad=True)
    y = LSTM(3, 2, dtype=float)(x)[0]
    nodes, todo = set(), [y.node]
    while todo:
        node = todo.pop()
        if node not in nodes:
            nodes.add(node)
            todo += [each for each in node.sources if isinstance(each, type(node))]
    assert len(nodes) < 10
