from __future__ import annotations

import io

from rich.console import Console

from tinygrad_bp.train import progress
from tinygrad_bp.train.progress import Bar, Lines, Row, reporter

ROW = Row(2.0, 86, 0.5, 0.9, 0.6, 0.875, 1.5, 12345.6)


def test_a_row_is_one_line():
    assert ROW.text() == (
        "epoch 2  step 86  loss 0.5000  accuracy 0.9000  test loss 0.6000  test accuracy 0.8750"
        "  12,346 samples/s"
    )
    assert "test" not in ROW._replace(test_loss=None, test_accuracy=None).text()


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    assert isinstance(reporter(Console(file=io.StringIO(), force_terminal=True)), Bar)
    assert isinstance(reporter(Console(file=io.StringIO(), force_terminal=False)), Lines)


def test_lines_are_not_wrapped():
    file = io.StringIO()
    Lines(Console(file=file, width=20)).row(ROW)
    assert file.getvalue() == ROW.text() + "\n"


def test_the_bar_shows_loss_accuracy_speed_and_time_left(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with Bar(console) as bar:
        bar.begin(0, 100)
        bar.step(43, 0.75, 32)
        bar.row(ROW)
        bar.progress.refresh()
    shown = file.getvalue()
    assert "86/100" in shown
    assert "loss 0.5000  test accuracy 0.8750" in shown
    assert "samples/s" in shown
    assert "left" in shown
    assert "epoch 2  step 86" in shown
