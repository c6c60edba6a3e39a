from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tinygrad_bp.errors import OutputError
from tinygrad_bp.files import write_atomically


@pytest.mark.parametrize("content", ["text äöü\n", b"\x00\xff"])
def test_content_arrives_whole_and_nothing_else_is_left(content, tmp_path):
    path = tmp_path / "file"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_the_rights_that_a_plain_one_has(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "file"
    plain.write_text("")
    write_atomically(path, "")
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("fails", ["replace", "fsync"])
def test_what_was_there_survives_a_failure(fails, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, "replace", full) if fails == "replace" else (os, "fsync", full)))
    with pytest.raises(OutputError, match="(?s)No space left.*Fix: make room"):
        write_atomically(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match="the folder .*nowhere does not exist"):
        write_atomically(tmp_path / "nowhere" / "file", "content")


def test_a_pipe_stays_one_and_is_written_to(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    arrived = []
    reader = threading.Thread(target=lambda: arrived.append(path.read_bytes()), daemon=True)
    reader.start()
    write_atomically(path, "text")
    assert stat.S_ISFIFO(path.stat().st_mode)
    reader.join(10)
    assert arrived == [b"text"]
    assert list(tmp_path.iterdir()) == [path]
