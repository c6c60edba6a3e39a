"""What repeats is drawn once: blocks in a row, layers called again and again, sequences."""

from __future__ import annotations

import numpy as np
import pytest
from draw.folding import check, in_a_row, titles
from draw.networks import Block, Deep, Reused, chain, samples

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.reading import read


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
