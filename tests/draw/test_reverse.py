"""The backward graph's arrows are those of the pass, over the forward graph and alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.numbers import in_figures
from tinygrad_bp.testing.programs import programs


def recorded(program):
    return program.run(
        *[
            tg.Tensor(x, requires_grad=True, name=name)
            for name, x in zip(program.names, program.inputs, strict=True)
        ]
    )


def of_the_pass(loss, scene):
    """How often a cotangent goes from one box to another, by the pass."""
    keys = {id(node): box.key for box in scene.boxes.values() for node in box.nodes}
    keys |= {id(b.tensor): b.key for b in scene.boxes.values() if b.tensor is not None}
    return Counter((keys[id(p.node)], keys[id(p.source)]) for p in pull_back([loss]).parts)


@given(programs(max_operations=8))
def test_over_the_graph_there_is_an_arrow_back_for_each_cotangent(program):
    loss = recorded(program)
    scene = draw(loss, backward="over", budget=None).scene
    plain = draw(loss, budget=None).scene
    back = Counter((a.tail, a.head) for a in scene.arrows if a.state == "backward")
    assert back == of_the_pass(loss, scene)
    forward = [(a.tail, a.head, a.position) for a in scene.arrows if a.state != "backward"]
    assert forward == [(a.tail, a.head, a.position) for a in plain.arrows]
    arriving = Counter(a.head for a in scene.arrows if a.state == "backward")
    for key, box in scene.boxes.items():
        said = [line for line in box.gradient if line.startswith("a sum of")]
        assert said == ([f"a sum of {arriving[key]}"] if arriving[key] > 1 else [])


def test_positions_stand_on_the_side_where_no_arrow_goes_back():
    x = tg.Tensor(3.0, requires_grad=True)
    for backward, degrees in ((None, "-45"), ("over", "45")):
        assert draw(x * x, backward=backward).edge_attr["labelangle"] == degrees


@given(programs(max_operations=8))
def test_alone_the_arrows_are_the_cotangents_and_sums_stand_where_they_meet(program):
    loss = recorded(program)
    scene = draw(loss, backward="alone", gradients=True, budget=None).scene
    plain = draw(loss, budget=None).scene
    sums = {a.tail: a.head for a in scene.arrows if scene.boxes[a.tail].role == "sum"}
    ways = Counter(
        (a.tail, sums.get(a.head, a.head))
        for a in scene.arrows
        if a.tail not in sums and not a.tail.startswith("start_")
    )
    expected = of_the_pass(loss, plain)
    assert ways == expected
    into = Counter(head for _, head in expected.elements())
    assert set(sums.values()) == {key for key, count in into.items() if count > 1}
    heads = Counter(a.head for a in scene.arrows)
    assert all(heads[total] == into[key] and heads[key] == 1 for total, key in sums.items())
    starts = [(a.tail, a.head) for a in scene.arrows if a.tail.startswith("start_")]
    (end,) = [key for key, box in plain.boxes.items() if box.role == "output"]
    assert starts == [(f"start_{end}", end)]
    found = pull_back([loss])
    for key, box in scene.boxes.items():
        if box.nodes or box.tensor is not None:
            first, *rest = in_figures(found.of(box.node if box.nodes else box.tensor))
            assert box.gradient == (f"grad {first}", *rest)
            assert plain.boxes[key].title in box.title
    position = {key: k for k, key in enumerate(scene.boxes)}
    assert all(position[a.tail] < position[a.head] for a in scene.arrows)


def test_widths_are_those_of_the_arrows_along_which_gradients_flow():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    loss = (np.tanh(x) * 1e-2).sum()
    plain, over, alone = (
        {(a.tail, a.head): a.width for a in draw(loss, gradients=True, backward=b).scene.arrows}
        for b in (None, "over", "alone")
    )
    ways = {way: width for way, width in plain.items() if width is not None}
    assert len(ways) == 3
    for (tail, head), width in ways.items():
        assert over[tail, head] is None
        assert over[head, tail] == alone[head, tail] == width


@pytest.mark.parametrize("backward", ["over", "alone"])
@pytest.mark.parametrize("level", ["operation", "module"])
def test_every_format_can_be_written(backward, level):
    model = nn.Sequential(nn.Linear(3, 3, generator=0), nn.Tanh(), nn.Linear(3, 1, generator=1))
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="x")
    loss = np.mean((model(x) - x) ** 2)
    picture = draw(loss, level=level, backward=backward, gradients=True, values=True)
    assert (
        picture.source
        == draw(loss, level=level, backward=backward, gradients=True, values=True).source
    )
    assert picture.mermaid().startswith("%%{init")
    text = picture.text()
    assert all(box.key in text or box.title in text for box in picture.scene.boxes.values())
    assert b"</svg>" in picture.svg().encode()
    assert x.grad is None
    assert all(p.grad is None for p in model.parameters())


def test_the_start_and_the_gradients_have_the_names_of_the_graph():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    loss = x * x
    loss.name = "E"
    boxes = draw(loss, backward="alone", gradients=True).scene.boxes.values()
    assert [(box.title, box.lines) for box in boxes] == [
        ("1", ("∂E/∂E",)),
        ("multiply backward", ("() float64",)),
        ("+", ()),
        ("∂E/∂x", ("() float64", "added to .grad")),
    ]
    text = draw(loss, backward="over", gradients=True).text()
    assert "dashed" not in text  # nor can widths be seen there
    assert "width" not in text


def test_with_a_tape_it_is_the_pass_that_was_recorded():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = x * 3.0
    with tg.record_grads() as tape:
        y.backward(np.array([1.0, -1.0]), retain_graph=True)
    boxes = draw(y, backward="alone", gradients=tape).scene.boxes.values()
    assert {box.title: box.gradient for box in boxes}["∂L/∂x"] == ("grad [3, -3]",)


def test_a_value_of_several_elements_is_an_error_with_the_way_out():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(errors.ShapeError, match="Fix: reduce it first"):
        draw(x * 2.0, backward="over")
