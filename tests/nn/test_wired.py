from __future__ import annotations

import copy

import numpy as np
import pytest

from tinygrad_bp.errors import ArgumentError
from tinygrad_bp.nn import Add, Concat, Identity, Lambda, Linear, Module, Sequential, Wired
from tinygrad_bp.testing import check_gradients

X = np.random.default_rng(3).normal(size=(3, 4))


class Halves(Module):
    def forward(self, x):
        return x[:, :2], (x[:, 2:], x * 2)


def linear(n, m, seed=0):
    return Linear(n, m, dtype=float, generator=seed)


def test_each_layer_is_called_on_what_it_names():
    down, up = linear(4, 2), linear(2, 4, 1)
    layers = {"down": down, "tanh": np.tanh, "up": up, "sum": Add(), "join": Concat()}
    model = Wired(layers, {"sum": ["up", "input"], "join": ["sum", "down", "input"]})
    h = down(X).data
    expected = np.hstack([up(np.tanh(h)).data + X, h, X])
    np.testing.assert_array_equal(model(X).data, expected)
    np.testing.assert_array_equal(copy.deepcopy(model)(X).data, expected)
    assert list(model.state_dict()) == ["down.weight", "down.bias", "up.weight", "up.bias"]
    check_gradients(model, X, order=2)


def test_several_inputs_are_passed_in_their_order():
    model = Wired(
        {"left": linear(4, 2), "right": linear(2, 2), "sum": Add()},
        {"left": ["a"], "right": ["b"], "sum": ["left", "right"]},
        ("a", "b"),
    )
    expected = model["left"](X).data + model["right"](X[:, :2]).data
    np.testing.assert_array_equal(model(X, X[:, :2]).data, expected)
    with pytest.raises(ArgumentError, match=r"(?s)it has 2 inputs, and got 1.*pass a, b"):
        model(X)


def test_items_of_what_a_layer_gives_have_positions():
    layers = {"halves": Halves(), "left": Identity(), "join": Concat()}
    wires = {"left": ["halves.0"], "join": ["left", "halves.1.1", "halves.1.0"]}
    np.testing.assert_array_equal(
        Wired(layers, wires)(X).data, np.hstack([X[:, :2], X * 2, X[:, 2:]])
    )


def test_one_layer_in_two_places_has_its_parameters_once():
    both = linear(4, 4)
    model = Wired({"one": both, "tanh": np.tanh, "two": both}, {})
    np.testing.assert_array_equal(model(X).data, both(np.tanh(both(X))).data)
    assert list(model.state_dict()) == ["one.weight", "one.bias"]
    check_gradients(model, X)


@pytest.mark.parametrize(
    ("inputs", "given", "text"),
    [
        (
            {"b": ["c"]},
            ("input",),
            "layer b has the input 'c', which is no .*\nFix: known: a, input",
        ),
        ({"a": ["b"]}, ("input",), "layer a has the input 'b'"),
        ({"b": ["a.x"]}, ("input",), "what follows the name 'a' is the position"),
        ({"bb": ["a"]}, ("input",), "no layer 'bb' to wire.\nFix: did you mean 'b'"),
        ({}, ("a",), "two inputs or layers have the name 'a'"),
        ({"a": ["x"]}, ("x", "x"), "two inputs or layers have the name 'x'"),
        ({}, ("x", "y"), r"(?s)layer a does not say its inputs.*of x, y"),
    ],
)
def test_wires_to_nowhere_are_refused(inputs, given, text):
    with pytest.raises(ArgumentError, match=text):
        Wired({"a": Identity(), "b": Identity()}, inputs, given)


def test_nothing_is_put_in_or_taken_out():
    model = Wired({"a": Identity(), "b": Add()}, {"b": ["a", "input"]})
    for change in (
        lambda: model.append(Identity()),
        lambda: model.pop(),
        lambda: model[:1],
        lambda: model.__iadd__(Sequential(Identity())),
    ):
        with pytest.raises(ArgumentError, match=r"Fix: make another: Wired\(layers, inputs\)"):
            change()
    assert len(model) == 2


def test_it_takes_indices_where_a_layer_that_reads_an_input_does():
    class Lookup(Identity):
        takes_indices = True

    layers = {"a": Identity(), "b": Lookup()}
    assert not Wired(layers, {}).takes_indices
    assert Wired(layers, {"b": ["input"]}).takes_indices


def test_any_name_is_shown_on_one_line_as_it_is():
    name = '<b>"日本\n'
    model = Wired({name: linear(4, 4), "sum": Add()}, {"sum": [name, "input"]})
    assert repr(model) == (
        'Wired(\n  (<b>"日本\\n): Linear(4, 4) of input\n  (sum): Add() of <b>"日本\\n, input\n)'
    )
    assert '\n<b>"日本\\n  Linear' in str(model.summary(4))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([Identity()], {}), "a dict of layers and one of their inputs, not a list and a dict"),
        (({"a": Identity()}, None), "not a dict and a NoneType"),
        (({"a": Identity()}, {"a": "input"}), "layer a: 'input' is no list of names"),
        (({"a": Identity()}, {"a": [3]}), r"layer a: \[3\] is no list of names"),
        (({"a": Identity()}, {}, "x"), "the inputs of the network: 'x' is no list of names"),
        (({"a": Identity()}, {}, 3), "the inputs of the network: 3 is no list of names"),
        (({"a": Identity()}, {"a": ["x.y"]}, ["x.y"]), r"without dots, not by \['x.y'\]"),
        (({"a": Identity()}, {"a": []}, []), r"without dots, not by \[\]"),
    ],
)
def test_what_is_no_wiring_is_told(arguments, text):
    with pytest.raises(ArgumentError, match=rf"{text}.*\nFix: "):
        Wired(*arguments)


def test_an_item_that_a_layer_does_not_give_is_told():
    model = Wired({"a": Lambda(lambda x: (x, x)), "b": Identity()}, {"b": ["a.2"]})
    with pytest.raises(IndexError, match=r"no 'a.2': 'a' gave 2 items.\nFix: a number below 2"):
        model(np.ones((1, 2)))
