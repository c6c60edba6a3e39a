"""The difference of two graphs: everything of both is there once, in the right state."""

from __future__ import annotations

import html
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import difference, draw
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.testing.programs import programs

MINUS = "\N{MINUS SIGN}"


def network(*sizes, activation=nn.ReLU, batch=5, penalty=0.0):
    """The loss of a perceptron."""
    layers = []
    for k, (a, b) in enumerate(pairwise(sizes)):
        layers += [activation()] * bool(k) + [nn.Linear(a, b, generator=k)]
    model = nn.Sequential(*layers)
    x = np.ones((batch, sizes[0]), np.float32)
    loss = nn.functional.cross_entropy(model(x), np.arange(batch) % sizes[-1])
    return loss + penalty * np.sum(model[0].weight ** 2) if penalty else loss


def states(picture):
    """The titles of the boxes in each state, those that are the same left out."""
    found = {}
    for box in picture.scene.boxes.values():
        if box.state != "same":
            found.setdefault(box.state, []).append(box.title)
    return found


def recorded(program):
    return program.run(
        *[
            tg.Tensor(x, requires_grad=True, name=name)
            for name, x in zip(program.names, program.inputs, strict=True)
        ]
    )


def test_another_activation_is_one_removed_and_one_added():
    picture = difference(network(4, 3, 2), network(4, 3, 2, activation=nn.Tanh))
    assert states(picture) == {"added": ["+ tanh"], "removed": [f"{MINUS} relu"]}
    boxes = picture.scene.boxes
    ways = [
        (boxes[a.tail].title, boxes[a.head].title, a.state, a.label)
        for a in picture.scene.arrows
        if a.state != "same"
    ]
    assert sorted(ways) == [
        ("+ tanh", "linear", "added", "+"),
        ("linear", "+ tanh", "added", "+"),
        ("linear", f"{MINUS} relu", "removed", MINUS),
        (f"{MINUS} relu", "linear", "removed", MINUS),
    ]
    assert picture.scene.notes == (f"1 added (+), 1 removed ({MINUS}), 0 changed, 9 the same",)
    frames = [f.title for f in picture.scene.frames.values()]
    assert sorted(frames) == [
        "0: Linear",
        "1: Tanh",
        "2: Linear",
        "Sequential",
        f"{MINUS} 1: ReLU",
    ]


def test_removed_frames_lie_in_the_frames_that_are_left():
    def graph(*inner):
        model = nn.Sequential(nn.Linear(3, 3, generator=0), nn.Sequential(*inner))
        return model(np.ones((2, 3), np.float32))

    scene = difference(graph(nn.Tanh(), nn.ReLU()), graph(nn.Tanh())).scene
    (frame,) = [f for f in scene.frames.values() if f.title == f"{MINUS} 1.1: ReLU"]
    assert scene.frames[frame.parent].title == "1: Sequential"


def test_a_parameter_in_the_place_of_a_constant_is_no_change_but_another_thing():
    x, w = (tg.Tensor([1.0], requires_grad=True, name=name) for name in "xw")
    found = states(difference(x * 2.0, x * w))
    assert found == {"added": ["+ w"], "removed": [f"{MINUS} 2.0"]}


def test_a_layer_that_was_put_before_leaves_those_behind_it_as_they_were():
    picture = difference(network(4, 3, 2), network(4, 8, 3, 2))
    found = states(picture)
    assert found["added"] == ["+ 0.weight", "+ 0.bias", "+ linear", "+ relu"]
    assert found["changed"] == ["2.weight", "2.bias", "4.weight", "4.bias"]
    assert "removed" not in found
    marks = {box.title: box.marks for box in picture.scene.boxes.values()}
    assert marks["2.weight"] == ("was 0.weight", "was (3, 4) float32")
    assert marks["4.bias"] == ("was 2.bias",)


def test_a_penalty_is_all_that_is_new():
    found = states(difference(network(4, 2), network(4, 2, penalty=0.1)))
    assert found == {"added": ["+ 2", "+ power", "+ sum", "+ 0.1", "+ multiply", "+ add"]}


