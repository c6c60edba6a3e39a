"""Each layer that ships is one box, and opens."""

from __future__ import annotations

import numpy as np
import pytest
from nn.every_layer import names, one

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw


@pytest.mark.parametrize("name", sorted({*names()} - {"Identity"}))  # which does nothing
def test_a_layer_is_one_box_among_modules_and_a_frame_around_its_operations(name):
    layer, xs = one(name)
    given = [f"x{k}" for k in range(len(xs))]
    model = nn.Wired({"0": layer.train()}, {"0": given}, given)
    scene = draw(model, *xs, level="module", depth=1, budget=None).scene
    boxes = [box for box in scene.boxes.values() if box.role in ("module", "fold")]
    assert [box.title for box in boxes] == [f"0: {name}"]
    (box,) = boxes
    inputs = [b for b in scene.boxes.values() if b.role == "input"]
    assert len(inputs) == len(xs)
    tails = {arrow.tail for arrow in scene.arrows if arrow.head == box.key}
    assert tails == {b.key for b in inputs}
    count = sum(p.size for p in layer.parameters())
    assert not count or any(line.startswith(f"{count:,} parameter") for line in box.lines)
    opened = draw(model, *xs, budget=None).scene
    titles = {key: frame.title for key, frame in opened.frames.items()}
    frame = next(key for key, title in titles.items() if title == f"0: {name}")
    operations = [b for b in opened.boxes.values() if b.role in ("operation", "output")]
    assert operations
    parents = {key: each.parent for key, each in opened.frames.items()}
    for each in operations:
        within = each.frame
        while within not in ("", frame):
            within = parents[within]
        assert within == frame, each.title
    assert {b.title for b in opened.boxes.values() if b.role == "parameter"} == {
        f"0.{n}" for n, _ in layer.named_parameters()
    }


def test_a_module_alone_shows_its_containers_and_what_is_shared_and_computed():
    spec = nn.NetworkSpec(
        4,
        [
            {"type": "Linear", "out_features": 4, "parametrizations": {"weight": "weight_norm"}},
            {"type": "Residual", "layers": [{"type": "Shared", "of": "0"}]},
            {"type": "Concat", "branches": [{"type": "Tanh"}, {"type": "ReLU"}]},
        ],
    )
    boxes = list(draw(spec.build(0)).scene.boxes.values())
    assert [box.title for box in boxes] == [
        "Sequential",
        "0: Linear(4, 4)",
        "parametrizations.weight: WeightNorm(axis=0)",
        "1: Residual",
        "0: Linear(4, 4)",
        "2: Concat(axis=1)",
        "0: Tanh",
        "1: ReLU",
    ]
    assert boxes[2].lines == ("original0 (4, 1) float32", "original1 (4, 4) float32")
    assert boxes[4].marks == ("the same as 0: Linear(4, 4)",)


def test_what_a_layer_makes_for_itself_is_no_input_of_its_box():
    class Shifted(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2, generator=0)

        def forward(self, x):
            return self.linear(x) * np.array([1.0, 2.0], np.float32) + np.ones((3, 2), np.float32)

    model = nn.Sequential(Shifted())
    scene = draw(model, np.ones((3, 2), np.float32), level="module", depth=1).scene
    assert [box.role for box in scene.boxes.values()] == ["input", "module"]
    assert "2 other inputs" in scene.boxes["m1"].lines
    array = np.ones((3, 2), np.float32)  # all that goes in is drawn, though no one named it
    scene = draw(nn.Sequential(nn.Linear(2, 2))(array), level="module").scene
    assert [box.role for box in scene.boxes.values()] == ["constant", "module"]


def test_an_input_of_a_module_is_there_though_no_weight_has_met_it():
    scene = draw(nn.Sequential(nn.Flatten(), nn.ReLU()), np.ones((2, 3, 4))).scene
    assert [box.title for box in scene.boxes.values()] == ["x", "reshape", "relu"]
    given = tg.Tensor(np.ones((2, 3)))
    draw(nn.Linear(3, 2, dtype=float), given)
    assert not given.requires_grad
