from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_bp as tg
from tinygrad_bp import errors, nn
from tinygrad_bp.draw import draw, save
from tinygrad_bp.draw.scene import printable
from tinygrad_bp.train.build import example_loss
from tinygrad_bp.train.recipe import load_recipe


@pytest.fixture
def picture():
    return draw(tg.Tensor(1.0, requires_grad=True) * 2.0)


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        ("svg", b"<?xml"),
        ("png", b"\x89PNG"),
        ("pdf", b"%PDF"),
        ("dot", b"digraph"),
        ("mmd", b"%%{init"),
        ("txt", b"n1 = multiply"),
    ],
)
def test_a_picture_is_written_in_the_format_of_its_name(ending, start, picture, tmp_path):
    path = save(picture, tmp_path / f"graph.{ending}")
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [f"graph.{ending}"]


def test_another_ending_names_the_ones_there_are(picture, tmp_path):
    with pytest.raises(errors.ArgumentError, match="did you mean 'svg'"):
        save(picture, tmp_path / "graph.svgg")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def no_graphviz(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_the_error_names_the_commands_and_text_still_works(picture, tmp_path):
    with pytest.raises(
        errors.MissingExtraError, match=r"apt install graphviz .*tinygrad-bp\[draw\]"
    ):
        save(picture, tmp_path / "graph.svg")
    assert not list(tmp_path.iterdir())
    assert save(picture, tmp_path / "graph.dot").read_text() == picture.source
    assert save(picture, tmp_path / "graph.mmd").read_text() == picture.mermaid()
    assert save(picture, tmp_path / "graph.txt").read_text() == picture.text()


def test_jupyter_shows_svg_and_the_text_beside_it(picture):
    bundle = picture._repr_mimebundle_()
    assert bundle == {"image/svg+xml": picture.svg(), "text/plain": picture.text()}
    assert ElementTree.fromstring(bundle["image/svg+xml"]).tag.endswith("svg")
    assert picture._repr_mimebundle_(exclude={"text/plain"}).keys() == {"image/svg+xml"}
    assert picture._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}


@pytest.mark.usefixtures("no_graphviz")
def test_jupyter_shows_text_where_there_is_no_graphviz(picture):
    assert picture._repr_mimebundle_() == {"text/plain": picture.text()}


def test_pygraphviz_takes_the_place_of_the_program(picture, tmp_path, monkeypatch):
    asked = []

    class AGraph:
        def __init__(self, string):
            self.source = string

        def draw(self, format, prog, args):
            asked.append((self.source, format, prog, args))
            return b"laid out"

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", SimpleNamespace(AGraph=AGraph))
    assert save(picture, tmp_path / "a.svg").read_bytes() == b"laid out"
    assert save(picture, tmp_path / "a.png").read_bytes() == b"laid out"
    assert asked == [
        (picture.source, "svg", "dot", ""),
        (picture.source, "png", "dot", "-Gdpi=144"),
    ]


def test_what_graphviz_cannot_read_is_an_error_and_no_file(picture, tmp_path):
    picture.body.append("{{{")
    with pytest.raises(errors.OutputError, match=r"could not lay the picture out: .*syntax error"):
        save(picture, tmp_path / "graph.svg")
    assert not list(tmp_path.iterdir())


@given(st.text(min_size=1, max_size=8))
@settings(max_examples=10)
def test_what_a_pointer_finds_in_svg_says_what_it_is(name):
    x = tg.Tensor(1.0, requires_grad=True, name=name)
    picture = draw(nn.Sequential(nn.Tanh()), x, shapes=True)
    root = ElementTree.fromstring(picture.svg())
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    shown = printable(name)
    assert sorted(titles) == sorted([
        "computation graph", "Sequential", "0: Tanh", f"{shown}, () float64",
        f"{shown} → tanh", "tanh, () float64",
    ])  # fmt: skip


def test_a_picture_is_a_digraph_that_a_user_may_add_to(picture):
    picture.edge("v1", "mine")
    assert "v1 -> mine" in picture.source
    assert ">mine<" in picture.svg()
    copy = picture.copy()
    assert (copy.source, copy.text(), copy.theme) == (picture.source, picture.text(), "light")
    assert repr(picture) == "<Picture of 3 boxes and 2 arrows>"


def test_the_perceptron_is_laid_out_by_one_start_of_the_program_in_a_moment(monkeypatch):
    starts = []
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: starts.append(a) or run(*a, **k))
    loss = example_loss(load_recipe("mnist-mlp"))
    times = []
    for _ in range(5):  # the quickest, for a busy machine is not the program's fault
        begin = time.perf_counter()
        svg = draw(loss).svg()
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.3
    assert len(starts) == 5
    assert "(256, 784) float32" in svg
