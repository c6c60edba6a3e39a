"""What a message has to say: what happened, where, the facts, and the fix."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinygrad_bp import errors


def told(caught: pytest.ExceptionInfo[BaseException], *facts: str, fix: str) -> None:
    """Assert that an error is one of ours and says all of it, the fix after ``Fix:``."""
    assert isinstance(caught.value, errors.TgError)
    before, after = str(caught.value).split("Fix: ")
    for fact in facts:
        assert fact in before
    assert fix in after


def here(below: int = 0) -> str:
    """This line, or one so many lines below it, as messages name it."""
    frame = sys._getframe(1)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno + below}"
