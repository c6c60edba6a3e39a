from __future__ import annotations

import copy
import operator
import pickle
import re

import numpy as np
import pytest
from told import told

import tinygrad_bp as tg
from tinygrad_bp.errors import ArgumentError, ShapeError
from tinygrad_bp.nn import LSTM, Add, Concat, Identity, Linear, Residual, Sequential, Wired
from tinygrad_bp.testing import check_gradients

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))


def linear(n, m, seed=0):
    return Linear(n, m, dtype=float, generator=seed)


def names(model):
    return list(dict(model.items()))


def test_layers_are_put_in_and_taken_out_and_named_by_their_new_positions():
    a, b, c, d = (Identity() for _ in range(4))
    model = Sequential(a, b)
    assert model.append(c) is model
    assert model.insert(1, d) is model
    assert list(model) == [a, d, b, c]
    assert names(model) == ["0", "1", "2", "3"]
    assert model.pop(1) is d
    del model[-1]
    assert list(model.extend([c, d])) == [a, b, c, d]
    del model[1:3]
    assert list(model) == [a, d]
    model[0] = c
    assert list(model) == [c, d]
    assert names(model) == ["0", "1"]


def test_names_that_were_given_stay():
    model = Sequential({"first": np.sin, "1": np.cos, "last": np.tan}).insert(1, np.exp)
    assert names(model) == ["first", "1", "2", "last"]
    model["last"] = np.tanh
    assert model[-1] is np.tanh
    del model["first"]
    assert names(model) == ["0", "1", "last"]


def test_a_slice_that_is_appended_to_does_not_lose_a_layer():
    tail = Sequential(np.sin, np.cos)[1:].append(np.exp)
    assert list(tail) == [np.cos, np.exp]


def test_two_sequentials_are_joined_by_plus():
    a, b = Sequential(np.sin, np.cos), Sequential({"0": np.tan, "end": np.exp})
    joined = a + b
    assert names(joined) == ["0", "1", "2", "end"]
    assert len(a) == 2
    a += b
    assert list(a) == list(joined)
    with pytest.raises(ArgumentError, match=r"(?s)would have the name 'end'.*Nothing was changed"):
        a += b
    assert len(a) == 4
    with pytest.raises(TypeError):
        operator.add(a, [np.sin])


@pytest.mark.parametrize("change", ["append", "insert", "extend", "set"])
def test_what_is_no_layer_does_not_get_in(change):
    model = Sequential(np.sin)
    with pytest.raises(ArgumentError, match="which is not a layer"):
        match change:
            case "append":
                model.append(3)
            case "insert":
                model.insert(0, Identity)
            case "extend":
                model.extend([np.cos, tg.Tensor(1.0)])
            case "set":
                model[0] = "tanh"
    assert list(model) == [np.sin]


def test_copies_and_pickles_are_of_their_own():
    model = Sequential(linear(2, 2), Residual(linear(2, 2)), Concat(linear(2, 1), linear(2, 1)))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other(X[:, :2]).data, model(X[:, :2]).data)
        assert other[0] is not model[0]


