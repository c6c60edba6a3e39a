"""The tree in the terminal: every box on one line, and what it needs below it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from draw.networks import Deep, Reused, chain, expression, samples, tangle
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.testing.programs import programs

LINE = re.compile(r"^[│├─ ]*(\w+) = [^(]*\((.*?)\)  ")


@given(programs(max_operations=12), st.sampled_from([None, 150, 4]))
def test_each_box_has_a_line_and_comes_after_all_that_use_it(program, budget):
    names = zip(program.names, program.inputs, strict=True)
    loss = program.run(*[tg.Tensor(x, requires_grad=True, name=name) for name, x in names])
    picture = draw(loss, budget=budget)
    scene = picture.scene
    lines = picture.text().splitlines()
    at = {}
    for k, line in enumerate(lines):
        found = LINE.match(line)
        if found:
            assert found[1] not in at
            at[found[1]] = k
    made = {box.key for box in scene.boxes.values() if box.nodes}
    assert at.keys() == made
    for arrow in scene.arrows:
        if arrow.tail in made:
            assert at[arrow.head] < at[arrow.tail]
            assert re.search(rf"\b{arrow.tail}\b", lines[at[arrow.head]])


def test_inputs_stand_in_their_order():
    a, b = (tg.Tensor(1.0, requires_grad=True, name=name) for name in "ab")
    assert draw(a - b).text().splitlines()[0] == "n1 = subtract(a, b)  () float64"
    assert draw(b - a).text().splitlines()[0] == "n1 = subtract(b, a)  () float64"
    assert draw(a * 2.0).text().splitlines()[0] == "n1 = multiply(a, 2.0)  () float64"


def test_values_of_the_same_name_are_told_apart():
    a, b = (tg.Tensor(1.0, requires_grad=True, name="w") for _ in range(2))
    assert draw(a * b).text().splitlines() == [
        "n1 = multiply(v1, v2)  () float64",
        "v1: () float64 (input)",
        "v2: () float64 (input)",
    ]


def test_a_branch_is_indented_and_the_way_of_the_graph_is_not():
    x = tg.Tensor(1.0, requires_grad=True, name="x")
    h = np.exp(x)
    for _ in range(3):
        h = h + np.sin(np.tanh(h))
    indents = [re.match(r"[│├─ ]*", line)[0] for line in draw(h).text().splitlines()]
    assert indents == ["", "├─ ", "│  "] * 3 + ["", ""]


@pytest.mark.parametrize("graph", [expression, lambda: Reused()(samples()), lambda: tangle(900)])
def test_the_text_has_no_marks_of_other_formats(graph):
    assert not re.search(r"[<>&;{}]|\\n", draw(graph()).text())


def test_a_long_chain_is_written_without_recursion():
    assert draw(chain(1000), budget=None).text().count("\n") == 2001


def test_modules_are_a_tree_of_names():
    assert [line[:12] for line in draw(Deep(2)).text().splitlines()] == [
        "Deep", "├─ embed: Li", "├─ blocks.0:", "│  ├─ up: Li", "│  └─ down: ", "├─ blocks.1:",
        "│  ├─ up: Li", "│  └─ down: ", "└─ head: Lin", "178 paramete",
    ]  # fmt: skip


@given(st.text(min_size=1, max_size=12))
def test_any_name_survives_on_one_line(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    assert draw(np.sin(x)).text() == (
        f"n1 = sin({printable(name)})  () float64\n{printable(name)}: () float64 (input)\n"
    )
