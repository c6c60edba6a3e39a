"""The notebooks of examples/ run from top to bottom, and a graph that ends a cell is shown."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
SECONDS = 120


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of each notebook after a run, by its name; an error in a cell is an error here."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name)))
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        for path in NOTEBOOKS:
            folder = tmp_path_factory.mktemp(path.stem)
            notebook = nbformat.read(path, as_version=4)
            client = NotebookClient(
                notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}
            )
            found[path.stem] = client.execute()["cells"]
    return found


def shown(cell, kind):
    """What a cell shows, of a kind."""
    data = [output["data"] for output in cell.outputs if "data" in output]
    return [d[kind] for d in data if kind in d]


def last_line(cell):
    return cell.source.rstrip().splitlines()[-1]


def test_a_graph_as_the_last_expression_of_a_cell_is_a_picture(executed):
    cells = [c for c in executed["see"] if re.match(r"tg\.draw\(", last_line(c))]
    assert len(cells) >= 4
    for cell in cells:
        (svg,) = shown(cell, "image/svg+xml")
        assert "<svg" in svg
        assert svg.count('class="node"') > 3
    assert all(word in shown(cells[0], "image/svg+xml")[0] for word in ("sigmoid", ">w<", ">x<"))


def test_a_derivation_is_shown_with_its_formulas(executed):
    (cell,) = [c for c in executed["see"] if re.match(r"tg\.explain\(", last_line(c))]
    (text,) = shown(cell, "text/markdown")
    assert r"\bar" in text


def test_plots_are_shown_too(executed):
    cells = [c for c in executed["see"] if re.match(r"draw\.\w+\(", last_line(c))]
    assert len(cells) >= 4
    assert all(shown(cell, "image/png") for cell in cells)


def test_nothing_is_said_on_the_standard_error(executed):
    for name, cells in executed.items():
        for cell in cells:
            said = [o for o in cell.get("outputs", ()) if o.get("name") == "stderr"]
            assert not said, f"{name}: {said}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_stored_without_outputs(path):
    """So that a change of it shows what its author changed."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert not any(c.outputs or c.execution_count for c in code)
