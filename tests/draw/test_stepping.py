"""What a page tells, without a browser: its names, its numbers, and its steps."""

from __future__ import annotations

import base64
import json
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.draw import explain, page
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.derivation.mathml import mathml
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.draw.stepping import MOST, _json
from tinygrad_bp.draw.stepping.layout import picture
from tinygrad_bp.draw.stepping.naming import names, symbol_of
from tinygrad_bp.draw.stepping.numbers import Store, rounded
from tinygrad_bp.draw.stepping.samples import batched
from tinygrad_bp.draw.stepping.story import Story
from tinygrad_bp.testing.programs import programs


def _story(loss, **options):
    scene = read([loss], each=True)
    found = pull_back([loss])
    story = Story(scene, found, names(nodes_behind([loss])), **options)
    return story, story.data(), found


def _perceptron(n=4, sizes=(3, 4, 2)):
    rng = np.random.default_rng(0)
    a, b, c = sizes
    model = nn.Sequential(nn.Linear(a, b, generator=0), nn.Tanh(), nn.Linear(b, c, generator=1))
    x = rng.normal(size=(n, a)).astype(np.float32)
    return model, nn.functional.cross_entropy(model(x), np.arange(n) % c)


# Names


def test_values_have_the_names_of_the_derivation():
    _, loss = _perceptron()
    scene, derivation = read([loss], each=True), explain(loss)
    naming = names(nodes_behind([loss]))
    shown = {symbol_of(naming, box).latex() for box in scene.boxes.values()}
    assert shown == {q.symbol for q in derivation.quantities}
    assert {"W^{1}", "b^{2}", "z^{1}", "a^{1}", "x", "y"} < shown
    _, data, _ = _story(loss)
    bars = {mathml(q.bar) for q in derivation.quantities if q.bar}
    assert {b["bar"] for b in data["boxes"].values() if "bar" in b} == bars


def test_formulas_hold_no_links_and_what_is_no_latex_is_shown_as_it_is():
    assert "javascript" not in mathml(r"\href{javascript:alert(1)}{x}")
    assert mathml(r"\frac{") == r"<math><mtext>\frac{</mtext></math>"
    assert "<script" not in mathml(r"\text{<script>}")


# Samples


def test_rows_of_samples_are_found_by_what_they_do():
    scene = read([_perceptron()[1]], each=True)
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


# Numbers


@pytest.mark.parametrize(
    "array",
    [
        np.float64(2 / 3),
        np.array([[1.0, np.nan], [-np.inf, 1e-9]]),
        np.array([True, False]),
        np.array([2**40, 3]),
        np.zeros((0, 3)),
        np.arange(5, dtype=np.float32),
    ],
)
def test_small_arrays_are_there_in_full(array):
    store = Store(0, None, 1024)
    entry = store.entries[store.add(array)]
    assert entry["shape"] == list(np.shape(array))
    shown = np.array(json.loads(_json(entry["all"])), dtype=object).astype(np.float64)
    np.testing.assert_allclose(shown.reshape(np.shape(array)), np.float64(array), rtol=5e-4)
    bad = int(np.size(array) - np.count_nonzero(np.isfinite(array)))
    assert entry.get("bad", 0) == bad


@given(scale=st.floats(1e-300, 1e300), n=st.integers(65, 200))
def test_large_arrays_are_summed_up_and_coloured(scale, n):
    array = np.sin(np.arange(float(n))) * scale
    store = Store(0, None, 1024)
    entry = store.entries[store.add(array)]
    assert entry["low"] == rounded(float(array.min()))
    assert entry["high"] == rounded(float(array.max()))
    assert entry["norm"] == rounded(float(np.linalg.norm(array / scale) * scale))
    levels = np.frombuffer(base64.b64decode(entry["map"]["b"]), np.uint8)[:n].astype(float)
    assert np.abs((levels - 128) / 126 - array / np.abs(array).max()).max() <= 0.5 / 126 + 1e-6


