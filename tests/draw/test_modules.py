"""A module without a graph: every module below it, with its own parameters."""

from __future__ import annotations

import numpy as np
import pytest
from draw.networks import Deep, Reused

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw


def test_every_module_is_a_box_below_the_one_that_has_it():
    model = Deep(3)
    scene = draw(model).scene
    modules = dict(model.named_modules())
    assert [box.value for box in scene.boxes.values()] == list(modules.values())
    inside = {(id(part), id(module)) for module in modules.values() for part in module.children()}
    value = {key: id(box.value) for key, box in scene.boxes.items()}
    assert {(value[a.tail], value[a.head]) for a in scene.arrows} == inside
    assert len(scene.arrows) == len(inside)
    embed = scene.boxes["m2"]
    assert embed.title == "embed: Linear(3, 4)"
    assert embed.lines == ("weight (4, 3) float32", "bias (4,) float32")
    assert scene.notes == (f"{sum(p.size for p in model.parameters())} parameters",)


def test_neighbours_of_the_same_build_are_one_box():
    model = Deep(12)
    titles = [box.title for box in draw(model).scene.boxes.values()]
    assert titles == [
        "Deep", "embed: Linear(3, 4)", "blocks.0 … blocks.11: Block × 12", "up: Linear(4, 8)",
        "down: Linear(8, 4)", "head: Linear(4, 2)",
    ]  # fmt: skip
    assert len(draw(model, budget=None).scene.boxes) == 39
    model.blocks[5].down.bias.requires_grad = False
    titles = [box.title for box in draw(model).scene.boxes.values()]
    assert "blocks.0 … blocks.4: Block × 5" in titles
    assert "blocks.5: Block" in titles
    assert "blocks.6 … blocks.11: Block × 6" in titles


def test_a_frozen_parameter_and_a_buffer_are_told():
    class Shifted(nn.Module):
        def __init__(self):
            self.shift = nn.Buffer(np.ones(2))
            self.scale = nn.Parameter(np.ones(2))
            self.scale.requires_grad = False

    assert draw(Shifted()).scene.boxes["m1"].lines == (
        "shift (2,) float64 buffer",
        "scale (2,) float64, frozen",
    )


def test_a_module_in_two_places_is_drawn_in_full_once():
    layer = nn.Linear(2, 2, generator=0)
    scene = draw(nn.Sequential(layer, nn.ReLU(), layer)).scene
    boxes = list(scene.boxes.values())
    assert [box.title for box in boxes] == [
        "Sequential", "0: Linear(2, 2)", "1: ReLU", "2: Linear(2, 2)",
    ]  # fmt: skip
    assert boxes[3].marks == ("the same as 0: Linear(2, 2)",)
    assert boxes[3].lines == ()


def test_modules_within_each_other_to_any_depth_and_within_themselves():
    model = nn.Linear(2, 2, generator=0)
    for _ in range(400):
        model = nn.Sequential(model)
    assert len(draw(model, budget=None).scene.boxes) == 401
    assert len(draw(model, budget=10).scene.boxes) == 10
    model.itself = model
    boxes = list(draw(model, depth=1).scene.boxes.values())
    assert [(box.title, box.marks) for box in boxes[1:]] == [
        ("0: Sequential", ()), ("itself: Sequential", ("the same as Sequential",)),
    ]  # fmt: skip


@pytest.mark.parametrize(("depth", "boxes"), [(0, 1), (1, 6), (2, 12), (9, 12)])
def test_depth_leaves_out_what_is_deeper(depth, boxes):
    scene = draw(Deep(3), depth=depth).scene
    assert len(scene.boxes) == boxes
    if depth == 0:
        assert scene.boxes["m1"].lines == ("254 parameters",)


def test_the_budget_leaves_out_the_deepest_first():
    assert len(draw(Deep(3), budget=8).scene.boxes) == 6
    assert len(draw(Deep(3), budget=5).scene.boxes) == 1


def test_a_module_with_its_inputs_is_called_once():
    class Counted(Reused):
        calls_made = 0

        def forward(self, inputs):
            Counted.calls_made += 1
            return super().forward(inputs)

    model = Counted()
    with tg.no_grad():
        scene = draw(model, np.ones((2, 3), np.float32)).scene
    assert Counted.calls_made == 1
    assert [box.title for box in scene.boxes.values() if box.role == "input"] == ["inputs"]
    assert [box.title for box in scene.boxes.values() if box.role == "output"] == ["add"]


def test_what_a_module_returns_may_hold_several_tensors():
    class Two(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2, generator=0)

        def forward(self, x, y):
            return {"a": self.layer(x), "b": [self.layer(y), self.layer(x + y)]}

    scene = draw(Two(), np.ones(2, np.float32), tg.Tensor(np.ones(2, np.float32))).scene
    assert sum(box.role == "output" for box in scene.boxes.values()) == 3


def test_a_module_that_computes_nothing_has_no_graph():
    with pytest.raises(errors.GraphError, match="no graph to draw behind"):
        draw(nn.ReLU(), np.ones(2, int))
