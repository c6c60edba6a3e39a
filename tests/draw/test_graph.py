from __future__ import annotations

import json
import subprocess
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.reading import read
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.testing.programs import programs


def _plain(source: str, *options: str) -> list[list[str]]:
    """What `dot` itself reads out of DOT text, as fields of its line format."""
    done = subprocess.run(
        ["dot", "-Tplain", *options], input=source, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()]


def _perceptron():
    model = nn.Sequential(nn.Linear(4, 3, generator=0), nn.ReLU(), nn.Linear(3, 2, generator=1))
    return model, model(np.ones((5, 4), np.float32))


def test_the_text_of_a_small_graph():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    lines = [line.strip() for line in draw((x * x + 3.0).sum()).source.splitlines()]
    nodes = {line.split(" ", 1)[0]: line for line in lines if " [label=" in line}
    assert "<B>multiply</B>" in nodes["n1"]
    assert "(2,) float64" in nodes["n1"]
    assert "<B>x</B>" in nodes["v1"]
    assert "label=<<B>3.0</B>>" in nodes["v2"]
    assert 'peripheries="2"' in nodes["n3"]
    assert [line for line in lines if "->" in line] == [
        'v1 -> n1 [weight="4" headlabel="0"]',
        'v1 -> n1 [weight="4" headlabel="1"]',
        'n1 -> n2 [weight="4" headlabel="0"]',
        'v2 -> n2 [headlabel="1"]',
        'n2 -> n3 [weight="4"]',
    ]


def test_the_same_graph_gives_the_same_text():
    texts = {draw(_perceptron()[1]).source for _ in range(3)}
    assert len(texts) == 1


