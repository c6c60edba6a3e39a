"""Whatever is folded: each operation is in one box, and the arrows are those of the graph."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from draw.networks import Block, Deep, Reused, chain, perceptron, samples, tangle
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.core import Node
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.runs import segments
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.programs import programs


def recorded(program):
    names = zip(program.names, program.inputs, strict=True)
    return program.run(*[tg.Tensor(x, requires_grad=True, name=name) for name, x in names])


def box_of(scene):
    return {id(node): box.key for box in scene.boxes.values() for node in box.nodes}


def check(scene, outputs):
    """Each operation is in one box, and the arrows between those are the inputs."""
    nodes = nodes_behind(outputs)
    inside = [id(node) for box in scene.boxes.values() for node in box.nodes]
    assert sorted(inside) == sorted(id(node) for node in nodes)
    at = box_of(scene)
    inputs = {(at[id(x)], at[id(n)]) for n in nodes for x in n.sources if isinstance(x, Node)}
    drawn = {(a.tail, a.head) for a in scene.arrows if {a.tail, a.head} <= set(at.values())}
    assert {(a, b) for a, b in drawn if a == b} == set()
    row = {box.key for box in scene.boxes.values() if rows_around(scene, box.frame)}
    assert drawn <= inputs
    # What is missing is fed by the block before in a row, or stays within a box.
    assert all(a == b or {a, b} <= row for a, b in inputs - drawn)
    check_rows(scene, nodes, at)
    for arrow in scene.arrows:
        assert arrow.tail in scene.boxes
        assert arrow.head in scene.boxes
    assert all(box.frame in {"", *scene.frames} for box in scene.boxes.values())


def check_rows(scene, nodes, at):
    """Rows are entered at the first block, or at all of them, and left from the last."""
    around = {key: rows_around(scene, box.frame) for key, box in scene.boxes.items()}
    entered = {}
    for node in nodes:
        for x in node.sources:
            tail, head = at.get(id(x)), at[id(node)]
            if tail is None or bool(around[tail]) == bool(around[head]):
                continue
            if len(around[tail]) == 1 and scene.boxes[tail].role != "module":
                assert x is max(scene.boxes[tail].nodes, key=lambda n: n.number)
            if len(around[head]) == 1 and scene.boxes[head].role != "module":
                entered.setdefault((tail, head), set()).add(node)
    for (_, head), users in entered.items():
        inside = scene.boxes[head].nodes
        assert users in ({min(inside, key=lambda n: n.number)}, set(inside))


def rows_around(scene, frame):
    """The frames of several blocks around a frame."""
    found = set()
    while frame:
        if scene.frames[frame].times > 1:
            found.add(frame)
        frame = scene.frames[frame].parent
    return found


def titles(scene):
    return [box.title for box in scene.boxes.values()]


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


def test_identical_blocks_are_drawn_once():
    graph = Deep(12)(samples())
    scene = read([graph], budget=150)
    (frame,) = [f for f in scene.frames.values() if f.title.endswith("× 12")]
    assert frame.title == "blocks.0 … blocks.11: Block × 12"
    assert frame.times == 12
    (add,) = [box for box in scene.boxes.values() if box.title == "add"]
    assert len(add.nodes) == 12
    assert add.node is None
    assert ("up.weight", ("(8, 4) float32 × 12",)) in [
        (box.title, box.lines) for box in scene.boxes.values()
    ]
    after = [scene.boxes[a.head] for a in scene.arrows if a.tail == add.key]
    assert [scene.frames[box.frame].title for box in after] == ["head: Linear"]


def test_identical_blocks_beyond_the_depth_are_one_box():
    scene = read([Deep(12)(samples())], depth=1, budget=150)
    (box,) = [box for box in scene.boxes.values() if box.role == "fold"]
    assert box.title == "blocks.0 … blocks.11: Block × 12"
    assert box.lines == ("(5, 4) float32", "12 × 76 parameters")


def test_layers_of_several_kinds_repeat_together():
    layers = [layer for k in range(5) for layer in (nn.Linear(3, 3, generator=k), nn.Tanh())]
    scene = read([nn.Sequential(*layers)(samples())], "module", budget=150)
    row = [frame for frame in scene.frames.values() if frame.times > 1]
    assert [frame.title for frame in row] == ["0 … 9: (Linear, Tanh) × 5"]
    assert titles(scene)[1:] == ["0 … 8: Linear", "1 … 9: Tanh"]


def test_a_layer_that_is_called_again_and_again_has_one_set_of_parameters():
    scene = read([Reused(6)(samples())], budget=150)
    (weight,) = [box for box in scene.boxes.values() if box.title == "hidden.weight"]
    assert weight.lines == ("(4, 4) float32",)
    assert [(f.title, f.times) for f in scene.frames.values() if "hidden" in f.title] == [
        ("hidden: (Linear, tanh) × 6", 6), ("hidden: Linear", 1),
    ]  # fmt: skip
    module = read([Reused(6)(samples())], "module", budget=150)
    assert ("(5, 4) float32", "20 parameters, shared") in [
        box.lines for box in module.boxes.values() if box.title == "hidden: Linear"
    ]


class Stack(nn.Module):
    """Blocks in a row, but for what `wiring` makes of it."""

    def __init__(self, wiring, blocks=6):
        self.blocks = [Block(3, k) for k in range(blocks)]
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self.blocks, x)


def in_a_row(blocks, x):
    for block in blocks:
        x = block(x)
    return x


def from_two_before(blocks, x):
    values = [x, blocks[0](x)]
    for block in blocks[1:]:
        values.append(block(values[-2]))
    return values[-1]


def each_from_the_first(blocks, x):
    return np.stack([block(x) for block in blocks])


def one_is_used_elsewhere(blocks, x):
    middle = in_a_row(blocks[:3], x)
    return in_a_row(blocks[3:], middle) + middle


def all_are_used_elsewhere(blocks, x):
    values = []
    for block in blocks:
        x = block(x)
        values.append(x)
    return np.stack(values)


def another_constant(blocks, x):
    for k, block in enumerate(blocks):
        x = block(x) * (k + 1.0)
    return x


def a_weight_of_another(blocks, x):
    return in_a_row(blocks, x) * blocks[2].up.weight.sum()


def another_shape(blocks, x):
    for k, block in enumerate(blocks):
        x = block(x[k:])
    return x


@pytest.mark.parametrize(
    "wiring",
    [
        from_two_before, each_from_the_first, one_is_used_elsewhere, all_are_used_elsewhere,
        another_constant, a_weight_of_another, another_shape,
    ],
)  # fmt: skip
def test_blocks_that_are_not_a_row_are_not_folded(wiring):
    assert any(f.times == 6 for f in read([Stack(in_a_row)(samples())], budget=500).frames.values())
    x = tg.Tensor(np.ones((9, 3), np.float32), name="x")
    graph = Stack(wiring)(x)
    scene = read([graph], budget=500)
    assert not any(frame.times > 3 for frame in scene.frames.values())
    check(scene, [graph])


def test_what_all_blocks_share_does_not_keep_them_apart():
    mask = tg.Tensor(np.ones(3, np.float32), name="mask")
    blocks = [Block(3, k) for k in range(6)]

    def masked(parts, x):
        scale = np.exp(x)
        for block in parts:
            x = block(x * mask) * scale
        return x

    stack = Stack(masked)
    stack.blocks = blocks
    graph = stack(tg.Tensor(np.ones((5, 3), np.float32), requires_grad=True, name="x"))
    scene = read([graph], budget=500)
    (row,) = [f for f in scene.frames.values() if f.times == 6 and f.module is None]
    assert row.title == "blocks.0 … blocks.5: (multiply, Block, multiply) × 6"
    (block,) = [f for f in scene.frames.values() if f.parent == row.key]
    assert (block.title, block.times) == ("blocks.0 … blocks.5: Block", 1)
    assert titles(scene).count("mask") == 1
    check(scene, [graph])


def test_a_sum_of_blocks_is_a_row_as_well():
    graph = Stack(lambda blocks, x: sum((block(x) for block in blocks), x))(samples())
    scene = read([graph], depth=1, budget=500)
    assert [f.title for f in scene.frames.values()] == [
        "Stack", "blocks.0 … blocks.5: (Block, add) × 6",
    ]  # fmt: skip
    (block,) = [box for box in scene.boxes.values() if box.role == "module"]
    assert block.title == "blocks.0 … blocks.5: Block"
    check(scene, [graph])


def test_steps_of_a_sequence_are_a_row_in_which_indices_differ():
    cell = nn.Linear(3, 3, generator=0)
    x = tg.Tensor(np.ones((7, 2, 3), np.float32), requires_grad=True, name="x")
    h = x[0]
    for t in range(1, 7):
        h = np.tanh(cell(h) + x[t])
    scene = read([h], budget=500)
    (row,) = [f for f in scene.frames.values() if f.times > 1]
    assert row.title == "(Linear, getitem, add, tanh) × 6"
    taken = [box.lines for box in scene.boxes.values() if box.title == "getitem"]
    assert taken == [("index=0", "(2, 3) float32"), ("index differs", "(2, 3) float32")]
    check(scene, [h])


def test_three_blocks_are_drawn_one_by_one_and_four_are_folded():
    assert not any(f.times > 1 for f in read([Deep(3)(samples())], budget=150).frames.values())
    assert any(f.times == 4 for f in read([Deep(4)(samples())], budget=150).frames.values())


def test_rows_are_drawn_in_full_where_each_operation_is_asked_for():
    graph = Deep(5)(samples())
    assert not any(f.times > 1 for f in read([graph]).frames.values())
    assert not any(f.times > 1 for f in read([graph], budget=150, each=True).frames.values())
    assert any(f.times > 1 for f in read([graph], budget=30, each=True).frames.values())
    assert not any(f.times > 1 for f in draw(graph, values=True).scene.frames.values())


def test_rows_within_rows():
    class Outer(nn.Module):
        def __init__(self, seed):
            self.inner = [Block(3, seed + k) for k in range(4)]

        def forward(self, x):
            return in_a_row(self.inner, x) * 0.5

    outer = nn.Sequential(*[Outer(10 * k) for k in range(5)])
    graph = outer(samples())
    scene = read([graph], budget=150)
    check(scene, [graph])
    assert [f.title for f in scene.frames.values()][1:3] == [
        "0 … 4: Outer × 5",
        "inner.0 … inner.3: Block × 4",
    ]
    (weight,) = [box for box in scene.boxes.values() if box.title == "up.weight"]
    assert weight.lines == ("(6, 3) float32 × 20",)


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


def test_operations_that_repeat_in_a_module_are_folded_before_the_module_is():
    class Loop(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.eye(3, dtype=np.float32))

        def forward(self, x):
            for _ in range(100):
                x = np.tanh(x @ self.weight)
            return x

    graph = nn.Sequential(nn.Linear(3, 3, generator=0), Loop())(samples())
    scene = read([graph], budget=150)
    assert [f.title for f in scene.frames.values()] == [
        "Sequential", "0: Linear", "1: Loop", "(matmul, tanh) × 100",
    ]  # fmt: skip
    check(scene, [graph])


def test_operations_that_repeat_are_drawn_once():
    graph = chain(1000)
    scene = read([graph], budget=150)
    (row,) = scene.frames.values()
    assert row.title == "(multiply, add) × 1,000"
    assert scene.notes == ("2,000 operations",)
    check(scene, [graph])


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
