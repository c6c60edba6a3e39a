"""The words of the engine's errors, where a learner's first slips lead to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp import errors


@pytest.fixture
def w():
    return tg.Tensor(np.ones((3, 2)), requires_grad=True, name="w")


def test_rows_of_different_lengths_make_no_tensor():
    with pytest.raises(ValueError) as caught:
        tg.Tensor([[1.0, 2.0], [3.0]])
    told(caught, "no tensor can be made of this", here(-1), fix="not ragged")
    assert isinstance(caught.value, errors.ShapeError)


@pytest.mark.parametrize("layer", [tg.nn.Linear(2, 3), tg.nn.Conv1d(2, 3, 1)], ids=repr)
def test_rows_of_different_lengths_are_no_input_of_a_layer(layer):
    with pytest.raises(errors.ShapeError) as caught:
        layer([[1.0, 2.0], [3.0]])
    told(caught, "inhomogeneous", here(-1), fix="ragged")


def test_a_word_that_is_no_number_makes_no_tensor():
    with pytest.raises(ValueError) as caught:
        tg.Tensor(["one"], dtype=float)
    told(caught, "could not convert string", here(-1), fix="numbers")


def test_a_gradient_that_is_set_is_a_tensor(w):
    with pytest.raises(TypeError) as caught:
        w.grad = np.zeros((3, 2))
    told(caught, "'w' (3, 2)", "ndarray", here(-1), fix="t.grad = None")
    with pytest.raises(ValueError) as caught:
        w.grad = tg.Tensor(np.zeros(2))
    told(caught, "shape (2,)", "(3, 2)", here(-1), fix="shape and dtype")
    w.grad = tg.Tensor(np.zeros((3, 2)))
    w.sum().backward()
    assert np.array_equal(w.grad.data, np.ones((3, 2)))


def test_values_that_cannot_be_assigned_are_refused_with_a_way_out(w):
    with pytest.raises(ValueError) as caught:
        w.assign(np.zeros(3))
    told(caught, "shape (3,)", "'w' of shape (3, 2)", here(-1), fix="broadcast")
    with pytest.raises(TypeError) as caught:
        w.assign(1j)
    told(caught, "'w' of dtype float64", here(-1), fix="real part")


def test_a_keyword_of_another_library_is_named_with_that_of_numpy(w):
    with pytest.raises(TypeError) as caught:
        w.sum(dim=0)
    told(caught, "t.sum() has no argument 'dim'", here(-1), fix="what np.sum takes")
    with pytest.raises(TypeError) as caught:
        w.mean(axis="rows")
    told(caught, "mean", "'str' object cannot be interpreted as an integer", fix="an integer")


@pytest.mark.parametrize(
    "use",
    [
        lambda w, out: np.dot(w.T, w, out=out),
        lambda w, out: np.outer(w, w, out=out),
        lambda w, out: np.argmax(w, axis=0, out=out),
        lambda w, out: np.sin(w, out=out),
        lambda w, out: np.sum(w, axis=0, out=out),
    ],
    ids=["dot", "outer", "argmax", "sin", "sum"],
)
def test_out_is_refused_where_it_stands_and_the_fix_leaves_it_away(w, use):
    with pytest.raises(errors.TgError) as caught:
        use(w, np.zeros((2, 2)))
    told(caught, "out=", f"{Path(__file__).name}:{use.__code__.co_firstlineno}", fix="return")


def test_a_number_is_asked_of_one_element_only(w):
    for use in (float, lambda t: t.item(), lambda t: f"{t:.2f}"):
        with pytest.raises(ValueError) as caught:
            use(w)
        told(caught, "'w' of shape (3, 2) has no single element", "test_messages.py:", fix="sum")


def test_what_does_not_fit_is_explained_by_what_was_called(w):
    with pytest.raises(ValueError) as caught:
        w.reshape(4, 2)
    told(caught, "reshape", here(-1), fix="-1 stands for the length that is left")
    with pytest.raises(ValueError) as caught:
        np.einsum("ij,jk->iz", w, w.T)
    told(caught, "'z' which never appeared", here(-1), fix="subscripts")


def test_registering_something_else_than_a_function_is_refused():
    with pytest.raises(ValueError) as caught:
        tg.implements("sin")
    told(caught, "'sin'", here(-1), fix="implements(np.sin)")
    with pytest.raises(ValueError) as caught:
        tg.without_derivative(np.sin)
    told(caught, "not ufunc", here(-1), fix="without_derivative({")


def test_an_update_that_made_a_constant_of_the_parameter_names_the_one_that_does_not(w):
    def step():
        nonlocal w
        with tg.no_grad():
            w -= 0.1

    mine = w
    step()
    with pytest.raises(RuntimeError) as caught:
        w.sum().backward()
    told(caught, "'w' was cut off by no_grad() around subtract", fix="w.assign(w - step)")
    mine.assign(mine - 0.1)
    mine.sum().backward()
    assert np.array_equal(mine.grad.data, np.ones((3, 2)))


def test_a_step_on_data_by_a_tensor_names_its_data(w):
    w.sum().backward()
    with pytest.raises(RuntimeError) as caught:
        w.data -= w.grad
    told(caught, "np.subtract", here(-1), fix="x += t.data")
    w.data -= w.grad.data
    assert not w.data.any()
