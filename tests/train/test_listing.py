from __future__ import annotations

import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from tinygrad_bp.train import load_recipe, recipe_names
from tinygrad_bp.train.commands import app


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_nothing_in_a_table_is_cut_off_on_a_narrow_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    listed = CliRunner().invoke(app, ["recipes"]).output
    checked = CliRunner().invoke(app, ["check", "digits"]).output
    assert "…" not in listed + checked
    assert all(cell_len(line.rstrip()) <= columns for line in (listed + checked).splitlines())
    words = " ".join(listed.split())
    for name in recipe_names():
        assert name in words
        assert load_recipe(name).title in words or columns >= 80  # wrapped beside other columns
    for name in ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"):
        assert name in checked
    assert checked.count("ok\n") + checked.count("ok ") == 6
    assert (f"recipe{' ' * 13}data" in listed) == (columns >= 80)