def test_what_is_not_finite_and_what_is_not_there_have_levels_of_their_own():
    array = np.ones(70)
    array[3] = np.nan
    store = Store(0, None, 1024)
    entry = store.entries[store.add(array)]
    levels = np.frombuffer(base64.b64decode(entry["map"]["b"]), np.uint8)
    assert levels[3] == 1
    assert (levels[70:] == 0).all()
    assert len(levels) == 96


def test_arrays_of_one_number_have_no_colours_and_complex_ones_absolute_values():
    store = Store(0, None, 1024)
    entry = store.entries[store.add(np.zeros((20, 20)))]
    assert "map" not in entry
    assert (entry["low"], entry["high"]) == (0, 0)
    entry = store.entries[store.add(np.array([3 + 4j]))]
    assert (entry["all"], entry["what"]) == ([5], "absolute values")


def test_images_are_shown_as_such():
    images = np.arange(3 * 64.0).reshape(3, 64)
    store = Store(3, (8, 8), 1024)
    entry = store.entries[store.add(images, rows=True, leaf=True, grey=True)]
    assert entry["map"]["words"] == "rows 0 to 2 of 3, as images"
    one = entry["each"][1]["map"]
    levels = np.frombuffer(base64.b64decode(one["b"]), np.uint8).reshape(8, one["w"])
    assert levels[0, 0] == 2
    assert levels[-1, -1] == 254
    assert (one["low"], one["high"]) == (64, 127)


def test_what_a_layer_of_as_many_units_puts_out_is_no_image():
    model = nn.Sequential(nn.Linear(64, 64, generator=0), nn.Tanh(), nn.Linear(64, 2, generator=1))
    x = np.random.default_rng(0).random((5, 64))
    _, data, _ = _story((model(x) ** 2).sum(), image_shape=(8, 8))

    def is_image(index):
        return data["values"][index].get("map", {}).get("words", "").endswith("as images")

    boxes = data["boxes"].values()
    shown = {b["name"] for b in boxes if is_image(b["value"])}
    assert shown == {"constant", "0.weight", "2.weight"}
    shown = {b["name"] for b in boxes if "gradient" in b and is_image(b["gradient"])}
    assert shown == {"0.weight", "2.weight"}
    sent = [part for s in data["steps"] if s["phase"] == "backward" for part in s["sent"]]
    images = {data["boxes"][part["to"]]["name"] for part in sent if is_image(part["value"])}
    assert images == {"0.weight", "2.weight"}


# Steps


def _value(story, data, index):
    """The array behind a number of the page: what the store was given."""
    return story.store._kept[index], data["values"][index]


@settings(max_examples=25)
@given(programs(max_operations=6))
def test_every_operation_has_its_steps_with_the_numbers_of_the_graph(program):
    loss = program.run(*[tg.Tensor(x, requires_grad=True) for x in program.inputs])
    if not isinstance(loss, tg.Tensor) or loss.node is None:
        return
    story, data, found = _story(loss)
    json.loads(_json(data))
    nodes = nodes_behind([loss])
    forward = [s for s in data["steps"] if s["phase"] == "forward"]
    backward = [s for s in data["steps"] if s["phase"] == "backward"]
    assert [s["box"] for s in forward] == [f"n{k}" for k in range(1, len(nodes) + 1)]
    assert len(backward) == len(found.visited)
    formulas = [s["formula"] for s in forward]
    formulas += [part["formula"] for s in backward for part in s["sent"]]
    assert not [text for text in formulas if text.startswith("<math><mtext>")]
    for step in forward:
        box = story.scene.boxes[step["box"]]
        array, _ = _value(story, data, data["boxes"][step["box"]]["value"])
        np.testing.assert_array_equal(array, box.node.out)
        assert len(step["inputs"]) == len(box.node.sources)
    totals = {}
    for step in backward:
        gradient, _ = _value(story, data, data["boxes"][step["box"]]["gradient"])
        if step["box"] in totals:  # complete before its turn comes
            np.testing.assert_allclose(totals[step["box"]], gradient, rtol=1e-9, atol=1e-300)
        for part in step["sent"]:
            array, _ = _value(story, data, part["value"])
            to = part["to"]
            totals[to] = totals[to] + array if to in totals else array
            if part["nth"] > 1:
                shown, _ = _value(story, data, part["total"])
                np.testing.assert_allclose(shown, totals[to], rtol=1e-9, atol=1e-300)
    loss.backward()
    for key, box in story.scene.boxes.items():
        if box.tensor is not None and box.tensor.grad is not None:
            array, _ = _value(story, data, data["boxes"][key]["gradient"])
            np.testing.assert_allclose(array, box.tensor.grad.data, rtol=1e-9, atol=1e-300)


