"""What must hold of a picture whatever is folded in it: every operation, every arrow."""

from __future__ import annotations

from tinygrad_bp.core import Node
from tinygrad_bp.draw.scene import nodes_behind


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


def in_a_row(blocks, x):
    for block in blocks:
        x = block(x)
    return x
