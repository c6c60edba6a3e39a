"""Second derivatives are graphs that hold the first ones, by their names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.core.mode import Returning
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.scene import nodes_behind


def test_outputs_have_their_names_and_gradients_in_the_graph_are_called_so():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    w = tg.Tensor(2.0, requires_grad=True, name="layer.w")
    loss = np.sin(x * w)
    loss.backward(create_graph=True)
    penalty = x.grad**2 + w.grad**2
    penalty.name = "penalty"
    scene = draw(penalty, values=True).scene
    named = {box.title: box for box in scene.boxes.values() if " = " in box.title}
    assert set(named) == {"penalty = add", "∂L/∂x = multiply", "∂L/∂(layer.w) = multiply"}
    assert named["∂L/∂x = multiply"].value == x.grad.data
    assert named["∂L/∂(layer.w) = multiply"].node is w.grad.node
    assert named["penalty = add"].numbers == (f"{penalty.item():.4g}",)


def test_a_name_of_ones_own_comes_before():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    np.sin(x).backward(create_graph=True)
    slope = x.grad
    slope.name = "slope"
    assert [b.title for b in draw(slope).scene.boxes.values() if b.role == "output"] == [
        "slope = multiply"
    ]


def test_gradients_that_are_constants_name_nothing():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    np.sin(x).backward()
    assert not any(" = " in box.title for box in draw(x * 2.0).scene.boxes.values())


def test_the_graph_of_a_second_derivative_has_a_backward_pass_too():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    (x**3).backward(create_graph=True)
    slope, x.grad = x.grad, None
    scene = draw(slope, gradients=True, backward="over").scene
    (box,) = [box for box in scene.boxes.values() if box.title == "x"]
    assert box.gradient[0] == "grad 3"
    assert x.grad is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"backward": "alon"}, "did you mean 'alone'"),
        ({"backward": True}, "known: alone, over"),
        ({"gradients": "yes"}, "gradients is 'yes'"),
        ({"gradients": None}, "record_grads"),
    ],
)
def test_an_option_that_makes_no_sense_is_an_error(option, said):
    x = tg.Tensor(0.5, requires_grad=True)
    with pytest.raises(errors.ArgumentError, match=said) as found:
        draw(x * 2.0, **option)
    assert "Fix: " in str(found.value)
    assert "test_annotate.py" in str(found.value)


def test_what_a_backward_pass_recorded_lies_in_a_frame():
    x = tg.Tensor([0.5, 1.0], requires_grad=True, name="x")
    loss = (np.tanh(x) * x).sum()
    number = loss.node.number
    loss.backward(create_graph=True)
    last = x.grad.node.number
    penalty = (x.grad**2).sum()
    scene = draw(penalty).scene
    (frame,) = scene.frames.values()
    assert frame.title.startswith("backward pass at test_annotate.py:")
    for box in scene.boxes.values():
        if box.node is not None:
            assert (box.frame == frame.key) == (number < box.node.number <= last)
    assert number < last < penalty.node.number
    constants = [box for box in scene.boxes.values() if box.role == "constant"]
    assert {box.frame for box in constants} == {frame.key, ""}  # of the pass, and the 2 above


def test_each_pass_has_a_frame_of_its_own():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    third = tg.grad(tg.grad(tg.grad(lambda x: np.exp(x) * np.sin(x))))(x)
    scene = draw(third).scene
    assert len([f for f in scene.frames.values() if f.title.startswith("backward pass")]) == 3
    passes = {}
    for box in scene.boxes.values():
        if box.node is not None and box.frame:
            passes.setdefault(box.frame, []).append(box.node.number)
    spans = sorted((min(numbers), max(numbers)) for numbers in passes.values())
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert draw(third, gradients=True, backward="over").svg()


def test_a_pass_within_a_module_lies_in_the_frame_of_its_call():
    class Penalised(tg.nn.Module):
        def __init__(self):
            self.w = tg.nn.Parameter(np.ones(2))

        def forward(self):
            inner = np.sum(np.exp(self.w))
            inner.backward(create_graph=True)
            slope, self.w.grad = self.w.grad, None
            return (slope**2).sum()

    frames = draw(Penalised()()).scene.frames.values()
    assert [(f.title.partition(" at ")[0], f.parent) for f in frames] == [
        ("Penalised", ""),
        ("backward pass", "c1"),
    ]


def test_a_box_that_is_only_in_part_of_the_pass_is_not_in_its_frame():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    operations = [np.sin, np.cos, np.tanh, np.exp, np.arctan]
    out = x
    for k in np.random.default_rng(0).integers(0, 5, 60):
        out = operations[k](out)
    out.backward(create_graph=True)
    out = x.grad
    for k in np.random.default_rng(1).integers(0, 5, 60):
        out = operations[k](out)
    passes = {id(n.mode) for n in nodes_behind([out]) if isinstance(n.mode, Returning)}
    assert len(passes) == 1
    boxes = draw(out, budget=12).scene.boxes.values()
    mixed = [box for box in boxes if len({id(n.mode) in passes for n in box.nodes}) == 2]
    assert {id(box.nodes[0].mode) in passes for box in mixed} == {True, False}
    for box in boxes:
        if box.nodes:
            assert bool(box.frame) == all(id(n.mode) in passes for n in box.nodes)
