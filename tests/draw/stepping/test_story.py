"""What a page tells, without a browser: its names, its numbers, and its steps."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from draw.stepping.networks import model_and_loss
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import explain, page
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.derivation.mathml import mathml
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.draw.stepping import _json
from tinygrad_bp.draw.stepping.naming import names, symbol_of
from tinygrad_bp.draw.stepping.numbers import Store, rounded
from tinygrad_bp.draw.stepping.story import Story
from tinygrad_bp.testing.programs import programs


def _story(loss, **options):
    scene = read([loss], each=True)
    found = pull_back([loss])
    story = Story(scene, found, names(nodes_behind([loss])), **options)
    return story, story.data(), found


# Names


def test_values_have_the_names_of_the_derivation():
    _, loss = model_and_loss()
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
