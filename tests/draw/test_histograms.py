from __future__ import annotations

import numpy as np
import pytest
from draw.plotting import png
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp import draw, errors, nn
from tinygrad_bp.draw.scene import nodes_behind
from tinygrad_bp.testing.programs import programs


def _deep():
    """Three layers, called on a batch, with what each of them gave."""
    rng = np.random.default_rng(3)
    model = nn.Sequential(
        nn.Linear(5, 16, generator=rng, dtype=np.float64),
        nn.ReLU(),
        nn.Linear(16, 4, generator=rng, dtype=np.float64),
    )
    x, between = rng.standard_normal((20, 5)), []
    handles = [m.register_forward_hook(lambda m, x, out: between.append(out)) for m in model]
    loss = (model(x) ** 2).mean()
    for handle in handles:
        handle.remove()
    return model, loss, between


def rows(ax):
    """Title, bins and counts (up to a factor) of each row, and the note beside it."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    found = []
    for place, (name, patch, note) in enumerate(zip(names, ax.patches, ax.texts, strict=True)):
        values, edges, _ = patch.get_data()
        found.append((name, edges, np.asarray(values) + place, note.get_text()))
    return found


def proportional(heights, counts):
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max(), atol=1e-12)


def test_activations_are_those_of_the_layers_in_their_order(ax):
    _, loss, between = _deep()
    found = rows(draw.activations(loss, ax=ax))
    assert [row[0] for row in found] == ["0: Linear", "1: ReLU", "2: Linear"]
    for (_, edges, heights, _), out in zip(found, between, strict=True):
        assert edges[0] <= out.data.min() <= out.data.max() <= edges[-1]
        proportional(heights, np.histogram(out.data, edges)[0])
    zeros = np.mean(between[1].data == 0)
    assert [row[3] for row in found] == ["", f"{zeros:.0%} are 0", ""]
    png(ax)


def test_gradients_of_layers_are_those_of_the_backward_pass(ax):
    model, loss, between = _deep()
    found = rows(draw.gradients(loss, ax=ax))
    assert all(p.grad is None for p in model.parameters())
    with tg.record_grads() as tape:
        loss.backward()
    for (_, edges, heights, note), out in zip(found, between, strict=True):
        sizes = np.abs(tape[out].data)
        assert sizes.max() == pytest.approx(edges[-1]) or sizes.max() < edges[-1]
        proportional(heights, np.histogram(sizes[sizes > 0].clip(edges[0], edges[-1]), edges)[0])
        zeros = np.mean(sizes == 0)
        assert note == (f"{zeros:.0%} are 0" if zeros else "")
    assert ax.get_xscale() == "log"
    least = [np.abs(tape[out].data) for out in between]
    below = [np.mean(sizes[sizes > 0] < found[0][1][0]) for sizes in least]
    assert 0 < max(below) <= 0.02


def test_gradients_of_parameters_are_those_that_backward_leaves(ax):
    model, loss, _ = _deep()
    found = rows(draw.gradients(loss, "parameters", ax=ax))
    loss.backward()
    assert [row[0] for row in found] == [name for name, _ in model.named_parameters()]
    for (_, edges, heights, _), p in zip(found, model.parameters(), strict=True):
        sizes = np.abs(p.grad.data)
        proportional(heights, np.histogram(sizes[sizes > 0].clip(edges[0], edges[-1]), edges)[0])
    png(ax)


@settings(max_examples=15)
@given(programs(max_operations=8), st.sampled_from(["activations", "parameters"]))
def test_any_program_has_a_row_for_each_operation_with_axes_and_the_gradients_of_backward(
    program, of
):
    pairs = zip(program.names, program.inputs, strict=True)
    leaves = [tg.Tensor(x, requires_grad=True, name=name) for name, x in pairs]
    loss = program.run(*leaves)
    nodes = [node for node in nodes_behind([loss]) if np.size(node.out) > 1]
    assume(len(nodes) <= 32)  # more are thinned out
    axes = Figure().subplots(1, 2)
    if nodes:
        found = rows(draw.activations(loss, ax=axes[0]))
        assert [row[0] for row in found] == [node.primitive.name for node in nodes]
    if not nodes and of == "activations":
        return
    found = rows(draw.gradients(loss, of, ax=axes[1]))
    with tg.record_grads() as tape:
        loss.backward(retain_graph=True)
    owners = [node.primitive.as_tensor(node.out, node) for node in nodes]
    owners = owners if of == "activations" else [leaf for leaf in leaves if leaf.grad is not None]
    ends = [np.abs(tape[t].data) for t in owners]
    assert sorted(row[3] for row in found) == sorted(
        f"{np.mean(sizes == 0):.0%} are 0" if np.any(sizes == 0) else "" for sizes in ends
    )
    assert max(row[1][-1] for row in found) >= max(np.max(sizes) for sizes in ends)


class _Block(nn.Module):
    def __init__(self):
        self.inner = nn.Linear(4, 4, generator=0)

    def forward(self, x):
        return self.inner(x) + x


def test_a_reused_layer_has_a_row_for_each_call_and_an_outer_module_says_what_it_did(ax):
    block = _Block()
    out = block(block(np.ones((3, 4), np.float32)))
    names = [row[0] for row in rows(draw.activations(out, ax=ax))]
    assert names == ["inner: Linear", "_Block (add)"] * 2


def test_without_modules_every_operation_has_a_row_and_too_many_are_thinned_out(ax):
    x = tg.Tensor(np.linspace(-1, 1, 7), requires_grad=True, name="x")
    assert [row[0] for row in rows(draw.activations(np.sin(x) * x, ax=ax))] == ["sin", "multiply"]
    for _ in range(100):
        x = np.sin(x)
    ax.clear()
    assert len(rows(draw.activations(x, ax=ax))) == 32
    assert ax.get_title() == "32 of 100 layers"
    np.testing.assert_array_equal(ax.patches[-1].get_data()[0] + 31 > 0, _filled(ax, x.data))


def _filled(ax, values):
    return np.histogram(values, ax.patches[-1].get_data()[1])[0] > 0


def test_what_is_not_finite_is_counted_and_what_is_all_zero_is_said(ax):
    x = tg.Tensor([0.0, 1.0, -1.0], requires_grad=True)
    with np.errstate(all="ignore"):
        y = np.log(x)
    assert rows(draw.activations(y, ax=ax))[0][3] == "33% are 0, 2 not finite"
    ax.clear()
    zero = (x * 0.0).sum()
    assert rows(draw.gradients(zero, "parameters", ax=ax))[0][3] == "100% are 0"
    ax.clear()
    assert rows(draw.activations(x * np.zeros(3), ax=ax))[0][3] == "100% are 0"
    png(ax)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["<b>", "$x$", "$\\frac", "a\nb", "\0", "名"])
def test_names_are_shown_as_they_are(name, ax):
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name=name)
    draw.gradients((x * x).sum(), "parameters", ax=ax)
    png(ax)
    (label,) = ax.get_yticklabels()
    assert label.get_text() == {"a\nb": "a\\nb", "\0": "\\x00"}.get(name, name)
    assert not label.get_parse_math()


def test_gradients_are_those_of_one_number():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(errors.ShapeError) as caught:
        draw.gradients(x * x)
    told(caught, "(2,)", here(-1), fix="sum()")


def test_other_mistakes_are_errors_that_say_so():
    x = tg.Tensor(2.0, requires_grad=True)
    with pytest.raises(errors.ArgumentError, match="'weights'"):
        draw.gradients(x * x, "weights")
    with pytest.raises(errors.ArgumentError) as caught:
        draw.activations(x * x)
    told(caught, "no layer", here(-1), fix="the loss of a network")
    with pytest.raises(errors.GraphError, match="no graph to draw"):
        draw.activations(tg.Tensor([1.0, 2.0]))
    loss = x * x
    loss.backward()
    with pytest.raises(errors.GraphError, match="was freed"):
        draw.gradients(loss)
