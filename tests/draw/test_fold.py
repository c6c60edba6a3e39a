"""Whatever is folded: each operation is in one box, and the arrows are those of the graph."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from draw.folding import check, in_a_row, titles
from draw.networks import Block, Deep, Reused, chain, perceptron, samples, tangle
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.runs import segments
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.programs import programs


def recorded(program):
    names = zip(program.names, program.inputs, strict=True)
    return program.run(*[tg.Tensor(x, requires_grad=True, name=name) for name, x in names])


@given(programs(max_operations=10), st.sampled_from(["module", "operation", "full"]))
def test_every_input_of_every_operation_is_an_arrow_in_its_order(program, level):
    loss = recorded(program)
    scene = read([loss], level)
    check(scene, [loss])
    boxes = {box.node: box for box in scene.boxes.values() if box.node is not None}
    for node in nodes_behind([loss]):
        into = [a for a in scene.arrows if a.head == boxes[node].key]
        assert [a.position for a in into] == (
            list(range(len(into))) if len(into) > 1 else [None] * len(into)
        )
        for arrow, x in zip(into, node.sources, strict=True):
            tail = scene.boxes[arrow.tail]
            assert arrow.source is x
            assert (tail.node or tail.tensor) is x or tail.value is x


@given(programs(max_operations=14), st.integers(1, 12), st.sampled_from([None, 0, 1]))
def test_within_any_budget_each_operation_is_in_one_box(program, budget, depth):
    loss = recorded(program)
    scene = read([loss], budget=budget, depth=depth)
    check(scene, [loss])
    assert len(scene.boxes) <= max(budget, 5)  # outputs, the rest, and a box for each role


@pytest.mark.parametrize("level", ["module", "operation", "full"])
@pytest.mark.parametrize("budget", [None, 150, 30, 10, 4, 1])
def test_networks_within_any_budget(level, budget):
    for graph in (perceptron(), Deep(6)(samples()), Reused(6)(samples()), tangle(60)):
        scene = read([graph], level, budget=budget)
        check(scene, [graph])
        assert budget is None or len(scene.boxes) <= max(budget, 5)


class Wired(nn.Module):
    """Steps of which each takes the last value, or the one before it."""

    def __init__(self, steps):
        self.layers = [nn.Linear(3, 3, generator=k) for k in range(2)]
        self.rows = nn.Sequential(*[Block(3, k) for k in range(5)])
        self.steps = steps

    def forward(self, x):
        before = x
        for step, back in self.steps:
            x, before = self.step(step, before if back else x, x), x
        return x + before

    def step(self, step, x, last):
        if step < 2:
            return self.layers[step](x)
        return {
            2: lambda: self.rows(x),
            3: lambda: in_a_row(list(self.rows.children())[:4], x) * last,
            4: lambda: np.tanh(x),
            5: lambda: x + last,
            6: lambda: in_a_row([np.sin] * 5, x) * 0.5,
            7: lambda: x @ self.layers[0].weight,
        }[step]()


@given(
    st.lists(st.tuples(st.integers(0, 7), st.booleans()), min_size=1, max_size=14),
    st.sampled_from(["module", "operation"]),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, 150, 40, 20, 10, 5]),
)
def test_networks_wired_at_random_within_any_budget(steps, level, depth, budget):
    graph = Wired(steps)(tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True, name="x"))
    scene = read([graph], level, depth, budget)
    check(scene, [graph])
    assert budget is None or len(scene.boxes) <= budget
    assert all(f.times == 1 or f.times >= 4 for f in scene.frames.values())


def test_at_the_level_of_modules_layers_are_boxes_with_their_parameters():
    scene = read([perceptron()], "module")
    assert titles(scene) == [
        "x", "0: Linear", "1: ReLU", "2: Linear", "y", "cross_entropy_labels",
    ]  # fmt: skip
    assert scene.boxes["m1"].lines == ("(5, 8) float32", "32 parameters")
    assert [frame.title for frame in scene.frames.values()] == ["Sequential"]
    assert [(a.tail, a.head) for a in scene.arrows][:3] == [
        ("v1", "m1"), ("m1", "m2"), ("m2", "m3"),
    ]  # fmt: skip


def test_what_lies_deeper_than_asked_is_a_box():
    graph = Deep(2)(samples())
    frames = [[f.title for f in read([graph], depth=d).frames.values()] for d in range(4)]
    assert frames[0] == []
    assert frames[1] == ["Deep"]
    assert frames[2][:3] == ["Deep", "embed: Linear", "blocks.0: Block"]
    assert "blocks.0.up: Linear" in frames[3]
    (box,) = [b for b in read([graph], depth=0).boxes.values() if b.role == "module"]
    assert box.title == "Deep"
    assert box.lines == ("(5, 2) float32", "178 parameters")
    assert "blocks.1: Block" in titles(read([graph], depth=1))


def test_the_budget_folds_the_deepest_modules_first():
    model = nn.Sequential(*[
        nn.Sequential(nn.Linear(3, 3 + k, generator=k), nn.Tanh(), nn.Linear(3 + k, 3, generator=k))
        for k in range(4)
    ])  # fmt: skip
    graph = model(samples())
    found = {b: read([graph], budget=b) for b in (150, 20, 10, 4)}
    assert [len(scene.boxes) for scene in found.values()] == [29, 13, 5, 2]
    assert "0.1: Tanh" in titles(found[20])
    assert "0: Sequential" in titles(found[10])
    assert "Sequential" in titles(found[4])


def test_what_nothing_else_folds_becomes_stretches_without_a_circle():
    graph = tangle(3000)
    scene = read([graph], budget=150)
    check(scene, [graph])
    assert 10 < len(scene.boxes) < 50
    order = {key: k for k, key in enumerate(scene.boxes)}
    assert all(order[a.tail] < order[a.head] for a in scene.arrows if a.tail[0] != "v")
    (end,) = [box for box in scene.boxes.values() if box.role == "output"]
    assert end.node is graph.node
    run = next(box for box in scene.boxes.values() if box.role == "fold")
    assert run.title == f"{len(run.nodes):,} operations"
    assert f"sin × {sum(n.primitive.name == 'sin' for n in run.nodes)}" in run.lines[0]


def test_many_inputs_share_a_box():
    leaves = [tg.Tensor(np.ones(2), requires_grad=True) for _ in range(300)]
    graph = sum(np.sin(a * b) for a, b in itertools.pairwise([*leaves, *leaves]))
    scene = read([graph], budget=40)
    assert len(scene.boxes) <= 40
    assert any(title.endswith(" inputs") for title in titles(scene))
    check(scene, [graph])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 12))
def test_stretches_cover_everything_in_order(distances, count):
    last = [min(i + d, len(distances) - 1) for i, d in enumerate(distances)]
    parts = list(segments(last, count))
    assert [i for a, b in parts for i in range(a, b)] == list(range(len(last)))
    assert all(a < b for a, b in parts)
    assert len(parts) <= count


def test_10000_operations_are_a_picture_in_5_seconds_and_50000_too():
    for graph in (chain(5000), tangle(10_000), tangle(50_000)):
        begin = time.perf_counter()
        assert draw(graph).svg().count("<g ") < 400
        assert time.perf_counter() - begin < 5


def test_saved_values_are_boxes_at_the_full_level():
    scene = read([perceptron()], "full")
    (saved,) = [box for box in scene.boxes.values() if box.role == "saved"]
    (node,) = [n for n in nodes_behind([perceptron()]) if n.saved is not None]
    assert saved.lines == (f"{node.saved.shape} {node.saved.dtype}",)
    assert [a.tail for a in scene.arrows if a.head == saved.key] == [f"n{saved.key[1:]}"]
    out = scene.boxes[f"n{saved.key[1:]}"]
    assert "keeps 4 bytes" in out.lines
    assert any(line.startswith("at networks.py:") for line in out.lines)
    # Two layers and the activation between them, 4 bytes a number; the loss; what it saved.
    assert node.saved.nbytes == 40
    total = 4 * (5 * 8 + 5 * 8 + 5 * 2 + 1) + 40
    assert scene.notes == (f"{total} bytes kept for the backward pass",)


def test_views_keep_nothing():
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    scene = read([np.sin(x.T)], "full")
    assert "a view" in scene.boxes["n1"].lines
    assert scene.notes == ("48 bytes kept for the backward pass",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": "modules"}, "no level 'modules'.*\n?.*did you mean 'module'"),
        ({"depth": -1}, "depth is -1"),
        ({"depth": True}, "depth is True"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 1.5}, "budget is 1.5"),
        ({"theme": "drak"}, "no theme 'drak'.*did you mean 'dark'"),
    ],
)
def test_options_without_sense_are_errors(options, words):
    with pytest.raises(errors.ArgumentError, match=words) as caught:
        draw(perceptron(), **options)
    assert "Fix:" in str(caught.value)
    assert "test_fold.py" in str(caught.value)
