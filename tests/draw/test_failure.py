"""The graph before an error: what failed is red, and what led to it is there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import failure
from tinygrad_bp.draw.numbers import in_figures
from tinygrad_bp.testing.programs import programs


def caught(function, *args):
    """The error that a function raises."""
    with np.errstate(all="ignore"), pytest.raises(Exception) as found:
        function(*args)
    return found.value


def failed(picture):
    """The box that failed, and the boxes that go into it by position."""
    (box,) = [box for box in picture.scene.boxes.values() if box.state == "failed"]
    into = [
        (a.position or 0, picture.scene.boxes[a.tail])
        for a in picture.scene.arrows
        if a.head == box.key and a.state != "backward"
    ]
    assert [position for position, _ in into] == list(range(len(into)))
    return box, [tail for _, tail in into]


def named(*shape, name="x"):
    return tg.Tensor(np.linspace(-1, 1, int(np.prod(shape))).reshape(shape), True, name=name)


def matmul():
    return np.tanh(named(2, 3)) @ named(4, 5, name="w")


def reshape():
    return np.tanh(named(2, 3)).reshape(7)


def concatenate():
    return np.concatenate([np.tanh(named(2, 3)), named(4, 5, name="w")])


def index():
    return np.tanh(named(2, 3))[9]


def axis():
    return np.tanh(named(2, 3)).sum(axis=4)


def not_finite():
    with tg.detect_anomaly():
        return np.log(np.tanh(named(2, 3)))


def labels():
    return nn.functional.cross_entropy(np.tanh(named(2, 3)), np.array([0, 9]))


def no_rule():
    return np.sort_complex(np.tanh(named(2, 3)))


def number():
    return float(np.tanh(named(2, 3)))


@pytest.mark.parametrize(
    ("function", "title", "inputs"),
    [
        (matmul, "matmul", ["tanh", "w"]),
        (reshape, "reshape", ["tanh"]),
        (concatenate, "concatenate", ["tanh", "w"]),
        (index, "getitem", ["tanh"]),
        (axis, "sum", ["tanh"]),
        (not_finite, "log", ["tanh"]),
        (labels, "cross_entropy", ["tanh"]),
        (no_rule, "sort_complex", ["tanh"]),
        (number, "float", ["tanh"]),
    ],
)
def test_the_operation_that_failed_and_what_went_into_it(function, title, inputs):
    error = caught(function)
    picture = failure(error)
    box, tails = failed(picture)
    assert box.title == title
    assert [tail.title for tail in tails] == inputs
    assert " ".join(box.lines) == f"{type(error).__name__}: {str(error).splitlines()[0]}"
    (mark,) = box.marks
    line = function.__code__.co_firstlineno
    assert mark.startswith("failed at test_failure.py:")
    assert line < int(mark.rpartition(":")[2]) <= line + 3
    values = tails[0].numbers
    assert values == ("[[-0.7616, -0.537, -0.1974], [0.1974, 0.537, 0.7616]]",)
    assert "x" in [b.title for b in picture.scene.boxes.values()]
    assert picture.source == failure(error).source


def test_a_layer_that_does_not_fit_is_red_in_its_place():
    model = nn.Sequential(nn.Linear(4, 3, generator=0), nn.ReLU(), nn.Linear(4, 2, generator=0))
    picture = failure(caught(model, np.ones((5, 4), np.float32)))
    box, tails = failed(picture)
    assert box.title == "Linear"
    assert picture.scene.frames[box.frame].title == "2: Linear"
    assert [tail.title for tail in tails] == ["relu"]
    assert picture.source.count("#c2280c") > 1


def test_frames_are_those_of_the_calls_that_were_running():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(3, 3, generator=0)
            self.w = nn.Parameter(np.ones((4, 4)))

        def forward(self, x):
            return np.tanh(self.inner(self.inner(x))) @ self.w

    scene = failure(caught(Twice(), np.ones((2, 3), np.float32))).scene
    assert [f.title for f in scene.frames.values()] == ["Twice", "inner: Linear", "inner: Linear"]
    (box,) = [box for box in scene.boxes.values() if box.state == "failed"]
    assert scene.frames[box.frame].title == "Twice"
    assert "w" in [b.title for b in scene.boxes.values() if b.role == "parameter"]


def backward_not_finite():
    x = named(2, 3)
    with tg.detect_anomaly():
        (np.sqrt(np.tanh(x) * 0.0) * x).sum().backward()


def hook():
    h = np.tanh(named(2, 3))
    h.register_hook(lambda g: g[:1])
    (h * 2.0).sum().backward()


def assigned():
    w = named(2, 3, name="w")
    loss = (w * w * 2.0).sum()
    w.assign(0.0)
    loss.backward()


@pytest.mark.parametrize(
    ("function", "title", "back"),
    [
        (backward_not_finite, "sqrt", [("sum", "multiply"), ("multiply", "sqrt")]),
        (hook, "tanh", [("sum", "multiply"), ("multiply", "tanh")]),
        (assigned, "multiply", [("sum", "multiply"), ("multiply", "multiply")]),
    ],
)
def test_of_a_backward_pass_arrows_show_how_far_it_came(function, title, back):
    picture = failure(caught(function))
    box, _ = failed(picture)
    assert box.title == title
    boxes = picture.scene.boxes
    arrows = [(a.tail, a.head) for a in picture.scene.arrows if a.state == "backward"]
    assert sorted((boxes[a].title, boxes[b].title) for a, b in arrows) == sorted(back)
    assert box.key in {b for _, b in arrows}
    assert box.key not in {a for a, _ in arrows}


def test_of_a_graph_that_was_freed_there_is_what_is_left():
    y = np.tanh(named(2, 3)).sum()
    y.backward()
    picture = failure(caught(y.backward))
    box, tails = failed(picture)
    assert (box.title, tails) == ("sum", [])
    assert "already freed" in " ".join(box.lines)


def test_an_operation_on_what_was_freed_shows_it():
    y = np.tanh(named(2, 3))
    y.sum().backward()
    box, tails = failed(failure(caught(y.reshape, 7)))
    assert box.title == "reshape"
    (tail,) = tails
    assert tail.title == "tanh"
    assert tail.lines[0].startswith("freed by test_failure.py:")
    box, tails = failed(failure(caught(lambda: (y * 2.0).sum().backward())))
    assert "already freed" in " ".join(box.lines)


def test_an_error_of_the_users_own_is_drawn_with_the_newest_tensors():
    def step():
        h = np.tanh(named(2, 3))
        shown = [h * 2.0, h]
        raise KeyError(len(shown))

    box, tails = failed(failure(caught(step)))
    assert box.title == "step"
    assert [tail.title for tail in tails] == ["multiply"]
    assert box.lines == ("KeyError: 2",)


def test_what_an_error_was_raised_from_is_found():
    def outer():
        h = np.tanh(named(2, 3))
        try:
            h.reshape(7)
        except errors.ShapeError as error:
            raise RuntimeError("no batch") from error

    box, _ = failed(failure(caught(outer)))
    assert box.title == "reshape"
    assert box.lines == ("RuntimeError: no batch",)


def test_errors_that_were_raised_from_each_other_come_to_an_end():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    with pytest.raises(errors.GraphError, match="knows no tensor"):
        failure(a)


def test_the_failing_operation_has_a_box_of_its_own_in_a_large_graph():
    def long():
        h = named(2, 3)
        operations = [np.sin, np.cos, np.tanh, np.arctan, np.exp]
        for k in np.random.default_rng(0).integers(0, 5, 500):
            h = operations[k](h)
        return h @ named(4, 5, name="w")

    picture = failure(caught(long))
    box, tails = failed(picture)
    assert box.title == "matmul"
    assert box.lines[0].startswith("ShapeError: matmul of (2, 3) and (4, 5)")
    assert [tail.title for tail in tails][1:] == ["w"]
    assert picture.scene.notes == ("451 operations before these are not drawn",)
    assert len(failure(caught(long), budget=None).scene.boxes) > 500
    _, tails = failed(failure(caught(long), budget=3))
    assert tails[0].title.startswith("… ")
    assert tails[0].numbers == in_figures(tails[0].value) == failed(picture)[1][0].numbers


def test_the_failing_operation_has_a_box_of_its_own_in_a_tall_network():
    class Tower(nn.Module):
        def __init__(self):
            widths = np.random.default_rng(0).integers(2, 9, 101).tolist()
            self.layers = [nn.Linear(a, b, generator=0) for a, b in pairwise(widths)]
            self.w = nn.Parameter(np.ones((11, 2)))

        def forward(self, x):
            for layer in self.layers:
                x = np.tanh(layer(x))
            return x @ self.w

    model = Tower()
    x = np.ones((3, model.layers[0].in_features), np.float32)
    picture = failure(caught(model, x), budget=51)
    box, tails = failed(picture)
    assert box.title == "matmul"
    assert [tail.title for tail in tails] == ["tanh", "w"]
    made = [b.node.primitive.name for b in picture.scene.boxes.values() if b.node is not None]
    assert made == ["linear", "tanh"] * 8 + ["matmul"]
    assert picture.scene.notes == ("184 operations before these are not drawn",)
    (oldest,) = [b for b in picture.scene.boxes.values() if b.title.startswith("…")]
    assert oldest.title == "… tanh"


@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_any_name_and_message_can_be_written(name, message):
    def step():
        t = named(1, name=name) * 2.0
        raise ValueError(message, t.shape)

    picture = failure(caught(step))
    assert picture.text()
    assert picture.mermaid()
    assert "failed" in picture.source


@given(programs(max_operations=6))
def test_of_any_program_all_that_was_computed_is_there(program):
    leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]

    def step():
        loss = program.run(*leaves)
        return loss.reshape(2, 3)

    picture = failure(caught(step), budget=None)
    box, tails = failed(picture)
    assert box.title == "reshape"
    plain = tg.draw(program.run(*leaves), budget=None).scene
    assert len(picture.scene.boxes) == len(plain.boxes) + 1
    assert len(picture.scene.arrows) == len(plain.arrows) + 1
    (end,) = [b.title for b in plain.boxes.values() if b.role == "output"]
    assert [tail.title for tail in tails] == [end]
    assert {b.role for b in picture.scene.boxes.values()} <= {"operation", "input", "constant"}