def test_paths_that_meet_are_counted_and_added_up():
    x = tg.Tensor(3.0, requires_grad=True, name="x")
    _, data, _ = _story(x * x + x)
    sent = [part for s in data["steps"] if s["phase"] == "backward" for part in s["sent"]]
    to_x = [part for part in sent if part["to"] == "v1"]
    assert [(part["nth"], part["paths"]) for part in to_x] == [(1, 3), (2, 3), (3, 3)]
    assert [data["values"][part["value"]]["all"] for part in to_x] == [1, 3, 3]
    assert [data["values"][part["total"]]["all"] for part in to_x[1:]] == [4, 7]


def test_what_was_broadcast_is_said_to_be_summed():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    _, data, _ = _story(np.sum(np.ones((3, 2)) * (x - 1.0) + x))
    (last,) = [s for s in data["steps"] if s["phase"] == "backward" and s["box"] == "n3"]
    assert "\N{N-ARY SUMMATION}" in last["sent"][1]["formula"]
    assert data["values"][data["boxes"]["v1"]["gradient"]]["all"] == [6, 6]


def test_a_tape_gives_the_gradients_of_a_pass_with_its_hooks(tmp_path):
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = x * 3.0
    h.register_hook(lambda g: g * 10.0)
    y = h * h
    with tg.record_grads() as tape:
        y.backward(np.array([1.0, 1.0]), retain_graph=True)
    scene = read([y], each=True)
    data = Story(scene, pull_back([y], tape), names(nodes_behind([y]))).data()
    assert data["values"][data["boxes"]["n1"]["gradient"]]["all"] == [60, 120]
    assert data["values"][data["boxes"]["v1"]["gradient"]]["all"] == [180, 360]
    assert page(y, tmp_path / "a.html", tape=tape).exists()
    with pytest.raises(errors.ShapeError, match="needs a gradient"):
        page(y, tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


# The file


def test_the_same_graph_gives_the_same_bytes_and_nothing_of_it_changes(tmp_path):
    pages = []
    for k in range(2):
        model, loss = _perceptron()
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
    model, loss = _perceptron()
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
    _, loss = _perceptron()
    svg = _svg(loss * 0.5)[1]
    scene = read([loss * 0.5], each=True)
    heights = {g.get("data-key"): g.get("data-y") for g in svg.iter("g") if g.get("data-h")}
    for arrow in scene.arrows:
        if scene.boxes[arrow.tail].role == "parameter" or scene.boxes[arrow.tail].title == "0.5":
            assert heights[arrow.tail] == heights[arrow.head]


def test_an_arrow_ends_at_the_box_that_takes_the_value():
    svg = _svg(_perceptron()[1])[1]
    boxes = {g.get("data-key"): g for g in svg.iter("g") if "box" in g.get("class", "").split()}
    for path in (p for p in svg.iter("path") if p.get("data-tail")):
        numbers = [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", path.get("d"))]
        for key, (x, y) in (("data-tail", numbers[:2]), ("data-head", numbers[-2:])):
            g = boxes[path.get(key)]
            rect = g.find("rect")
            dx, dy = abs(x - float(g.get("data-x"))), abs(y - float(g.get("data-y")))
            assert dx <= float(rect.get("width")) / 2 + 2
            assert dy <= float(rect.get("height")) / 2 + 2