def _parsed(sources):
    """What `dot` reads out of several texts, as data: one start of the program for all."""
    done = subprocess.run(
        ["dot", "-Tjson"], input="\n".join(sources), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    graphs, decoder, rest = [], json.JSONDecoder(), done.stdout.strip()
    while rest:
        graph, end = decoder.raw_decode(rest)
        graphs.append(graph)
        rest = rest[end:].strip()
    return graphs


@settings(max_examples=15)
@given(programs(max_operations=10), st.sampled_from([150, 4]))
def test_dot_reads_each_box_once_and_each_arrow_in_its_order(program, budget):
    names = zip(program.names, program.inputs, strict=True)
    loss = program.run(*[tg.Tensor(x, requires_grad=True, name=name) for name, x in names])
    pictures = [draw(loss, level=level) for level in ("module", "operation", "full")]
    pictures += [draw(loss, budget=budget, theme="dark", legend=True), draw(loss, budget=None)]
    for picture, graph in zip(pictures, _parsed([p.source for p in pictures]), strict=True):
        objects = {o["_gvid"]: o["name"] for o in graph["objects"]}
        boxes = [name for name in objects.values() if not name.startswith(("cluster", "legend"))]
        assert sorted(boxes) == sorted(picture.scene.boxes)
        edges = [
            (objects[e["tail"]], objects[e["head"]], e.get("headlabel", ""))
            for e in graph["edges"]
            if e.get("style") != "invis"
        ]
        assert Counter(edges) == Counter(
            (a.tail, a.head, "" if a.position is None else str(a.position))
            for a in picture.scene.arrows
        )


def test_modules_are_frames_and_parameters_carry_their_dotted_names():
    _, out = _perceptron()
    source = draw(out).source
    assert "label=<0: Linear>" in source
    assert "label=<Sequential>" in source
    assert "<B>2.weight</B>" in source
    assert source.count("subgraph cluster") == 4


def test_each_call_of_a_module_has_a_frame_of_its_own_whatever_switches_are_thrown_within():
    class Switching(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(3, 3, generator=0)

        def forward(self, x):
            y = self.inner(x)
            with tg.enable_grad():
                y = np.tanh(y)
            with tg.detect_anomaly():
                return self.inner(y) * 2.0

    frames = read([Switching()(np.ones((2, 3), np.float32))]).frames
    assert [f.title for f in frames.values()] == ["Switching", "inner: Linear", "inner: Linear"]
    assert [f.parent for f in frames.values()] == ["", "c1", "c1"]


@given(name=st.text(min_size=1, max_size=12))
def test_any_name_survives(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    source = draw(x * 2.0).source
    done = subprocess.run(
        ["dot", "-Tjson"], input=source, capture_output=True, text=True, check=True
    )
    objects = json.loads(done.stdout)["objects"]
    (leaf,) = [o for o in objects if o["name"] == "v1"]
    texts = [piece["text"] for piece in leaf["_ldraw_"] if piece["op"] == "T"]
    assert texts[-1] == "() float64"
    assert "".join(texts[:-1]).strip() == shown.strip()


@pytest.mark.parametrize(
    "name", ["<lambda>", "<b>bold</b>", "a\\N", '"', "&amp;", "a|b{c}", "\x00"]
)
def test_names_that_mean_something_in_dot_or_html_are_shown_as_they_are(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    assert _plain(draw(x * 2.0).source)


@settings(max_examples=15)
@given(st.text(min_size=1, max_size=8).filter(lambda name: "." not in name))
def test_any_name_of_a_module_survives(name):
    model = nn.Sequential({name: nn.Linear(2, 2, generator=0)})
    pictures = [draw(model, np.ones(2, np.float32)), draw(model)]
    graph, tree = _parsed([picture.source for picture in pictures])
    texts = [
        "".join(piece["text"] for piece in o.get("_ldraw_", ()) if piece["op"] == "T")
        for o in graph["objects"] + tree["objects"]
    ]
    shown = "".join(printable(f"{name}: Linear").split())
    assert [shown in "".join(text.split()) for text in texts].count(True) == 2


def test_shapes_stand_beside_arrows_along_which_they_change():
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    w = tg.Tensor(np.ones(3), requires_grad=True, name="w")
    picture = draw(np.sin(x * w).sum(), shapes=True)
    assert [(a.tail, a.head, a.label) for a in picture.scene.arrows] == [
        ("v1", "n1", ""), ("v2", "n1", "(3,)"), ("n1", "n2", ""), ("n2", "n3", "(2, 3)"),
    ]  # fmt: skip
    graph = _parsed([picture.source])[0]
    texts = [e["_ldraw_"][-1]["text"].strip("\xa0") for e in graph["edges"] if "_ldraw_" in e]
    assert texts == ["1: (3,)", "(2, 3)"]


def test_several_outputs_share_one_picture():
    x = tg.Tensor(1.0, requires_grad=True)
    hidden = x * 2.0
    source = draw(hidden + 1.0, hidden * 3.0).source
    assert source.count("peripheries") == 2


def test_a_graph_that_was_freed_is_an_error_with_the_way_out():
    x = tg.Tensor(1.0, requires_grad=True)
    y = x * 2.0
    y.backward()
    with pytest.raises(
        errors.GraphError, match=r"freed .*test_graph.py:\d+.*\n.*retain_graph=True"
    ):
        draw(y)


def test_nothing_is_no_picture():
    with pytest.raises(errors.GraphError, match=r"nothing to draw \(at test_graph.py:\d+\)"):
        draw()


@pytest.mark.parametrize("nothing", [tg.Tensor(1.0), 3.0])
def test_a_constant_has_no_graph(nothing):
    with pytest.raises(errors.GraphError, match="there is no graph to draw"):
        draw(nothing)


def test_a_chain_of_3000_operations_is_read_without_recursion():
    y = tg.Tensor(1.0, requires_grad=True)
    for _ in range(3000):
        y = y + 1.0
    assert draw(y, budget=None).source.count("label=") >= 3000


def test_the_room_itself_draws():
    x = tg.Tensor(1.0, requires_grad=True)
    y = x * 2.0
    assert tg.draw(y).source == draw(y).source
    assert tg.draw.save is not None