def test_other_sizes_and_numbers_are_changes():
    picture = difference(network(4, 2, penalty=0.1), network(4, 2, batch=7, penalty=0.3))
    found = states(picture)
    assert set(found) == {"changed"}
    marks = {box.title: box.marks for box in picture.scene.boxes.values()}
    assert marks["0.3"] == ("was 0.1",)
    assert marks["linear"] == ("was (5, 2) float32",)
    assert "was scale=0.2" in marks["cross_entropy_labels"]


@pytest.mark.parametrize("level", ["module", "operation"])
def test_the_other_way_round_what_was_added_is_removed(level):
    a, b = network(4, 3, 2), network(4, 8, 3, 2, penalty=0.1)
    there, back = difference(a, b, level=level), difference(b, a, level=level)
    count = Counter(box.state for box in there.scene.boxes.values())
    counted = Counter(box.state for box in back.scene.boxes.values())
    assert count["added"] == counted["removed"] > 0
    assert count["removed"] == counted["added"] == 0
    assert count["same"] == counted["same"]
    assert there.svg()


def test_a_picture_that_was_drawn_before_the_graph_was_freed():
    loss = network(4, 3, 2)
    before = draw(loss)
    loss.backward()
    assert states(difference(before, network(4, 3, 2))) == {}
    with pytest.raises(errors.GraphError, match="freed"):
        difference(loss, before)


def test_several_tensors_are_one_graph():
    x = tg.Tensor(1.0, requires_grad=True, name="x")
    y = x * 2.0
    assert states(difference([y, y + 1.0], [y])) == {"removed": [f"{MINUS} 1.0", f"{MINUS} add"]}


OPERATIONS = [np.sin, np.cos, np.tanh, np.arctan]


def chain(choices, change=()):
    """Many operations, of which none is repeated in blocks; some are followed by another."""
    out = tg.Tensor(np.ones(3), requires_grad=True, name="x")
    for k, choice in enumerate(choices):
        out = OPERATIONS[choice](out)
        if k in change:
            out = out * 2.0
    return out.sum()


def test_of_large_graphs_what_differs_and_what_is_around_it():
    choices = np.random.default_rng(0).integers(0, 4, 1000)
    picture = difference(chain(choices), chain(choices, {500}))
    assert states(picture) == {"added": ["+ 2.0", "+ multiply"]}
    boxes = picture.scene.boxes
    assert len(boxes) < 20
    assert sum(box.title == "…" for box in boxes.values()) == 1
    around = [OPERATIONS[k].__name__ for k in choices[497:505]]
    titles = [box.title for box in boxes.values()]
    assert titles == ["…", *around[:4], "+ 2.0", "+ multiply", *around[4:]]
    assert picture.scene.notes[1] == f"{1004 - len(boxes) + 1:,} of the same are not drawn"
    assert len(difference(chain(choices), chain(choices, {500}), budget=5).scene.boxes) == 6
    picture = difference(chain(choices), chain(choices))
    assert states(picture) == {}
    assert picture.scene.notes[0].endswith("0 changed, 1002 the same")
    assert "sum" in [box.title for box in picture.scene.boxes.values()]


def test_where_nearly_everything_differs_both_graphs_are_folded():
    choices = np.random.default_rng(0).integers(0, 4, 400)
    scene = difference(chain(choices), chain(choices, range(0, 400, 2))).scene
    assert len(scene.boxes) <= 2 * 150
    assert any(box.role == "fold" for box in scene.boxes.values())
    assert any(box.state != "same" for box in scene.boxes.values())


def test_folded_boxes_that_read_the_same_may_hold_other_operations():
    choices = np.random.default_rng(0).integers(0, 4, 400)
    other = choices.copy()
    other[[10, 11, 12]] = other[[12, 10, 11]]
    assert sorted(choices[:40]) == sorted(other[:40])
    assert list(choices) != list(other)
    pair = [draw(chain(c), budget=6) for c in (choices, other)]
    lines = [[(b.title, b.lines) for b in p.scene.boxes.values()] for p in pair]
    assert lines[0] == lines[1]
    (changed,) = [box for box in difference(*pair).scene.boxes.values() if box.state == "changed"]
    assert changed.marks == ("was made of others",)
    assert states(difference(pair[0], draw(chain(choices), budget=6))) == {}
    loss = chain(choices)
    before = draw(loss, budget=6)
    loss.backward()  # what the operations were is not known any more, but their names are
    assert states(difference(before, pair[0])) == {}
    assert states(difference(before, pair[1])) == {
        "changed": [box.title for box in pair[1].scene.boxes.values() if box.key == changed.key]
    }


