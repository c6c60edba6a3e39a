"""Mermaid: the same boxes, arrows and frames, and nothing in a name that means something to it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from draw.networks import Deep, expression, perceptron, samples
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp.draw import draw
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.draw.themes import theme_named
from tinygrad_bp.testing.programs import programs

BOX = re.compile(r'^ *(\w+)(?:\(\[|\[\[|\(|\[|>)"(.*)"(?:\]\)|\]\]|\)|\]):::\w+$')
ARROW = re.compile(r'^ *(\w+) (?:-->|-\.->|-\.-|---)(?:\|"([^"]*)"\|)? (\w+)$')
FRAME = re.compile(r'^ *subgraph (\w+)\["([^"]*)"\]$')
OTHER = re.compile(
    r"^(%%\{init.*\}%%|flowchart (TB|RL)| *end| *classDef .*| *style .*| *linkStyle .*)$"
)


def parsed(text):
    """Boxes, arrows and frames, of a text in which every line is one of these."""
    boxes, arrows, frames = {}, [], {}
    for line in text.splitlines():
        if box := BOX.match(line):
            assert box[1] not in boxes
            boxes[box[1]] = box[2]
        elif arrow := ARROW.match(line):
            arrows.append((arrow[1], arrow[3], arrow[2] or ""))
        elif frame := FRAME.match(line):
            frames[frame[1]] = frame[2]
        else:
            assert OTHER.match(line), line
    assert sum(line.strip() == "end" for line in text.splitlines()) == len(frames)
    return boxes, arrows, frames


def decoded(text):
    """What Mermaid shows for its entity codes."""
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


def check(picture):
    boxes, arrows, frames = parsed(picture.mermaid())
    scene = picture.scene
    assert boxes.keys() == scene.boxes.keys()
    expected = [(a.tail, a.head, "" if a.position is None else str(a.position))
                for a in scene.arrows]  # fmt: skip
    assert Counter(arrows) == Counter(expected)
    assert {k: decoded(title) for k, title in frames.items()} == {
        key: printable(frame.title) for key, frame in scene.frames.items()
    }
    for key, text in boxes.items():
        box, (title, *lines) = scene.boxes[key], text.split("<br/>")
        assert decoded(title) == f"<b>{printable(box.title)}</b>"
        assert [decoded(line) for line in lines] == [*box.lines, *box.marks]


@given(programs(max_operations=10), st.sampled_from([None, 150, 4]))
def test_boxes_and_arrows_are_those_of_the_scene(program, budget):
    names = zip(program.names, program.inputs, strict=True)
    loss = program.run(*[tg.Tensor(x, requires_grad=True, name=name) for name, x in names])
    check(draw(loss, budget=budget))


@pytest.mark.parametrize("level", ["module", "operation", "full"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_networks(level, theme):
    check(draw(perceptron(), level=level, theme=theme))
    check(draw(Deep()(samples()), level=level, theme=theme))


def test_arrows_back_have_their_line_and_colour():
    lines = draw(expression(), backward="over").mermaid().splitlines()
    arrows = [line for line in lines if ARROW.match(line)]
    back = [k for k, line in enumerate(arrows) if "-.->" in line]
    assert len(back) == len(arrows) // 2
    color = theme_named("light").states["backward"]["color"]
    assert [line.strip() for line in lines if "linkStyle" in line] == [
        f"linkStyle {k} stroke:{color}" for k in back
    ]


def test_modules():
    picture = draw(Deep())
    check(picture)
    assert picture.mermaid().splitlines()[1] == "flowchart RL"


@given(st.text(min_size=1, max_size=12))
def test_any_name_survives(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    boxes, _, _ = parsed(draw(x * 2.0).mermaid())
    assert decoded(boxes["v1"].split("<br/>")[0]) == f"<b>{printable(name)}</b>"


@pytest.mark.parametrize("name", ['"', "#quot;", "</b><script>", "`x`", "a]:::x", "1. a", "- a",
                                  "_a_", "**a**", "end", "%%{init}%%", "a;b", "\\"])  # fmt: skip
def test_what_means_something_is_written_as_a_code(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    text = draw(x * 2.0).mermaid()
    (line,) = [line for line in text.splitlines() if line.strip().startswith("v1(")]
    inside = line.split('"<b>', 1)[1].split("</b><br/>")[0]
    assert not re.search(r"[^\w\s(),:=/.#;-]|#(?!\d+;)|^\d+\. |^-|^_|_$", inside)
    assert decoded(inside) == name
