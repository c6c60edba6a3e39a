from __future__ import annotations

import sys

import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors
from tinygrad_bp.draw import draw, save


@pytest.fixture
def picture():
    return draw(tg.Tensor(1.0, requires_grad=True) * 2.0)


@pytest.mark.parametrize(
    ("ending", "start"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")],
)
def test_a_picture_is_written_in_the_format_of_its_name(ending, start, picture, tmp_path):
    path = save(picture, tmp_path / f"graph.{ending}")
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [f"graph.{ending}"]


def test_another_ending_names_the_ones_there_are(picture, tmp_path):
    with pytest.raises(errors.ArgumentError, match="did you mean 'svg'"):
        save(picture, tmp_path / "graph.svgg")
    assert not list(tmp_path.iterdir())


def test_without_graphviz_the_error_names_the_commands_and_dot_still_works(
    picture, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(
        errors.MissingExtraError, match=r"apt install graphviz .*tinygrad-bp\[draw\]"
    ):
        save(picture, tmp_path / "graph.svg")
    assert save(picture, tmp_path / "graph.dot").read_text() == picture.source
