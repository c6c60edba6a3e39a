from __future__ import annotations

import json
import re

import numpy as np
from typer.testing import CliRunner

from tinygrad_bp.train import load_recipe, run
from tinygrad_bp.train.commands import app
from tinygrad_bp.train.samples import load_samples


def _story(path):
    text = path.read_text()
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1]
    )


def _of(data, name):
    """The numbers of a value of the page, by its name."""
    (box,) = [b for b in data["boxes"].values() if b["name"] == name and b["role"] != "operation"]
    return data["values"][box["value"]]


def test_the_page_of_a_recipe_steps_through_its_first_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["draw", "digits", "--page", "step.html"])
    assert done.exit_code == 0, done.output
    assert done.output == "step.html is written.\n"
    assert [p.name for p in tmp_path.iterdir()] == ["step.html"]
    data = _story(tmp_path / "step.html")
    x = load_samples(load_recipe("digits")).inputs[:16]
    shown = _of(data, "x")
    assert shown["shape"] == [16, 64]
    assert _of(data, "y")["shape"] == [16]
    assert [row["all"] for row in shown["each"]] == [[float(f"{v:.4g}") for v in row] for row in x]
    assert "map" in shown["each"][0]  # as an image
    assert all("main.py" not in b.get("where", "") for b in data["boxes"].values())


def test_a_picture_of_a_recipe_in_full_names_no_line_of_the_command():
    done = CliRunner().invoke(app, ["draw", "digits", "--level", "full", "--format", "txt"])
    assert "keeps 16.4 kB" in done.output
    assert ".py:" not in done.output


def test_the_page_of_a_run_has_its_weights_and_test_samples(tmp_path):
    recipe = load_recipe("digits").with_epochs(1)
    folder, trainer = run.train(recipe, out=tmp_path / "run")
    done = CliRunner().invoke(
        app,
        ["draw", str(folder.path), "--page", f"{tmp_path}/step.html", "-o", f"{tmp_path}/a.dot"],
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.dot").exists()
    data = _story(tmp_path / "step.html")
    for name, parameter in trainer.model.named_parameters():
        norm = np.linalg.norm(parameter.data.astype(np.float64))
        assert _of(data, name)["norm"] == float(f"{norm:.4g}")
    x = load_samples(recipe).test_inputs[:16].astype(np.float64)
    shown = _of(data, "x")
    assert shown["norm"] == float(f"{np.linalg.norm(x):.4g}")
