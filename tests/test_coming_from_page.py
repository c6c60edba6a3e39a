"""What docs/coming-from.md says that one writes here can be written, and works."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_bp as tg

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "coming-from.md").read_text()
ROWS = re.findall(r"^\| .+ \| (?!here|---)(.+) \|$", PAGE, re.MULTILINE)
(BEFORE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", re.findall(r"`([^`]+)`", " ".join(ROWS)))
def test_what_stands_on_the_right_works(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(BEFORE, names)
    names |= {
        "x": tg.Tensor(np.arange(1.0, 7.0).reshape(2, 3), requires_grad=True),
        "y": tg.Tensor(np.ones((2, 3))),
        "v": np.full((3, 4), 0.5),
        "f": lambda t: t * t,
        "model": tg.nn.Linear(4, 3),
        "inputs": np.ones((8, 4)),
        "labels": np.arange(8) % 3,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(code, names)


def test_the_page_has_rows():
    assert len(ROWS) > 25