def test_residual_adds_its_input_to_what_the_layers_make_of_it():
    a, b = linear(4, 6), linear(6, 4, 1)
    block = Residual(a, np.tanh, b)
    np.testing.assert_array_equal(block(X).data, X + b(np.tanh(a(X))).data)
    assert list(block.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    check_gradients(block, X, order=2)


def test_the_shortcut_brings_the_input_to_the_shape_of_the_sum():
    a, s = linear(4, 6), linear(4, 6, 1)
    block = Residual(a, shortcut=s)
    np.testing.assert_array_equal(block(X).data, s(X).data + a(X).data)
    assert repr(block) == ("Residual(\n  (0): Linear(4, 6)\n  (shortcut): Linear(4, 6)\n)")
    check_gradients(block, X)


def test_a_residual_whose_ways_differ_in_shape_says_what_to_do():
    with pytest.raises(ShapeError) as caught:
        Sequential(np.sin, Residual(linear(4, 6)))(X)
    assert str(caught.value) == (
        "in Sequential.1 (Residual): the layers gave (3, 6), and the input is (3, 4).\n"
        "Fix: a shortcut that gives what the layers give: shortcut=Linear(...) or a convolution "
        "with a kernel of 1."
    )
    with pytest.raises(ShapeError, match=r"gave \(3, 4\), and the shortcut is \(3, 1\)"):
        Residual(Identity(), shortcut=linear(4, 1))(X)
    with pytest.raises(ArgumentError, match=r"layer shortcut of a Residual is 3"):
        Residual(Identity(), shortcut=3)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_joins_what_its_branches_make_of_the_input(axis):
    a, b = linear(4, 4), linear(4, 4, 1)
    both = Concat(a, np.sin, b, axis=axis)
    expected = np.concatenate([a(X).data, np.sin(X), b(X).data], axis)
    np.testing.assert_array_equal(both(X).data, expected)
    check_gradients(both, X, order=2)


def test_concat_without_branches_joins_its_inputs():
    np.testing.assert_array_equal(Concat()(X, X[:, :1]).data, np.hstack([X, X[:, :1]]))


def test_branches_have_names_and_several_inputs():
    both = Concat({"sum": np.add, "product": np.multiply})
    np.testing.assert_array_equal(both(X, X).data, np.hstack([X + X, X * X]))
    assert repr(both).startswith("Concat(axis=1\n  (sum): <ufunc 'add'>")


def test_what_cannot_be_joined_is_told_with_all_shapes():
    with pytest.raises(ShapeError) as caught:
        Concat(Identity(), linear(4, 2), axis=0)(X)
    assert str(caught.value) == (
        "in Concat (Concat): (3, 4) and (3, 2) cannot be joined along axis 0.\n"
        "Fix: branches that agree in all other axes, or another axis."
    )
    with pytest.raises(ShapeError, match="along axis 2"):
        Concat(axis=2)(X, X)


def test_add_is_the_sum_of_inputs_of_one_shape():
    check_gradients(Add(), X, X + 1, order=2)
    np.testing.assert_array_equal(Add()(X, X, X), X + X + X)
    assert Add()(X) is X
    with pytest.raises(ShapeError, match=r"inputs of \(3, 4\) and \(4,\)"):
        Add()(X, X[0])


def test_containers_take_indices_where_what_reads_the_input_does():
    class Lookup(Identity):
        takes_indices = True

    assert Sequential(Lookup(), Identity()).takes_indices
    assert not Sequential(Identity(), Lookup()).takes_indices
    assert not Sequential().takes_indices
    assert Residual(Sequential(Lookup())).takes_indices
    assert Concat(np.sin, Lookup()).takes_indices


@pytest.mark.parametrize(
    ("wrap", "before"),
    [
        (lambda a, b: Sequential(a, b), "Sequential.0"),
        (lambda a, b: Residual(a, b), "Residual.0"),
        (lambda a, b: Sequential(a, Concat(b, b)), "Sequential.0"),
        (lambda a, b: Sequential(a, Residual(b)), "Sequential.0"),
        (lambda a, b: Wired({"a": a, "c": Identity(), "b": b}, {"b": ["a"]}), "Wired.a"),
        (lambda a, b: Sequential(Wired({"a": a, "b": b}, {"b": ["a"]})), "Sequential.0.a"),
    ],
)
def test_a_wrong_input_names_the_layer_that_gave_it(wrap, before):
    text = rf"The previous layer {re.escape(before)} \(Linear 4→3\) gave 3: is a Linear\(3, 4\)"
    with pytest.raises(ShapeError, match=text):
        wrap(linear(4, 3), linear(4, 4))(X)


def test_a_wrong_input_that_no_layer_gave_names_none():
    for model in (
        Concat(Identity(), linear(3, 3)),
        Residual(linear(3, 3)),
        Wired({"a": Identity(), "b": linear(3, 3)}, {"b": ["input"]}),
        Residual(Identity(), shortcut=linear(3, 3)),
    ):
        with pytest.raises(ShapeError, match=r"expected \(…, 3\)\.\nFix: make it Linear\(4, 3\)"):
            model(X)


@pytest.mark.parametrize("index", [2, -3, None, 1.5])
def test_a_position_that_no_layer_has(index):
    model = Sequential(np.sin, np.cos)
    for change in (
        lambda: model[index],
        lambda: model.pop(index),
        lambda: model.__delitem__(index),
        lambda: model.__setitem__(index, np.tan),
    ):
        with pytest.raises(IndexError) as caught:
            change()
        fix = "a number from 0 to 1."
        where = f"no position {index!r} in this Sequential of 2 (at test_containers.py:"
        told(caught, where, fix=fix)
    assert list(model) == [np.sin, np.cos]
    with pytest.raises(IndexError, match="Fix: put one in before; it is empty"):
        Sequential().pop()
    with pytest.raises(IndexError, match="no position 'a'"):
        model.insert("a", np.tan)


def test_what_is_no_row_of_layers_does_not_get_in():
    model = Sequential(np.sin)
    for wrong in (3, "ab", Identity(), None):
        with pytest.raises(ArgumentError, match=r"a Sequential takes a list of .*\nFix: put it"):
            model.extend(wrong)
        with pytest.raises(TypeError):
            model += wrong
    assert list(model) == [np.sin]
    for name in (3, "", "a.b"):
        with pytest.raises(ArgumentError, match=r"a text without dots, not .*\nFix: Sequential\("):
            Sequential({name: np.sin})


def test_several_arrays_are_not_added():
    lstm = LSTM(4, 4, batch_first=True, generator=0)
    x = np.ones((2, 3, 4), np.float32)
    for call in (
        lambda: Residual(lstm)(x),
        lambda: Residual(Identity(), shortcut=lstm)(x),
        lambda: Add()(x, lstm(x)),
        lambda: Add()(lstm(x), x),
    ):
        with pytest.raises(
            ShapeError, match=r"is 2 things in a tuple, not one array\.\nFix: add one"
        ):
            call()
    assert Residual(LSTM(4, 4, batch_first=True, returns="sequence"))(x).shape == x.shape
