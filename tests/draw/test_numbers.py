"""The numbers in pictures are those of the tensors."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tinygrad_bp as tg
from tinygrad_bp import nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.backward import pull_back
from tinygrad_bp.draw.numbers import IN_FULL, add_widths, along_arrows, in_figures, sizes
from tinygrad_bp.draw.reading import read
from tinygrad_bp.testing.programs import programs

FLOATS = arrays.arrays(
    st.sampled_from([np.float32, np.float64]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    elements=st.floats(width=32),
)
CLOSE = {"rtol": 6e-4}  # of four digits


def numbers_in(text):
    """The numbers written in a text."""
    found = re.findall(r"nan|-?inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?", text)
    return [float(x) for x in found]


@given(FLOATS)
def test_small_arrays_are_there_in_full_and_large_ones_as_range_mean_and_norm(array):
    lines = in_figures(array)
    if array.size <= IN_FULL:
        assert len(lines) == 1
        np.testing.assert_allclose(numbers_in(lines[0]), array.ravel(), **CLOSE)
        assert lines[0].count("[") == lines[0].count("]")
    elif not np.isfinite(array).any():
        assert lines == ("no finite number",)
    elif lines[0].startswith("all "):
        np.testing.assert_allclose(array, numbers_in(lines[0])[0], **CLOSE)
    else:
        finite = array[np.isfinite(array)].astype(np.float64)
        low, high, mean, norm = numbers_in(" ".join(lines))
        np.testing.assert_allclose([low, high], [finite.min(), finite.max()], **CLOSE)
        scale = np.abs(finite).max()
        np.testing.assert_allclose(mean, finite.mean(), rtol=6e-4, atol=1e-12 * scale)
        np.testing.assert_allclose(norm, np.linalg.norm(finite), **CLOSE)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_norms_neither_overflow_nor_underflow(scale):
    found = sizes(np.array([3.0, -4.0, np.nan, np.inf]) * scale)
    assert found.norm == pytest.approx(5 * scale, rel=1e-3)
    assert (found.low, found.high) == (-4 * scale, 3 * scale)
    assert found.mean == pytest.approx(-0.5 * scale, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (np.float32(0.1), ("0.1",)),
        (np.array([-0.0, 0.0]), ("[0, 0]",)),
        (np.full((3, 3), -2.5), ("all -2.5",)),
        (np.append(np.ones(9), np.nan), ("1 … 1", "mean 1, norm 3")),
        (np.zeros((0, 2)), ("[]",)),
        (np.array([[True, False]]), ("[[true, false]]",)),
        (np.arange(12), ("0 … 11", "mean 5.5, norm 22.49")),
        (np.array([2**60, -1]), ("[1.153e+18, -1]",)),
        (np.full(8, 3 + 4j), ("norm 14.14",)),
        (np.array([1 + 2j]), ("[1+2j]",)),
    ],
)
def test_whole_numbers_truth_and_complex_numbers(value, lines):
    assert in_figures(value) == lines


@given(programs(max_operations=8))
def test_every_box_has_the_value_and_the_gradient_of_its_tensor(program):
    leaves = [tg.Tensor(x, requires_grad=True) for x in program.inputs]
    loss = program.run(*leaves)
    scene = draw(loss, values=True, gradients=True, budget=None).scene
    with tg.record_grads() as tape:
        loss.backward(retain_graph=True)
    boxes = [box for box in scene.boxes.values() if box.nodes or box.tensor is not None]
    assert len({id(box.tensor) for box in boxes} & set(map(id, leaves))) == len(leaves)
    for box in boxes:
        if not box.nodes and not box.tensor.requires_grad and box.tensor.ndim == 0:
            assert float(box.title) == box.tensor.item()  # a number says itself what it is
            continue
        assert box.numbers == in_figures(box.node.out if box.nodes else box.tensor.data)
        t = box.node.primitive.as_tensor(box.node.out, box.node) if box.nodes else box.tensor
        try:
            expected = in_figures(tape[t].data)
        except tg.errors.GraphError:
            expected = None
        if expected is None:
            assert not box.gradient
        else:
            assert box.gradient == (f"grad {expected[0]}", *expected[1:])


@given(programs(max_operations=8))
def test_widths_are_logarithms_of_the_norms_that_the_rules_send(program):
    loss = program.run(*[tg.Tensor(x, requires_grad=True) for x in program.inputs])
    scene, found = read([loss]), pull_back([loss])
    add_widths(scene, found)
    flows = along_arrows(scene, found)
    assert len(flows) == len(found.parts)
    norms = {k: sizes(np.asarray(g)).norm for k, g in flows.items()}
    largest = max(norm for norm in norms.values() if not math.isnan(norm))
    for k, arrow in enumerate(scene.arrows):
        if k not in flows or not largest or math.isnan(norms[k]):  # of no elements
            assert arrow.width is None
        elif arrow.width > 0:
            assert largest * 10 ** (3 * (arrow.width - 1)) == pytest.approx(norms[k])
        else:
            assert norms[k] <= largest * 1.001e-3
    if largest:
        assert f"{largest:.2g} for the widest" in " ".join(scene.signs)


def test_gradients_of_a_network_folded_into_modules_are_what_flows_between_them():
    model = nn.Sequential(nn.Linear(4, 3, generator=0), nn.ReLU(), nn.Linear(3, 1, generator=1))
    loss = np.sum(model(np.ones((5, 4), np.float32)))
    scene = draw(loss, level="module", values=True, gradients=True).scene
    found = pull_back([loss])
    boxes = {box.title: box for box in scene.boxes.values()}
    hidden = boxes["1: ReLU"]
    assert hidden.numbers == in_figures(hidden.nodes[-1].out)
    first, *rest = in_figures(found.of(hidden.nodes[-1]))
    assert hidden.gradient == (f"grad {first}", *rest)
    ways = {(a.tail, a.head): a.width for a in scene.arrows}
    assert ways[boxes["0: Linear"].key, hidden.key] is not None


def test_what_is_repeated_says_how_large_the_first_and_the_last_is():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    out = x
    values = []
    for _ in range(200):
        out = np.sin(out) * 0.5
        values.append(out)
    loss = out.sum()
    scene, found = draw(loss, values=True, gradients=True, budget=20).scene, pull_back([loss])
    (box,) = [box for box in scene.boxes.values() if box.title == "multiply"]
    assert list(box.nodes) == [v.node for v in values]
    for text, first, last in (
        (*box.numbers, values[0].data, values[-1].data),
        (*box.gradient, found.of(values[0]), found.of(values[-1])),
    ):
        assert "in the first" in text
        np.testing.assert_allclose(numbers_in(text), np.linalg.norm([first, last], axis=1), **CLOSE)
    for arrow in scene.arrows:
        assert (arrow.width is None) == (len(scene.boxes[arrow.head].nodes) > 1)


def test_a_gradient_of_nothing_but_zeros_gives_no_widths():
    x = tg.Tensor([-1.0, -2.0], requires_grad=True)
    loss = np.maximum(x, 0.0).sum() * 0.0
    scene, found = read([loss]), pull_back([loss])
    for part in found.parts[1:]:
        assert not np.any(part.value)
    add_widths(scene, found)
    assert [arrow.width for arrow in scene.arrows if arrow.width] == []


def test_numbers_that_are_titles_are_not_written_twice():
    x = tg.Tensor(2.0, requires_grad=True, name="x")
    boxes = {box.title: box for box in draw(x * 0.25, values=True).scene.boxes.values()}
    assert boxes["0.25"].numbers == ()
    assert boxes["x"].numbers == ("2",)
    assert boxes["multiply"].numbers == ("0.5",)


def test_numbers_are_not_there_unless_asked_for():
    x = tg.Tensor(2.0, requires_grad=True)
    for box in draw(x * x).scene.boxes.values():
        assert box.numbers == box.gradient == box.marks == ()
    assert math.isclose(float(draw(x * x, values=True).scene.boxes["n1"].numbers[0]), 4.0)
