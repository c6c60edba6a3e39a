"""What things are called, and what is shown of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from draw.networks import Deep, perceptron, samples
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.scene import Names, nodes_behind, printable, short


@given(st.text())
def test_what_is_printable_is_one_line_and_stays_as_it_is(text):
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text


def test_long_values_are_cut():
    assert short("a" * 50) == "'" + "a" * 36 + "..."
    assert short(np.zeros((2, 3))) == "(2, 3) float64"
    assert short(0.1) == "0.1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ((slice(None), slice(1, None, 2), 0), "(:, 1::2, 0)"),
        ((np.zeros((2, 3)),), "((2, 3) float64,)"),
        ([1, 2], "(1, 2)"),
        (np.float32(0.5), "0.5"),
        (np.dtype("float32"), "float32"),
        (np.float32, "float32"),
        (np.sin, "sin"),
        (..., "Ellipsis"),
        ("a\nb", repr("a\nb")),
        ((), "()"),
    ],
)
def test_parameters_are_shown_as_one_would_write_them(value, shown):
    assert short(value) == shown


def test_roles():
    p = nn.Parameter(np.ones(2), name="p")

    class Scale(nn.Module):
        def __init__(self):
            self.factor = p

        def forward(self, x):
            return x * self.factor * 2.0 + np.ones(2)

    x = tg.Tensor([1.0, 2.0], name="data")
    leaf = tg.Tensor([1.0, 2.0], requires_grad=True)
    roles = {b.title: b.role for b in draw(Scale()(x) + leaf).scene.boxes.values()}
    assert roles == {
        "data": "input", "factor": "parameter", "multiply": "operation", "2.0": "constant",
        "constant": "constant", "input": "input", "add": "output",
    }  # fmt: skip


def test_names_are_those_of_the_outermost_module():
    model = Deep(1)
    names = Names(nodes_behind([model(samples())]))
    assert names.path(model) == ""
    assert names.of(model) == "Deep"
    assert names.path(model.blocks[0].up) == "blocks.0.up"
    assert names.of(model.blocks[0].up) == "blocks.0.up: Linear"
    assert names.parameters[id(model.head.bias)] == "head.bias"


def test_frames_come_after_the_ones_around_them():
    scene = draw(perceptron()).scene
    seen = {""}
    for frame in scene.frames.values():
        assert frame.parent in seen
        seen.add(frame.key)


@pytest.mark.parametrize(
    ("level", "lines"),
    [("operation", ("() float64",)), ("full", ("axis=None", "keepdims=False", "() float64"))],
)
def test_parameters_that_say_nothing_are_shown_when_everything_is(level, lines):
    x = tg.Tensor([1.0], requires_grad=True)
    box = draw(x.sum(), level=level).scene.boxes["n1"]
    assert box.lines[: len(lines)] == lines
    assert draw(x.sum(0, keepdims=True)).scene.boxes["n1"].lines[:2] == ("axis=0", "keepdims=True")


def test_of_windows_what_is_as_it_is_without_saying_so_is_left_out():
    x = tg.Tensor(np.ones((1, 1, 4, 4)), requires_grad=True)
    y = tg.nn.functional.conv2d(x, np.ones((1, 1, 3, 3)), stride=(1, 2))
    z = tg.nn.functional.max_pool2d(y, 1, padding=0)
    kinds = {box.title: box.lines for box in draw(z).scene.boxes.values()}
    assert kinds["convolution"] == ("stride=(1, 2)", "(1, 1, 2, 1) float64")
    assert kinds["max_pool"] == ("kernel=(1, 1)", "(1, 1, 2, 1) float64")


@pytest.mark.parametrize("number", [3.0, np.float64(3.0), np.array(3.0), tg.Tensor(3.0)])
def test_a_constant_that_is_one_number_is_called_by_it_and_needs_no_more_figures(number):
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    picture = tg.draw(np.multiply(x, number), values=True)
    (box,) = [box for box in picture.scene.boxes.values() if box.role == "constant"]
    assert (box.title, box.numbers) == ("3.0", ())


def test_what_is_saved_has_no_figures_of_its_own():
    scene = tg.draw(perceptron(), level="full", values=True).scene
    assert [box.numbers for box in scene.boxes.values() if box.role == "saved"] == [()]
