from __future__ import annotations

import io

from rich.console import Console

from tinygrad_bp.train import progress
from tinygrad_bp.train.progress import Bar, Lines, Row, reporter

ROW = Row(2.0, 86, 0.5, 0.9, 0.6, 0.875, 1.5, 12345.6)


def test_a_row_is_one_line_below_the_names_of_its_columns():
    assert [ROW.heading(), ROW.text()] == [
        " epoch     step      loss  accuracy  test loss  test accuracy  samples/s",
        "     2       86    0.5000    0.9000     0.6000         0.8750     12,346",
    ]
    assert "test" not in ROW._replace(test_loss=None, test_accuracy=None).heading()
    long = Row(99.983, 5_999_999, 339.1234, 1.0, 339.1234, 1.0, 1.5, 9_999_999.0)
    assert len(long.heading()) == len(long.text()) < 80


def test_a_terminal_gets_a_bar_and_a_file_gets_lines():
    assert isinstance(reporter(Console(file=io.StringIO(), force_terminal=True)), Bar)
    assert isinstance(reporter(Console(file=io.StringIO(), force_terminal=False)), Lines)


def test_lines_are_not_wrapped():
    file = io.StringIO()
    lines = Lines(Console(file=file, width=20))
    lines.row(ROW)
    lines.row(ROW)
    assert file.getvalue().splitlines() == [ROW.heading(), ROW.text(), ROW.text()]


def test_the_bar_shows_loss_accuracy_speed_and_time_left(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    with Bar(console) as bar:
        bar.begin(0, 100)
        bar.step(43, 0.75, 32)
        bar.row(ROW)
        bar.progress.refresh()
    shown = file.getvalue()
    assert "86/100" in shown
    assert "loss 0.5000 accuracy 0.8750 12,346 samples/s" in shown
    assert "left" in shown
    assert "…" not in shown  # nothing is cut off
    assert f"{ROW.heading()}\n{ROW.text()}\n" in shown
