"""A page without a browser: its samples, its file, and its picture."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from draw.stepping.networks import model_and_loss
from hypothesis import given, settings

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw import page
from tinygrad_bp.draw.derivation.mathml import mathml
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.draw.stepping import MOST
from tinygrad_bp.draw.stepping.layout import picture
from tinygrad_bp.draw.stepping.naming import names
from tinygrad_bp.draw.stepping.samples import batched
from tinygrad_bp.testing.programs import programs

# Samples


def test_rows_of_samples_are_found_by_what_they_do():
    scene = read([model_and_loss()[1]], each=True)
    found = {scene.boxes[k].title for k in batched(scene)}
    assert found == {"constant", "linear", "tanh"}


def test_an_array_is_one_value_with_a_tensor_around_it_and_without():
    layer = nn.Linear(3, 3, generator=0)
    x = np.ones((4, 3), np.float32)
    scene = read([np.sum(layer(x) + x)], each=True)
    assert [b.role for b in scene.boxes.values()].count("constant") == 1
    assert {scene.boxes[k].title for k in batched(scene)} == {"constant", "linear", "add"}


def test_arrays_of_the_length_of_the_batch_that_hold_no_samples_are_not_taken_for_them():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 3))
    w = tg.Tensor(rng.normal(size=(3, 3)), requires_grad=True, name="w")
    across = (x @ w).T * rng.normal(size=(3, 3))  # a row for each feature
    scene = read([np.sum(across) + np.sum(np.sort(x @ w, axis=0)) + np.sum(w * w)])
    assert [scene.boxes[k].title for k in batched(scene)] == ["constant", "matmul", "matmul"]


def test_functions_of_the_user_are_not_called_to_find_samples():
    calls = []

    def doubled(x):
        calls.append(1)
        return x * 2.0

    w = tg.Tensor(np.ones((3, 2)), requires_grad=True)
    loss = np.sum(tg.checkpoint(doubled)(np.ones((4, 3)) @ w))
    before = len(calls)
    batched(read([loss], each=True))
    assert len(calls) == before


def test_there_are_no_samples_without_a_batch():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    assert batched(read([np.sum(x * [3.0, 4.0])])) == {}


# The file


def test_the_same_graph_gives_the_same_bytes_and_nothing_of_it_changes(tmp_path):
    pages = []
    for k in range(2):
        model, loss = model_and_loss()
        pages.append(page(loss, tmp_path / f"{k}.html").read_bytes())
        assert all(p.grad is None for p in model.parameters())
        loss.backward()  # the graph is still there
        assert all(p.grad is not None for p in model.parameters())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("batch", [16, 128])
def test_the_page_of_the_mnist_perceptron_is_small(batch, tmp_path):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Linear(784, 256, generator=0),
        nn.ReLU(),
        nn.Linear(256, 128, generator=1),
        nn.ReLU(),
        nn.Linear(128, 10, generator=2),
    )
    x = rng.random((batch, 784), np.float32)
    loss = nn.functional.cross_entropy(model(x), rng.integers(0, 10, batch))
    path = page(loss, tmp_path / "mnist.html", image_shape=(28, 28))
    assert path.stat().st_size < 1_000_000


def _long():
    x = tg.Tensor([1.0], requires_grad=True)
    for _ in range(MOST + 1):
        x = np.sin(x)
    return x


def _wide():
    x = tg.Tensor([1.0], requires_grad=True)
    return np.sum(np.concatenate([x] + [np.array([1.0]) for _ in range(MOST)]))


@pytest.mark.parametrize("make", [_long, _wide])
def test_a_large_graph_is_refused_before_anything_is_written(make, tmp_path):
    with pytest.raises(errors.GraphError, match=r"80\d operations .*test_stepping.py:\d+.*\nFix:"):
        page(make(), tmp_path / "large.html")
    assert not list(tmp_path.iterdir())


def test_a_value_that_has_changed_since_is_an_error_and_no_page(tmp_path):
    model, loss = model_and_loss()
    next(iter(model.parameters())).assign(0.0)
    with pytest.raises(errors.InplaceError, match="assigned a new value"):
        page(loss, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def test_an_operation_of_the_users_own_is_shown_whatever_its_formula(tmp_path):
    @tg.primitive(lambda g, out, x: 2 * g)
    def twice(x):
        return 2 * x

    odd = tg.Primitive(
        "odd<b>",
        lambda x: -x,
        [lambda g, out, x: -g],
        formula=r"\frac{<script>alert(1)</script> x",
        vjp_formulas=[],
    )
    loss = odd(twice(tg.Tensor(1.5, requires_grad=True)))
    text = page(loss, tmp_path / "own.html").read_text()
    del PRIMITIVES["odd<b>"], PRIMITIVES["twice"]
    assert text.count("<script") == 2


def test_without_latex2mathml_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    mathml.cache_clear()
    with pytest.raises(errors.MissingExtraError, match=r"tinygrad-bp\[draw\]"):
        page(tg.Tensor(1.5, requires_grad=True) * 2.0, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


def _svg(loss):
    scene = read([loss], each=True)
    return scene, ET.fromstring(picture(scene, names(nodes_behind([loss]))))


@settings(max_examples=5)
@given(programs(max_operations=5))
def test_the_picture_has_every_box_and_arrow_once_and_no_two_boxes_meet(program):
    loss = program.run(*[tg.Tensor(x, requires_grad=True) for x in program.inputs])
    if not isinstance(loss, tg.Tensor) or loss.node is None:
        return
    scene, svg = _svg(loss)
    boxes = [g for g in svg.iter("g") if "box" in g.get("class", "").split()]
    assert sorted(g.get("data-key") for g in boxes) == sorted(scene.boxes)
    drawn = [
        (p.get("data-tail"), p.get("data-head")) for p in svg.iter("path") if p.get("data-tail")
    ]
    assert drawn == [(a.tail, a.head) for a in scene.arrows]
    places = []
    for g in boxes:
        rect, x, y = g.find("rect"), float(g.get("data-x")), float(g.get("data-y"))
        w, h = float(rect.get("width")), float(rect.get("height"))
        places.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    for i, a in enumerate(places):
        for b in places[:i]:
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert apart, (a, b)


def test_parameters_and_numbers_lie_beside_what_takes_them_first():
    _, loss = model_and_loss()
    svg = _svg(loss * 0.5)[1]
    scene = read([loss * 0.5], each=True)
    heights = {g.get("data-key"): g.get("data-y") for g in svg.iter("g") if g.get("data-h")}
    for arrow in scene.arrows:
        if scene.boxes[arrow.tail].role == "parameter" or scene.boxes[arrow.tail].title == "0.5":
            assert heights[arrow.tail] == heights[arrow.head]


def test_an_arrow_ends_at_the_box_that_takes_the_value():
    svg = _svg(model_and_loss()[1])[1]
    boxes = {g.get("data-key"): g for g in svg.iter("g") if "box" in g.get("class", "").split()}
    for path in (p for p in svg.iter("path") if p.get("data-tail")):
        numbers = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", path.get("d"))]
        for key, (x, y) in (("data-tail", numbers[:2]), ("data-head", numbers[-2:])):
            g = boxes[path.get(key)]
            rect = g.find("rect")
            dx, dy = abs(x - float(g.get("data-x"))), abs(y - float(g.get("data-y")))
            assert dx <= float(rect.get("width")) / 2 + 2
            assert dy <= float(rect.get("height")) / 2 + 2
