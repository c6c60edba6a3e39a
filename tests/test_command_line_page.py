"""The commands that docs/command-line.md shows print what the page says, but for numbers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tinygrad_bp.train.commands import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "command-line.md"
SHOWN = re.findall(r"^```console\n\$ tinygrad-bp (.*)\n((?:.*\n)*?)```$", PAGE.read_text(), re.M)


def without_numbers(text: str) -> str:
    """The words alone: last digits, and so bars, shades and places, differ between machines."""
    text = re.sub(r"direction \d+|\[\d[\d, ]*\]", "", text)  # none where all agrees exactly
    text = re.sub(r"\d[\d,.]*(?:e[-+]?\d+)?%?", "N", text)
    return " ".join(re.sub(r"[░▒▓█]+", " ", text).split())


def test_every_command_prints_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("TINYGRAD_BP_DATA", raising=False)
    for command, shown in SHOWN:
        done = CliRunner().invoke(app, shlex.split(command))
        assert without_numbers(done.output) == without_numbers(shown), command
        assert done.exit_code == (1 if shown.startswith("error:") else 0), command


@pytest.mark.parametrize("name", ["recipes", "train", "check", "predict", "draw", "explain"])
def test_every_command_is_on_the_page(name):
    assert any(command.split()[0] == name for command, _ in SHOWN)
    assert f"\n## `{name}`" in PAGE.read_text()
    assert len(app.registered_commands) == 6
