"""Marks say what is the matter, and only where it is so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.marks import dead
from tinygrad_bp.testing.programs import programs


def marks(picture):
    """The marks of all boxes that have any, by title."""
    return {box.title: box.marks for box in picture.scene.boxes.values() if box.marks}


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_values_and_gradients_that_are_not_finite():
    x = tg.Tensor([0.0, 1.0, np.nan], requires_grad=True, name="x")
    found = marks(draw(np.log(x).sum(), gradients=True))
    assert found["log"] == ("not finite: 1 NaN and 1 ∞ of 3",)
    assert found["x"] == ("not finite: 1 NaN of 3", "gradient not finite: 1 NaN and 1 ∞ of 3")
    assert found["sum"] == ("not finite: 1 NaN of 1",)


def test_dead_relus_are_counted_where_the_gradient_arrives():
    w = tg.Tensor(np.array([[1.0, -1.0, 1.0], [-2.0, -1.0, 3.0]]), requires_grad=True, name="w")
    loss = nn.functional.relu(w).sum()
    assert marks(draw(loss, gradients=True))["w"] == ("gradient 0 in 1 of 3 units",)
    assert not marks(draw(loss))
    assert not marks(draw(loss, backward="over"))  # gradients were not asked for
    alive = nn.functional.relu(np.abs(w) + 1.0).sum()
    assert "add" not in marks(draw(alive, gradients=True))
    loss = nn.functional.relu(w - 5.0).sum()
    assert marks(draw(loss, gradients=True))["w"] == ("dead: the gradient is 0",)


def test_rows_of_a_weight_whose_unit_is_dead():
    layer = nn.Linear(2, 3, generator=0)
    layer.bias.assign([-100.0, 100.0, 100.0])
    loss = nn.functional.relu(layer(np.ones((4, 2), np.float32))).sum()
    found = marks(draw(loss, gradients=True))
    assert found["weight"] == ("gradient 0 in 1 of 3 rows",)
    assert found["bias"] == ("gradient 0 in 1 of 3 elements",)
    assert found["linear"] == ("gradient 0 in 1 of 3 units",)


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(max_dims=3, max_side=3),
        elements=st.sampled_from([0.0, -0.0, 1.0, np.nan]),
    ),
    st.booleans(),
)
def test_what_is_called_dead_is_zero_and_nothing_else(gradient, parameter):
    said = dead(gradient, parameter)
    axis = 0 if parameter else -1
    units = np.moveaxis(gradient, axis, 0).reshape(gradient.shape[axis], -1)
    zeros = sum(not np.any(unit) for unit in units)
    if zeros == len(units):
        assert said == "dead: the gradient is 0"
    elif zeros:
        assert f" {zeros} of {len(units)} " in said
    else:
        assert said == ""


def test_a_detached_tensor_says_where_it_was_cut_off():
    x = tg.Tensor([1.0], requires_grad=True, name="x")
    target = np.exp(x).detach()
    ((mark,),) = marks(draw(((x - target) ** 2).sum())).values()
    assert mark.startswith("detached: the output of 'exp' was cut off by detach() at test_marks.py")
    assert not marks(draw(x * tg.Tensor([2.0])))


def test_a_leaf_that_is_used_both_ways_is_not_detached_itself():
    x = tg.Tensor([1.0], requires_grad=True, name="x")
    assert list(marks(draw(x * x.detach()))) == ["constant"]


def test_a_parameter_of_two_modules_is_drawn_apart_once():
    both = [Tied(), Tied()]
    both[1].never = both[0].never
    x = np.ones((2, 3), np.float32)
    scene = draw(both[0](x), both[1](x)).scene
    apart = [box.title for box in scene.boxes.values() if box.frame == "unused"]
    assert apart == ["never.weight", "never.bias"]


class Tied(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(3, 3, generator=0)
        self.never = nn.Linear(2, 5, generator=0)

    def forward(self, x):
        return self.inner(np.tanh(self.inner(x)))


@pytest.mark.parametrize("level", ["operation", "module", "full"])
def test_parameters_that_are_not_used_are_drawn_apart(level):
    out = Tied()(np.ones((2, 3), np.float32))
    scene = draw(out, level=level).scene
    apart = [box for box in scene.boxes.values() if box.frame == "unused"]
    assert [(box.title, box.marks) for box in apart] == [
        ("never.weight", ("unused",)),
        ("never.bias", ("unused",)),
    ]
    assert not {a.tail for a in scene.arrows} & {box.key for box in apart}


def test_shared_parameters_say_how_often_they_are_used():
    found = marks(draw(Tied()(np.ones((2, 3), np.float32))))
    assert found["inner.weight"] == found["inner.bias"] == ("shared: used 2 times",)


def test_many_unused_parameters_share_a_box():
    model = nn.Sequential(*[nn.Linear(2, 2, generator=k) for k in range(10)])
    out = model[0](np.ones((1, 2), np.float32))
    model.forward = lambda x: model[0](x)
    scene = draw(model(np.ones((1, 2), np.float32))).scene
    apart = [box for box in scene.boxes.values() if box.frame == "unused"]
    assert len(apart) == 6
    assert apart[-1].title == "13 more parameters"
    assert apart[-1].lines == ("38 numbers",)
    assert not any(b.frame == "unused" for b in draw(out).scene.boxes.values())


def test_why_a_parameter_is_not_used_is_said_where_it_is_known():
    class Cut(nn.Module):
        def __init__(self):
            self.used = nn.Parameter(np.ones(2))
            self.cut = nn.Parameter(np.ones(2))
            self.frozen = nn.Parameter(np.ones(2)).requires_grad_(False)

        def forward(self):
            return (self.used * self.cut.detach()).sum()

    found = marks(draw(Cut()()))
    assert found["cut"][0].startswith("unused: cut off by detach() at test_marks.py:")
    assert found["frozen"] == ("unused: frozen",)
    assert "used" not in found


@given(programs(max_operations=8))
def test_programs_of_finite_numbers_have_no_alarms_but_zeros(program):
    leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
    loss = program.run(*leaves)
    with tg.record_grads() as tape:
        loss.backward(retain_graph=True)
    for box in draw(loss, gradients=True, budget=None).scene.boxes.values():
        if any(mark.startswith("gradient 0") or mark.startswith("dead") for mark in box.marks):
            t = box.node.primitive.as_tensor(box.node.out, box.node) if box.nodes else box.tensor
            assert not np.all(tape[t].data)
        if any(mark.startswith("not finite") for mark in box.marks):
            assert not np.isfinite(box.value).all()


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_of_what_is_repeated_the_blocks_are_counted():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    out, made = x, []
    for _ in range(200):
        made.append(out * 1e3)
        out = made[-1] / 1.0
    loss = out.sum()
    bad = sum(not np.isfinite(t.data).all() for t in made)
    with tg.record_grads() as tape:
        loss.backward(retain_graph=True)
    infinite = sum(not np.isfinite(tape[t].data).all() for t in made)
    assert 50 < bad < 150
    assert marks(draw(loss, gradients=True, budget=20))["multiply"] == (
        f"not finite in {bad} of 200 blocks",
        f"gradient not finite in {infinite} of 200 blocks",
    )
    with np.errstate(invalid="ignore"):
        found = marks(draw((out * 0.0).sum(), gradients=True, budget=20))
    assert not any("dead" in mark for mark in found["multiply"])  # 0 times ∞ is no 0
    small = x
    for _ in range(200):
        small = np.tanh(small) * 1.0
    found = marks(draw((small * 0.0).sum(), gradients=True, budget=20))
    assert found["tanh"] == ("dead: the gradient is 0 in 200 of 200 blocks",)