def test_another_number_of_repetitions_is_a_change():
    def repeated(n):
        out = tg.Tensor(np.ones(3), requires_grad=True)
        for _ in range(n):
            out = np.sin(out) * 1.5
        return out.sum()

    picture = difference(draw(repeated(200), budget=10), draw(repeated(150), budget=10))
    assert {mark for box in picture.scene.boxes.values() for mark in box.marks} == {
        "was 200 operations"
    }


def test_modules_without_a_graph_can_be_compared():
    pair = [
        nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)),
    ]
    picture = difference(*map(draw, pair))
    assert states(picture) == {
        "added": ["+ 2: Dropout(0.5)"],
        "changed": ["0: Linear(4, 8)", "3: Linear(8, 2)"],
    }
    marks = [box.marks[0] for box in picture.scene.boxes.values() if box.state == "changed"]
    assert marks == ["was 0: Linear(4, 3)", "was 2: Linear(3, 2)"]


@pytest.mark.parametrize("what", [3.0, None, ["x"], np.ones(3)])
def test_what_is_no_graph_is_an_error(what):
    x = tg.Tensor(1.0, requires_grad=True)
    with pytest.raises(errors.ArgumentError, match="difference compares graphs"):
        difference(x * 1.0, what)


@given(programs(max_operations=8))
def test_a_graph_does_not_differ_from_itself(program):
    loss, other = recorded(program), recorded(program)
    picture = difference(loss, other, budget=None)
    assert states(picture) == {}
    plain = draw(other, budget=None).scene
    assert list(picture.scene.boxes) == list(plain.boxes)
    assert {a.state for a in picture.scene.arrows} == {"same"}


@given(programs(max_operations=6), programs(max_operations=6))
def test_all_of_both_graphs_is_there_once(first, second):
    before, after = draw(recorded(first), budget=None), draw(recorded(second), budget=None)
    picture = difference(before, after)
    assert picture.source == difference(before, after).source
    scene = picture.scene
    count = Counter(box.state for box in scene.boxes.values())
    kept = count["same"] + count["changed"]
    assert kept + count["removed"] == len(before.scene.boxes)
    assert kept + count["added"] == len(after.scene.boxes)
    for key, box in scene.boxes.items():
        if box.state == "removed":
            old = before.scene.boxes[key.removeprefix("old_")]
            assert (box.title, box.lines) == (f"{MINUS} {old.title}", old.lines)
        else:
            new = after.scene.boxes[key]
            assert box.title.removeprefix("+ ") == new.title
            assert box.lines == new.lines
            assert bool(box.marks) == (box.state == "changed")
    ways = Counter(a.state for a in scene.arrows)
    assert ways["same"] + ways["removed"] == len(before.scene.arrows)
    assert ways["same"] + ways["added"] == len(after.scene.arrows)
    assert Counter((a.tail, a.head, a.position) for a in after.scene.arrows) == Counter(
        (a.tail, a.head, a.position) for a in scene.arrows if a.state != "removed"
    )
    place = {key: k for k, key in enumerate(scene.boxes)}
    assert all(place[a.tail] < place[a.head] for a in scene.arrows)


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_any_names_survive(a, b):
    def graph(name):
        return tg.Tensor(1.0, requires_grad=True, name=name) * 2.0

    picture = difference(graph(a), graph(b))
    (leaf,) = [box for box in picture.scene.boxes.values() if box.role == "input"]
    assert leaf.title == b
    assert leaf.marks == ((f"was {a}",) if a != b else ())
    assert picture.mermaid()
    assert picture.text()


def test_names_in_badges_mean_nothing_to_dot():
    nasty = '</TD><IMG SRC="x"/>&amp;\\N\\l"\n\x00{|}-->]]>'
    x, y = (tg.Tensor(1.0, requires_grad=True, name=name) for name in ("plain", nasty))
    svg = difference(y * 2.0, x * 2.0).svg()
    texts = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    shown = html.unescape(texts).replace("\xa0", "").replace(" ", "")
    assert "was" + printable(nasty).replace(" ", "") in shown
    assert "<image" not in svg
