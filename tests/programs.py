"""Programs are run as their reader would run them, and held against the page that shows them."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from data.samples import mnist_or_stand_in
from matplotlib import pyplot
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SECONDS = 120


def run(*command: str | Path, cwd: Path) -> str:
    """What a Python program prints, in an empty folder, with warnings as errors."""
    env = {k: v for k, v in os.environ.items() if k != "TINYGRAD_BP_DATA"}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, command)],
        cwd=cwd,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def run_here(tmp_path, monkeypatch, capsys):
    """The same without the second that a new Python takes to import what is there already."""

    def run_here(program: str, *options: str | Path) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [program, *map(str, options)])
        runpy.run_path(str(EXAMPLES / program), run_name="__main__")
        return capsys.readouterr().out

    yield run_here
    pyplot.close("all")


def numbers(text: str, before: str) -> list[float]:
    """Each number that stands after a word."""
    return [float(found) for found in re.findall(rf"{re.escape(before)}\s*([-+.\de]+)", text)]


def told_by_the_page(name: str, out: str, folder: Path | None = None) -> None:
    """Hold against docs/examples.md that a program prints such lines, and writes that picture."""
    page = (ROOT / "docs" / "examples.md").read_text()
    section = page[page.index(f"python examples/{name}.py") :]
    _, _, printed, rest = section.split("```", 3)
    assert wording(out) <= wording(printed), "python docs/run_examples.py " + name
    if folder is None:
        return
    assert re.search(r"images/examples/([\w.]+)", rest)[1] == f"{name}.png"
    made, shown = folder / f"{name}.png", ROOT / "docs" / "images" / "examples" / f"{name}.png"
    with Image.open(made) as one, Image.open(shown) as other:
        assert max(abs(a - b) for a, b in zip(one.size, other.size, strict=True)) < 30
    assert shown.stat().st_size < 60_000


def wording(text: str) -> set[str]:
    """Its lines, without their numbers and spaces."""
    return {re.sub(r"[\s\d.,+-]|e-\d", "", line) for line in text.splitlines() if line.strip()}


@pytest.fixture(scope="module")
def mnist_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist_or_stand_in(tmp_path_factory.mktemp("mnist"))
