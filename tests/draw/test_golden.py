"""Pictures of a few graphs, as text that a change shows in a diff.

``python tests/draw/test_golden.py`` writes what is drawn now; look at the pictures before.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where it is run as a program

from draw.networks import Deep, Reused, expression, perceptron, samples

from tinygrad_bp.draw import draw
from tinygrad_bp.draw.render import render

GOLDEN = Path(__file__).parent / "golden"
PICTURES = {
    "expression.dot": lambda: draw(expression(), legend=True),
    "expression.txt": lambda: draw(expression()),
    "perceptron.dot": lambda: draw(perceptron()),
    "perceptron.mmd": lambda: draw(perceptron()),
    "perceptron-dark.dot": lambda: draw(perceptron(), level="module", theme="dark", shapes=True),
    "reused.dot": lambda: draw(Reused()(samples())),
    "reused.txt": lambda: draw(Reused()(samples()), level="module"),
    "folded.dot": lambda: draw(Deep()(samples()).sum()),
    "folded.mmd": lambda: draw(Deep()(samples()).sum(), level="module"),
    "modules.dot": lambda: draw(Deep()),
    "modules.txt": lambda: draw(Deep()),
}


def drawn(name):
    return render(PICTURES[name](), name.rsplit(".", 1)[1])


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_it_was(name):
    assert drawn(name).decode() == (GOLDEN / name).read_text(encoding="utf-8")


def test_no_picture_is_left_over():
    assert {path.name for path in GOLDEN.iterdir()} == set(PICTURES)


if __name__ == "__main__":
    for name in PICTURES:
        (GOLDEN / name).write_bytes(drawn(name))
